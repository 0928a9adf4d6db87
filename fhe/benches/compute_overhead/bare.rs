//! The other side: tfhe-rs alone, under the same keys.

use std::time::Instant;

use fhe::encrypt::for_network;
use fhe::keys::{BoundParts, NetworkKeys, NetworkPublicKey, SecretKey};
use sha2::{Digest, Sha256};
use tfhe::prelude::*;
use tfhe::safe_serialization::{DeserializationConfig, SerializationConfig};
use tfhe::zk::CompactPkeCrs;
use tfhe::{
    ClientKey, CompactCiphertextListExpander, CompactPublicKey, CompressedServerKey, FheUint8, FheUint16, FheUint32,
    ProvenCompactCiphertextList, set_server_key,
};

use crate::Fault;
use crate::by_hand::{maximum, membership, statistics};
use crate::measured::{Bare, processor};
use crate::task::{Task, origin};

/// More than any object here has.
const LARGEST_OBJECT: u64 = 1 << 30;

/// The keys, as tfhe-rs has them.
pub(crate) struct Stage {
    client: ClientKey,
    public: CompactPublicKey,
    crs: CompactPkeCrs,
    /// The keys as the platform's clients have them.
    encryption: NetworkPublicKey,
    pub(crate) secret: SecretKey,
}

impl Stage {
    pub(crate) fn new(keys: &NetworkKeys) -> Result<Self, Fault> {
        let digest = Sha256::digest(&keys.evaluation_key).into();
        let parts = BoundParts::new(keys.id(), digest, &keys.public_key, &keys.crs)?;
        set_server_key(read::<CompressedServerKey>(&keys.evaluation_key)?.decompress());
        Ok(Self {
            client: read(&keys.secret_key)?,
            public: read(&keys.public_key)?,
            crs: read(&keys.crs)?,
            encryption: NetworkPublicKey::from_checked(parts)?,
            secret: SecretKey::from_bytes(&keys.secret_key)?,
        })
    }

    pub(crate) fn encrypt(&self, task: Task) -> Result<Vec<u8>, Fault> {
        Ok(for_network(&task.values(), &self.encryption, &origin())?)
    }

    pub(crate) fn bare(&self, task: Task, blob: &[u8]) -> Result<Bare, Fault> {
        let began = Instant::now();
        let list: ProvenCompactCiphertextList = read(blob)?;
        let metadata = origin().metadata();
        let own = std::process::id();
        let inputs = list.verify_and_expand(&self.crs, &self.public, &metadata)?;
        match task {
            Task::Statistics => {
                let values: Vec<FheUint8> = all(&inputs)?;
                let (computing, before) = (Instant::now(), processor(own)?);
                let found = statistics(&values);
                let (compute, processor) = (computing.elapsed(), processor(own)? - before);
                found.write()?;
                let whole = began.elapsed();
                Ok(Bare { compute, processor, whole, clear: found.clear(&self.client, values.len()) })
            }
            Task::Maximum => {
                let values: Vec<FheUint16> = all(&inputs)?;
                let (computing, before) = (Instant::now(), processor(own)?);
                let (index, price) = maximum(&values);
                let (compute, processor) = (computing.elapsed(), processor(own)? - before);
                write(&index).and(write(&price))?;
                let whole = began.elapsed();
                let (index, price): (u8, u16) = (index.decrypt(&self.client), price.decrypt(&self.client));
                Ok(Bare { compute, processor, whole, clear: format!(r#"{{"index":{index},"price":{price}}}"#) })
            }
            Task::Membership => {
                let values: Vec<FheUint32> = all(&inputs)?;
                let (computing, before) = (Instant::now(), processor(own)?);
                let member = membership(&values[0]);
                let (compute, processor) = (computing.elapsed(), processor(own)? - before);
                write(&member)?;
                let whole = began.elapsed();
                Ok(Bare {
                    compute,
                    processor,
                    whole,
                    clear: format!(r#"{{"member":{}}}"#, member.decrypt(&self.client)),
                })
            }
        }
    }
}

fn all<T: tfhe::HlExpandable + Tagged>(inputs: &CompactCiphertextListExpander) -> Result<Vec<T>, Fault> {
    (0..inputs.len()).map(|index| Ok(inputs.get(index)?.ok_or("a value is missing")?)).collect()
}

fn read<T>(bytes: &[u8]) -> Result<T, Fault>
where
    T: serde::de::DeserializeOwned + tfhe::Unversionize + tfhe::named::Named,
{
    Ok(DeserializationConfig::new(LARGEST_OBJECT).disable_conformance().deserialize_from(bytes)?)
}

pub(crate) fn write<T>(object: &T) -> Result<(), Fault>
where
    T: serde::Serialize + tfhe::Versionize + tfhe::named::Named,
{
    Ok(SerializationConfig::new(LARGEST_OBJECT).serialize_into(object, &mut Vec::new())?)
}

//! The network's keys: the key manager makes them once; everybody encrypts under the public one.

use sha2::{Digest, Sha256};
use tfhe::core_crypto::prelude::LweCiphertextCount;
use tfhe::prelude::Tagged;
use tfhe::shortint::parameters::CompactPublicKeyEncryptionParameters;
use tfhe::zk::{CompactPkeCrs, new_compact_pke_crs_conformance_params};
use tfhe::{ClientKey, CompactPublicKey, CompressedServerKey, Tag};
use zeroize::Zeroizing;

use super::secret::MAX_SECRET_KEY;
use super::{KeyError, KeyId, mark};
use crate::bytes::{self, contained};
use crate::parameters::{CRS_BITS, network_config};
use crate::profile;

/// Largest public key, in bytes: 33 KB in practice.
const MAX_PUBLIC_KEY: usize = jobs::fhe::MAX_PUBLIC_KEY_BYTES;
/// Largest common reference string, in bytes: 4.6 MB in practice.
const MAX_CRS: usize = jobs::fhe::MAX_CRS_BYTES;
const CRS: &str = "common reference string";
/// Plaintext bits of a block with its carry, as proofs pack them.
const PACKED_BITS: usize = 4;

/// What is being made, in this order; the last takes most of the time, about ten seconds on two cores.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    SecretKey,
    PublicKey,
    EvaluationKey,
    CommonReferenceString,
}

impl Stage {
    /// All stages in their order.
    pub const ALL: [Self; 4] = [Self::SecretKey, Self::PublicKey, Self::EvaluationKey, Self::CommonReferenceString];

    /// For people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::SecretKey => "secret key",
            Self::PublicKey => "public key",
            Self::EvaluationKey => "evaluation key",
            Self::CommonReferenceString => CRS,
        }
    }
}

/// The network's keys, each as its bytes.
pub struct NetworkKeys {
    /// Decrypts everything: leaves the key manager never. Wiped when it is dropped.
    pub secret_key: Zeroizing<Vec<u8>>,
    pub public_key: Vec<u8>,
    pub evaluation_key: Vec<u8>,
    pub crs: Vec<u8>,
}

impl NetworkKeys {
    /// Makes new keys; `progress` is told each stage as it begins.
    ///
    /// # Errors
    /// tfhe refuses the parameters, which our own never are.
    pub fn generate(mut progress: impl FnMut(Stage)) -> Result<Self, KeyError> {
        profile::pin();
        let config = network_config();
        progress(Stage::SecretKey);
        let mut secret_key = ClientKey::generate(config);
        mark(&mut secret_key);
        progress(Stage::PublicKey);
        let public_key =
            CompactPublicKey::try_new(&secret_key).map_err(|error| KeyError::Generation(error.to_string()))?;
        progress(Stage::EvaluationKey);
        let evaluation_key = CompressedServerKey::new(&secret_key);
        progress(Stage::CommonReferenceString);
        let crs =
            CompactPkeCrs::from_config(config, CRS_BITS).map_err(|error| KeyError::Generation(error.to_string()))?;
        Ok(Self {
            secret_key: bytes::write_secret(&secret_key, MAX_SECRET_KEY),
            public_key: bytes::write(&public_key),
            evaluation_key: bytes::write(&evaluation_key),
            crs: bytes::write(&crs),
        })
    }

    /// The id of these keys.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::network(&self.evaluation_key, &self.public_key, &self.crs)
    }
}

/// Public parts that a key id binds: whoever has checked them once under that id need not do it again.
#[derive(Clone, Copy)]
pub struct BoundParts<'a> {
    id: KeyId,
    public_key: &'a [u8],
    crs: &'a [u8],
}

impl<'a> BoundParts<'a> {
    /// Hashes both parts.
    ///
    /// # Errors
    /// [`KeyError::OtherId`] if the id does not follow from them and from the evaluation key's SHA-256.
    pub fn new(
        id: KeyId,
        evaluation_key_sha256: [u8; 32],
        public_key: &'a [u8],
        crs: &'a [u8],
    ) -> Result<Self, KeyError> {
        let digests = [evaluation_key_sha256, Sha256::digest(public_key).into(), Sha256::digest(crs).into()];
        match KeyId::of_digests(digests) {
            actual if actual == id => Ok(Self { id, public_key, crs }),
            _ => Err(KeyError::OtherId),
        }
    }

    /// What binds them.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }
}

/// What one encrypts with, and what proofs are verified with.
pub struct NetworkPublicKey {
    pub(crate) key: CompactPublicKey,
    pub(crate) crs: CompactPkeCrs,
}

impl NetworkPublicKey {
    /// Reads both parts and checks all that they hold, each point of the reference string included, some seven seconds
    /// on two cores: what is done once, where a key's id is first met.
    ///
    /// # Errors
    /// Bytes that are not such a key or string of the network's parameters.
    pub fn from_bytes(public_key: &[u8], crs: &[u8]) -> Result<Self, KeyError> {
        let key = read_public_key(public_key)?;
        let messages = LweCiphertextCount(CRS_BITS / PACKED_BITS);
        let parameters = contained(|| new_compact_pke_crs_conformance_params(encryption_parameters()?, messages))
            .and_then(Result::ok)
            .ok_or_else(|| KeyError::Generation("the parameters allow no proofs".to_owned()))?;
        Ok(Self { key, crs: bytes::read_conformant(crs, MAX_CRS, CRS, &parameters)? })
    }

    /// Reads both parts of a key that was checked before: by whoever made it, or by [`NetworkPublicKey::from_bytes`].
    /// The points of the reference string are believed, since its id binds them.
    ///
    /// # Errors
    /// Bytes that are not such a key or string.
    pub fn from_checked(parts: BoundParts<'_>) -> Result<Self, KeyError> {
        Ok(Self { key: read_public_key(parts.public_key)?, crs: bytes::read(parts.crs, MAX_CRS, CRS)? })
    }

    pub(crate) fn tag(&self) -> &Tag {
        self.key.tag()
    }
}

fn read_public_key(bytes: &[u8]) -> Result<CompactPublicKey, KeyError> {
    profile::pin();
    let parameters = encryption_parameters().map_err(|error| KeyError::Generation(error.to_string()))?;
    Ok(bytes::read_conformant(bytes, MAX_PUBLIC_KEY, "public key", &parameters)?)
}

fn encryption_parameters() -> tfhe::Result<CompactPublicKeyEncryptionParameters> {
    network_config().public_key_encryption_parameters()
}

//! Inputs under the network's key: one list with a proof that its sender knows the values and sends them for himself.

use jobs::fhe::program::ValueType;
use sha2::{Digest, Sha256};
use tfhe::integer::ciphertext::IntegerProvenCompactCiphertextListConformanceParams;
use tfhe::prelude::Tagged;
use tfhe::zk::ZkComputeLoad;
use tfhe::{FheTypes, ProvenCompactCiphertextList};

use super::{Held, InputError, MAX_BLOB, Origin, Received, check_count};
use crate::bytes::{self, conforms, contained};
use crate::keys::NetworkPublicKey;
use crate::profile;

/// Reads a list and verifies its proofs, 0.1 s for every 2048 bits.
///
/// # Errors
/// Whatever is not such a list, from this origin, under this key.
pub fn read(blob: &[u8], key: &NetworkPublicKey, origin: &Origin) -> Result<Received, InputError> {
    profile::pin();
    let list: ProvenCompactCiphertextList =
        bytes::read(blob, MAX_BLOB, "proven list").map_err(|error| InputError::invalid(error.to_string()))?;
    if list.tag() != key.tag() {
        return Err(InputError::other_key());
    }
    // A proof of the other load would cost us five times as much as this one.
    let parameters =
        IntegerProvenCompactCiphertextListConformanceParams::from_crs_and_parameters(key.key.parameters(), &key.crs)
            .forbid_compute_load(ZkComputeLoad::Verify);
    if !conforms(&list, &parameters) {
        return Err(InputError::invalid("the proven list has other parameters or a proof of another kind"));
    }
    let types = types(&list)?;
    match contained(|| list.verify(&key.crs, &key.key, &origin.metadata())) {
        Some(outcome) if outcome.is_valid() => {}
        _ => return Err(InputError::no_proof()),
    }
    let hash = Sha256::digest(bytes::write(&list)).into();
    Ok(Received { types, hash, held: Held::Proven(Box::new(list)) })
}

fn types(list: &ProvenCompactCiphertextList) -> Result<Vec<ValueType>, InputError> {
    check_count(list.len())?;
    (0..list.len())
        .map(|index| match list.get_kind_of(index) {
            Some(FheTypes::Bool) => Ok(ValueType::Bool),
            Some(FheTypes::Uint8) => Ok(ValueType::U8),
            Some(FheTypes::Uint16) => Ok(ValueType::U16),
            Some(FheTypes::Uint32) => Ok(ValueType::U32),
            Some(FheTypes::Uint64) => Ok(ValueType::U64),
            _ => Err(InputError::unfit(format!("value {index} is of a type that is not taken"))),
        })
        .collect()
}

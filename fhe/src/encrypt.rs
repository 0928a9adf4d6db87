//! What a client does: encrypts values for a job.

use ciborium::Value;
use tfhe::prelude::FheTryEncrypt;
use tfhe::zk::ZkComputeLoad;
use tfhe::{
    ClientKey, CompressedFheBool, CompressedFheUint8, CompressedFheUint16, CompressedFheUint32, CompressedFheUint64,
    ProvenCompactCiphertextList,
};

use crate::bytes;
use crate::clear::ClearValue;
use crate::inputs::{MAX_VALUES, Origin};
use crate::keys::{NetworkPublicKey, SecretKey};
use crate::profile;

/// Why values were not encrypted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EncryptError {
    #[error("{count} values; a job takes 1 to {MAX_VALUES}")]
    Count { count: usize },
    #[error("tfhe: {0}")]
    Tfhe(String),
}

/// Encrypts under the network's key, with a proof that binds the origin. About 1.1 s for 512 bits on two cores.
///
/// # Errors
/// No value or too many.
pub fn for_network(values: &[ClearValue], key: &NetworkPublicKey, origin: &Origin) -> Result<Vec<u8>, EncryptError> {
    check_count(values)?;
    profile::pin();
    let mut builder = ProvenCompactCiphertextList::builder(&key.key);
    for value in values {
        match *value {
            ClearValue::Bool(value) => builder.push(value),
            ClearValue::U8(value) => builder.push(value),
            ClearValue::U16(value) => builder.push(value),
            ClearValue::U32(value) => builder.push(value),
            ClearValue::U64(value) => builder.push(value),
        };
    }
    // The other load moves work from the prover to the verifier, who refuses it.
    builder
        .build_with_proof_packed(&key.crs, &origin.metadata(), ZkComputeLoad::Proof)
        .map(|list| bytes::write(&list))
        .map_err(|error| EncryptError::Tfhe(error.to_string()))
}

/// Encrypts under the client's own key.
///
/// # Errors
/// No value or too many.
pub fn for_client(values: &[ClearValue], key: &SecretKey) -> Result<Vec<u8>, EncryptError> {
    check_count(values)?;
    profile::pin();
    let parts: Result<Vec<Value>, EncryptError> =
        values.iter().map(|value| compressed(*value, &key.0).map(Value::Bytes)).collect();
    let mut array = Vec::new();
    ciborium::into_writer(&Value::Array(parts?), &mut array).expect("writing to memory does not fail");
    Ok(array)
}

fn compressed(value: ClearValue, key: &ClientKey) -> Result<Vec<u8>, EncryptError> {
    let result = match value {
        ClearValue::Bool(value) => CompressedFheBool::try_encrypt(value, key).map(|value| bytes::write(&value)),
        ClearValue::U8(value) => CompressedFheUint8::try_encrypt(value, key).map(|value| bytes::write(&value)),
        ClearValue::U16(value) => CompressedFheUint16::try_encrypt(value, key).map(|value| bytes::write(&value)),
        ClearValue::U32(value) => CompressedFheUint32::try_encrypt(value, key).map(|value| bytes::write(&value)),
        ClearValue::U64(value) => CompressedFheUint64::try_encrypt(value, key).map(|value| bytes::write(&value)),
    };
    result.map_err(|error| EncryptError::Tfhe(error.to_string()))
}

fn check_count(values: &[ClearValue]) -> Result<(), EncryptError> {
    match values.len() {
        1..=MAX_VALUES => Ok(()),
        count => Err(EncryptError::Count { count }),
    }
}

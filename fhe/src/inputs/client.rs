//! Inputs under a client's own key: a CBOR array of compressed ciphertexts.

use std::fmt;

use ciborium::Value;
use jobs::fhe::program::ValueType;
use serde::de::{DeserializeOwned, Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};
use tfhe::conformance::ParameterSetConformant;
use tfhe::named::Named;
use tfhe::prelude::Tagged;
use tfhe::{
    CompressedFheBool, CompressedFheUint8, CompressedFheUint16, CompressedFheUint32, CompressedFheUint64, Unversionize,
    Versionize,
};

use super::{Held, InputError, MAX_BLOB, MAX_VALUES, Received, check_count};
use crate::bytes::{self, ReadError, conforms, contained};
use crate::keys::EvaluationKey;
use crate::profile;
use crate::value::EncryptedValue;

/// Largest compressed value, in bytes: 64 bits take 6 KB.
const MAX_COMPRESSED: usize = 64 * 1024;

/// Reads and expands the array.
///
/// # Errors
/// Whatever is not such an array, or not under this key.
pub fn read(blob: &[u8], key: &EvaluationKey) -> Result<Received, InputError> {
    profile::pin();
    let parts = parts(blob)?;
    check_count(parts.len())?;
    let mut canonical = Vec::with_capacity(parts.len());
    let mut values = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let (bytes, value) = value(part, key, index)?;
        canonical.push(Value::Bytes(bytes));
        values.push(value);
    }
    let types: Vec<ValueType> = values.iter().map(EncryptedValue::value_type).collect();
    let mut array = Vec::new();
    ciborium::into_writer(&Value::Array(canonical), &mut array).expect("writing to memory does not fail");
    Ok(Received { types, hash: Sha256::digest(array).into(), held: Held::Values(values) })
}

fn parts(blob: &[u8]) -> Result<Vec<ByteBuf>, InputError> {
    if blob.len() > MAX_BLOB {
        return Err(InputError::invalid(ReadError::TooLarge { size: blob.len(), limit: MAX_BLOB }.to_string()));
    }
    let mut rest = blob;
    let parts: Parts = ciborium::from_reader(&mut rest)
        .map_err(|_| InputError::invalid("the inputs are not a CBOR array of byte strings"))?;
    match rest.len() {
        0 => Ok(parts.0),
        extra => Err(InputError::invalid(format!("{extra} bytes follow the inputs"))),
    }
}

/// An array that is not read much further than it may be long: an element of one byte would take 24 in memory.
struct Parts(Vec<ByteBuf>);

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Limited;
        impl<'de> Visitor<'de> for Limited {
            type Value = Parts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an array of at most {MAX_VALUES} byte strings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Parts, A::Error> {
                let mut read = Vec::new();
                while let Some(part) = parts.next_element()? {
                    if read.len() == MAX_VALUES {
                        return Err(A::Error::invalid_length(MAX_VALUES + 1, &self));
                    }
                    read.push(part);
                }
                Ok(Parts(read))
            }
        }
        deserializer.deserialize_seq(Limited)
    }
}

/// The part's bytes as this build writes them, and its value. Nothing in a compressed integer names its width; the
/// number of its blocks does, which the parameters check.
fn value(part: &[u8], key: &EvaluationKey, index: usize) -> Result<(Vec<u8>, EncryptedValue), InputError> {
    let server = key.server_key();
    let read: Result<(Vec<u8>, EncryptedValue), Unread> =
        attempt::<CompressedFheUint8>(part, key, &server.into(), |it| EncryptedValue::U8(it.decompress()))
            .or_else(|first| {
                first.next(|| {
                    attempt::<CompressedFheUint16>(part, key, &server.into(), |it| EncryptedValue::U16(it.decompress()))
                })
            })
            .or_else(|first| {
                first.next(|| {
                    attempt::<CompressedFheUint32>(part, key, &server.into(), |it| EncryptedValue::U32(it.decompress()))
                })
            })
            .or_else(|first| {
                first.next(|| {
                    attempt::<CompressedFheUint64>(part, key, &server.into(), |it| EncryptedValue::U64(it.decompress()))
                })
            })
            .or_else(|first| {
                first.next(|| {
                    attempt::<CompressedFheBool>(part, key, &server.into(), |it| EncryptedValue::Bool(it.decompress()))
                })
            });
    read.map_err(|unread| match unread {
        Unread::OtherType => InputError::invalid(format!(
            "value {index} is not a compressed FheBool, FheUint8, FheUint16, FheUint32 or FheUint64 of our parameters"
        )),
        Unread::OtherKey => InputError::other_key(),
        Unread::Damaged => InputError::invalid(format!("value {index} cannot be expanded")),
    })
}

/// Why a part is not a value of a type.
enum Unread {
    /// Perhaps it is one of another.
    OtherType,
    OtherKey,
    Damaged,
}

impl Unread {
    fn next<T>(self, attempt: impl FnOnce() -> Result<T, Self>) -> Result<T, Self> {
        match self {
            Self::OtherType => attempt(),
            last => Err(last),
        }
    }
}

fn attempt<T>(
    part: &[u8],
    key: &EvaluationKey,
    parameters: &T::ParameterSet,
    expand: impl FnOnce(&T) -> EncryptedValue,
) -> Result<(Vec<u8>, EncryptedValue), Unread>
where
    T: DeserializeOwned + Serialize + Versionize + Unversionize + Named + ParameterSetConformant + Tagged,
{
    let object: T = bytes::read(part, MAX_COMPRESSED, "compressed value").map_err(|_| Unread::OtherType)?;
    if !conforms(&object, parameters) {
        return Err(Unread::OtherType);
    }
    if object.tag() != key.tag() {
        return Err(Unread::OtherKey);
    }
    // No server key stands on this thread: the form that needs bootstrappings to expand, which no client makes by
    // encrypting, ends here.
    let value = contained(|| expand(&object)).ok_or(Unread::Damaged)?;
    Ok((bytes::write(&object), value))
}

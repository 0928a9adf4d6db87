//! How tfhe objects become bytes and bytes become objects: the size first, then the form, then the parameters, nothing
//! behind the object, and no panic that leaves.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tfhe::conformance::ParameterSetConformant;
use tfhe::named::Named;
use tfhe::safe_serialization::{DeserializationConfig, SerializationConfig};
use tfhe::{Unversionize, Versionize};
use zeroize::Zeroizing;

/// Why bytes are not the object that they should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReadError {
    #[error("there are {size} bytes; at most {limit} are taken")]
    TooLarge { size: usize, limit: usize },
    #[error("the bytes are not a serialised {kind}")]
    Malformed { kind: &'static str },
    #[error("{extra} bytes follow the {kind}")]
    Trailing { kind: &'static str, extra: usize },
    #[error("the {kind} has other parameters")]
    Parameters { kind: &'static str },
}

/// Reads an object that the caller checks for its parameters.
pub(crate) fn read<T>(bytes: &[u8], limit: usize, kind: &'static str) -> Result<T, ReadError>
where
    T: DeserializeOwned + Unversionize + Named,
{
    if bytes.len() > limit {
        return Err(ReadError::TooLarge { size: bytes.len(), limit });
    }
    let mut rest = bytes;
    let config = DeserializationConfig::new(limit as u64).disable_conformance();
    let object =
        contained(|| config.deserialize_from::<T>(&mut rest).ok()).flatten().ok_or(ReadError::Malformed { kind })?;
    match rest.len() {
        0 => Ok(object),
        extra => Err(ReadError::Trailing { kind, extra }),
    }
}

/// Reads an object of the given parameters.
pub(crate) fn read_conformant<T>(
    bytes: &[u8],
    limit: usize,
    kind: &'static str,
    parameters: &T::ParameterSet,
) -> Result<T, ReadError>
where
    T: DeserializeOwned + Unversionize + Named + ParameterSetConformant,
{
    let object = read::<T>(bytes, limit, kind)?;
    match conforms(&object, parameters) {
        true => Ok(object),
        false => Err(ReadError::Parameters { kind }),
    }
}

/// Whether the object has the parameters; an object whose check panics has not.
pub(crate) fn conforms<T: ParameterSetConformant>(object: &T, parameters: &T::ParameterSet) -> bool {
    contained(|| object.is_conformant(parameters)).unwrap_or(false)
}

/// The object's bytes, the same for equal objects.
pub(crate) fn write<T: Serialize + Versionize + Named>(object: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    SerializationConfig::new_with_unlimited_size()
        .serialize_into(object, &mut bytes)
        .expect("serialising to memory does not fail");
    bytes
}

/// The bytes of a secret object of at most so many bytes, wiped when they are dropped.
pub(crate) fn write_secret<T: Serialize + Versionize + Named>(object: &T, most: usize) -> Zeroizing<Vec<u8>> {
    // All the room at once: bytes that grow leave copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    SerializationConfig::new_with_unlimited_size()
        .serialize_into(object, &mut *bytes)
        .expect("serialising to memory does not fail");
    assert!(bytes.len() <= most, "a secret of {} bytes has copies", bytes.len());
    bytes
}

/// Runs code of tfhe on outside data; `None` if it panicked.
pub(crate) fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_not_looked_at() {
        let read = |bytes| read::<tfhe::CompressedFheUint8>(bytes, 3, "ciphertext").err();
        assert_eq!(read(&[0; 4]), Some(ReadError::TooLarge { size: 4, limit: 3 }));
        assert_eq!(read(&[0; 3]), Some(ReadError::Malformed { kind: "ciphertext" }));
    }

    #[test]
    fn a_panic_is_contained() {
        assert_eq!(contained(|| -> u8 { panic!("inside") }), None);
        assert_eq!(contained(|| 7), Some(7));
    }
}

//! Results in the clear: for the key manager, and for clients that hold their key.

mod members;

#[cfg(test)]
mod tests;

use std::fmt::Write;

use jobs::json::MAX_SAFE_INTEGER;
use tfhe::integer::IntegerCiphertext;
use tfhe::prelude::{FheDecrypt, Tagged};
use tfhe::{FheBool, FheInt64, FheUint64};

use self::members::{Member, members};
use crate::bytes::{self, ReadError, contained};
use crate::keys::SecretKey;
use crate::profile;
use crate::value::{MAX_VALUE_BYTES, are_computed_blocks};

/// Largest result, in bytes.
pub const MAX_RESULT: usize = jobs::fhe::MAX_RESULT_BYTES;

const KIND: &str = "ciphertext";

/// A value of a result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResultValue {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
}

/// A result in the clear, in the order of the program's outputs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClearResult(pub Vec<(String, ResultValue)>);

/// Why a result was not decrypted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecryptError {
    #[error("the result has {size} bytes; at most {MAX_RESULT} are taken")]
    TooLarge { size: usize },
    #[error("the result is not the CBOR map that programs leave")]
    Malformed,
    #[error("{name}: {error}")]
    Value { name: String, error: ReadError },
    #[error("{name} is encrypted under another key")]
    OtherKey { name: String },
}

/// Decrypts what a program left.
///
/// # Errors
/// Anything that is not exactly what [`crate::execution::Execution::finish`] writes, under this key.
pub fn decrypt(result: &[u8], key: &SecretKey) -> Result<ClearResult, DecryptError> {
    profile::pin();
    if result.len() > MAX_RESULT {
        return Err(DecryptError::TooLarge { size: result.len() });
    }
    let mut clear = Vec::new();
    for (name, member) in members(result).ok_or(DecryptError::Malformed)? {
        let value = match member {
            Member::Clear(number) => ResultValue::Unsigned(number),
            Member::Ciphertext(bytes) => ciphertext(&name, &bytes, key)?,
        };
        clear.push((name, value));
    }
    Ok(ClearResult(clear))
}

fn ciphertext(name: &str, bytes: &[u8], key: &SecretKey) -> Result<ResultValue, DecryptError> {
    let refuse = |error| DecryptError::Value { name: name.to_owned(), error };
    let outcome = bool_value(bytes, key)
        .or_else(|_| unsigned_value(bytes, key))
        .or_else(|_| signed_value(bytes, key))
        .map_err(refuse)?;
    outcome.ok_or_else(|| DecryptError::OtherKey { name: name.to_owned() })
}

/// `None` under another key.
type Outcome = Result<Option<ResultValue>, ReadError>;

fn bool_value(bytes: &[u8], key: &SecretKey) -> Outcome {
    let value: FheBool = bytes::read(bytes, MAX_VALUE_BYTES, KIND)?;
    let ours = value.tag() == key.tag();
    check(contained(|| are_computed_blocks(&[value.clone().into_raw_parts()], 1)))?;
    match ours {
        true => clear(|| ResultValue::Bool(value.decrypt(&key.0))),
        false => Ok(None),
    }
}

fn unsigned_value(bytes: &[u8], key: &SecretKey) -> Outcome {
    // The widest type reads them all: the width is in the number of blocks.
    let value: FheUint64 = bytes::read(bytes, MAX_VALUE_BYTES, KIND)?;
    let (radix, id, tag, metadata) = value.into_raw_parts();
    check(contained(|| is_number(radix.blocks())))?;
    match tag == *key.tag() {
        true => {
            let value = FheUint64::from_raw_parts(radix, id, tag, metadata);
            clear(|| ResultValue::Unsigned(value.decrypt(&key.0)))
        }
        false => Ok(None),
    }
}

fn signed_value(bytes: &[u8], key: &SecretKey) -> Outcome {
    let value: FheInt64 = bytes::read(bytes, MAX_VALUE_BYTES, KIND)?;
    let (radix, id, tag, metadata) = value.into_raw_parts();
    check(contained(|| is_number(radix.blocks())))?;
    match tag == *key.tag() {
        true => {
            let value = FheInt64::from_raw_parts(radix, id, tag, metadata);
            clear(|| ResultValue::Signed(value.decrypt(&key.0)))
        }
        false => Ok(None),
    }
}

fn is_number(blocks: &[tfhe::shortint::Ciphertext]) -> bool {
    [4, 8, 16, 32].into_iter().any(|width| are_computed_blocks(blocks, width))
}

fn check(sound: Option<bool>) -> Result<(), ReadError> {
    match sound {
        Some(true) => Ok(()),
        _ => Err(ReadError::Parameters { kind: KIND }),
    }
}

fn clear(decrypt: impl FnOnce() -> ResultValue) -> Outcome {
    contained(decrypt).map(Some).ok_or(ReadError::Malformed { kind: KIND })
}

impl ClearResult {
    /// The JSON object that owners get: numbers as numbers up to 2^53 - 1 in magnitude and as decimal strings beyond,
    /// members in the order of the outputs.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = String::from("{");
        for (index, (name, value)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let name = serde_json::Value::from(name.as_str());
            write!(text, "{comma}{name}:{}", json(*value)).expect("writing to a string does not fail");
        }
        text.push('}');
        text
    }
}

fn json(value: ResultValue) -> String {
    let safe = MAX_SAFE_INTEGER.unsigned_abs();
    match value {
        ResultValue::Bool(value) => value.to_string(),
        ResultValue::Unsigned(value) if value <= safe => value.to_string(),
        ResultValue::Signed(value) if value.unsigned_abs() <= safe => value.to_string(),
        ResultValue::Unsigned(value) => format!("\"{value}\""),
        ResultValue::Signed(value) => format!("\"{value}\""),
    }
}

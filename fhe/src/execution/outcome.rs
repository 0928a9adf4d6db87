//! The result of a program: its bytes and their hash.

use ciborium::Value;
use jobs::fhe::program::{OutputValue, ValueId};
use sha2::{Digest, Sha256};
use tfhe::with_server_key_as_context;

use super::{Execution, ExecutionError, Unsuitable};
use crate::bytes::contained;
use crate::value::EncryptedValue;

/// What a program leaves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// CBOR map in the order of the program's outputs: name to a serialised ciphertext, or to a number for clear ones.
    pub result: Vec<u8>,
    /// SHA-256 of `result`.
    pub result_hash: [u8; 32],
}

impl Execution {
    /// The outputs.
    ///
    /// # Errors
    /// Steps are left, or an output that is not a number is to be read as a signed one.
    pub fn finish(&self) -> Result<Outcome, ExecutionError> {
        if !self.is_complete() {
            return Err(ExecutionError::Unfinished);
        }
        let step = self.position();
        let members: Result<Vec<_>, Unsuitable> =
            contained(|| with_server_key_as_context(self.key.clone(), || self.outputs()))
                .ok_or(ExecutionError::Panicked { step })?;
        let members = members.map_err(|reason| ExecutionError::Step { step, reason })?;
        let mut result = Vec::new();
        ciborium::into_writer(&Value::Map(members), &mut result).expect("writing to memory does not fail");
        let result_hash = Sha256::digest(&result).into();
        Ok(Outcome { result, result_hash })
    }

    fn outputs(&self) -> Result<Vec<(Value, Value)>, Unsuitable> {
        let member = |output: &jobs::fhe::program::Output| {
            let value = match output.value {
                OutputValue::Encrypted(id) => Value::Bytes(self.value(id)?.to_bytes()),
                OutputValue::Signed(id) => Value::Bytes(self.signed(id)?),
                OutputValue::Clear(number) => Value::Integer(number.into()),
            };
            Ok((Value::Text(output.name.clone()), value))
        };
        self.program.outputs.iter().map(member).collect()
    }

    fn signed(&self, id: ValueId) -> Result<Vec<u8>, Unsuitable> {
        EncryptedValue::to_signed_bytes(self.value(id)?).ok_or(Unsuitable::Types)
    }
}

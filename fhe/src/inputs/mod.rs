//! The one door for ciphertexts from outside. What comes through has a size, a form, parameters and a proof that were
//! checked in this order, and is hashed as this build writes it: two spellings of one input are one input.

mod client;
mod network;
mod origin;
mod randomise;

#[cfg(test)]
mod tests;

use jobs::fhe::program::ValueType;

pub use self::client::read as read_client;
pub use self::network::read as read_network;
pub use self::origin::Origin;
pub use self::randomise::Seeds;
pub use crate::child::protocol::Refusal;
use crate::keys::EvaluationKey;
use crate::value::EncryptedValue;

/// Largest blob of inputs, in bytes.
pub const MAX_BLOB: usize = 64 * 1024 * 1024;

/// Most values of a job.
pub const MAX_VALUES: usize = 512;

/// Why inputs are refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{detail}")]
pub struct InputError {
    pub reason: Refusal,
    pub detail: String,
}

impl InputError {
    fn invalid(detail: impl Into<String>) -> Self {
        Self { reason: Refusal::CiphertextInvalid, detail: detail.into() }
    }

    fn other_key() -> Self {
        let detail = "the inputs are encrypted under another key than the job names".to_owned();
        Self { reason: Refusal::KeyMismatch, detail }
    }

    fn unfit(detail: impl Into<String>) -> Self {
        Self { reason: Refusal::InputsUnfit, detail: detail.into() }
    }
}

/// Inputs that were checked and are not yet values to compute on.
pub struct Received {
    types: Vec<ValueType>,
    hash: [u8; 32],
    held: Held,
}

enum Held {
    Proven(Box<tfhe::ProvenCompactCiphertextList>),
    Values(Vec<EncryptedValue>),
}

impl Received {
    /// The types, in order.
    #[must_use]
    pub fn types(&self) -> &[ValueType] {
        &self.types
    }

    /// SHA-256 of the inputs as this build writes them.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The values, under fresh randomness where the key allows it (network mode): a result then tells nothing about
    /// the noise of the inputs.
    ///
    /// # Errors
    /// Inputs that tfhe cannot expand.
    pub fn into_inputs(self, key: &EvaluationKey, seeds: &Seeds) -> Result<Inputs, InputError> {
        let values = match self.held {
            Held::Values(values) => values,
            Held::Proven(list) => randomise::randomise(network::expand(&list, &self.types, key)?, key, seeds)?,
        };
        Ok(Inputs { values, hash: self.hash })
    }
}

/// Values to compute on.
pub struct Inputs {
    pub(crate) values: Vec<EncryptedValue>,
    pub(crate) hash: [u8; 32],
}

fn check_count(count: usize) -> Result<(), InputError> {
    match count {
        0 => Err(InputError::unfit("there is no value")),
        1..=MAX_VALUES => Ok(()),
        _ => Err(InputError::unfit(format!("there are more than {MAX_VALUES} values"))),
    }
}

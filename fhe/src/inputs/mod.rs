//! The one door for ciphertexts from outside. What comes through has a size, a form, parameters and a proof that were
//! checked in this order, and is hashed as this build writes it: two spellings of one input are one input.

mod client;
mod expansion;
mod network;
mod origin;
mod randomise;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use jobs::fhe::program::ValueType;

pub use self::client::read as read_client;
pub use self::network::read as read_network;
pub use self::origin::Origin;
pub use self::randomise::Seeds;
pub use crate::child::protocol::Refusal;
use crate::keys::EvaluationKey;
use crate::value::EncryptedValue;

/// Largest blob of inputs, in bytes.
pub const MAX_BLOB: usize = jobs::fhe::MAX_BLOB_BYTES;

/// Most values of a job.
pub const MAX_VALUES: usize = jobs::fhe::MAX_INPUTS;

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

    fn no_proof() -> Self {
        Self::invalid("the proof does not hold for this tenant, submitter and key")
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

    /// All values, under fresh randomness where the key allows it (network mode): a result then tells nothing about
    /// the noise of the inputs.
    ///
    /// # Errors
    /// Inputs that tfhe cannot expand.
    pub fn into_inputs(self, key: &EvaluationKey, seeds: &Seeds) -> Result<Inputs, InputError> {
        let made = self.into_wanted(key, seeds, &|_| true, &mut |_| ControlFlow::Continue(()))?;
        made.ok_or_else(|| InputError::invalid("the inputs were not expanded"))
    }

    /// The same of the values that are wanted, in parts; `None` if it was told to stop. Which ones are wanted must
    /// follow from the program alone: the fresh randomness depends on it.
    ///
    /// # Errors
    /// Inputs that tfhe cannot expand.
    pub fn into_wanted(
        self,
        key: &EvaluationKey,
        seeds: &Seeds,
        is_wanted: &dyn Fn(usize) -> bool,
        making: &mut Making<'_>,
    ) -> Result<Option<Inputs>, InputError> {
        let Self { types, hash, held } = self;
        let values = match held {
            Held::Values(values) => values.into_iter().map(Some).collect(),
            Held::Proven(list) => {
                let Some(values) = expansion::expand(&list, &types, is_wanted, key, making)? else { return Ok(None) };
                randomise::randomise(values, key, seeds)?
            }
        };
        Ok(Some(Inputs { types, values, hash }))
    }
}

/// Hears how many bootstrappings were made for the inputs so far, and may end the making.
pub type Making<'a> = dyn FnMut(u64) -> ControlFlow<()> + 'a;

/// Values to compute on.
pub struct Inputs {
    pub(crate) types: Vec<ValueType>,
    /// Without those that were not wanted.
    pub(crate) values: Vec<Option<EncryptedValue>>,
    pub(crate) hash: [u8; 32],
}

fn check_count(count: usize) -> Result<(), InputError> {
    match count {
        0 => Err(InputError::unfit("there is no value")),
        1..=MAX_VALUES => Ok(()),
        _ => Err(InputError::unfit(format!("there are more than {MAX_VALUES} values"))),
    }
}

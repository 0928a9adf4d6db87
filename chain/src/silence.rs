//! A signer elsewhere that gave no answer is left alone for a moment: whoever has many transactions to sign waits for the
//! time-out of one of them, not of each.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::ChainError;

/// How long one that gave no answer is not asked again.
const REST: Duration = Duration::from_secs(5);

/// Why a signer gave no answer, and until when it is left alone. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Silence(Arc<Mutex<Option<(String, Instant)>>>);

impl Silence {
    /// # Errors
    /// [`ChainError::SignerUnavailable`] while the signer is left alone, for the reason of before.
    pub(crate) fn is_over(&self) -> Result<(), ChainError> {
        let silence = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match silence.as_ref().filter(|(_, until)| *until > Instant::now()) {
            Some((why, _)) => Err(ChainError::SignerUnavailable(why.clone())),
            None => Ok(()),
        }
    }

    /// Notes an answer that did not come.
    pub(crate) fn note(&self, error: &ChainError) {
        if let ChainError::SignerUnavailable(why) = error {
            let until = Instant::now() + REST;
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((why.clone(), until));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_gave_no_answer_is_left_alone() {
        let silence = Silence::default();
        silence.note(&ChainError::SignerRefused("no".to_owned()));
        assert!(silence.is_over().is_ok());
        silence.note(&ChainError::SignerUnavailable("away".to_owned()));
        assert!(matches!(silence.is_over(), Err(ChainError::SignerUnavailable(why)) if why == "away"));
    }
}

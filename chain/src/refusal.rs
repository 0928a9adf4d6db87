//! Why the registry refuses a batch, as far as the sender of batches must tell the reasons apart.

use contracts::ZamaJobsRegistry::ZamaJobsRegistryErrors as Errors;

use crate::{ChainError, RevertReason};

/// A refusal of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The root is confirmed already.
    RootAlreadyConfirmed,
    /// Another root has set one of the bits.
    IndexAlreadyConfirmed,
    /// The registry is paused.
    Paused,
    /// The sender does not hold CONFIRMER_ROLE.
    NotConfirmer,
    /// Anything else.
    Other,
}

impl ChainError {
    /// The registry's refusal; `None` of an error that is none.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Reverted(RevertReason::Registry(error)) => Some(match **error {
                Errors::RootAlreadyConfirmed(_) => Refusal::RootAlreadyConfirmed,
                Errors::IndexAlreadyConfirmed(_) => Refusal::IndexAlreadyConfirmed,
                Errors::EnforcedPause(_) => Refusal::Paused,
                Errors::AccessControlUnauthorizedAccount(_) => Refusal::NotConfirmer,
                _ => Refusal::Other,
            }),
            Self::Reverted(RevertReason::Other(_)) => Some(Refusal::Other),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, B256, U256};
    use contracts::ZamaJobsRegistry::{
        AccessControlUnauthorizedAccount, EnforcedPause, IndexAlreadyConfirmed, RootAlreadyConfirmed, RootIsZero,
    };

    use super::*;

    #[test]
    fn the_registrys_errors_are_told_apart() {
        let of = |error| ChainError::Reverted(RevertReason::Registry(Box::new(error))).refusal();
        let (root, index) = (B256::ZERO, U256::ZERO);
        let not_confirmer = AccessControlUnauthorizedAccount { account: Address::ZERO, neededRole: B256::ZERO };
        let root_is_there = Errors::RootAlreadyConfirmed(RootAlreadyConfirmed { root });
        assert_eq!(of(root_is_there), Some(Refusal::RootAlreadyConfirmed));
        let bit_is_set = Errors::IndexAlreadyConfirmed(IndexAlreadyConfirmed { index });
        assert_eq!(of(bit_is_set), Some(Refusal::IndexAlreadyConfirmed));
        assert_eq!(of(Errors::EnforcedPause(EnforcedPause {})), Some(Refusal::Paused));
        assert_eq!(of(Errors::AccessControlUnauthorizedAccount(not_confirmer)), Some(Refusal::NotConfirmer));
        assert_eq!(of(Errors::RootIsZero(RootIsZero {})), Some(Refusal::Other));
        assert_eq!(ChainError::Reverted(RevertReason::Other(String::new())).refusal(), Some(Refusal::Other));
        assert_eq!(ChainError::Unavailable(String::new()).refusal(), None);
    }
}

//! Why a batch cannot go on: told by type, since each reason wants another remedy.

use anyhow::Result;
use chain::{ChainError, Refusal, Rejection, Sender};
use store::StoreError;
use store::batches::{self, OpenBatch};
use store::transactions;
use tokio::time::Instant;

use super::{ConfirmBatches, Shift, mortality};

/// What an error says about the one batch that met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Diagnosis {
    /// Its own root is on chain: it is confirmed, and its event has only to be found.
    AlreadyThere,
    /// Another root has set one of its bits: it can never be confirmed as it is.
    IndexTaken,
    /// The registry is paused.
    Paused,
    /// The signer's account does not hold CONFIRMER_ROLE any more.
    RoleLost,
    /// The account cannot pay.
    CannotPay,
    /// Whoever keeps the account's key is away: what was signed before goes on.
    SignerAway,
    /// Anything else that the registry or the node refuses.
    Refused,
}

impl Diagnosis {
    /// Of an error that is the batch's own; `None` when node or database are away or others than are meant, which is
    /// everybody's.
    pub(super) fn of(error: &anyhow::Error) -> Option<Self> {
        let Some(error) = error.downcast_ref::<ChainError>() else {
            let is_away = error.downcast_ref::<StoreError>().is_some_and(StoreError::is_unavailable);
            return (!is_away).then_some(Self::Refused);
        };
        match error {
            ChainError::Rejected { rejection: Rejection::InsufficientFunds, .. } | ChainError::CannotPay { .. } => {
                Some(Self::CannotPay)
            }
            ChainError::SignerUnavailable(_) => Some(Self::SignerAway),
            ChainError::Unavailable(_) | ChainError::WrongChain { .. } | ChainError::NotARegistry(_) => None,
            error => Some(error.refusal().map_or(Self::Refused, |refusal| match refusal {
                Refusal::RootAlreadyConfirmed => Self::AlreadyThere,
                Refusal::IndexAlreadyConfirmed => Self::IndexTaken,
                Refusal::Paused => Self::Paused,
                Refusal::NotConfirmer => Self::RoleLost,
                Refusal::Other => Self::Refused,
            })),
        }
    }

    /// The label of the metric.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::AlreadyThere => "already_there",
            Self::IndexTaken => "index_taken",
            Self::Paused => "paused",
            Self::RoleLost => "role_lost",
            Self::CannotPay => "cannot_pay",
            Self::SignerAway => "signer_away",
            Self::Refused => "refused",
        }
    }
}

impl ConfirmBatches {
    /// Does what the diagnosis asks for; gives the error back when it is everybody's, or when another node may say
    /// something else.
    pub(super) async fn cannot_go_on(
        &self,
        sender: &Sender,
        batch: &OpenBatch,
        error: anyhow::Error,
        shift: &mut Shift,
        head: u64,
    ) -> Result<()> {
        let Some(diagnosis) = Diagnosis::of(&error) else { return Err(error) };
        match diagnosis {
            Diagnosis::AlreadyThere => {
                tracing::info!(batch.id = %batch.id, "the root is on chain already; looking for its event");
                batches::search_from(&self.pool, batch.id, 0).await?;
                return Ok(());
            }
            Diagnosis::IndexTaken if self.give_new_indices(sender, batch, &error, head).await? => {
                shift.refusals.forget(batch.id);
                return Ok(());
            }
            _ => {}
        }
        shift.refusals.note(batch, diagnosis, &error, Instant::now());
        // What this node refuses another one may take: the batch rests, and all go on there.
        if goes_to_another_node(&error, sender.client().has_other_nodes()) { Err(error) } else { Ok(()) }
    }

    /// Gives the batch up and its jobs new indices, when nothing that was signed for it can ever be confirmed: nothing
    /// was signed, or the root that took the bit is final. Tells whether it did.
    async fn give_new_indices(
        &self,
        sender: &Sender,
        batch: &OpenBatch,
        error: &anyhow::Error,
        head: u64,
    ) -> Result<bool> {
        let since = batches::note_refused(&self.pool, batch.id, i64::try_from(head)?).await?;
        let was_signed = !transactions::of_batch(&self.pool, batch.id).await?.is_empty();
        if was_signed {
            let finalized = sender.client().finalized_block().await?;
            if finalized.is_none_or(|finalized| i64::try_from(finalized).unwrap_or(0) < since) {
                return Ok(false);
            }
        }
        let why = format!("{error:#}");
        let Some(jobs) = batches::abandon(&self.pool, batch.id, &why).await? else { return Ok(false) };
        mortality::after(mortality::Step::Abandoned);
        metrics::counter!("zama_batches_abandoned_total").increment(1);
        tracing::error!(
            batch.id = %batch.id, batch.jobs = jobs, error = why,
            "another root has set one of the batch's bits: somebody else confirms with the confirmer's rights; its jobs \
             get new indices"
        );
        Ok(true)
    }
}

fn goes_to_another_node(error: &anyhow::Error, there_is_one: bool) -> bool {
    there_is_one && error.downcast_ref::<ChainError>().is_some_and(ChainError::is_perhaps_the_nodes)
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, U256};
    use chain::RevertReason;

    use super::*;

    #[test]
    fn an_outage_is_no_batchs_fault_and_an_empty_purse_is() {
        assert_eq!(Diagnosis::of(&ChainError::Unavailable("away".to_owned()).into()), None);
        assert_eq!(Diagnosis::of(&ChainError::NotARegistry(Address::ZERO).into()), None);
        let (account, balance, needed) = (Address::ZERO, U256::ZERO, U256::ONE);
        let poor = ChainError::CannotPay { account, balance, needed };
        assert_eq!(Diagnosis::of(&poor.into()), Some(Diagnosis::CannotPay));
        let signer = ChainError::Configuration("cannot sign".to_owned());
        assert_eq!(Diagnosis::of(&signer.into()), Some(Diagnosis::Refused), "other batches may be signed for already");
        let rejected = ChainError::Rejected { rejection: Rejection::Other, message: String::new() };
        assert_eq!(Diagnosis::of(&rejected.into()), Some(Diagnosis::Refused));
        let reverted = ChainError::Reverted(RevertReason::Other(String::new()));
        assert_eq!(Diagnosis::of(&anyhow::Error::from(reverted).context("the batch")), Some(Diagnosis::Refused));
    }

    #[test]
    fn a_signer_that_is_away_is_not_the_nodes_fault_and_holds_up_nothing_that_was_signed() {
        let away = ChainError::SignerUnavailable("refused".to_owned()).into();
        assert_eq!(Diagnosis::of(&away), Some(Diagnosis::SignerAway));
        assert!(!goes_to_another_node(&away, true));
        assert_eq!(Diagnosis::of(&ChainError::SignerRefused(String::new()).into()), Some(Diagnosis::Refused));
    }

    #[test]
    fn a_node_that_answers_with_an_error_is_left_for_another_and_a_revert_is_the_same_everywhere() {
        let rejected = |rejection| ChainError::Rejected { rejection, message: String::new() }.into();
        assert!(goes_to_another_node(&rejected(Rejection::Other), true));
        assert!(!goes_to_another_node(&rejected(Rejection::Other), false), "it is the only one");
        assert!(!goes_to_another_node(&rejected(Rejection::TooMuchGas), true));
        assert!(!goes_to_another_node(&ChainError::Reverted(RevertReason::Other(String::new())).into(), true));
    }
}

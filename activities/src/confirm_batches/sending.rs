//! A sealed batch's first transaction: estimate, means, nonce, sign, write ahead, broadcast.
//!
//! A batch gets another nonce only when none of its transactions may land any more: a stranger's transaction with its
//! nonce, or its own refusal, is as deep as a confirmation. Until then `tending` keeps what was signed on its way.

use anyhow::{Context, Result};
use chain::{ChainError, Estimate, Rejection, Sender, SignedTx, TransactionCount};
use store::batches::{self, OpenBatch};
use store::transactions::{self, Account, Purpose, Tracked, Transaction, TransactionState, Written};

use super::{ConfirmBatches, mortality};

/// The first nonce from the node's next one on that is not given to a batch. Nonces beyond a gap do not count: on a chain
/// that forgot they are left over from before.
fn first_free(next: u64, given: &[u64]) -> u64 {
    (next..).find(|nonce| !given.contains(nonce)).unwrap_or(next)
}

/// What is written down of a signed transaction.
pub(super) fn transaction(signed: &SignedTx) -> Transaction {
    Transaction {
        tx_hash: signed.hash.0,
        sender: signed.sender.into_array(),
        nonce: signed.nonce,
        raw: signed.raw.to_vec(),
        max_fee_per_gas: signed.fees.max_fee_per_gas,
        max_priority_fee_per_gas: signed.fees.max_priority_fee_per_gas,
    }
}

impl ConfirmBatches {
    pub(super) fn account(&self, sender: &Sender) -> Result<Account> {
        Ok(Account { on: self.registry()?, address: sender.address().into_array() })
    }

    /// Sends a batch under a nonce of its own.
    pub(super) async fn send(&self, sender: &Sender, batch: &OpenBatch) -> Result<()> {
        let entries: Vec<jobs::merkle::Entry> =
            serde_json::from_value(batch.entries.clone()).context("stored entries are corrupt")?;
        let Estimate { gas_limit, .. } = sender.estimate(batch.root.into(), &entries).await?;
        let fees = self.batching.fees.first(sender.market().await?);
        sender.require_means(gas_limit, fees).await?;
        mortality::after(mortality::Step::Estimated);
        let estimate = Estimate { gas_limit, fees };
        let next = sender.client().transaction_count(sender.address(), TransactionCount::Pending).await?;
        let given = transactions::given_nonces(&self.pool, &self.account(sender)?, next).await?;
        let signed = sender.build_and_sign(batch.root.into(), &entries, first_free(next, &given), estimate).await?;
        let written = transaction(&signed);
        match transactions::write_ahead(&self.pool, batch.id, Purpose::Batch, &written).await? {
            Written::Ahead => {
                mortality::after(mortality::Step::WrittenAhead);
                if let Offer::Refused(error) = self.offer(sender, &written).await? {
                    return Err(error.into());
                }
            }
            // Another batcher that sends with the same key was faster.
            Written::NonceTaken => return Ok(()),
        }
        tracing::info!(batch.id = %batch.id, batch.jobs = batch.job_count, chain.tx = %signed.hash, "sent");
        Ok(())
    }

    /// Looks after a batch whose event does not appear: nothing needs to be done while one of its transactions may land.
    pub(super) async fn look_after(&self, sender: &Sender, batch: &OpenBatch) -> Result<()> {
        let sent = transactions::of_batch(&self.pool, batch.id).await?;
        if let Some(block) = landed_too_early(batch, &sent) {
            tracing::warn!(batch.id = %batch.id, chain.block = block, "mined before its event was looked for");
            return Ok(batches::search_from(&self.pool, batch.id, block).await?);
        }
        if sent.iter().any(|transaction| transaction.state.is_live()) {
            return Ok(());
        }
        tracing::warn!(batch.id = %batch.id, "no transaction of the batch can land any more; sending anew");
        self.send(sender, batch).await
    }

    /// Hands a transaction that is written down to the node. Where another one has its nonce, in a block or at the node,
    /// the next look at the account tells what is to be done.
    ///
    /// # Errors
    /// Node or database are away: whether the node has it is not known.
    pub(super) async fn offer(&self, sender: &Sender, transaction: &Transaction) -> Result<Offer> {
        let sent = sender.broadcast(&transaction.raw).await;
        mortality::after(mortality::Step::Broadcast);
        match sent {
            Ok(()) => {
                transactions::note_sent(&self.pool, transaction.tx_hash).await?;
                Ok(Offer::Taken)
            }
            Err(error @ ChainError::Rejected { rejection, .. }) => {
                tracing::info!(chain.nonce = transaction.nonce, %error, "the node does not take the transaction");
                Ok(match rejection {
                    Rejection::NonceTooLow => Offer::NonceUsed,
                    Rejection::Underpriced => Offer::Outbid(error),
                    Rejection::InsufficientFunds | Rejection::TooMuchGas | Rejection::Other => Offer::Refused(error),
                })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What a node said to a transaction.
#[derive(Debug)]
pub(super) enum Offer {
    Taken,
    /// It is in a block, or another one with its nonce is.
    NonceUsed,
    /// Another one with its nonce waits at the node and pays as much, or nearly.
    Outbid(ChainError),
    /// The node will not have it: what is dearer it will not have either, and what was cheaper it may have still.
    Refused(ChainError),
}

/// The block of a batch's transaction that landed before the blocks in which its event is looked for: the newest block
/// was told wrong when the batch was sealed.
fn landed_too_early(batch: &OpenBatch, sent: &[Tracked]) -> Option<i64> {
    let mined = sent.iter().filter(|transaction| transaction.state == TransactionState::Mined);
    mined.filter_map(|transaction| transaction.block).map(|block| block.number).find(|block| *block < batch.from_block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_that_is_written_down_is_not_given_again() {
        assert_eq!(first_free(5, &[]), 5);
        assert_eq!(first_free(5, &[5, 6]), 7, "signed, and perhaps not sent");
        assert_eq!(first_free(5, &[3, 4, 9]), 5, "landed, or left over from before");
    }
}

//! Sending a sealed batch, and sending it again.
//!
//! Order of each send: estimate, nonce, sign, write ahead, broadcast. A batch that was sent is only replaced when
//! another transaction has used its nonce and is as deep as a confirmation; until then the same bytes are sent again.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chain::{ChainError, Sender, TransactionCount};
use chrono::Utc;
use store::batches::{self, OpenBatch, Transaction};

use super::{ConfirmBatches, Memory, Shift};

/// Seconds without our event after which a transaction is looked after.
const PATIENCE_SECONDS: i64 = 20;

/// Transactions whose nonce another one has used, and the newest block when that was seen first.
#[derive(Default)]
pub(super) struct Overtaken(HashMap<[u8; 32], u64>);

impl Overtaken {
    /// Whether the other transaction is `confirmations` deep by now: until then the chain may take it back.
    fn is_certain(&mut self, transaction: [u8; 32], head: u64, confirmations: u64) -> bool {
        let seen = *self.0.entry(transaction).or_insert(head);
        head.saturating_sub(seen) + 1 >= confirmations
    }

    fn forget(&mut self, transaction: [u8; 32]) {
        self.0.remove(&transaction);
    }
}

/// The first nonce from the node's next one on that no transaction has which is written down and may still land. Nonces
/// beyond a gap do not count: on a chain that forgot they are left over from before.
fn first_free(next: u64, open: &[u64]) -> u64 {
    (next..).find(|nonce| !open.contains(nonce)).unwrap_or(next)
}

impl ConfirmBatches {
    pub(super) async fn send(&self, sender: &Sender, batch: &OpenBatch) -> Result<()> {
        let entries: Vec<jobs::merkle::Entry> =
            serde_json::from_value(batch.entries.clone()).context("stored entries are corrupt")?;
        let estimate = sender.estimate(batch.root.into(), &entries).await?;
        let pending = sender.next_nonce(&estimate).await?;
        let chain_id = self.registry()?.chain_id;
        let open = batches::open_nonces(&self.pool, chain_id, sender.address().into_array(), batch.id).await?;
        let nonce = first_free(pending, &open);
        let signed = sender.build_and_sign(batch.root.into(), &entries, nonce, estimate)?;
        let transaction = Transaction {
            tx_hash: signed.hash.0,
            sender: signed.sender.into_array(),
            nonce: signed.nonce,
            raw: signed.raw.to_vec(),
            max_fee_per_gas: signed.fees.max_fee_per_gas,
            max_priority_fee_per_gas: signed.fees.max_priority_fee_per_gas,
            created_at: Utc::now(),
        };
        batches::write_ahead(&self.pool, batch.id, &transaction).await?;
        sender.broadcast(&transaction.raw).await?;
        tracing::info!(batch.id = %batch.id, batch.jobs = batch.job_count, chain.tx = %signed.hash, "sent");
        Ok(())
    }

    /// Looks after a batch whose event does not appear.
    pub(super) async fn look_after(&self, sender: &Sender, batch: &OpenBatch, shift: &mut Shift) -> Result<()> {
        let Some(newest) = batches::transactions(&self.pool, batch.id).await?.into_iter().next() else {
            return self.send(sender, batch).await;
        };
        if (Utc::now() - newest.created_at).num_seconds() < PATIENCE_SECONDS {
            return Ok(());
        }
        let used = sender.client().transaction_count(sender.address(), TransactionCount::Latest).await?;
        let next = sender.client().transaction_count(sender.address(), TransactionCount::Pending).await?;
        let overtaken = newest.nonce < used && {
            let head = sender.client().block_number().await?;
            shift.overtaken.is_certain(newest.tx_hash, head, sender.client().config().confirmations)
        };
        // Of a chain that forgot, nonces before ours may be missing. Any other has them, or its node is behind.
        let forgotten = newest.nonce > next && self.batching.memory == Memory::Forgets;
        if overtaken || forgotten {
            tracing::warn!(batch.id = %batch.id, chain.nonce = newest.nonce, "the nonce leads nowhere; sending anew");
            return self.send(sender, batch).await;
        }
        if newest.nonce < used {
            return Ok(());
        }
        shift.overtaken.forget(newest.tx_hash);
        match sender.broadcast(&newest.raw).await {
            Ok(()) | Err(ChainError::Rejected { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
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

    #[test]
    fn what_overtook_a_transaction_must_be_as_deep_as_a_confirmation() {
        let mut overtaken = Overtaken::default();
        assert!(!overtaken.is_certain([1; 32], 10, 3));
        assert!(!overtaken.is_certain([1; 32], 11, 3));
        assert!(overtaken.is_certain([1; 32], 12, 3));
        overtaken.forget([1; 32]);
        assert!(!overtaken.is_certain([1; 32], 13, 3), "the chain took it back: from the beginning");
        assert!(overtaken.is_certain([2; 32], 13, 1), "in a block is deep enough");
    }
}

//! Sending a sealed batch, and sending it again.
//!
//! Order of each send: estimate, nonce, sign, write ahead, broadcast. A batch that was sent is only replaced when
//! another transaction has used its nonce; until then the same bytes are sent again.

use anyhow::{Context, Result};
use chain::{ChainError, Sender, TransactionCount};
use chrono::Utc;
use store::batches::{self, OpenBatch, Transaction};

use super::ConfirmBatches;

/// Seconds without our event after which a transaction is looked after.
const PATIENCE_SECONDS: i64 = 20;

impl ConfirmBatches {
    pub(super) async fn send(&self, sender: &Sender, batch: &OpenBatch) -> Result<()> {
        let entries: Vec<jobs::merkle::Entry> =
            serde_json::from_value(batch.entries.clone()).context("stored entries are corrupt")?;
        let estimate = sender.estimate(batch.root.into(), &entries).await?;
        let nonce = sender.next_nonce(&estimate).await?;
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
    pub(super) async fn look_after(&self, sender: &Sender, batch: &OpenBatch) -> Result<()> {
        let Some(newest) = batches::transactions(&self.pool, batch.id).await?.into_iter().next() else {
            return self.send(sender, batch).await;
        };
        if (Utc::now() - newest.created_at).num_seconds() < PATIENCE_SECONDS {
            return Ok(());
        }
        let used = sender.client().transaction_count(sender.address(), TransactionCount::Latest).await?;
        let next = sender.client().transaction_count(sender.address(), TransactionCount::Pending).await?;
        if newest.nonce < used || newest.nonce > next {
            // Another transaction took the nonce and ours did not bring our event, or the chain went back and nonces
            // before ours are missing: it can never land.
            tracing::warn!(batch.id = %batch.id, chain.nonce = newest.nonce, "the nonce leads nowhere; sending anew");
            return self.send(sender, batch).await;
        }
        match sender.broadcast(&newest.raw).await {
            Ok(()) | Err(ChainError::Rejected { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

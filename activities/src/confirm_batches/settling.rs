//! From a batch's event to completed jobs: our own root's event, in a canonical block, N blocks deep.

use anyhow::Result;
use chain::{ChainClient, Sender};
use futures::stream::{self, StreamExt};
use store::batches::{self, Anchor, OpenBatch};
use store::cancel::WorkflowRun;

use super::{ConfirmBatches, Shift, mortality};

/// Confirmations completed at once.
const COMPLETIONS: usize = 32;

impl ConfirmBatches {
    pub(super) async fn advance(&self, sender: &Sender, batch: &OpenBatch, shift: &mut Shift) -> Result<()> {
        if !batch.was_sent {
            return self.send(sender, batch).await;
        }
        let from_block = u64::try_from(batch.from_block)?;
        let Some(found) = sender.client().find_confirmation(batch.root.into(), from_block).await? else {
            return self.look_after(sender, batch).await;
        };
        if !sender.client().is_deep_enough(&found) {
            return Ok(());
        }
        let anchor = Anchor {
            tx_hash: found.tx_hash.0,
            block_number: i64::try_from(found.block_number)?,
            block_hash: found.block_hash.0,
        };
        let completed = batches::complete(&self.pool, batch.id, &anchor).await?;
        mortality::after(mortality::Step::Completed);
        shift.report.send_modify(|report| {
            report.batches_completed += 1;
            report.jobs_completed += completed.len() as u64;
            report.last_transaction = Some(found.tx_hash.to_string());
            report.last_block = Some(found.block_number);
        });
        metrics::counter!("zama_jobs_completed_total").increment(completed.len() as u64);
        tracing::info!(batch.id = %batch.id, batch.jobs = completed.len(), chain.block = found.block_number, "confirmed");
        self.wake(completed.into_iter().filter_map(|(_, run)| run).collect());
        Ok(())
    }

    /// Completes the waiting activities, beside the next batch. What is missed here is found by the activity's own
    /// next look into the database.
    fn wake(&self, runs: Vec<WorkflowRun>) {
        let engine = self.engine.clone();
        tokio::spawn(async move {
            stream::iter(runs)
                .for_each_concurrent(COMPLETIONS, |run| {
                    let engine = engine.clone();
                    async move {
                        if let Err(error) = engine.complete_confirmation(&run).await {
                            tracing::debug!(workflow.id = run.workflow_id, %error, "the confirmation looks by itself");
                        }
                    }
                })
                .await;
        });
    }

    pub(super) async fn finalize(&self, chain: &ChainClient) -> Result<()> {
        let Some(block) = chain.finalized_block().await? else { return Ok(()) };
        batches::finalize(&self.pool, &self.registry()?, i64::try_from(block)?).await?;
        Ok(())
    }
}

//! From a batch's event to completed jobs: our own root's event, in a canonical block, N blocks deep.

use std::collections::HashMap;

use anyhow::Result;
use chain::{ChainClient, Confirmed, Search, Sender, Stretch};
use futures::stream::{self, StreamExt};
use store::batches::{self, Anchor, Gas, OpenBatch};
use store::cancel::WorkflowRun;
use uuid::Uuid;

use super::{ConfirmBatches, Shift, mortality};

/// Confirmations completed at once.
const COMPLETIONS: usize = 32;

/// Batches whose events may stand far below the newest block, and the newest block that was not looked at for each.
/// Another process begins anew.
#[derive(Default)]
pub(super) struct Searches(HashMap<Uuid, u64>);

impl Searches {
    /// Batches that are searched for.
    pub(super) fn batches(&self) -> impl Iterator<Item = Uuid> {
        self.0.keys().copied()
    }

    /// Forgets all but these.
    pub(super) fn keep(&mut self, open: &[Uuid]) {
        self.0.retain(|batch, _| open.contains(batch));
    }

    /// Where to go on, when a look at the newest blocks ended above `to`.
    fn goes_on(&self, batch: Uuid, to: u64) -> u64 {
        self.0.get(&batch).map_or(to, |older| (*older).min(to))
    }

    /// Notes what a look at older blocks came to. After the oldest one it begins anew.
    fn note(&mut self, batch: Uuid, search: &Search) {
        match search {
            Search::Unfinished { to } => drop(self.0.insert(batch, *to)),
            Search::Found(_) | Search::Nothing => drop(self.0.remove(&batch)),
        }
    }
}

/// Looks for a batch's event: in the newest blocks each time, and in a stretch of the older ones, another one each time.
async fn find(chain: &ChainClient, batch: &OpenBatch, searches: &mut Searches) -> Result<Option<Confirmed>> {
    let (root, from) = (batch.root.into(), u64::try_from(batch.from_block)?);
    let search = match chain.search_confirmation(root, Stretch { from, to: None }).await? {
        Search::Unfinished { to } => {
            let to = Some(searches.goes_on(batch.id, to));
            let search = chain.search_confirmation(root, Stretch { from, to }).await?;
            searches.note(batch.id, &search);
            search
        }
        search => search,
    };
    Ok(match search {
        Search::Found(found) => Some(found),
        Search::Nothing | Search::Unfinished { .. } => None,
    })
}

impl ConfirmBatches {
    pub(super) async fn advance(&self, sender: &Sender, batch: &OpenBatch, shift: &mut Shift) -> Result<()> {
        if !batch.was_sent {
            return self.send(sender, batch).await;
        }
        let Some(found) = find(sender.client(), batch, &mut shift.searches).await? else {
            return self.look_after(sender, batch).await;
        };
        if !sender.client().is_deep_enough(&found) {
            return Ok(());
        }
        let gas = sender.client().gas(&found).await?;
        let anchor = Anchor {
            tx_hash: found.tx_hash.0,
            block_number: i64::try_from(found.block_number)?,
            block_hash: found.block_hash.0,
            gas: Some(Gas { used: i64::try_from(gas.used)?, price: gas.price }),
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
        tracing::info!(
            batch.id = %batch.id, batch.jobs = completed.len(), chain.block = found.block_number, chain.gas = gas.used,
            "confirmed"
        );
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_goes_on_where_it_ended_and_begins_anew_after_the_oldest_block() {
        let (mut searches, batch) = (Searches::default(), Uuid::new_v4());
        assert_eq!(searches.goes_on(batch, 75_000), 75_000);
        searches.note(batch, &Search::Unfinished { to: 50_000 });
        assert_eq!(searches.goes_on(batch, 75_100), 50_000, "the newest blocks were looked at");
        searches.note(batch, &Search::Nothing);
        assert_eq!(searches.goes_on(batch, 75_200), 75_200);
        searches.note(batch, &Search::Unfinished { to: 50_200 });
        assert_eq!(searches.batches().collect::<Vec<_>>(), [batch]);
        searches.keep(&[]);
        assert_eq!(searches.batches().count(), 0, "it is open no more");
    }
}

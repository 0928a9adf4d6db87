//! Mending, one difference after the other, each by the very steps that the batcher takes.

use std::collections::{BTreeMap, HashMap, HashSet};

use ::chain::{ConfirmedBatch, History};
use alloy::primitives::B256;
use anyhow::Result;
use jobs::JobId;
use jobs::receipt::Receipt;
use serde_json::json;
use store::PgPool;
use store::batches::{self, Anchor, Finality, Horizon, Registry};
use store::resync::{self, Rebuilt, Standing, StoredBatch};
use store::sealing::{self, LeafJob};
use uuid::Uuid;

use super::compare::Drift;
use super::indices::{highest, indices};
use super::report::{Outcome, Row};
use super::search;

/// Where to mend, and what helps.
pub(super) struct Mender<'a> {
    pub pool: &'a PgPool,
    pub on: Registry,
    pub receipts: &'a HashMap<B256, Vec<Receipt>>,
    pub is_dry_run: bool,
    /// Whether this chain may lose final blocks (development).
    pub may_forget: bool,
}

impl Mender<'_> {
    pub(super) async fn mend_all(&self, drifts: Vec<Drift>) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for drift in drifts {
            rows.push(Box::pin(self.mend(drift)).await?);
        }
        Ok(rows)
    }

    async fn mend(&self, drift: Drift) -> Result<Row> {
        match drift {
            Drift::Unknown(batch) => self.put_back(batch, None).await,
            Drift::LostLeaves { batch, id, standing } => self.put_back(batch, Some((id, standing))).await,
            Drift::NotCompleted { batch, id } => {
                let outcome = self.complete(&batch, id).await?;
                Ok(Row::of_batch(&batch, "is on chain and open here", outcome))
            }
            Drift::OtherBlock { batch, id, is_final } => {
                let outcome = self.anchor_anew(&batch, id, is_final).await?;
                Ok(Row::of_batch(&batch, "stands in another block than here", outcome))
            }
            Drift::OtherEntries { batch } => {
                let outcome = Outcome::left("the row and the event cannot both be ours: look at the row");
                Ok(Row::of_batch(&batch, "names other indices than here", outcome))
            }
            Drift::GivenUp { batch } => {
                let outcome =
                    Outcome::left("its jobs were sealed anew under other indices: they may be confirmed twice");
                Ok(Row::of_batch(&batch, "was given up here", outcome))
            }
            Drift::Gone { id, root, block_number, is_final } => {
                let outcome = self.lift(id, is_final).await?;
                Ok(Row {
                    root: Some(root),
                    block: block_number.try_into().ok(),
                    jobs: None,
                    what: "is anchored here and not on chain".to_owned(),
                    outcome,
                })
            }
            Drift::Collides { root, index, with } => {
                let what = format!("can never be confirmed: root {with} has confirmed its index {index}");
                let outcome = Outcome::left("its jobs need new indices: see the batcher's details");
                Ok(Row { root: Some(root), block: None, jobs: None, what, outcome })
            }
        }
    }

    /// A batch whose row or confirmations are lost, if its leaves can be found.
    async fn put_back(&self, batch: ConfirmedBatch, row: Option<(Uuid, Standing)>) -> Result<Row> {
        let what = match row {
            None => "has no row here",
            Some(_) => "has a row here, and not all of its jobs",
        };
        let known = self.known(&batch, row.map(|(id, _)| id)).await?;
        let waiting = resync::without_batch(self.pool).await?;
        let Some(leaves) = search::leaves(&batch, &known, &waiting) else {
            let named = indices(&batch.entries).count();
            let outcome = Outcome::left(format!(
                "{} of its {named} jobs are known; give --receipts of the others, or somebody else confirmed it",
                known.len()
            ));
            return Ok(Row::of_batch(&batch, what, outcome));
        };
        if self.is_dry_run {
            return Ok(Row::of_batch(&batch, what, Outcome::would(format!("put back with {} jobs", leaves.len()))));
        }
        let rebuilt = Rebuilt {
            id: row.map(|(id, _)| id),
            root: batch.root.0,
            entries: json!(batch.entries),
            from_block: batch.block.number.try_into()?,
            leaves: &leaves,
        };
        let Some(id) = resync::rebuild(self.pool, &self.on, &rebuilt).await? else {
            let outcome = Outcome::left("one of its jobs is in another batch here, or its index is another job's");
            return Ok(Row::of_batch(&batch, what, outcome));
        };
        let completed = match row {
            Some((_, Standing::Anchored { .. } | Standing::GivenUp)) => 0,
            None | Some((_, Standing::Open)) => batches::complete(self.pool, id, &anchor(&batch)?).await?.len(),
        };
        let outcome = Outcome::mended(format!("put back with {} jobs, {completed} of them completed", leaves.len()));
        Ok(Row::of_batch(&batch, what, outcome))
    }

    /// What the row still has, and what receipts say, as far as the jobs here agree.
    async fn known(&self, batch: &ConfirmedBatch, row: Option<Uuid>) -> Result<BTreeMap<u64, LeafJob>> {
        let mut known = BTreeMap::new();
        for receipt in self.receipts.get(&batch.root).into_iter().flatten() {
            let job = JobId(Uuid::from_slice(&receipt.leaf.job_id[..16])?);
            let index = receipt.leaf.index.get();
            let here = resync::leaf(self.pool, job, index, receipt.salt.0).await?;
            known.extend(here.filter(|here| here.leaf() == receipt.leaf).map(|here| (index, here)));
        }
        if let Some(row) = row {
            let stored = sealing::leaves(self.pool, row).await?;
            known.extend(stored.into_iter().map(|leaf| (leaf.leaf_index, leaf)));
        }
        Ok(known)
    }

    async fn complete(&self, batch: &ConfirmedBatch, id: Uuid) -> Result<Outcome> {
        if self.is_dry_run {
            return Ok(Outcome::would("complete its jobs"));
        }
        let completed = batches::complete(self.pool, id, &anchor(batch)?).await?.len();
        Ok(Outcome::mended(format!("anchored, {completed} jobs completed")))
    }

    /// As the batcher does after a reorganisation: what was told of its jobs stays, their receipts change.
    async fn anchor_anew(&self, batch: &ConfirmedBatch, id: Uuid, is_final: bool) -> Result<Outcome> {
        if self.is_dry_run {
            return Ok(Outcome::would("anchor it there"));
        }
        // The chain itself says where the event stands, so that a final row may be corrected too.
        let horizon = if is_final { Horizon::WholeChain } else { Horizon::Near };
        batches::lift(self.pool, id, horizon).await?;
        batches::complete(self.pool, id, &anchor(batch)?).await?;
        Ok(Outcome::mended("anchored there; receipts are made anew"))
    }

    async fn lift(&self, id: Uuid, is_final: bool) -> Result<Outcome> {
        if is_final && !self.may_forget {
            return Ok(Outcome::left("it was final: the node serves another chain, or lost its own"));
        }
        if self.is_dry_run {
            return Ok(Outcome::would("have it sent again"));
        }
        let horizon = if is_final { Horizon::WholeChain } else { Horizon::Near };
        batches::lift(self.pool, id, horizon).await?;
        Ok(Outcome::mended("a worker will send it again, the same root and entries"))
    }

    /// Blocks that were read and that the chain will not take back are final, and no other block of their numbers.
    pub(super) async fn finalize(&self, history: &History) -> Result<()> {
        let Some(finalized) = history.finalized else { return Ok(()) };
        let finals = history.batches.iter().map(|batch| batch.block).filter(|block| block.number <= finalized.number);
        let finals: HashSet<_> = finals.map(|block| (block.number, block.hash.0)).collect();
        for batch in batches::anchored(self.pool, &self.on, Finality::Open, i64::MAX).await? {
            if finals.contains(&(batch.block.number.cast_unsigned(), batch.block.hash)) {
                batches::finalize(self.pool, &self.on, batch.block).await?;
            }
        }
        Ok(())
    }

    /// The next index must be beyond every bit on chain and every index that a job has.
    pub(super) async fn move_sequence(&self, history: &History, stored: &[StoredBatch]) -> Result<Option<Row>> {
        let mut highest_index = history.batches.iter().filter_map(|batch| highest(&batch.entries)).max();
        for row in stored {
            let entries: Vec<jobs::merkle::Entry> = serde_json::from_value(row.entries.clone())?;
            highest_index = highest_index.max(highest(&entries));
        }
        let next = store::overview::next_index(self.pool).await?;
        let Some(highest) = highest_index.map(i64::try_from).transpose()?.filter(|highest| *highest >= next) else {
            return Ok(None);
        };
        let what = format!("the next index would be {next}, and {highest} is taken");
        let outcome = match self.is_dry_run {
            true => Outcome::would(format!("go on at {}", highest + 1)),
            false => Outcome::mended(format!("goes on at {}", resync::move_past(self.pool, highest).await?)),
        };
        Ok(Some(Row { root: None, block: None, jobs: None, what, outcome }))
    }
}

fn anchor(batch: &ConfirmedBatch) -> Result<Anchor> {
    Ok(Anchor {
        tx_hash: batch.tx_hash.0,
        block_number: batch.block.number.try_into()?,
        block_hash: batch.block.hash.0,
    })
}

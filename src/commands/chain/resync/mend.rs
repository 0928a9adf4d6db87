//! Mending, one difference after the other, each by the very steps that the batcher takes.

use std::collections::{BTreeMap, HashMap, HashSet};

use ::chain::{ConfirmedBatch, History, Node, SignedTx};
use alloy::primitives::B256;
use anyhow::Result;
use jobs::JobId;
use jobs::receipt::Receipt;
use serde_json::json;
use store::PgPool;
use store::batches::{self, Anchor, Finality, Gas, Horizon, Leadership, Registry};
use store::resync::{self, Rebuilt, Standing, StoredBatch, carriers};
use store::sealing::{self, LeafJob};
use store::transactions::Transaction;
use uuid::Uuid;

use super::compare::Drift;
use super::indices::{highest, indices};
use super::report::{Outcome, Row};
use super::search;

/// Where to mend, and what helps.
pub(super) struct Mender<'a> {
    pub pool: &'a PgPool,
    pub node: &'a Node,
    pub on: Registry,
    pub receipts: &'a HashMap<B256, Vec<Receipt>>,
    pub is_dry_run: bool,
    /// Whether this chain may lose final blocks (development).
    pub may_forget: bool,
}

/// What became of all differences.
#[derive(Default)]
pub(super) struct Mended {
    pub rows: Vec<Row>,
    /// Batches that are on chain and were not the same here.
    pub differing: usize,
}

impl Mender<'_> {
    /// Nothing is changed any more once the leadership is lost: a batcher may be at work then.
    pub(super) async fn mend_all(&self, drifts: Vec<Drift>, mut leadership: Option<&mut Leadership>) -> Result<Mended> {
        let mut mended = Mended::default();
        for drift in drifts {
            if let Some(leadership) = leadership.as_deref_mut() {
                leadership.check().await?;
            }
            let is_on_chain = drift.is_on_chain();
            if let Some(row) = Box::pin(self.mend(drift)).await? {
                mended.rows.push(row);
                mended.differing += usize::from(is_on_chain);
            }
        }
        Ok(mended)
    }

    /// `None` when it is no difference after all.
    async fn mend(&self, drift: Drift) -> Result<Option<Row>> {
        let row = match drift {
            Drift::Uncarried { batch, id } => return self.put_carrier_back(batch, id).await,
            Drift::Unknown(batch) => self.put_back(batch, None).await?,
            Drift::LostLeaves { batch, id, standing } => self.put_back(batch, Some((id, standing))).await?,
            Drift::NotCompleted { batch, id, standing } => {
                let outcome = self.complete(&batch, id, standing).await?;
                let what = match standing {
                    Standing::Open | Standing::GivenUp => "is on chain and open here",
                    Standing::Anchored { .. } => "is anchored here, and some of its jobs wait all the same",
                };
                Row::of_batch(&batch, what, outcome)
            }
            Drift::OtherBlock { batch, id, is_final } => {
                let outcome = self.anchor_anew(&batch, id, is_final).await?;
                Row::of_batch(&batch, "stands in another block than here", outcome)
            }
            Drift::OtherEntries { batch } => {
                let outcome = Outcome::left("the row and the event cannot both be ours: look at the row");
                Row::of_batch(&batch, "names other indices than here", outcome)
            }
            Drift::GivenUp { batch } => {
                let outcome =
                    Outcome::left("its jobs were sealed anew under other indices: they may be confirmed twice");
                Row::of_batch(&batch, "was given up here", outcome)
            }
            Drift::Gone { id, root, block_number, is_final } => {
                let outcome = self.lift(id, is_final).await?;
                let (what, block) = ("is anchored here and not on chain".to_owned(), block_number.try_into().ok());
                Row { root: Some(root), block, jobs: None, what, outcome }
            }
            Drift::Collides { root, index, with } => {
                let what = format!("can never be confirmed: root {with} has confirmed its index {index}");
                let outcome = Outcome::left("its jobs need new indices: see the batcher's details");
                Row { root: Some(root), block: None, jobs: None, what, outcome }
            }
        };
        Ok(Some(row))
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
        let standing = row.map_or(Standing::Open, |(_, standing)| standing);
        let completed = self.settle(&batch, id, standing).await?;
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

    async fn complete(&self, batch: &ConfirmedBatch, id: Uuid, standing: Standing) -> Result<Outcome> {
        if self.is_dry_run {
            return Ok(Outcome::would("complete its jobs"));
        }
        let completed = self.settle(batch, id, standing).await?;
        Ok(Outcome::mended(format!("anchored, {completed} jobs completed")))
    }

    /// Completes those jobs of a batch that wait, and tells how many. An anchored batch is taken back for it: only what
    /// is open can be completed.
    async fn settle(&self, batch: &ConfirmedBatch, id: Uuid, standing: Standing) -> Result<usize> {
        self.carry(batch, id).await?;
        match standing {
            Standing::Open => {}
            Standing::Anchored { is_final, .. } if resync::confirming(self.pool, id).await? > 0 => {
                batches::lift(self.pool, id, horizon(is_final)).await?;
            }
            Standing::Anchored { .. } | Standing::GivenUp => return Ok(0),
        }
        Ok(batches::complete(self.pool, id, &self.anchor(batch).await?).await?.len())
    }

    /// Where the batch stands. A node that keeps no receipt of it any more holds up no job: its gas is then nobody's.
    async fn anchor(&self, batch: &ConfirmedBatch) -> Result<Anchor> {
        let gas = match self.node.gas(batch).await? {
            Some(gas) => Some(Gas { used: gas.used.try_into()?, price: gas.price }),
            None => None,
        };
        Ok(Anchor {
            tx_hash: batch.tx_hash.0,
            block_number: batch.block.number.try_into()?,
            block_hash: batch.block.hash.0,
            gas,
        })
    }

    /// Writes the transaction down in which the batch stands, unless somebody else sent it.
    async fn carry(&self, batch: &ConfirmedBatch, id: Uuid) -> Result<()> {
        if let Some(carrier) = self.node.carrier(batch).await? {
            carriers::put_back(self.pool, id, &transaction(&carrier)).await?;
        }
        Ok(())
    }

    async fn put_carrier_back(&self, batch: ConfirmedBatch, id: Uuid) -> Result<Option<Row>> {
        let Some(carrier) = self.node.carrier(&batch).await? else { return Ok(None) };
        let outcome = match self.is_dry_run {
            true => Outcome::would("put it back"),
            false => {
                carriers::put_back(self.pool, id, &transaction(&carrier)).await?;
                Outcome::mended(format!("put back: nonce {} of {}", carrier.nonce, carrier.sender))
            }
        };
        Ok(Some(Row::of_batch(&batch, "has no row of its transaction here", outcome)))
    }

    /// As the batcher does after a reorganisation: what was told of its jobs stays, their receipts change.
    async fn anchor_anew(&self, batch: &ConfirmedBatch, id: Uuid, is_final: bool) -> Result<Outcome> {
        if self.is_dry_run {
            return Ok(Outcome::would("anchor it there"));
        }
        // The chain itself says where the event stands, so that a final row may be corrected too.
        batches::lift(self.pool, id, horizon(is_final)).await?;
        self.carry(batch, id).await?;
        batches::complete(self.pool, id, &self.anchor(batch).await?).await?;
        Ok(Outcome::mended("anchored there; receipts are made anew"))
    }

    async fn lift(&self, id: Uuid, is_final: bool) -> Result<Outcome> {
        if is_final && !self.may_forget {
            return Ok(Outcome::left("it was final: the node serves another chain, or lost its own"));
        }
        if self.is_dry_run {
            return Ok(Outcome::would("have it sent again"));
        }
        batches::lift(self.pool, id, horizon(is_final)).await?;
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

/// Only what is final is taken back as far as that.
fn horizon(is_final: bool) -> Horizon {
    if is_final { Horizon::WholeChain } else { Horizon::Near }
}

fn transaction(carrier: &SignedTx) -> Transaction {
    Transaction {
        tx_hash: carrier.hash.0,
        sender: carrier.sender.into_array(),
        nonce: carrier.nonce,
        raw: carrier.raw.to_vec(),
        max_fee_per_gas: carrier.fees.max_fee_per_gas,
        max_priority_fee_per_gas: carrier.fees.max_priority_fee_per_gas,
    }
}

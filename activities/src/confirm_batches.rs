//! `confirm_batches`: seals waiting jobs into batches, sends them, and completes their jobs at N confirmations.
//!
//! One activity works for minutes, with heartbeats, and another follows. All that must survive a crash is in the
//! database before it is done: a batch before it is signed, a transaction before it is sent.

mod diagnosis;
mod mortality;
mod reanchoring;
mod refusals;
mod sending;
mod settling;
mod sight;
mod tending;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alloy::primitives::U256;
use anyhow::{Context, Result, bail, ensure};
use chain::{ChainClient, ChainConfig, ChainError, FeePolicy, Sender, Signer};
use store::PgPool;
use store::batches::{self, Leadership, Registry};
use store::sealing::{self, SealPolicy};
use temporal::Engine;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;
use workflows::BatcherInput;
use workflows::activities::BatcherReport;

pub use reanchoring::Memory;
use reanchoring::Seen;
use refusals::Refusals;
use settling::Searches;
use tending::Tending;

/// How long one activity works: then its workflow tells what it reported.
const SHIFT: Duration = Duration::from_secs(60);
/// Pause between two looks. A batch waits at least its age, so that this adds little.
const LOOK: Duration = Duration::from_millis(250);
/// Pause when database or chain are away.
const TROUBLE: Duration = Duration::from_secs(1);
/// How often finality is looked at.
const FINALITY: Duration = Duration::from_secs(5);
/// How long the chain may be silent before batches are looked at all the same.
const SILENCE: Duration = Duration::from_secs(5);
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often the leadership is checked.
const LEADERSHIP: Duration = Duration::from_secs(1);
/// Calls to nodes have limits of their own, those to the database have none: work that has not moved for so long will
/// not move any more. Longer than a list of nodes needs that all hang.
const STALL: Duration = Duration::from_secs(120);
const OPEN_BATCHES: i64 = 50;

/// Histogram of the jobs in a batch, as it is sealed.
pub const BATCH_JOBS: &str = "zama_batch_jobs";

/// When to seal.
#[derive(Clone, Copy, Debug)]
pub struct BatchPolicy {
    pub max_jobs: u32,
    pub max_age: Duration,
}

/// The registry, and who may write to it.
#[derive(Clone)]
pub struct Batching {
    pub chain: ChainConfig,
    /// Signs for the account that holds CONFIRMER_ROLE.
    pub signer: Signer,
    pub policy: BatchPolicy,
    pub fees: FeePolicy,
    /// Balance of that account, in wei, under which operators are told.
    pub low_balance: U256,
    /// What the chain may do with blocks that it showed.
    pub memory: Memory,
}

pub struct ConfirmBatches {
    pub pool: PgPool,
    pub engine: Engine,
    pub batching: Batching,
    pub stopping: CancellationToken,
    /// Kept from one activity to the next.
    pub memory: Mutex<LeadersMemory>,
}

/// What a leader knows beyond what is written down. Another process finds it out by itself.
#[derive(Default)]
pub struct LeadersMemory {
    refusals: Refusals,
    tending: Tending,
    searches: Searches,
    seen: Seen,
    /// Transaction and block of the batch that was confirmed last.
    last: (Option<String>, Option<u64>),
}

/// What one turn as the leader holds.
struct Shift {
    ends: Instant,
    refusals: Refusals,
    tending: Tending,
    searches: Searches,
    /// Blocks that need not be asked for again.
    seen: Seen,
    /// What the heartbeats tell.
    report: watch::Sender<BatcherReport>,
    /// Beats with each step.
    pulse: Arc<Notify>,
}

#[activities]
impl ConfirmBatches {
    #[activity(name = "confirm_batches")]
    pub async fn confirm_batches(self: Arc<Self>, ctx: ActivityContext) -> Result<BatcherReport, ActivityError> {
        serves(&self.batching.chain, ctx.info().workflow_id.as_deref())?;
        let Some(leadership) = batches::lead(&self.pool, &self.registry()?).await? else {
            let ChainConfig { registry, chain_id, .. } = &self.batching.chain;
            return Err(anyhow::anyhow!("another process leads registry {registry} on chain {chain_id}").into());
        };
        let LeadersMemory { refusals, tending, searches, seen, last } = std::mem::take(&mut *self.remembered());
        let (last_transaction, last_block) = last;
        let (report, told) = watch::channel(BatcherReport { last_transaction, last_block, ..Default::default() });
        let (ends, pulse) = (Instant::now() + SHIFT, Arc::new(Notify::new()));
        let mut shift =
            Shift { ends, refusals, tending, searches, seen, report: report.clone(), pulse: Arc::clone(&pulse) };
        tokio::select! {
            led = self.lead(&ctx, &mut shift) => led?,
            lost = keep(leadership) => lost?,
            stalled = moves(&pulse, STALL) => stalled?,
            failed = self.tell_who_waits(&report) => failed?,
            failed = heartbeats(&ctx, &told) => failed?,
        }
        let report = told.borrow().clone();
        let last = (report.last_transaction.clone(), report.last_block);
        let Shift { refusals, tending, searches, seen, .. } = shift;
        *self.remembered() = LeadersMemory { refusals, tending, searches, seen, last };
        Ok(report)
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, LeadersMemory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn lead(&self, ctx: &ActivityContext, shift: &mut Shift) -> Result<()> {
        while self.goes_on(ctx, shift) {
            shift.pulse.notify_one();
            let worked = match self.connect().await {
                Ok(sender) => {
                    let worked = self.work(ctx, &sender, shift).await;
                    leave_failing_node(sender.client(), &worked);
                    worked
                }
                Err(error) => Err(error),
            };
            if let Err(error) = worked {
                trouble(shift, &error);
                tokio::time::sleep(TROUBLE).await;
            }
        }
        Ok(())
    }

    fn goes_on(&self, ctx: &ActivityContext, shift: &Shift) -> bool {
        Instant::now() < shift.ends && !ctx.is_cancelled() && !self.stopping.is_cancelled()
    }

    async fn connect(&self) -> Result<Sender> {
        let client =
            ChainClient::connect(self.batching.chain.clone()).await.context("the chain could not be reached")?;
        Ok(Sender::new(client, self.batching.signer.clone()))
    }

    /// Works with one connection until the shift ends or something is away.
    async fn work(&self, ctx: &ActivityContext, sender: &Sender, shift: &mut Shift) -> Result<()> {
        let chain = sender.client();
        let mut looked = Looked::default();
        while self.goes_on(ctx, shift) {
            shift.pulse.notify_one();
            if looked.at_finality.is_none_or(|at| at.elapsed() > FINALITY) {
                chain.ask_other_nodes();
                looked.behind = self.watch_anchors(chain, shift).await?;
                self.look_at_balance(sender, shift).await?;
                self.forget_others(shift).await?;
                looked.at_finality = Some(Instant::now());
            }
            let sealed = self.seal(chain).await?;
            self.look_at_batches(sender, shift, &mut looked, sealed).await?;
            shift.report.send_modify(|report| {
                report.trouble = looked.behind.clone().or(shift.tending.told()).or(shift.refusals.told());
            });
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Takes the open batches a step further, when there may be one: something was sealed, the chain has a new block, or
    /// it was silent for long.
    async fn look_at_batches(
        &self,
        sender: &Sender,
        shift: &mut Shift,
        looked: &mut Looked,
        sealed: bool,
    ) -> Result<()> {
        let resting = shift.refusals.resting(Instant::now());
        let open = batches::open(&self.pool, &self.registry()?, &resting, OPEN_BATCHES).await?;
        if open.is_empty() && looked.at_batches.is_some_and(|at| at.elapsed() < SILENCE) {
            return Ok(());
        }
        let head = sender.client().block_number().await?;
        let is_new = sealed || looked.head != Some(head) || open.iter().any(|batch| !batch.was_sent);
        if !is_new && looked.at_batches.is_some_and(|at| at.elapsed() < SILENCE) {
            return Ok(());
        }
        shift.report.send_modify(|report| report.current_batch = open.first().map(|batch| batch.id.to_string()));
        for batch in open {
            shift.pulse.notify_one();
            match self.advance(sender, &batch, shift).await {
                Ok(()) => shift.refusals.forget(batch.id),
                Err(error) => self.cannot_go_on(sender, &batch, error, shift, head).await?,
            }
        }
        metrics::gauge!("zama_batches_refused").set(shift.refusals.count() as f64);
        // Afterwards: what hinders transactions on their way delays no batch that has arrived.
        self.tend(sender, shift, head).await?;
        (looked.head, looked.at_batches) = (Some(head), Some(Instant::now()));
        Ok(())
    }

    /// Forgets what is known of batches that another process took further.
    async fn forget_others(&self, shift: &mut Shift) -> Result<()> {
        let known: Vec<_> = shift.refusals.batches().chain(shift.searches.batches()).collect();
        if !known.is_empty() {
            let open = batches::still_open(&self.pool, &known).await?;
            shift.refusals.keep(&open);
            shift.searches.keep(&open);
        }
        Ok(())
    }

    fn registry(&self) -> Result<Registry> {
        let chain = &self.batching.chain;
        Ok(Registry { chain_id: i64::try_from(chain.chain_id)?, address: chain.registry.into_array() })
    }

    /// Seals as long as a batch is due; tells whether one was.
    async fn seal(&self, chain: &ChainClient) -> Result<bool> {
        let mut sealed = false;
        let policy = SealPolicy {
            on: self.registry()?,
            max_jobs: self.batching.policy.max_jobs.into(),
            max_age_seconds: self.batching.policy.max_age.as_secs_f64(),
        };
        while sealing::is_due(&self.pool, &policy).await? {
            let newest = i64::try_from(chain.block_number().await?)?;
            let Some((batch, jobs)) = sealing::seal(&self.pool, &policy, newest).await? else { break };
            tracing::info!(batch.id = %batch, batch.jobs = jobs, "sealed");
            metrics::histogram!(BATCH_JOBS).record(jobs as f64);
            mortality::after(mortality::Step::Sealed);
            sealed = true;
        }
        Ok(sealed)
    }
}

/// Whether this worker is set to write to the registry that the batcher's id names: the API made it of its own settings.
/// If not, another worker may be; the activity is tried again, and its failure says what is wrong.
fn serves(chain: &ChainConfig, batcher: Option<&str>) -> Result<()> {
    let ChainConfig { registry, chain_id, .. } = chain;
    let ours = BatcherInput { chain_id: *chain_id, registry: registry.to_string() }.workflow_id();
    let asked = batcher.unwrap_or_default();
    ensure!(
        asked.eq_ignore_ascii_case(&ours),
        "this worker writes to registry {registry} on chain {chain_id}, and {asked:?} is another's batcher: API and \
         worker are set otherwise"
    );
    Ok(())
}

/// What was looked at, and when.
#[derive(Default)]
struct Looked {
    head: Option<u64>,
    at_batches: Option<Instant>,
    at_finality: Option<Instant>,
    /// Whether the node is behind what was seen.
    behind: Option<String>,
}

/// Beside the work, which may hang on a node for as long as a call may take.
async fn heartbeats(ctx: &ActivityContext, told: &watch::Receiver<BatcherReport>) -> Result<()> {
    let mut tick = interval(HEARTBEAT);
    loop {
        tick.tick().await;
        let report = told.borrow().clone();
        ctx.record_heartbeat(report).await?;
    }
}

/// Checks the leadership beside the work. Ends when it is lost, and the work with it.
async fn keep(mut leadership: Leadership) -> Result<()> {
    let mut tick = interval(LEADERSHIP);
    loop {
        tick.tick().await;
        leadership.check().await.context("the leadership may be another's")?;
    }
}

/// Ends when nothing has moved for so long.
async fn moves(pulse: &Notify, longest: Duration) -> Result<()> {
    while timeout(longest, pulse.notified()).await.is_ok() {}
    bail!("the batcher has not moved for {} s; another attempt begins anew", longest.as_secs());
}

/// Another node may do what this one could not.
fn leave_failing_node(client: &ChainClient, worked: &Result<()>) {
    let why = worked.as_ref().err().and_then(|error| error.downcast_ref::<ChainError>());
    if let Some(why) = why.filter(|why| why.is_perhaps_the_nodes()) {
        client.leave_node(why);
    }
}

fn trouble(shift: &Shift, error: &anyhow::Error) {
    let told = format!("{error:#}");
    metrics::counter!("zama_batcher_trouble_total").increment(1);
    tracing::warn!(error = told, "the batcher waits");
    shift.report.send_modify(|report| report.trouble = Some(told));
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;

    use super::*;

    #[test]
    fn a_worker_serves_the_registry_that_it_is_set_to_and_no_other() {
        let registry = Address::repeat_byte(0xab);
        let nodes = chain::Endpoints::parse("http://127.0.0.1:1", Duration::from_secs(1)).expect("a URL");
        let chain = ChainConfig { nodes, chain_id: 31337, registry, confirmations: 2 };
        let asked = |id: Option<&str>| serves(&chain, id).map_err(|error| error.to_string());
        let of = |chain_id, registry: Address| BatcherInput { chain_id, registry: registry.to_string() }.workflow_id();
        let ours = of(31337, registry);
        assert_eq!(asked(Some(&ours)), Ok(()));
        assert_eq!(asked(Some(&ours.to_lowercase())), Ok(()), "the same in other letters");
        let another = of(31337, Address::repeat_byte(0xac));
        assert!(asked(Some(&another)).unwrap_err().contains(&another), "the failure names both");
        assert!(asked(Some(&of(1, registry))).is_err());
        assert!(asked(None).is_err());
    }

    #[tokio::test]
    async fn work_that_does_not_move_ends() {
        let pulse = Notify::new();
        pulse.notify_one();
        assert!(moves(&pulse, Duration::from_millis(5)).await.is_err());
    }
}

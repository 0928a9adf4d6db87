//! `confirm_batches`: seals waiting jobs into batches, sends them, and completes their jobs at N confirmations.
//!
//! One activity works for minutes, with heartbeats, and another follows. All that must survive a crash is in the
//! database before it is done: a batch before it is signed, a transaction before it is sent.

mod reanchoring;
mod sending;
mod settling;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use chain::{ChainClient, ChainConfig, Sender};
use store::PgPool;
use store::batches::{self, Leadership, Registry};
use store::sealing::{self, SealPolicy};
use temporal::Engine;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use workflows::activities::BatcherReport;

/// How long one activity works: its successor begins with a short history.
const SHIFT: Duration = Duration::from_secs(600);
/// Pause between two looks. A batch waits at least its age, so that this adds little.
const LOOK: Duration = Duration::from_millis(100);
/// Pause when database or chain are away.
const TROUBLE: Duration = Duration::from_secs(1);
/// How often finality is looked at.
const FINALITY: Duration = Duration::from_secs(5);
const OPEN_BATCHES: i64 = 50;

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
    /// Private key of the account that holds CONFIRMER_ROLE, 0x-hex.
    pub confirmer_key: String,
    pub policy: BatchPolicy,
}

pub struct ConfirmBatches {
    pub pool: PgPool,
    pub engine: Engine,
    pub batching: Batching,
    pub stopping: CancellationToken,
}

#[activities]
impl ConfirmBatches {
    #[activity(name = "confirm_batches")]
    pub async fn confirm_batches(self: Arc<Self>, ctx: ActivityContext) -> Result<BatcherReport, ActivityError> {
        let registry = self.batching.chain.registry.to_string();
        let Some(mut leadership) = batches::lead(&self.pool, &registry).await? else {
            return Err(anyhow::anyhow!("another process leads registry {registry}").into());
        };
        let mut report = BatcherReport::default();
        let ends = Instant::now() + SHIFT;
        while Instant::now() < ends && !ctx.is_cancelled() && !self.stopping.is_cancelled() {
            ctx.record_heartbeat(report.clone()).await?;
            leadership.check().await?;
            report.trouble = None;
            let pause = match self.connect().await {
                Ok(sender) => match self.work(&ctx, &sender, &mut leadership, &mut report, ends).await {
                    Ok(()) => LOOK,
                    Err(error) => trouble(&mut report, &error),
                },
                Err(error) => trouble(&mut report, &error),
            };
            ctx.record_heartbeat(report.clone()).await?;
            tokio::time::sleep(pause).await;
        }
        Ok(report)
    }

    async fn connect(&self) -> Result<Sender> {
        let client =
            ChainClient::connect(self.batching.chain.clone()).await.context("the chain could not be reached")?;
        Ok(Sender::new(client, &self.batching.confirmer_key)?)
    }

    /// Works with one connection until the shift ends or something is away.
    async fn work(
        &self,
        ctx: &ActivityContext,
        sender: &Sender,
        leadership: &mut Leadership,
        report: &mut BatcherReport,
        ends: Instant,
    ) -> Result<()> {
        let mut finality = Instant::now();
        self.reanchor(sender.client()).await?;
        while Instant::now() < ends && !ctx.is_cancelled() && !self.stopping.is_cancelled() {
            leadership.check().await?;
            self.seal(sender.client()).await?;
            for batch in batches::open(&self.pool, &self.registry()?, OPEN_BATCHES).await? {
                self.advance(sender, &batch, report).await?;
            }
            if finality.elapsed() > FINALITY {
                finality = Instant::now();
                self.reanchor(sender.client()).await?;
                self.finalize(sender.client()).await?;
                self.look_around(report).await?;
            }
            ctx.record_heartbeat(report.clone()).await?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn registry(&self) -> Result<Registry> {
        let chain = &self.batching.chain;
        Ok(Registry { chain_id: i64::try_from(chain.chain_id)?, address: chain.registry.into_array() })
    }

    /// Seals as long as a batch is due.
    async fn seal(&self, chain: &ChainClient) -> Result<()> {
        let policy = SealPolicy {
            on: self.registry()?,
            max_jobs: self.batching.policy.max_jobs.into(),
            max_age_seconds: self.batching.policy.max_age.as_secs_f64(),
        };
        while sealing::is_due(&self.pool, &policy).await? {
            let from_block = i64::try_from(chain.block_number().await?)?;
            let Some((batch, jobs)) = sealing::seal(&self.pool, &policy, from_block).await? else { break };
            tracing::info!(batch.id = %batch, batch.jobs = jobs, "sealed");
            metrics::histogram!("zama_batch_jobs").record(jobs as f64);
        }
        Ok(())
    }

    async fn look_around(&self, report: &mut BatcherReport) -> Result<()> {
        let (waiting, oldest) = batches::waiting(&self.pool).await?;
        report.jobs_waiting = waiting.unsigned_abs();
        let age = oldest.map_or(0.0, |time| (chrono::Utc::now() - time).as_seconds_f64());
        metrics::gauge!("zama_confirmations_waiting").set(waiting as f64);
        metrics::gauge!("zama_confirmation_oldest_seconds").set(age);
        Ok(())
    }
}

fn trouble(report: &mut BatcherReport, error: &anyhow::Error) -> Duration {
    let told = format!("{error:#}");
    metrics::counter!("zama_batcher_trouble_total").increment(1);
    tracing::warn!(error = told, "the batcher waits");
    report.trouble = Some(told);
    TROUBLE
}

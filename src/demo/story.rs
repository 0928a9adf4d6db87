//! What both jobs of the demo do and tell: the wait with its bar, chain, receipt, usage.

use std::time::{Duration, Instant};

use alloy::primitives::Address;
use anyhow::{Context, Result, ensure};
use billing::{ExternalId, LagoClient};
use chain::verify::{Outcome, Source, verify_receipt};
use client::{Client, Trust, Usage, UsageFilter, WaitOptions, Waited};
use indicatif::{ProgressBar, ProgressStyle};
use jobs::receipt::Receipt;
use jobs::wire::Job;
use jobs::{JobId, JobStatus};

use crate::commands::billing::table;
use crate::dev::wiring::Wiring;
use crate::output;

/// The development tenant.
pub(super) const TENANT: &str = "dev";
/// Longest time for a job to end, or for its result to be given out.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);
/// Longest time for usage to arrive at billing after that.
const METERING: Duration = Duration::from_secs(30);

/// A client of the stack, and what it knows of it.
pub(super) struct Story<'a> {
    pub zama: Client,
    pub wiring: &'a Wiring,
}

impl Story<'_> {
    /// Waits with a bar: percent of the computation.
    pub(super) async fn follow(&self, id: JobId) -> Result<Box<Job>> {
        let began = Instant::now();
        let bar = ProgressBar::new(100);
        let style = ProgressStyle::with_template("  {spinner} [{bar:30}] {percent:>3} % {msg} {elapsed}")?;
        bar.set_style(style.progress_chars("=> "));
        bar.enable_steady_tick(Duration::from_millis(120));
        let options = WaitOptions {
            max_wait: Some(PATIENCE),
            first_pause: Duration::from_millis(50),
            max_pause: Duration::from_millis(250),
        };
        let mut seen = None;
        let waited = self
            .zama
            .wait(id, options, |job| {
                bar.set_position(job.progress.percent as u64);
                bar.set_message(format!("{} {} {}", job.status, job.progress.stage, job.progress.detail));
                if seen != Some(job.status) {
                    let seconds = began.elapsed().as_secs_f64();
                    bar.suspend(|| output::progress(format_args!("  {seconds:>6.1} s  {}", job.status)));
                    seen = Some(job.status);
                }
            })
            .await?;
        bar.finish_and_clear();
        match waited {
            Waited::Ended(job) => {
                let why =
                    job.error.as_ref().map(|error| format!(": {} {}", error.code, error.detail)).unwrap_or_default();
                ensure!(job.status == JobStatus::Completed, "the job ended as {}{why}", job.status);
                Ok(job)
            }
            Waited::TimedOut(job) => anyhow::bail!("the job is still {} after {PATIENCE:?}", job.status),
        }
    }

    pub(super) fn tell_confirmation(&self, job: &Job) -> Result<()> {
        let confirmation = job.blockchain_confirmation.as_ref().context("the job is not confirmed")?;
        output::line(format_args!("\nOn chain {}", confirmation.chain_id))?;
        output::line(format_args!("  registry {} index {}", confirmation.registry, confirmation.index))?;
        output::line(format_args!("  Merkle root {}", confirmation.merkle_root))?;
        if let (Some(tx), Some(block)) = (confirmation.tx_hash, confirmation.block_number) {
            output::line(format_args!("  transaction {tx} in block {block}"))?;
        }
        Ok(())
    }

    /// # Errors
    /// The receipt does not verify.
    pub(super) async fn tell_receipt(&self, job: &Job) -> Result<()> {
        let receipt: Receipt = serde_json::from_value(self.zama.receipt(job.job_id).await?)?;
        output::line("\nReceipt, verified against the chain")?;
        let report =
            verify_receipt(&receipt, &Source::Rpc { url: self.wiring.rpc_url(), registry: self.registry()? }).await;
        for check in &report.checks {
            let mark = match check.outcome {
                Outcome::Passed => "ok  ",
                Outcome::Failed => "FAIL",
                Outcome::Unanswered | Outcome::NotChecked => "?   ",
                Outcome::Pending => "wait",
            };
            output::line(format_args!("  {mark} {}: {}", check.name, check.explanation))?;
        }
        ensure!(report.passed(), "the receipt does not verify");
        Ok(())
    }

    /// The registry that this stack has deployed.
    pub(super) fn registry(&self) -> Result<Option<Address>> {
        self.wiring.registry.as_deref().map(str::parse).transpose().context("the registry has no address")
    }

    /// Whom the demo's client believes: the stack's own node and registry, not its API.
    pub(super) fn trust(&self) -> Result<Trust> {
        let registry = self.registry()?.context("there is no registry")?;
        Ok(Trust::chain(self.wiring.rpc_url(), registry))
    }

    pub(super) async fn tell_usage(&self, job: JobId) -> Result<()> {
        let usage = delivered(&self.zama, job).await?;
        output::line("\nUsage of the job")?;
        for row in &usage.data {
            let state = if row.delivered_at.is_some() { "delivered" } else { "waits" };
            output::line(format_args!("  {:<20} {:>6}  {state}  {}", row.metric, row.units, row.id))?;
        }
        Ok(())
    }

    /// What the tenant would pay for now.
    pub(super) async fn tell_invoice(&self) -> Result<()> {
        let lago = LagoClient::new(&self.wiring.lago_url, &self.wiring.lago_key)?;
        let billed = lago.current_usage(&ExternalId::parse(TENANT)?).await?;
        output::line(format_args!("\nWhat {} would invoice now", self.wiring.billing_name()))?;
        output::text(table(TENANT, &billed))
    }
}

/// Usage arrives shortly after the job: metering never delays it.
async fn delivered(zama: &Client, job: JobId) -> Result<Usage> {
    let looked = async {
        loop {
            let usage = zama.usage(&UsageFilter { job_id: Some(job), ..UsageFilter::default() }).await?;
            if !usage.data.is_empty() && usage.data.iter().all(|row| row.delivered_at.is_some()) {
                return Ok::<_, anyhow::Error>(usage);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(METERING, looked).await.context("usage did not arrive at billing in time")?
}

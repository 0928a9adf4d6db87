//! `zama-jobs demo`: one job from submit to invoice line on a stack of its own, for people to see.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use billing::{ExternalId, LagoClient};
use chain::verify::{Source, verify_receipt};
use clap::Args;
use client::{Client, JobFilter, Usage, UsageFilter, WaitOptions, Waited};
use indicatif::{ProgressBar, ProgressStyle};
use jobs::receipt::Receipt;
use jobs::wire::Job;
use jobs::{JobId, JobStatus};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::commands::billing::table;
use crate::dev::console::{StartArgs, watch_signals};
use crate::dev::progress::Progress;
use crate::dev::stack::Stack;
use crate::dev::wiring::Wiring;

/// Two 60-bit primes: 1152921504606846883 and 1152921504606846869.
const NUMBER: &str = "1329227995784915642319506138910959327";
/// Longest time for the job to end.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest time for usage to arrive at billing after that.
const METERING: Duration = Duration::from_secs(30);

#[derive(Args)]
pub struct DemoArgs {
    #[command(flatten)]
    start: StartArgs,
}

/// # Errors
/// What went wrong first; the stack is stopped all the same.
pub fn run(args: &DemoArgs) -> Result<ExitCode> {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let interrupt = CancellationToken::new();
        watch_signals(interrupt.clone())?;
        println!("Starting the stack");
        let progress: Progress = Arc::new(|event| println!("  {event}"));
        let stack = Stack::start(args.start.options(interrupt.clone())?, progress).await?;
        let shown = tokio::select! {
            shown = show(stack.wiring()) => shown,
            () = interrupt.cancelled() => Err(anyhow::anyhow!("interrupted")),
        };
        println!("\nStopping the stack");
        stack.stop().await;
        shown.map(|()| ExitCode::SUCCESS)
    })
}

async fn show(wiring: &Wiring) -> Result<()> {
    let token = wiring.token.as_deref().context("there is no token")?;
    let zama = Client::new(&wiring.api_url(), token)?;
    println!("\nSubmitting a plain job: the prime factors of {NUMBER}");
    let body = json!({
        "type": "compute",
        "payload": {"algorithm": "prime_factorization", "input": {"number": NUMBER}, "parameters": {"timeout": 300}},
        "priority": "normal",
        "use_fhe": false
    });
    let submitted = zama.submit(&body, None, None).await?;
    println!("  accepted as {} (idempotency key {})", submitted.job_id(), submitted.key);
    let job = follow(&zama, submitted.job_id()).await?;
    tell_result(&job)?;
    tell_receipt(&zama, wiring, &job).await?;
    tell_usage(&zama, wiring, job.job_id).await?;
    let workflow = format!("{}/namespaces/zama-jobs/workflows", wiring.temporal_ui());
    println!("\nThe workflow stood in the Temporal UI at {workflow} (`make dev` keeps it running).");
    let listed = zama.list(&JobFilter::default()).await?.data.len();
    println!("Jobs of tenant dev on this stack, newest page: {listed}");
    Ok(())
}

async fn follow(zama: &Client, id: JobId) -> Result<Box<Job>> {
    let bar = ProgressBar::new(100);
    let style = ProgressStyle::with_template("  {spinner} [{bar:30}] {percent:>3} % {msg}")?;
    bar.set_style(style.progress_chars("=> "));
    bar.enable_steady_tick(Duration::from_millis(120));
    let options = WaitOptions {
        max_wait: Some(PATIENCE),
        first_pause: Duration::from_millis(50),
        max_pause: Duration::from_millis(250),
    };
    let mut seen = None;
    let waited = zama
        .wait(id, options, |job| {
            bar.set_position(job.progress.percent as u64);
            bar.set_message(format!("{} {} {}", job.status, job.progress.stage, job.progress.detail));
            if seen != Some(job.status) {
                bar.suspend(|| println!("  {} {}", job.updated_at.format("%H:%M:%S%.3f"), job.status));
                seen = Some(job.status);
            }
        })
        .await?;
    bar.finish_and_clear();
    match waited {
        Waited::Ended(job) => {
            ensure!(job.status == JobStatus::Completed, "the job ended as {}", job.status);
            Ok(job)
        }
        Waited::TimedOut(job) => anyhow::bail!("the job is still {} after {PATIENCE:?}", job.status),
    }
}

fn tell_result(job: &Job) -> Result<()> {
    let result = job.result.as_ref().context("the job has no result")?;
    println!("\nResult\n  {}", result.value.as_ref().context("the result is not inline")?);
    println!("  SHA-256 {}", result.hash);
    let confirmation = job.blockchain_confirmation.as_ref().context("the job is not confirmed")?;
    println!("\nOn chain {}", confirmation.chain_id);
    println!("  registry {} index {}", confirmation.registry, confirmation.index);
    println!("  Merkle root {}", confirmation.merkle_root);
    if let (Some(tx), Some(block)) = (confirmation.tx_hash, confirmation.block_number) {
        println!("  transaction {tx} in block {block}");
    }
    Ok(())
}

async fn tell_receipt(zama: &Client, wiring: &Wiring, job: &Job) -> Result<()> {
    let receipt: Receipt = serde_json::from_value(zama.receipt(job.job_id).await?)?;
    println!("\nReceipt, verified against the chain");
    let registry = wiring.registry.as_deref().map(str::parse).transpose().context("the registry has no address")?;
    let report = verify_receipt(&receipt, &Source::Rpc { url: wiring.rpc_url(), registry }).await;
    for check in &report.checks {
        println!("  {} {}: {}", if check.passed { "ok  " } else { "FAIL" }, check.name, check.explanation);
    }
    ensure!(report.passed(), "the receipt does not verify");
    Ok(())
}

async fn tell_usage(zama: &Client, wiring: &Wiring, job: JobId) -> Result<()> {
    let usage = delivered(zama, job).await?;
    println!("\nUsage of the job");
    for row in &usage.data {
        let state = if row.delivered_at.is_some() { "delivered" } else { "waits" };
        println!("  {:<20} {:>6}  {state}  {}", row.metric, row.units, row.id);
    }
    let lago = LagoClient::new(&wiring.lago_url, &wiring.lago_key)?;
    let billed = lago.current_usage(&ExternalId::parse("dev")?).await?;
    println!("\nWhat {} would invoice now", wiring.billing_name());
    print!("{}", table("dev", &billed));
    Ok(())
}

/// Usage arrives shortly after the job: metering never delays it.
async fn delivered(zama: &Client, job: JobId) -> Result<Usage> {
    let looked = async {
        loop {
            let usage = zama.usage(UsageFilter { job_id: Some(job), limit: None }).await?;
            if !usage.data.is_empty() && usage.data.iter().all(|row| row.delivered_at.is_some()) {
                return Ok::<_, anyhow::Error>(usage);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(METERING, looked).await.context("usage did not arrive at billing in time")?
}

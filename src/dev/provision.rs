//! The steps between the engines and our own parts, in order. Each is idempotent: a stack that was stopped or killed
//! anywhere passes through all of them again.

use std::future::Future;
use std::time::Instant;

use anyhow::{Context, Result};

use super::data_dir::DataDir;
use super::part::PartName;
use super::postgres;
use super::progress::{Event, Progress};
use super::wiring::Wiring;

/// Runs every step whose engines run, and writes into `wiring` what our own parts must know.
///
/// # Errors
/// A step failed; the message names it.
pub async fn run(data: &DataDir, running: &[PartName], wiring: &mut Wiring, progress: &Progress) -> Result<()> {
    let runs = |part| running.contains(&part);
    if runs(PartName::Postgres) {
        step("database", progress, postgres::ensure_database(data, wiring.ports.postgres())).await?;
    }
    Ok(())
}

async fn step<T>(name: &'static str, progress: &Progress, work: impl Future<Output = Result<T>>) -> Result<T> {
    let began = Instant::now();
    let done = work.await.with_context(|| format!("Provisioning failed at step {name}"))?;
    progress(&Event::Provisioned { step: name, took: began.elapsed() });
    Ok(done)
}

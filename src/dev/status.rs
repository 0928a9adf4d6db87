//! `zama-jobs dev status` and `zama-jobs dev stop`: look at, and end, a stack that another process runs.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::future::join_all;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;
use tokio::time::sleep;

use super::board::{self, Entry};
use super::data_dir::DataDir;
use super::part::PartName;
use crate::output;

/// Longer than the slowest part may take to stop, one after the other.
const STOP_TIMEOUT: Duration = Duration::from_secs(120);

/// One part, as `dev status --json` shows it.
#[derive(Serialize)]
struct PartStatus {
    name: PartName,
    pid: Option<u32>,
    address: String,
    healthy: bool,
    restarts: u32,
}

/// Prints how each part is, asked just now.
///
/// # Errors
/// The state file cannot be read, or stdout not written.
pub async fn status(data: &DataDir, json: bool) -> Result<ExitCode> {
    let runs = data.owner().is_some();
    let mut entries = if runs { board::read(&data.state_file())? } else { Vec::new() };
    entries.sort_by_key(|entry| entry.name);
    let http = reqwest::Client::builder().no_proxy().build().context("Failed to make an HTTP client")?;
    let parts = join_all(entries.into_iter().map(|entry| look(entry, &http))).await;
    if json {
        output::line(serde_json::to_string_pretty(&parts)?)?;
    } else {
        for part in &parts {
            let health = if part.healthy { "healthy" } else { "NOT HEALTHY" };
            let pid = part.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
            let restarts = restarts(part.restarts);
            output::line(format_args!("{:<12} {:<18} pid {pid:<8} {health}, {restarts}", part.name, part.address))?;
        }
    }
    if runs {
        return Ok(ExitCode::SUCCESS);
    }
    output::notice(format_args!("zama-jobs dev does not run on {}", data.path().display()));
    Ok(ExitCode::FAILURE)
}

fn restarts(count: u32) -> String {
    match count {
        1 => "1 restart".to_owned(),
        count => format!("{count} restarts"),
    }
}

async fn look(entry: Entry, http: &reqwest::Client) -> PartStatus {
    let healthy = entry.is_alive() && entry.probe.ask(http).await.is_ok();
    let address = entry.address.to_string();
    PartStatus { name: entry.name, pid: entry.pid, address, healthy, restarts: entry.restarts }
}

/// Asks the stack's process to stop and waits until it has.
///
/// # Errors
/// It did not stop in time, or stdout cannot be written.
pub async fn stop(data: &DataDir) -> Result<ExitCode> {
    let Some(pid) = data.owner() else {
        output::notice(format_args!("zama-jobs dev does not run on {}", data.path().display()));
        return Ok(ExitCode::FAILURE);
    };
    kill(Pid::from_raw(pid), Signal::SIGTERM).with_context(|| format!("Failed to signal process {pid}"))?;
    let began = Instant::now();
    while data.owner().is_some() {
        if began.elapsed() > STOP_TIMEOUT {
            bail!("zama-jobs dev (pid {pid}) did not stop within {} s", STOP_TIMEOUT.as_secs());
        }
        sleep(Duration::from_millis(50)).await;
    }
    output::line(format_args!("Stopped the stack on {}", data.path().display()))?;
    Ok(ExitCode::SUCCESS)
}

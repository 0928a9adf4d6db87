//! A whole stack: starts it, holds it, stops it. `dev` and `demo` are two users of this.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::anvil_state;
use super::board::{self, Board, Entry};
use super::data_dir::{DataDir, write_private};
use super::engines::{self, Engines};
use super::part::{Part, PartName};
use super::parts::{self, Site};
use super::ports::Ports;
use super::postgres::{self, Durability};
use super::progress::Progress;
use super::provision;
use super::supervisor::Supervisor;
use super::wiring::Wiring;

/// How long the parts of a stack that was killed may take to follow it.
const LEFTOVERS_TIMEOUT: Duration = Duration::from_secs(30);

/// What to start and where.
#[derive(Clone, Debug)]
pub struct Options {
    pub ports: Ports,
    pub data: DataDir,
    pub env_file: PathBuf,
    /// The parts to start, in the order of [`PartName`].
    pub parts: Vec<PartName>,
    /// A Lago that runs elsewhere; `None` starts the stand-in.
    pub lago_url: Option<String>,
    pub lago_key: String,
    /// The user that PostgreSQL runs as when we are root.
    pub postgres_user: String,
    pub durability: Durability,
    /// Ends a start that is under way; [`Stack::stop`] ends a stack that runs.
    pub interrupt: CancellationToken,
}

/// A running stack. Dropping it without [`Stack::stop`] leaves its parts running until this process ends.
pub struct Stack {
    supervisor: Supervisor,
    board: Board,
    wiring: Wiring,
    copies: JoinHandle<()>,
    _lock: File,
}

impl Stack {
    /// Starts the parts that the options name, provisions the engines, writes the environment file.
    ///
    /// # Errors
    /// One clear line: a taken port, a missing engine, a folder in use, a part that does not start. What was started
    /// is stopped again.
    pub async fn start(options: Options, progress: Progress) -> Result<Self> {
        let engines = Engines::locate()?;
        check_engines(&options, &engines)?;
        let postgres_user = match options.parts.contains(&PartName::Postgres) {
            true => postgres::identity(&options.postgres_user)?,
            false => None,
        };
        let made = options.data.create()?;
        let lock = match take(&options).await {
            Ok(lock) => lock,
            Err(refusal) => {
                made.undo();
                return Err(refusal);
            }
        };

        let board = Board::new(options.data.clone());
        let mut supervisor = Supervisor::new(options.data.clone(), board.clone(), progress.clone())?;
        let Options { ref data, ports, durability, .. } = options;
        let site = Site { data, ports, engines: &engines, postgres_user, durability };
        let started = tokio::select! {
            biased;
            () = options.interrupt.cancelled() => Err(anyhow::anyhow!("interrupted while starting")),
            started = bring_up(&options, &site, &mut supervisor, &progress) => started,
        };
        match started {
            Ok(wiring) => {
                let copies = tokio::spawn(anvil_state::keep_copies(options.data));
                Ok(Self { supervisor, board, wiring, copies, _lock: lock })
            }
            Err(error) => {
                supervisor.stop().await;
                Err(error)
            }
        }
    }

    /// Stops all parts, the last one first.
    pub async fn stop(mut self) {
        self.copies.abort();
        self.supervisor.stop().await;
    }

    pub fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// The parts with their pids, for the ready file.
    pub fn entries(&self) -> Vec<Entry> {
        self.board.entries()
    }
}

/// Takes folder and ports, before anything runs.
async fn take(options: &Options) -> Result<File> {
    let lock = options.data.lock()?;
    wait_for_leftovers(&options.data).await?;
    options.ports.wait_free(&options.parts).await?;
    Ok(lock)
}

async fn bring_up(
    options: &Options,
    site: &Site<'_>,
    supervisor: &mut Supervisor,
    progress: &Progress,
) -> Result<Wiring> {
    let wanted = |parts: Vec<Part>| parts.into_iter().filter(|part| options.parts.contains(&part.name)).collect();
    let executable = parts::own_executable().context("Failed to find this program")?;
    if options.parts.contains(&PartName::Postgres) {
        postgres::ensure_cluster(site).await?;
    }
    let mut engines = parts::engines(site);
    engines.push(parts::lago_standin(site, &options.lago_key, &executable));
    supervisor.start(wanted(engines)).await?;

    let mut wiring = Wiring {
        ports: options.ports,
        lago_url: options.lago_url.clone().unwrap_or_else(|| format!("http://{}", options.ports.lago())),
        lago_key: options.lago_key.clone(),
        signing_key_file: options.data.join("token-signing.pem"),
        blobs: options.data.join("blobs"),
        fhe_keys: options.data.join("fhe-keys"),
        kms_dir: options.data.join("kms"),
        kms_signer: None,
        registry: None,
        token: None,
        api_key: None,
        submitter_key: None,
    };
    provision::run(site.data, &options.parts, &mut wiring, progress).await?;
    supervisor.start(wanted(parts::own(site, &wiring, &executable))).await?;
    write_private(&options.env_file, &wiring.env_file())?;
    Ok(wiring)
}

fn check_engines(options: &Options, engines: &Engines) -> Result<()> {
    for part in &options.parts {
        match part {
            PartName::Postgres => {
                engines::require(&engines.postgres, "PostgreSQL")?;
                engines::require(&engines.initdb, "PostgreSQL's initdb")?;
            }
            PartName::Temporal => engines::require(&engines.temporal, "the Temporal CLI")?,
            PartName::Anvil => engines::require(&engines.anvil, "anvil")?,
            PartName::Lago | PartName::Kms | PartName::Worker | PartName::WorkerFhe | PartName::Api => {}
        }
    }
    Ok(())
}

/// After kill -9 of a stack its parts follow at once, but PostgreSQL closes its files first: wait for that.
async fn wait_for_leftovers(data: &DataDir) -> Result<()> {
    let before = board::read(&data.state_file()).unwrap_or_default();
    let began = Instant::now();
    while let Some(entry) = before.iter().find(|entry| entry.is_alive()) {
        if began.elapsed() > LEFTOVERS_TIMEOUT {
            let pid = entry.pid.unwrap_or_default();
            bail!("{} (pid {pid}) of an earlier stack still runs on {}", entry.name, data.path().display());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

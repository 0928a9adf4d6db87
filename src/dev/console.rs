//! The command line of `zama-jobs dev`: its options, the lines that it prints, and the wait for Ctrl-C.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand, ValueEnum, value_parser};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::board::Entry;
use super::data_dir::{DataDir, write_private};
use super::part::PartName;
use super::ports::{DEFAULT_BASE, LARGEST_BASE, Ports};
use super::postgres::Durability;
use super::progress::Progress;
use super::stack::{Options, Stack};
use super::status::{status, stop};
use crate::output;

/// What the shell sees of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DevArgs {
    #[command(subcommand)]
    command: Option<DevCommand>,
    #[command(flatten)]
    start: StartArgs,
    /// File to write when everything is ready: a JSON object with the pid and the parts.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

#[derive(Subcommand)]
enum DevCommand {
    /// Tell how each part of a running stack is; exit code 1 when none runs.
    Status {
        /// Print a JSON array, one object a part.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Stop a running stack and wait until it has ended.
    Stop {
        #[command(flatten)]
        data: DataArgs,
    },
}

#[derive(Args)]
struct DataArgs {
    /// Folder of the stack's state [default: .zama/data, for root /var/lib/zama-jobs/dev].
    #[arg(long, value_name = "DIR", env = "ZAMA_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

/// How a stack is started, here and in `demo`.
#[derive(Args)]
pub struct StartArgs {
    #[command(flatten)]
    data: DataArgs,
    /// First of the twelve ports that the stack uses.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BASE, value_parser = value_parser!(u16).range(1024..=i64::from(LARGEST_BASE)))]
    port_base: u16,
    /// File to write the stack's addresses and token to, for scripts to source.
    #[arg(long, value_name = "FILE", default_value = ".zama/dev.env")]
    env_file: PathBuf,
    /// Start these parts only.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<PartName>,
    /// Origin of a real Lago, instead of the stand-in.
    #[arg(long, value_name = "URL")]
    lago_url: Option<String>,
    /// Key for Lago or its stand-in.
    #[arg(
        long,
        value_name = "KEY",
        env = "ZAMA__BILLING__LAGO_KEY",
        hide_env_values = true,
        default_value = "zama-development-lago-key"
    )]
    lago_key: String,
    /// User that PostgreSQL runs as when you are root.
    #[arg(long, value_name = "USER", default_value = "nobody")]
    postgres_user: String,
    /// Let PostgreSQL tell a commit before it is on disk: faster, and a power cut may damage the state. For tests.
    #[arg(long)]
    no_fsync: bool,
}

impl StartArgs {
    /// What these arguments ask for.
    ///
    /// # Errors
    /// The current folder is not known, or no part is left to start.
    pub fn options(&self, interrupt: CancellationToken) -> Result<Options> {
        let asked = |name: &PartName| self.only.is_empty() || self.only.contains(name);
        let standin = |name: &PartName| *name != PartName::Lago || self.lago_url.is_none();
        let parts: Vec<PartName> = PartName::value_variants().iter().copied().filter(asked).filter(standin).collect();
        ensure!(!parts.is_empty(), "there is no part to start");
        let environment = std::env::var("ZAMA__ENVIRONMENT").unwrap_or_default();
        ensure!(
            !environment.eq_ignore_ascii_case("production"),
            "this stack is for development, and ZAMA__ENVIRONMENT is production"
        );
        Ok(Options {
            ports: Ports::new(self.port_base),
            data: DataDir::choose(self.data.data_dir.as_deref())?,
            env_file: std::path::absolute(&self.env_file).context("Failed to read the current folder")?,
            parts,
            lago_url: self.lago_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
            lago_key: self.lago_key.clone(),
            postgres_user: self.postgres_user.clone(),
            durability: if self.no_fsync { Durability::Processes } else { Durability::PowerCuts },
            interrupt,
        })
    }
}

/// The ready file's content.
#[derive(Serialize)]
struct Ready {
    pid: u32,
    env_file: PathBuf,
    parts: Vec<Entry>,
}

/// Runs `zama-jobs dev` and its subcommands.
///
/// # Errors
/// One clear line about what is missing, taken or broken.
pub fn run(args: DevArgs) -> Result<ExitCode> {
    // Several libraries bring a crypto provider; this one is for all.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async move {
        match args.command {
            None => develop(args.start, args.ready_file.as_deref()).await,
            Some(DevCommand::Status { json, data }) => status(&DataDir::choose(data.data_dir.as_deref())?, json).await,
            Some(DevCommand::Stop { data }) => stop(&DataDir::choose(data.data_dir.as_deref())?).await,
        }
    })
}

async fn develop(args: StartArgs, ready_file: Option<&Path>) -> Result<ExitCode> {
    let interrupt = CancellationToken::new();
    let options = args.options(interrupt.clone())?;
    watch_signals(interrupt.clone())?;
    let began = Instant::now();
    let (env_file, data) = (options.env_file.clone(), options.data.clone());
    let progress: Progress = Arc::new(|event| output::progress(format_args!("  {event}")));
    let stack = match Stack::start(options, progress).await {
        Ok(stack) => stack,
        Err(_) if interrupt.is_cancelled() => return Ok(ExitCode::from(INTERRUPTED)),
        Err(error) => return Err(error),
    };
    announce(&stack, &env_file, &data, began);
    if let Some(ready_file) = ready_file {
        let ready = Ready { pid: std::process::id(), env_file, parts: stack.entries() };
        write_private(ready_file, &serde_json::to_string_pretty(&ready)?)?;
    }
    interrupt.cancelled().await;
    output::progress("Stopping");
    stack.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn announce(stack: &Stack, env_file: &Path, data: &DataDir, began: Instant) {
    let wiring = stack.wiring();
    output::progress(format_args!("Ready in {:.1} s", began.elapsed().as_secs_f64()));
    output::progress(format_args!("  REST API     {}", wiring.api_url()));
    output::progress(format_args!("  Temporal UI  {}", wiring.temporal_ui()));
    output::progress(format_args!("  Database     {}", wiring.database_url()));
    let registry = wiring.registry.as_deref().unwrap_or("not deployed");
    output::progress(format_args!("  Chain        {} (registry {registry})", wiring.rpc_url()));
    output::progress(format_args!("  Metering     {} ({})", wiring.lago_url, wiring.billing_name()));
    if let Some(token) = &wiring.token {
        output::progress(format_args!("  Token        {token}"));
    }
    output::progress(format_args!("  State        {}", data.path().display()));
    output::progress(format_args!("  All of it    {} (source it); Ctrl-C stops everything", env_file.display()));
}

/// The first Ctrl-C, SIGTERM or closed terminal asks for a clean stop; a second one leaves at once, and the kernel
/// ends the children.
pub fn watch_signals(interrupt: CancellationToken) -> Result<()> {
    let mut signals = [
        signal(SignalKind::interrupt()).context("Failed to watch for Ctrl-C")?,
        signal(SignalKind::terminate()).context("Failed to watch for SIGTERM")?,
        signal(SignalKind::hangup()).context("Failed to watch for SIGHUP")?,
    ];
    tokio::spawn(async move {
        loop {
            let [ctrl_c, terminate, hang_up] = &mut signals;
            tokio::select! {
                _ = ctrl_c.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            if interrupt.is_cancelled() {
                std::process::exit(i32::from(INTERRUPTED));
            }
            interrupt.cancel();
        }
    });
    Ok(())
}

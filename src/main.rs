//! The `zama-jobs` binary: one subcommand a role.

mod dev;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "zama-jobs",
    version,
    about = "Durable jobs, plain or encrypted, confirmed on chain",
    max_term_width = 110
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the whole stack on this machine for a developer.
    Dev(dev::DevArgs),
    /// Become another program that cannot outlive its parent.
    #[command(hide = true)]
    Spawn(dev::SpawnArgs),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Dev(args) => dev::run(args),
        Command::Spawn(args) => dev::spawn(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("zama-jobs: {error:#}");
        ExitCode::FAILURE
    })
}

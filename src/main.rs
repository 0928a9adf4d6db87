//! The `zama-jobs` binary: one subcommand a role.

// They panic where stdout or stderr cannot be written: `output` prints.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod command_line;
mod commands;
mod demo;
mod dev;
mod output;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use settings::Settings;

#[derive(Parser)]
#[command(
    name = "zama-jobs",
    version,
    about = "Durable jobs, plain or encrypted, confirmed on chain",
    max_term_width = 110
)]
struct Cli {
    /// Configuration file; `zama-jobs config` prints every key with its default.
    #[arg(long, global = true, value_name = "FILE", env = "ZAMA_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    globals: client::cli::Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the whole stack on this machine for a developer.
    Dev(dev::DevArgs),
    /// Run a plain job and an encrypted one end to end on a stack of its own, then stop it.
    Demo(demo::DemoArgs),
    #[command(flatten)]
    Jobs(client::cli::JobsCommand),
    /// Serve the REST API, dispatch accepted jobs.
    Api,
    /// Serve task queues.
    Worker {
        /// jobs, compute, fhe, or several with commas; worker.queue when not given.
        #[arg(long)]
        queue: Option<String>,
    },
    /// Keep the network's keys, decrypt for owners alone.
    Kms {
        #[command(subcommand)]
        command: Option<commands::kms::KmsCommand>,
    },
    /// Ask a process on this machine whether it serves: ends with 0 if it does. For containers' health checks.
    Health {
        #[arg(value_enum, value_name = "PROCESS")]
        serving: commands::health_check::Serving,
    },
    /// Bring the database's schema up to date.
    Migrate,
    /// Prepare a Temporal server.
    #[command(subcommand)]
    Temporal(commands::temporal::TemporalCommand),
    /// Deploy and look after the registry.
    #[command(subcommand)]
    Chain(commands::chain::ChainCommand),
    /// Make tenants, and put them on plans.
    #[command(subcommand)]
    Tenants(commands::tenants::TenantsCommand),
    /// Show and add a tenant's prepaid credits.
    #[command(subcommand)]
    Credits(commands::credits::CreditsCommand),
    /// Provision the billing system, hold the ledger against it, correct.
    #[command(subcommand)]
    Billing(commands::billing::BillingCommand),
    /// Print an access token for development, or look after the issuer's keys.
    Token(commands::token::TokenCommand),
    /// Register programs that get tokens of their own (OAuth clients).
    #[command(subcommand)]
    Clients(commands::clients::ClientsCommand),
    /// Print a one-time code with which a person lets `zama-jobs login` in.
    LoginCode(commands::login_code::LoginCodeArgs),
    /// Show and change a tenant's plan, networks, signature and ceilings.
    #[command(subcommand)]
    Policy(commands::policy::PolicyCommand),
    /// Print every setting with its default.
    Config,
    /// Print the OpenAPI document.
    Openapi,
    /// Run the stand-in for Lago (development only).
    LagoStandin(commands::lago_standin::LagoStandinArgs),
    /// Compute on ciphertexts for a worker.
    #[command(hide = true)]
    FheChild(commands::fhe_child::FheChildArgs),
    /// Become another program that cannot outlive its parent.
    #[command(hide = true)]
    Spawn(dev::SpawnArgs),
}

fn main() -> ExitCode {
    run(command_line::read()).unwrap_or_else(|error| {
        output::failure(format_args!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn run(cli: Cli) -> Result<ExitCode> {
    let settings = || Settings::load(cli.config.as_deref());
    let beside_dev = || settings_beside_dev(cli.config.as_deref());
    let json = cli.globals.json;
    match cli.command {
        Command::Dev(args) => return dev::run(args),
        Command::Demo(args) => return demo::run(&args),
        // Before anything is set up: it is about to be another program.
        Command::Spawn(args) => return dev::spawn(&args),
        Command::FheChild(args) => commands::fhe_child::run(&args)?,
        Command::Jobs(command) => return ask(command, cli.globals),
        Command::Api => commands::api::run(&settings()?)?,
        Command::Worker { queue } => commands::worker::run(&settings()?, queue)?,
        Command::Kms { command } => commands::kms::run(&settings()?, command, json)?,
        Command::Health { serving } => commands::health_check::run(&settings()?, serving)?,
        Command::Migrate => commands::migrate::run(&settings()?, json)?,
        Command::Temporal(command) => commands::temporal::run(&beside_dev()?, &command, json)?,
        Command::Chain(command) => return commands::chain::run(beside_dev(), &command, json),
        Command::Tenants(command) => commands::tenants::run(&beside_dev()?, &command, json)?,
        Command::Credits(command) => commands::credits::run(&beside_dev()?, &command, json)?,
        Command::Billing(command) => return commands::billing::run(&beside_dev()?, &command, json),
        Command::Token(command) => commands::token::run(&beside_dev()?, &command, json)?,
        Command::Clients(command) => commands::clients::run(&beside_dev()?, &command, json)?,
        Command::LoginCode(args) => commands::login_code::run(&beside_dev()?, &args, json)?,
        Command::Policy(command) => commands::policy::run(&beside_dev()?, &command, json)?,
        Command::Config => commands::config::run()?,
        Command::Openapi => commands::openapi::run()?,
        Command::LagoStandin(args) => commands::lago_standin::run(&settings()?, args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Settings of a tool: where a `zama-jobs dev` runs (`.zama/dev.env`, here or in a folder above), its settings, unless
/// the environment says otherwise.
fn settings_beside_dev(config: Option<&Path>) -> Result<Settings> {
    let dev = client::cli::DevEnv::find().map_err(|error| anyhow::anyhow!("{error}"))?.unwrap_or_default();
    let settings = dev.values().filter(|(key, _)| key.starts_with("ZAMA__"));
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Settings::load_with(config, settings.chain(std::env::vars()))
}

/// Runs a command that only speaks to the API.
fn ask(command: client::cli::JobsCommand, globals: client::cli::Globals) -> Result<ExitCode> {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(client::cli::run(command, globals)))
}

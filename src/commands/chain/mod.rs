//! `zama-jobs chain`: the registry, its signer and its batches, as operators see and change them.

mod accounts;
mod calls;
mod confirm_failed;
mod deploy;
mod exit;
mod findings;
mod pause;
mod plan;
mod resync;
mod role;
mod status;

use std::process::ExitCode;
use std::time::Duration;

use ::chain::{Admin, ChainError, Node, Signer};
use alloy::primitives::{Address, B256};
use anyhow::{Context, Result};
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;
use settings::Settings;
use store::batches::Registry;

use super::{Role, parts, process};
use crate::output;
use exit::{ChainExit, EXIT_CODES, WrongSetUp};

pub use deploy::deploy;

#[derive(Subcommand)]
pub enum ChainCommand {
    /// Show chain, registry, signer and batches, and what does not fit together.
    #[command(after_help = EXIT_CODES)]
    Status,
    /// Deploy ZamaJobsRegistry and grant the confirmer its role; repeating it changes nothing.
    #[command(after_help = EXIT_CODES)]
    Deploy(deploy::DeployArgs),
    /// Let an account confirm batches, or pause confirmation.
    #[command(after_help = EXIT_CODES)]
    GrantRole(role::RoleArgs),
    /// Take a role back.
    #[command(after_help = EXIT_CODES)]
    RevokeRole(role::RoleArgs),
    /// Stop confirmation in every way; jobs wait in CONFIRMING.
    #[command(after_help = EXIT_CODES)]
    Pause(plan::SendArgs),
    /// Resume confirmation.
    #[command(after_help = EXIT_CODES)]
    Unpause(plan::SendArgs),
    /// Hold the database against the chain's events, and rebuild what it lacks.
    #[command(after_help = EXIT_CODES)]
    Resync(resync::ResyncArgs),
    /// Show or change whether a tenant's failed jobs are put on chain.
    #[command(after_help = EXIT_CODES)]
    ConfirmFailed(confirm_failed::ConfirmFailedArgs),
}

/// How a command answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

impl Format {
    /// Prints what was asked for on stdout.
    fn answer<T: Serialize>(self, document: &T, text: impl FnOnce() -> String) -> Result<()> {
        match self {
            Self::Text => output::text(text()),
            Self::Json => output::line(serde_json::to_string_pretty(document)?),
        }
    }
}

/// # Errors
/// The process could not be set up; whatever else fails is printed and told by the exit code.
pub fn run(settings: Result<Settings>, command: &ChainCommand, json: bool) -> Result<ExitCode> {
    let format = if json { Format::Json } else { Format::Text };
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return Ok(tell(&WrongSetUp(format!("{error:#}")).into(), format).into()),
    };
    process::run(&settings, Role::Tool, |_stop| async {
        let done = Box::pin(carry_out(&settings, command, format)).await;
        Ok(done.unwrap_or_else(|error| tell(&error, format)).into())
    })
}

/// Tells of what failed, and with which code the command ends.
fn tell(error: &anyhow::Error, format: Format) -> ChainExit {
    let exit = ChainExit::of(error);
    let detail = explained(error);
    output::failure(&detail);
    if format == Format::Json {
        let tx_hash = sent(error);
        let error = json!({ "detail": detail, "exit_code": exit.code(), "tx_hash": tx_hash });
        // A stdout that fails changes nothing about how the command ended, which stderr has told.
        let _ = output::document(&json!({ "error": error }));
    }
    exit
}

async fn carry_out(settings: &Settings, command: &ChainCommand, format: Format) -> Result<ChainExit> {
    match command {
        ChainCommand::Status => Box::pin(status::run(settings, format)).await,
        ChainCommand::Deploy(args) => Box::pin(deploy::run(settings, args, format)).await,
        ChainCommand::GrantRole(args) => role::run(settings, args, role::Direction::Grant, format).await,
        ChainCommand::RevokeRole(args) => role::run(settings, args, role::Direction::Revoke, format).await,
        ChainCommand::Pause(args) => pause::run(settings, args, ::chain::Change::Pause, format).await,
        ChainCommand::Unpause(args) => pause::run(settings, args, ::chain::Change::Unpause, format).await,
        ChainCommand::Resync(args) => Box::pin(resync::run(settings, args, format)).await,
        ChainCommand::ConfirmFailed(args) => confirm_failed::run(settings, args, format).await,
    }
}

/// The transaction of whose end nothing is known yet.
fn sent(error: &anyhow::Error) -> Option<B256> {
    match error.downcast_ref::<ChainError>() {
        Some(ChainError::NotMined { tx_hash, .. }) => Some(*tx_hash),
        _ => None,
    }
}

/// A refusal for want of a right is the commonest, and names the right by its hash.
fn explained(error: &anyhow::Error) -> String {
    let refused = error.downcast_ref::<ChainError>().and_then(ChainError::account_without_role);
    match refused {
        Some(account) => format!(
            "{account} does not hold the role for that (AccessControlUnauthorizedAccount); `zama-jobs chain status` \
             names the admin, and --print-call prints what it has to send"
        ),
        None if sent(error).is_some() => {
            format!("{error:#}; run the command again with --replace to send it in its place, at higher fees")
        }
        None => format!("{error:#}"),
    }
}

/// The account that changes the registry, as `chain.deployer_…` name it.
fn deployer(settings: &Settings) -> Result<Signer> {
    Ok(parts::signer(settings, settings.chain.deployer()).map_err(|error| WrongSetUp(format!("{error:#}")))?)
}

/// The same, on its chain.
fn admin<'a>(settings: &'a Settings, signer: &'a Signer) -> Admin<'a> {
    let chain = &settings.chain;
    Admin {
        rpc_url: &chain.rpc_url,
        chain_id: chain.chain_id,
        signer,
        timeout: Duration::from_secs(chain.rpc_timeout_seconds),
    }
}

/// The registry's address; zero is the setting's way to say that there is none.
fn registry(settings: &Settings) -> Result<Address> {
    let address = settings.chain.registry.parse().ok().filter(|address: &Address| !address.is_zero());
    let none = || WrongSetUp("chain.registry is not set: `zama-jobs chain deploy` prints the address".to_owned());
    Ok(address.ok_or_else(none)?)
}

/// The account that confirms.
fn confirmer(settings: &Settings) -> Result<Address> {
    let confirmer = parts::confirmer(settings).map_err(|error| WrongSetUp(format!("{error:#}")))?;
    Ok(confirmer.address())
}

/// A node, and how to name it: host and port, since its address may hold a key.
struct NamedNode {
    node: Node,
    name: String,
}

/// The first node of `chain.rpc_url` that answers; the first of all when none does.
async fn node(settings: &Settings) -> Result<NamedNode> {
    let timeout = Duration::from_secs(settings.chain.rpc_timeout_seconds);
    let registry = registry(settings)?;
    let mut first = None;
    for url in settings.chain.rpc_urls() {
        let named = NamedNode { node: Node::new(url, registry, timeout)?, name: host(url)? };
        if named.node.chain_id().await.is_ok() {
            return Ok(named);
        }
        first = first.or(Some(named));
    }
    first.ok_or_else(|| WrongSetUp("chain.rpc_url is empty".to_owned()).into())
}

fn host(url: &str) -> Result<String> {
    let url: reqwest::Url = url.parse().context("chain.rpc_url is not a URL")?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{}{port}", url.host_str().unwrap_or_default()))
}

/// The registry as the database names it.
fn stored_registry(settings: &Settings) -> Result<Registry> {
    let address = registry(settings)?.into_array();
    Ok(Registry { chain_id: i64::try_from(settings.chain.chain_id)?, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_s_key_is_not_shown() {
        assert_eq!(host("https://node.example/v3/secret").unwrap(), "node.example");
        assert_eq!(host("http://user:secret@127.0.0.1:8545/").unwrap(), "127.0.0.1:8545");
        assert!(host("nonsense").is_err());
    }
}

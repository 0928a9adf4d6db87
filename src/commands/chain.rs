//! `zama-jobs chain deploy`: the registry, at the same address wherever the deployer is the same.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Subcommand;
use settings::Settings;

use super::{Role, process};

#[derive(Subcommand)]
pub enum ChainCommand {
    /// Deploy ZamaJobsRegistry and grant the confirmer its role; repeating it changes nothing.
    Deploy,
}

/// # Errors
/// The node is away, or the deployer may not or cannot pay.
pub fn run(settings: &Settings, command: &ChainCommand) -> Result<()> {
    let ChainCommand::Deploy = command;
    process::run(settings, Role::Tool, |_stop| async {
        println!("{}", deploy(settings).await?);
        Ok(())
    })
}

/// Deploys and returns the registry's address.
///
/// # Errors
/// The node is away, or the deployer may not or cannot pay.
pub async fn deploy(settings: &Settings) -> Result<String> {
    let chain = &settings.chain;
    let confirmer = ::chain::address_of(&chain.confirmer_key).context("chain.confirmer_key cannot be used")?;
    let timeout = Duration::from_secs(chain.rpc_timeout_seconds);
    let registry =
        ::chain::ensure_registry(&chain.rpc_url, chain.chain_id, &chain.deployer_key, confirmer, timeout).await?;
    Ok(registry.to_string())
}

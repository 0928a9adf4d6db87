//! `zama-jobs chain deploy`: the registry, at the same address wherever the deployer is the same.

use std::time::Duration;

use ::chain::Admin;
use anyhow::{Context, Result};
use clap::Subcommand;
use settings::Settings;

use super::{Role, process};

#[derive(Subcommand)]
pub enum ChainCommand {
    /// Deploy ZamaJobsRegistry and grant the confirmer its role; repeating it changes nothing.
    Deploy {
        /// Address of the key manager to pin; `zama-jobs kms init` prints it.
        #[arg(long, value_name = "ADDRESS")]
        key_manager: Option<String>,
    },
}

/// # Errors
/// The node is away, or the deployer may not or cannot pay.
pub fn run(settings: &Settings, command: &ChainCommand) -> Result<()> {
    let ChainCommand::Deploy { key_manager } = command;
    process::run(settings, Role::Tool, |_stop| async {
        println!("{}", deploy(settings, key_manager.as_deref()).await?);
        Ok(())
    })
}

/// Deploys, pins the key manager if one is named, and returns the registry's address.
///
/// # Errors
/// The node is away, the deployer may not or cannot pay, or the key manager's address is none.
pub async fn deploy(settings: &Settings, key_manager: Option<&str>) -> Result<String> {
    let chain = &settings.chain;
    let confirmer = ::chain::address_of(&chain.confirmer_key).context("chain.confirmer_key cannot be used")?;
    let timeout = Duration::from_secs(chain.rpc_timeout_seconds);
    let registry =
        ::chain::ensure_registry(&chain.rpc_url, chain.chain_id, &chain.deployer_key, confirmer, timeout).await?;
    if let Some(manager) = key_manager {
        let manager = manager.parse().context("the key manager's address is none")?;
        let admin =
            Admin { rpc_url: &chain.rpc_url, chain_id: chain.chain_id, private_key: &chain.deployer_key, timeout };
        ::chain::ensure_key_manager(admin, registry, manager).await?;
    }
    Ok(registry.to_string())
}

//! `zama-jobs chain deploy`: the registry, at the same address wherever the deployer is the same.

use ::chain::{Administration, Change, Role};
use alloy::primitives::Address;
use anyhow::{Context, Result};
use clap::Args;
use settings::Settings;

use super::accounts::account;
use super::exit::ChainExit;
use super::plan::{self, Carried, SendArgs};
use super::{Format, admin, confirmer};

#[derive(Args)]
pub struct DeployArgs {
    /// Address of the key manager to pin; `zama-jobs kms init` prints it.
    #[arg(long, value_name = "ADDRESS", value_parser = account)]
    key_manager: Option<Address>,
    /// Who confirms batches [default: the account of chain.confirmer_key]
    #[arg(long, value_name = "ADDRESS", value_parser = account)]
    confirmer: Option<Address>,
    #[command(flatten)]
    send: SendArgs,
}

/// Deploys after a question, and answers with the registry's address.
///
/// # Errors
/// The node is away, or the deployer may not or cannot pay.
pub(super) async fn run(settings: &Settings, args: &DeployArgs, format: Format) -> Result<ChainExit> {
    let administration = Administration::of_deployer(admin(settings)).await?;
    let registry = administration.registry();
    let confirmer = args.confirmer.map_or_else(|| confirmer(settings), Ok)?;
    let carried = Box::pin(plan::carry_out(&administration, &changes(confirmer, args.key_manager), &args.send)).await?;
    if matches!(carried, Carried::NothingToDo) {
        eprintln!("ZamaJobsRegistry stands at {registry} already, with its confirmer: nothing to do");
    }
    let is_declined = matches!(carried, Carried::Declined);
    if !is_declined && settings.chain.registry.parse() != Ok(registry) {
        eprintln!("chain.registry is {}: set it to {registry}", settings.chain.registry);
    }
    let address = || if is_declined { String::new() } else { format!("{registry}\n") };
    format.answer(&plan::document(&administration, &carried), address)?;
    Ok(carried.exit())
}

/// Deploys without a question, pins the key manager if one is named, and returns the registry's address: for whoever sets
/// up a development stack.
///
/// # Errors
/// The node is away, the deployer may not or cannot pay, or the key manager's address is none.
pub async fn deploy(settings: &Settings, key_manager: Option<&str>) -> Result<String> {
    let key_manager = key_manager.map(str::parse).transpose().context("the key manager's address is none")?;
    let administration = Administration::of_deployer(admin(settings)).await?;
    for change in changes(confirmer(settings)?, key_manager) {
        if administration.make(change).await?.is_some() {
            tracing::info!(chain.registry = %administration.registry(), "done: {change}");
        }
    }
    Ok(administration.registry().to_string())
}

fn changes(confirmer: Address, key_manager: Option<Address>) -> Vec<Change> {
    let grant = Change::Grant { role: Role::Confirmer, account: confirmer };
    [Change::Deploy, grant].into_iter().chain(key_manager.map(Change::PinKeyManager)).collect()
}

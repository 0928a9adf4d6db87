//! `zama-jobs chain deploy`: the registry, at the same address wherever its first admin is the same.

use ::chain::{Administration, Change, Role, Sending, registry_address};
use alloy::primitives::Address;
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use settings::{Deployment, Settings};

use super::accounts::account;
use super::calls::Calls;
use super::exit::{ChainExit, WrongSetUp};
use super::plan::{self, Carried, SendArgs};
use super::{Format, admin, confirmer, deployer};
use crate::output;

#[derive(Args)]
pub struct DeployArgs {
    /// The registry's first admin, a multi-signature wallet for instance. Whoever pays for the deployment gets no right
    /// then, and what the admin has still to call is printed. Production wants one [default: the account that pays, which
    /// sends all of it]
    #[arg(long, value_name = "ADDRESS", value_parser = account)]
    admin: Option<Address>,
    /// Address of the key manager to pin; `zama-jobs kms init` prints it.
    #[arg(long, value_name = "ADDRESS", value_parser = account)]
    key_manager: Option<Address>,
    /// Who confirms batches [default: the account of chain.confirmer_key]
    #[arg(long, value_name = "ADDRESS", value_parser = account)]
    confirmer: Option<Address>,
    #[command(flatten)]
    send: SendArgs,
}

/// What has to be made so that a registry serves, and by whom.
struct Plan {
    registry: Address,
    /// What the paying account makes.
    ours: Vec<Change>,
    /// What only another account, the admin, may make.
    the_admins: Vec<Change>,
}

impl Plan {
    fn new(payer: Option<Address>, admin: Address, confirmer: Address, key_manager: Option<Address>) -> Self {
        let registry = registry_address(admin);
        let mut ours = vec![Change::Deploy { admin }];
        let grant = Change::Grant { role: Role::Confirmer, account: confirmer };
        let mut the_admins: Vec<Change> = [grant].into_iter().chain(key_manager.map(Change::PinKeyManager)).collect();
        if payer == Some(admin) {
            ours.append(&mut the_admins);
        }
        Self { registry, ours, the_admins }
    }
}

/// Deploys after a question, and answers with the registry's address.
///
/// # Errors
/// The node is away, or the deployer may not or cannot pay.
pub(super) async fn run(settings: &Settings, args: &DeployArgs, format: Format) -> Result<ChainExit> {
    let confirmer = args.confirmer.map_or_else(|| confirmer(settings), Ok)?;
    if let Some(admin) = args.admin.filter(|_| args.send.print_call) {
        let Plan { registry, ours, the_admins } = Plan::new(None, admin, confirmer, args.key_manager);
        return Calls::of(registry, [ours, the_admins].concat()).answer(format);
    }
    let payer = deployer(settings)?;
    let first_admin = args.admin.unwrap_or(payer.address());
    if first_admin == payer.address() {
        keeps_its_rights(settings.environment, first_admin)?;
    }
    let Plan { registry, ours, the_admins } =
        Plan::new(Some(payer.address()), first_admin, confirmer, args.key_manager);
    if args.send.print_call {
        return Calls::of(registry, ours).answer(format);
    }
    let administration = Administration::of_deployer(admin(settings, &payer), registry).await?;
    let carried = Box::pin(plan::carry_out(&administration, &ours, args.send.how(settings))).await?;
    if matches!(carried, Carried::NothingToDo { .. }) {
        let payer = payer.address();
        output::notice(format_args!(
            "ZamaJobsRegistry stands at {registry} already, with all that was asked of {payer}"
        ));
    }
    let is_declined = matches!(carried, Carried::Declined);
    let left = match is_declined {
        true => Vec::new(),
        false => administration.outstanding(&the_admins).await?,
    };
    let left = Calls::of(registry, left);
    if !left.is_empty() {
        output::notices(format_args!("its admin {first_admin} has still to send:\n{}", left.text()));
    }
    if !is_declined && settings.chain.registry.parse() != Ok(registry) {
        output::notice(format_args!("chain.registry is {}: set it to {registry}", settings.chain.registry));
    }
    let address = || if is_declined { String::new() } else { format!("{registry}\n") };
    let mut document = plan::document(&administration, &carried);
    document["admin"] = json!(first_admin);
    document["calls"] = left.document();
    format.answer(&document, address)?;
    Ok(carried.exit())
}

/// Whoever pays has a key on a machine that sends transactions: in production it is nobody's admin.
fn keeps_its_rights(environment: Deployment, payer: Address) -> Result<(), WrongSetUp> {
    let kept = format!("{payer} pays for the registry and stays its admin, with every right");
    if environment == Deployment::Production {
        return Err(WrongSetUp(format!(
            "{kept}; production refuses that: name another account, a multi-signature wallet for instance, with --admin"
        )));
    }
    output::notice(format_args!("{kept}; production refuses that and wants --admin"));
    Ok(())
}

/// Deploys without a question, pins the key manager if one is named, and returns the registry's address: for whoever sets
/// up a development stack.
///
/// # Errors
/// The node is away, the deployer may not or cannot pay, or the key manager's address is none.
pub async fn deploy(settings: &Settings, key_manager: Option<&str>) -> Result<String> {
    let key_manager = key_manager.map(str::parse).transpose().context("the key manager's address is none")?;
    let payer = deployer(settings)?;
    let plan = Plan::new(Some(payer.address()), payer.address(), confirmer(settings)?, key_manager);
    let administration = Administration::of_deployer(admin(settings, &payer), plan.registry).await?;
    for change in plan.ours {
        if Box::pin(administration.make(change, &Sending::default())).await?.is_some() {
            tracing::info!(chain.registry = %administration.registry(), "done: {change}");
        }
    }
    Ok(administration.registry().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_production_whoever_pays_keeps_no_right() {
        let payer = Address::repeat_byte(1);
        assert!(keeps_its_rights(Deployment::Development, payer).is_ok());
        let refused = keeps_its_rights(Deployment::Production, payer).unwrap_err();
        assert!(refused.0.contains("--admin"), "{refused}");
        assert_eq!(ChainExit::of(&refused.into()), ChainExit::SetUp);
    }

    #[test]
    fn whoever_pays_for_anothers_registry_makes_nothing_but_the_deployment() {
        let [payer, admin, confirmer, manager] = [1, 2, 3, 4].map(Address::repeat_byte);
        let own = Plan::new(Some(payer), payer, confirmer, Some(manager));
        assert_eq!((own.ours.len(), own.the_admins.len()), (3, 0));
        let anothers = Plan::new(Some(payer), admin, confirmer, Some(manager));
        assert_eq!(anothers.ours, [Change::Deploy { admin }]);
        let grant = Change::Grant { role: Role::Confirmer, account: confirmer };
        assert_eq!(anothers.the_admins, [grant, Change::PinKeyManager(manager)]);
        assert_ne!(own.registry, anothers.registry, "the address follows from the admin");
    }
}

//! `zama-jobs chain grant-role` and `revoke-role`.

use ::chain::{Change, Role};
use alloy::primitives::Address;
use anyhow::Result;
use clap::Args;
use settings::Settings;

use super::Format;
use super::accounts::account;
use super::exit::ChainExit;
use super::plan::{self, SendArgs};

#[derive(Args)]
pub struct RoleArgs {
    /// confirmer or pauser.
    #[arg(value_parser = role)]
    role: Role,
    /// The account.
    #[arg(value_parser = account)]
    account: Address,
    #[command(flatten)]
    send: SendArgs,
}

/// Whether a role is given or taken.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    Grant,
    Revoke,
}

/// # Errors
/// The account of `chain.deployer_…` is not the registry's admin or cannot pay, or the node is away.
pub(super) async fn run(
    settings: &Settings,
    args: &RoleArgs,
    direction: Direction,
    format: Format,
) -> Result<ChainExit> {
    let (role, account) = (args.role, args.account);
    let change = match direction {
        Direction::Grant => Change::Grant { role, account },
        Direction::Revoke => Change::Revoke { role, account },
    };
    Box::pin(plan::answer(settings, change, &args.send, format)).await
}

fn role(text: &str) -> Result<Role, String> {
    match text.to_ascii_lowercase().trim_end_matches("_role") {
        "confirmer" => Ok(Role::Confirmer),
        "pauser" => Ok(Role::Pauser),
        "default_admin" | "admin" => {
            Err("the admin hands over in two steps, a day apart: beginDefaultAdminTransfer, acceptDefaultAdminTransfer"
                .to_owned())
        }
        _ => Err("is neither confirmer nor pauser".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_its_short_name_and_the_contract_s() {
        assert_eq!(role("confirmer"), Ok(Role::Confirmer));
        assert_eq!(role("PAUSER_ROLE"), Ok(Role::Pauser));
        assert!(role("admin").unwrap_err().contains("two steps"));
        assert!(role("root").is_err());
    }
}

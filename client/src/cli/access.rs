//! `grant` and `revoke`: who else may read an encrypted job's result.

use std::path::PathBuf;

use alloy::primitives::Address;
use alloy::primitives::utils::format_ether;
use chain::{AccessChange, Mined};
use clap::Args;
use jobs::JobId;
use serde_json::{Value, json};

use super::chain_args::ChainArgs;
use super::dev_env::DevEnv;
use super::error::CliError;
use super::exit::Exit;
use super::globals::Session;
use super::secrets::submitter;
use super::trust_args::believed;
use super::working::Working;
use crate::encrypted::{AccessChanged, AccessRequest};

/// What `grant` and `revoke` take.
#[derive(Args, Debug)]
pub struct AccessArgs {
    /// Id of the encrypted job
    #[arg(long, value_name = "ID")]
    job: JobId,
    /// Address of whoever may sign for the result
    #[arg(long, value_name = "ADDRESS")]
    grantee: Address,
    /// File with the submitter's key, 0x-hex; its account pays for the gas
    /// [default: ZAMA_SUBMITTER_KEY, the variable or of .zama/dev.env]
    #[arg(long, value_name = "FILE")]
    submitter_key: Option<PathBuf>,
    #[command(flatten)]
    chain: ChainArgs,
}

pub(super) async fn change(session: &Session, args: &AccessArgs, change: AccessChange) -> Result<Exit, CliError> {
    let chain = args
        .chain
        .resolve(DevEnv::find)?
        .ok_or_else(|| CliError::usage("access stands on chain: give the EVM node with --rpc URL or set ZAMA_RPC"))?;
    let chain = believed(chain)?;
    let submitter = submitter(session, args.submitter_key.as_deref())?;
    let client = session.client()?;
    session.output.notice(&format!(
        "this is a transaction of {}, which pays for its gas; nothing is sent if access stands so already",
        submitter.address()
    ));
    let request =
        AccessRequest { job_id: args.job, grantee: args.grantee, change, submitter: &submitter, chain: &chain };
    let changed = {
        let _working = Working::start("checking the receipt, then sending");
        Box::pin(client.change_access(request)).await?
    };
    session.output.result(&document(args, change, &changed), |_| text(args, change))?;
    session.output.notice(&cost(&changed));
    if change == AccessChange::Grant {
        session.output.notice(&format!(
            "once the block is final for the key manager, the grantee reads the result with a token that may see the \
             job and its own key: zama-jobs decrypt {} --submitter-key FILE",
            args.job
        ));
    }
    Ok(Exit::Success)
}

fn document(args: &AccessArgs, change: AccessChange, changed: &AccessChanged) -> Value {
    let transaction = changed.mined.map(|mined| {
        json!({
            "tx_hash": mined.tx_hash,
            "block_number": mined.block_number,
            "gas_used": mined.gas_used,
            "cost_wei": mined.cost.to_string(),
        })
    });
    json!({
        "job_id": args.job,
        "grantee": args.grantee,
        "access": change == AccessChange::Grant,
        "chain_id": changed.chain_id,
        "registry": changed.registry,
        "leaf_hash": changed.leaf_hash,
        "transaction": transaction,
    })
}

fn text(args: &AccessArgs, change: AccessChange) -> String {
    let may = if change == AccessChange::Grant { "may read" } else { "may not read" };
    format!("{} {may} the result of job {}.\n", args.grantee, args.job)
}

fn cost(changed: &AccessChanged) -> String {
    match changed.mined {
        None => "it stood so already: nothing was sent, nothing was paid".to_owned(),
        Some(Mined { tx_hash, block_number, gas_used, cost }) => {
            let ether = format_ether(cost);
            let ether = ether.trim_end_matches('0').trim_end_matches('.');
            format!("transaction {tx_hash} in block {block_number}: {gas_used} gas, {ether} ETH paid")
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{B256, U256};

    use super::*;

    fn changed(mined: Option<Mined>) -> AccessChanged {
        AccessChanged { chain_id: 31_337, registry: Address::repeat_byte(1), leaf_hash: B256::repeat_byte(2), mined }
    }

    #[test]
    fn what_was_paid_is_said() {
        let mined = Mined {
            tx_hash: B256::repeat_byte(3),
            block_number: 7,
            gas_used: 80_000,
            cost: U256::from(80_000_u64 * 1_500_000_000),
        };
        let text = cost(&changed(Some(mined)));
        assert!(text.ends_with("in block 7: 80000 gas, 0.00012 ETH paid"), "{text}");
        assert!(cost(&changed(None)).contains("nothing was paid"));

        let args = AccessArgs {
            job: "019cebab-804e-7c41-9b5e-3f2a8d6c1e07".parse().unwrap(),
            grantee: Address::repeat_byte(9),
            submitter_key: None,
            chain: ChainArgs::default(),
        };
        let granted = document(&args, AccessChange::Grant, &changed(Some(mined)));
        assert_eq!(granted["transaction"]["cost_wei"], "120000000000000");
        assert_eq!(granted["access"], true);
        let revoked = document(&args, AccessChange::Revoke, &changed(None));
        assert_eq!((&revoked["access"], &revoked["transaction"]), (&json!(false), &Value::Null));
    }
}

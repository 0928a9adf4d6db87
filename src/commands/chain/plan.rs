//! What is about to be sent, shown before anything is, and the question whether it shall be.

use std::time::Duration;

use ::chain::{Administration, Change, Mined, Place, Sending, SignedTx, Step};
use alloy::primitives::utils::format_ether;
use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use settings::Settings;

use super::calls::Calls;
use super::exit::ChainExit;
use super::{Format, admin, deployer, parts, registry};
use crate::commands::confirmation::is_agreed;
use crate::output;

#[derive(Args)]
pub struct SendArgs {
    /// Send without asking.
    #[arg(long, short)]
    pub yes: bool,
    /// Send nothing and ask no node: print the call, for whichever account may make it
    #[arg(long, conflicts_with_all = ["yes", "replace"])]
    pub print_call: bool,
    /// Take the place of the account's first transaction that waits at the node, whatever it is, at fees that outbid it
    /// (up to chain.fee_cap_gwei)
    #[arg(long)]
    replace: bool,
    /// Seconds to wait for the transaction's block
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    wait: u64,
}

impl SendArgs {
    /// How they want it sent.
    pub(super) fn how(&self, settings: &Settings) -> How {
        let place = match self.replace {
            true => Place::First { cap: parts::fee_cap(settings) },
            false => Place::Last,
        };
        How { is_agreed: self.yes, place, patience: Duration::from_secs(self.wait) }
    }
}

/// How a plan is carried out.
#[derive(Clone, Copy)]
pub(super) struct How {
    is_agreed: bool,
    place: Place,
    patience: Duration,
}

/// What became of a plan.
pub(super) enum Carried {
    /// The registry is so already.
    NothingToDo {
        /// The sender's transactions that wait at the node, and may change that.
        waiting: u64,
    },
    /// Nobody said yes.
    Declined,
    Sent(Vec<(Change, Mined)>),
}

impl Carried {
    pub(super) fn exit(&self) -> ChainExit {
        match self {
            Self::Declined => ChainExit::Declined,
            Self::NothingToDo { .. } | Self::Sent(_) => ChainExit::Done,
        }
    }
}

/// Shows what is left to do of `changes`, asks, and sends it one by one, each waited for.
///
/// # Errors
/// The account may not or cannot pay, or the node is away. What was sent before stays, and a repetition goes on there.
pub(super) async fn carry_out(administration: &Administration, changes: &[Change], how: How) -> Result<Carried> {
    let steps = administration.plan(changes, how.place).await?;
    if steps.is_empty() {
        return Ok(Carried::NothingToDo { waiting: administration.waiting().await? });
    }
    output::notices(told(administration, &steps));
    if !how.is_agreed && !is_agreed("send?", "nothing was sent")? {
        return Ok(Carried::Declined);
    }
    // Whatever happens next, the operator can follow it.
    let told = |sent: &SignedTx| {
        output::notice(format_args!("sent: {} (nonce {}); waiting for its block", sent.hash, sent.nonce));
    };
    let sending = Sending { place: how.place, patience: how.patience, told: &told };
    let mut sent = Vec::new();
    for step in steps {
        let made = Box::pin(administration.make(step.change, &sending)).await;
        let Some(mined) = made.with_context(|| format!("could not {}", step.change))? else { continue };
        let cost = format_ether(mined.cost);
        output::notice(format_args!("done: {} ({}, {cost} ETH)", step.change, mined.tx_hash));
        sent.push((step.change, mined));
    }
    Ok(Carried::Sent(sent))
}

/// Carries a change of the registry out, or prints it, and answers with what was sent.
///
/// # Errors
/// As [`carry_out`].
pub(super) async fn answer(settings: &Settings, change: Change, args: &SendArgs, format: Format) -> Result<ChainExit> {
    let registry = registry(settings)?;
    if args.print_call {
        return Calls::of(registry, vec![change]).answer(format);
    }
    let signer = deployer(settings)?;
    let administration = Administration::connect(admin(settings, &signer), registry).await?;
    let carried = carry_out(&administration, &[change], args.how(settings)).await?;
    format.answer(&document(&administration, &carried), || match &carried {
        Carried::NothingToDo { waiting: 0 } => format!("nothing to do: the registry {registry} is so already\n"),
        Carried::NothingToDo { waiting } => format!(
            "nothing to do: the registry {registry} is so now; but {waiting} of {}'s transactions wait for a block and \
             may change it: come back when they are in one\n",
            administration.sender()
        ),
        Carried::Declined => String::new(),
        Carried::Sent(sent) => sent.iter().map(|(change, mined)| format!("{change}: {}\n", mined.tx_hash)).collect(),
    })?;
    Ok(carried.exit())
}

/// What `--json` prints of it.
pub(super) fn document(administration: &Administration, carried: &Carried) -> Value {
    let transactions: Vec<Value> = match carried {
        Carried::NothingToDo { .. } | Carried::Declined => Vec::new(),
        Carried::Sent(sent) => sent.iter().map(|(change, mined)| transaction(*change, mined)).collect(),
    };
    let waiting = if let Carried::NothingToDo { waiting } = carried { *waiting } else { 0 };
    json!({
        "registry": administration.registry(),
        "sender": administration.sender(),
        "changed": !transactions.is_empty(),
        "waiting": waiting,
        "declined": matches!(carried, Carried::Declined),
        "transactions": transactions,
    })
}

fn transaction(change: Change, mined: &Mined) -> Value {
    json!({
        "change": change.to_string(),
        "tx_hash": mined.tx_hash,
        "block_number": mined.block_number,
        "gas_used": mined.gas_used,
        "cost_wei": mined.cost.to_string(),
    })
}

fn told(administration: &Administration, steps: &[Step]) -> String {
    let (registry, sender) = (administration.registry(), administration.sender());
    let mut text = format!("registry {registry}: to be sent and paid by {sender}\n");
    for (number, step) in (1..).zip(steps) {
        text.push_str(&format!("  {number}. {}: {}\n", step.change, cost(step)));
    }
    text
}

fn cost(step: &Step) -> String {
    match step.cost {
        Some(cost) => format!("about {} gas, at most {} ETH", cost.gas, format_ether(cost.at_most)),
        None => "tried once the registry is there".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use ::chain::Cost;
    use alloy::primitives::U256;

    use super::*;

    #[test]
    fn a_step_says_what_it_may_cost() {
        let at_most = U256::from(1_500_000_000_000_000_u64);
        let step = Step { change: Change::Pause, cost: Some(Cost { gas: 30_000, at_most }) };
        assert_eq!(cost(&step), "about 30000 gas, at most 0.001500000000000000 ETH");
        assert_eq!(cost(&Step { cost: None, ..step }), "tried once the registry is there");
    }
}

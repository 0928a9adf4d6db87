//! Verifies a receipt, check by check, with an EVM node or against a root that is already trusted.
//!
//! Nothing in a receipt is believed: each field is recomputed from others or asked of the chain.

mod offline;
mod onchain;

use alloy::primitives::{Address, B256};
use jobs::receipt::Receipt;
use serde::Serialize;

/// What a receipt is held against.
#[derive(Clone, Debug)]
pub enum Source {
    /// The chain, through this endpoint.
    Rpc {
        url: String,
        /// The registry that must have confirmed the job. `None` believes the address in the receipt, and anyone can
        /// deploy a registry: give the address when it is known.
        registry: Option<Address>,
    },
    /// A batch's root that was learnt elsewhere. No network is used.
    Root(B256),
}

/// One question put to a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub passed: bool,
    /// A sentence for people.
    pub explanation: String,
}

/// All checks in the order in which they were made. A check that could not be made is there as failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether every check passed.
    pub fn passed(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.passed)
    }
}

impl Check {
    fn new(name: &'static str, passed: bool, when_passed: impl Into<String>, when_failed: impl Into<String>) -> Self {
        let explanation = if passed { when_passed.into() } else { when_failed.into() };
        Self { name, passed, explanation }
    }
}

/// Makes every check that `source` allows. Never fails as a whole: an unreachable node is a failed check.
pub async fn verify_receipt(receipt: &Receipt, source: &Source) -> Report {
    let mut checks = offline::checks(receipt);
    match source {
        Source::Root(root) => checks.push(Check::new(
            "root",
            receipt.root == *root,
            "the receipt's root is the given one",
            format!("the receipt's root is {}, the given one {root}", receipt.root),
        )),
        Source::Rpc { url, registry } => checks.extend(onchain::checks(receipt, url, *registry).await),
    }
    Report { checks }
}

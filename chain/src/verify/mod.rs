//! Verifies a receipt, check by check, with an EVM node or against a root that is already trusted.
//!
//! Nothing in a receipt is believed: each field is recomputed from others or asked of the chain.

mod offline;
mod onchain;

use alloy::primitives::{Address, B256};
use jobs::receipt::Receipt;
use serde::Serialize;

use crate::ChainError;

/// Name of the check whether the block can still be taken back.
const FINALITY: &str = "finality";
/// Name of the check whether the receipt names the registry that the caller trusts.
const EXPECTED_REGISTRY: &str = "expected_registry";

/// What a receipt is held against.
#[derive(Clone, Debug)]
pub enum Source {
    /// The chain, through this endpoint.
    Rpc {
        url: String,
        /// The registry that must have confirmed the job. `None` believes the address in the receipt, and anyone can
        /// deploy a registry: the report says that this was not checked.
        registry: Option<Address>,
    },
    /// A batch's root that was learnt elsewhere. No network is used.
    Root {
        root: B256,
        /// The registry that the receipt must name.
        registry: Option<Address>,
    },
}

/// How a question to a receipt was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    Failed,
    /// The node gave no answer: nothing is known.
    Unanswered,
    /// Nobody was asked: without a network only the chain could tell, and what is trusted only the caller.
    NotChecked,
    /// Not so yet: nothing is against it, and it may still change.
    Pending,
}

/// One question put to a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub outcome: Outcome,
    /// A sentence for people.
    pub explanation: String,
}

/// What all checks together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every check that was made passed.
    Verifies,
    /// At least one check failed.
    DoesNotVerify,
    /// None failed, but the node did not answer at least one.
    Unknown,
}

/// All questions in the order in which they were put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub checks: Vec<Check>,
}

impl Report {
    /// What the checks say together. One failure decides, whatever else could not be asked.
    pub fn verdict(&self) -> Verdict {
        let any = |outcome| self.checks.iter().any(|check| check.outcome == outcome);
        if any(Outcome::Failed) {
            Verdict::DoesNotVerify
        } else if any(Outcome::Unanswered) || !any(Outcome::Passed) {
            Verdict::Unknown
        } else {
            Verdict::Verifies
        }
    }

    /// Whether the job's block is final; `None` where nobody could say.
    pub fn finalized(&self) -> Option<bool> {
        let finality = self.checks.iter().find(|check| check.name == FINALITY)?;
        match finality.outcome {
            Outcome::Passed => Some(true),
            Outcome::Pending => Some(false),
            Outcome::Failed | Outcome::Unanswered | Outcome::NotChecked => None,
        }
    }

    /// Whether the registry's address was believed as the receipt names it.
    pub fn believes_the_registry(&self) -> bool {
        self.with(Outcome::NotChecked).any(|check| check.name == EXPECTED_REGISTRY)
    }

    /// Whether every check that was made passed.
    pub fn passed(&self) -> bool {
        self.verdict() == Verdict::Verifies
    }

    /// The checks with this outcome.
    pub fn with(&self, outcome: Outcome) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.outcome == outcome)
    }
}

impl Check {
    /// A check that was made.
    pub fn new(
        name: &'static str,
        passed: bool,
        when_passed: impl Into<String>,
        when_failed: impl Into<String>,
    ) -> Self {
        match passed {
            true => Self { name, outcome: Outcome::Passed, explanation: when_passed.into() },
            false => Self { name, outcome: Outcome::Failed, explanation: when_failed.into() },
        }
    }

    /// What the node's failure to answer says: it may contradict the receipt, and it may just be away.
    fn refused(name: &'static str, error: &ChainError) -> Self {
        let outcome = match error {
            ChainError::WrongChain { .. } | ChainError::NotARegistry(_) | ChainError::Reverted(_) => Outcome::Failed,
            ChainError::Unavailable(_)
            | ChainError::Rejected { .. }
            | ChainError::SignerUnavailable(_)
            | ChainError::SignerRefused(_)
            | ChainError::NotMined { .. }
            | ChainError::CannotPay { .. }
            | ChainError::NoDeployer(_)
            | ChainError::Configuration(_) => Outcome::Unanswered,
        };
        let explanation = match outcome {
            Outcome::Unanswered => format!("could not be checked: {error}"),
            _ => error.to_string(),
        };
        Self { name, outcome, explanation }
    }

    /// What is true now and may not last.
    fn pending(name: &'static str, explanation: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Pending, explanation: explanation.into() }
    }

    fn not_checked(name: &'static str, explanation: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::NotChecked, explanation: explanation.into() }
    }
}

/// Makes every check that `source` allows and names those that it does not. Never fails as a whole: what an absent
/// node cannot say is [`Outcome::Unanswered`].
pub async fn verify_receipt(receipt: &Receipt, source: &Source) -> Report {
    let mut checks = offline::checks(receipt);
    match source {
        Source::Root { root, registry } => {
            checks.extend(registry.map(|expected| expected_registry(receipt, expected)));
            checks.push(Check::new(
                "root",
                receipt.root == *root,
                "the receipt's root is the given one",
                format!("the receipt's root is {}, the given one {root}", receipt.root),
            ));
            checks.extend(offline::left_to_the_chain(receipt));
        }
        Source::Rpc { url, registry } => {
            checks.push(match registry {
                Some(expected) => expected_registry(receipt, *expected),
                None => Check::not_checked(
                    EXPECTED_REGISTRY,
                    format!("whether {} is the registry that you trust: anyone can deploy one", receipt.registry),
                ),
            });
            checks.extend(onchain::checks(receipt, url).await);
        }
    }
    Report { checks }
}

fn expected_registry(receipt: &Receipt, expected: Address) -> Check {
    Check::new(
        EXPECTED_REGISTRY,
        receipt.registry == expected,
        "the receipt names the expected registry",
        format!("the receipt names the registry {}, not {expected}", receipt.registry),
    )
}

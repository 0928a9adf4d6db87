//! What can go wrong between us and the chain, sorted by what the caller should do about it.

use std::fmt;

use alloy::contract::Error as ContractError;
use alloy::primitives::utils::format_ether;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::{ContractError as DecodedError, SolInterface};
use alloy::transports::{RpcError, TransportError};
use contracts::ZamaJobsRegistry::ZamaJobsRegistryErrors;
use jobs::causes::with_causes;
use thiserror::Error;

use crate::redaction::without_keys;

/// An error of a call to the chain.
#[derive(Debug, Error)]
pub enum ChainError {
    /// The node is away, too slow, or answers something that is no answer. Try again later.
    #[error("the EVM node is unavailable: {0}")]
    Unavailable(String),
    /// The registry refused the call. The same call will be refused again.
    #[error("the registry reverted: {0}")]
    Reverted(RevertReason),
    /// The node refused the transaction or request.
    #[error("the EVM node refused the request: {message}")]
    Rejected { rejection: Rejection, message: String },
    /// Whoever keeps the account's key is away or too slow. Nothing is wrong with the node.
    #[error("the signing server is unavailable: {0}")]
    SignerUnavailable(String),
    /// Whoever keeps the account's key will not sign, or signed something else.
    #[error("the signer refused: {0}")]
    SignerRefused(String),
    /// The account has too little to pay for a transaction.
    #[error("{account} has {} ETH and cannot pay up to {} ETH for the transaction", ether(.balance), ether(.needed))]
    CannotPay {
        account: Address,
        /// In wei.
        balance: U256,
        /// The most that the transaction may cost, in wei.
        needed: U256,
    },
    /// A node took it, and no block has it yet: nothing is known of its end.
    #[error(
        "transaction {tx_hash} (nonce {nonce} of {account}) was sent and is in no block yet; it may still get there"
    )]
    NotMined { tx_hash: B256, account: Address, nonce: u64 },
    /// The endpoint serves another chain.
    #[error("the EVM node serves chain {actual}, not {expected}")]
    WrongChain { expected: u64, actual: u64 },
    /// There is no code at the address, or it is not our registry's.
    #[error("there is no ZamaJobsRegistry at {0}")]
    NotARegistry(Address),
    /// The contract through which the registry gets the same address on every chain is missing.
    #[error("this chain has no deterministic deployer at {0}; deploy it first (see Arachnid's deployment proxy)")]
    NoDeployer(Address),
    /// A setting cannot be used as it is.
    #[error("{0}")]
    Configuration(String),
}

/// Why a node refused a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Another transaction with this nonce is in a block already.
    NonceTooLow,
    /// A transaction with this nonce waits already and this one does not pay enough more.
    Underpriced,
    /// The sender cannot pay.
    InsufficientFunds,
    /// It needs more gas than a transaction may use, whichever node is asked.
    TooMuchGas,
    /// Anything else: perhaps a matter of this one node, which lacks a state, a method or room in its pool.
    Other,
}

/// Why the registry reverted.
#[derive(Debug, PartialEq, Eq)]
pub enum RevertReason {
    /// One of the registry's own errors.
    Registry(Box<ZamaJobsRegistryErrors>),
    /// `require` or `Panic`, or an error that this version does not know.
    Other(String),
}

impl fmt::Display for RevertReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(error) => write!(f, "{error:?}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl ChainError {
    /// Whether the same call may succeed later without anyone changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::SignerUnavailable(_))
    }

    /// Whether it may be this node's own trouble: another one may do what it did not.
    #[must_use]
    pub fn is_perhaps_the_nodes(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Rejected { rejection: Rejection::Other, .. })
    }

    /// Of a signing server instead of a node.
    pub(crate) fn of_signer(error: TransportError) -> Self {
        match Self::from(error) {
            Self::Unavailable(why) => Self::SignerUnavailable(why),
            Self::Rejected { message, .. } => Self::SignerRefused(message),
            Self::Reverted(reason) => Self::SignerRefused(reason.to_string()),
            other => other,
        }
    }

    fn from_response(code: i64, message: String, revert_data: Option<&Bytes>) -> Self {
        if let Some(data) = revert_data {
            return Self::Reverted(RevertReason::decode(data));
        }
        let lower = message.to_lowercase();
        let rejection = if lower.contains("revert") {
            return Self::Reverted(RevertReason::Other(message));
        } else if lower.contains("nonce too low") {
            Rejection::NonceTooLow
        } else if lower.contains("underpriced") {
            Rejection::Underpriced
        } else if lower.contains("insufficient funds") {
            Rejection::InsufficientFunds
        } else if TOO_MUCH_GAS.iter().any(|text| lower.contains(text)) {
            Rejection::TooMuchGas
        } else if is_node_trouble(code) {
            return Self::Unavailable(message);
        } else {
            Rejection::Other
        };
        Self::Rejected { rejection, message }
    }
}

/// How nodes say that a transaction needs more gas than it may use.
const TOO_MUCH_GAS: [&str; 4] = ["gas required exceeds", "exceeds block gas limit", "intrinsic gas", "out of gas"];

/// JSON-RPC codes with which nodes and providers say "not now": internal error, resource unavailable, limit exceeded.
fn is_node_trouble(code: i64) -> bool {
    matches!(code, -32603 | -32002 | -32005 | 429)
}

impl RevertReason {
    fn decode(data: &Bytes) -> Self {
        match DecodedError::<ZamaJobsRegistryErrors>::abi_decode(data) {
            Ok(DecodedError::CustomError(error)) => Self::Registry(Box::new(error)),
            Ok(DecodedError::Revert(revert)) => Self::Other(revert.reason),
            Ok(DecodedError::Panic(panic)) => Self::Other(panic.to_string()),
            Err(_) => Self::Other(format!("unknown error {data}")),
        }
    }
}

impl From<TransportError> for ChainError {
    fn from(error: TransportError) -> Self {
        match error {
            RpcError::ErrorResp(payload) => {
                let message = without_keys(&payload.message);
                Self::from_response(payload.code, message, payload.as_revert_data().as_ref())
            }
            RpcError::LocalUsageError(error) => Self::Configuration(told(error.as_ref())),
            other => Self::Unavailable(told(&other)),
        }
    }
}

impl From<ContractError> for ChainError {
    fn from(error: ContractError) -> Self {
        match error {
            ContractError::TransportError(error) => error.into(),
            other => Self::Unavailable(told(&other)),
        }
    }
}

fn ether(wei: &U256) -> String {
    format_ether(*wei)
}

/// A foreign node's text may be a whole page, and the transport's holds the node's whole address.
fn told(error: &dyn std::error::Error) -> String {
    without_keys(&with_causes(error)).chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use alloy::transports::TransportErrorKind;
    use serde_json::json;

    use super::*;

    fn of(code: i64, message: &str) -> ChainError {
        ChainError::from_response(code, message.to_owned(), None)
    }

    #[test]
    fn refusals_are_told_apart() {
        let rejection = |error| match error {
            ChainError::Rejected { rejection, .. } => rejection,
            other => panic!("{other}"),
        };
        assert_eq!(rejection(of(-32003, "nonce too low")), Rejection::NonceTooLow);
        assert_eq!(rejection(of(-32003, "replacement transaction underpriced")), Rejection::Underpriced);
        assert_eq!(rejection(of(-32003, "Insufficient funds for gas * price + value")), Rejection::InsufficientFunds);
        assert_eq!(rejection(of(-32000, "gas required exceeds allowance (50000000)")), Rejection::TooMuchGas);
        assert_eq!(rejection(of(-32601, "Method not found")), Rejection::Other);
    }

    #[test]
    fn another_node_may_know_what_this_one_does_not() {
        for own in ["missing trie node 0x12", "header not found", "Method not found", "txpool is full"] {
            assert!(of(-32000, own).is_perhaps_the_nodes(), "{own}");
        }
        assert!(of(-32603, "Internal error").is_perhaps_the_nodes());
        for everywhere in
            ["nonce too low", "gas required exceeds allowance", "insufficient funds", "execution reverted"]
        {
            assert!(!of(-32000, everywhere).is_perhaps_the_nodes(), "{everywhere}");
        }
        assert!(!ChainError::SignerUnavailable(String::new()).is_perhaps_the_nodes());
    }

    #[test]
    fn what_a_node_repeats_is_told_without_its_key() {
        let answer = json!({ "code": -32000, "message": "bad route https://node.example/v3/key" });
        let told = ChainError::from(TransportError::ErrorResp(serde_json::from_value(answer).unwrap())).to_string();
        assert!(told.contains("https://node.example") && !told.contains("key"), "{told}");
        let page = TransportErrorKind::http_error(502, "error for url (https://node.example/v3/key)".to_owned());
        let told = ChainError::from(page).to_string();
        assert!(told.contains("https://node.example") && !told.contains("key"), "{told}");
    }

    #[test]
    fn only_a_node_in_trouble_is_worth_a_retry() {
        assert!(of(-32005, "daily request count exceeded").is_retryable());
        assert!(of(-32603, "Internal error").is_retryable());
        assert!(!of(-32601, "Method not found").is_retryable());
        assert!(matches!(of(3, "execution reverted"), ChainError::Reverted(RevertReason::Other(_))));
    }
}

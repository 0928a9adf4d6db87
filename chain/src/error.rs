//! What can go wrong between us and the chain, sorted by what the caller should do about it.

use std::fmt;

use alloy::contract::Error as ContractError;
use alloy::primitives::utils::format_ether;
use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::{ContractError as DecodedError, SolInterface};
use alloy::transports::{RpcError, TransportError};
use contracts::ZamaJobsRegistry::ZamaJobsRegistryErrors;
use jobs::causes::with_causes;
use thiserror::Error;

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
    /// The account has too little to pay for a transaction.
    #[error("{account} has {} ETH and cannot pay up to {} ETH for the transaction", ether(.balance), ether(.needed))]
    CannotPay {
        account: Address,
        /// In wei.
        balance: U256,
        /// The most that the transaction may cost, in wei.
        needed: U256,
    },
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
    /// Anything else.
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
        matches!(self, Self::Unavailable(_))
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
        } else if is_node_trouble(code) {
            return Self::Unavailable(message);
        } else {
            Rejection::Other
        };
        Self::Rejected { rejection, message }
    }
}

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
                Self::from_response(payload.code, payload.message.to_string(), payload.as_revert_data().as_ref())
            }
            RpcError::LocalUsageError(error) => Self::Configuration(error.to_string()),
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

/// A foreign node's text may be a whole page.
fn told(error: &dyn std::error::Error) -> String {
    with_causes(error).chars().take(400).collect()
}

#[cfg(test)]
mod tests {
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
        assert_eq!(rejection(of(-32601, "Method not found")), Rejection::Other);
    }

    #[test]
    fn only_a_node_in_trouble_is_worth_a_retry() {
        assert!(of(-32005, "daily request count exceeded").is_retryable());
        assert!(of(-32603, "Internal error").is_retryable());
        assert!(!of(-32601, "Method not found").is_retryable());
        assert!(matches!(of(3, "execution reverted"), ChainError::Reverted(RevertReason::Other(_))));
    }
}

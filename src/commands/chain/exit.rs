//! How a chain command's end is told to scripts.

use std::process::ExitCode;

use ::chain::ChainError;
use store::StoreError;

/// The exit codes, as `--help` prints them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done, or there was nothing to do
  1  the database or something else failed
  2  the command line or the set-up is wrong: another chain, no registry at the address, a key that is none
  3  the registry or the node refused: the account may not do it or cannot pay
  8  the EVM node or the signing server gave no answer
  9  something is wrong that a person must look at: it was printed
  10 nothing was sent: the question was not answered with yes
  11 sent, and in no block yet: the hash was printed, and it may still get there";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ChainExit {
    /// Done, or there was nothing to do.
    Done = 0,
    /// The database or something else failed.
    Failed = 1,
    /// The command line or the set-up is wrong.
    SetUp = 2,
    /// The registry or the node refused.
    Refused = 3,
    /// The EVM node or the signing server gave no answer.
    NoAnswer = 8,
    /// Something is wrong that a person must look at.
    Trouble = 9,
    /// Nothing was sent, because nobody said yes.
    Declined = 10,
    /// A transaction was sent, and nothing is known of its end.
    Waiting = 11,
}

impl ChainExit {
    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// For a command that failed.
    pub fn of(error: &anyhow::Error) -> Self {
        if let Some(error) = error.downcast_ref::<ChainError>() {
            return Self::of_chain(error);
        }
        match error.downcast_ref::<StoreError>() {
            Some(_) => Self::Failed,
            None if error.is::<WrongSetUp>() => Self::SetUp,
            None => Self::Failed,
        }
    }

    fn of_chain(error: &ChainError) -> Self {
        match error {
            ChainError::Unavailable(_) | ChainError::SignerUnavailable(_) => Self::NoAnswer,
            ChainError::NotMined { .. } => Self::Waiting,
            ChainError::WrongChain { .. } | ChainError::NotARegistry(_) | ChainError::Configuration(_) => Self::SetUp,
            _ => Self::Refused,
        }
    }
}

impl From<ChainExit> for ExitCode {
    fn from(exit: ChainExit) -> Self {
        Self::from(exit.code())
    }
}

/// The command line or a setting is wrong; says which.
#[derive(Debug)]
pub struct WrongSetUp(pub String);

impl std::fmt::Display for WrongSetUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongSetUp {}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, B256, U256};
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn every_code_is_in_the_help() {
        use ChainExit::*;
        let documented: Vec<u8> = EXIT_CODES
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next().expect("a code").parse().expect("a number"))
            .collect();
        assert_eq!(
            documented,
            [Done, Failed, SetUp, Refused, NoAnswer, Trouble, Declined, Waiting].map(ChainExit::code)
        );
    }

    #[test]
    fn an_error_keeps_its_code_under_a_context() {
        let of = |error: ChainError| ChainExit::of(&Err::<(), _>(error).context("while trying").unwrap_err());
        assert_eq!(of(ChainError::Unavailable("away".to_owned())), ChainExit::NoAnswer);
        assert_eq!(of(ChainError::NotARegistry(Address::ZERO)), ChainExit::SetUp);
        let poor = ChainError::CannotPay { account: Address::ZERO, balance: U256::ZERO, needed: U256::ONE };
        assert_eq!(of(poor), ChainExit::Refused);
        let waits = ChainError::NotMined { tx_hash: B256::ZERO, account: Address::ZERO, nonce: 7 };
        assert_eq!(of(waits), ChainExit::Waiting);
        assert_eq!(of(ChainError::SignerUnavailable("away".to_owned())), ChainExit::NoAnswer);
        assert_eq!(ChainExit::of(&WrongSetUp("no".to_owned()).into()), ChainExit::SetUp);
        assert_eq!(ChainExit::of(&anyhow::anyhow!("else")), ChainExit::Failed);
    }
}

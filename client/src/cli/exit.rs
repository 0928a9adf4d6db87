//! How a command's end is told to scripts.

use std::process::ExitCode;

use chain::ChainError;
use chain::verify::Verdict;
use jobs::JobStatus;
use jobs::wire::Job;

use crate::encrypted::EncryptedError;
use crate::error::ClientError;
use crate::wait::Waited;

/// The exit codes, as `--help` prints them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the service or the connection failed
  2  the command line, a file or the set-up is wrong
  3  the API refused the request (4xx)
  4  the job failed
  5  the job was cancelled
  6  the time for waiting was up
  7  a receipt, key, sealed result or audit log does not verify
  8  nothing is known against it, but the EVM node gave no answer: it could not be checked";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// The service or the connection failed.
    Failure = 1,
    /// The command line, a file or the set-up is wrong (clap's own code too).
    Usage = 2,
    /// The API refused the request (4xx).
    Refused = 3,
    /// The job failed.
    JobFailed = 4,
    /// The job was cancelled.
    JobCancelled = 5,
    /// The time for waiting was up.
    TimedOut = 6,
    /// A receipt, key, sealed result or audit log does not verify.
    NotVerified = 7,
    /// The EVM node gave no answer, so that a receipt or key manager could not be checked.
    Unchecked = 8,
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// For a job whose end was waited for.
    #[must_use]
    pub fn of_waited(waited: &Waited) -> Self {
        match waited {
            Waited::Ended(job) => Self::of_ended(job),
            Waited::TimedOut(_) => Self::TimedOut,
        }
    }

    /// For a job that has ended.
    pub(crate) fn of_ended(job: &Job) -> Self {
        match job.status {
            JobStatus::Failed => Self::JobFailed,
            JobStatus::Cancelled => Self::JobCancelled,
            JobStatus::Pending | JobStatus::Processing | JobStatus::Confirming | JobStatus::Completed => Self::Success,
        }
    }

    /// For what the checks of a receipt say.
    #[must_use]
    pub fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Verifies => Self::Success,
            Verdict::DoesNotVerify => Self::NotVerified,
            Verdict::Unknown => Self::Unchecked,
        }
    }

    /// For a call that failed.
    #[must_use]
    pub fn of_error(error: &ClientError) -> Self {
        match error {
            ClientError::Configuration(_) => Self::Usage,
            _ if error.status().is_some_and(|status| (400..500).contains(&status)) => Self::Refused,
            _ => Self::Failure,
        }
    }
}

impl Exit {
    /// For an encrypted job whose inputs were not made or whose result was not opened.
    #[must_use]
    pub fn of_encrypted(error: &EncryptedError) -> Self {
        match error.client() {
            Some(error) => Self::of_error(error),
            None if error.is_unchecked() => Self::Unchecked,
            None if error.is_distrust() => Self::NotVerified,
            None => match error {
                EncryptedError::Thread(_)
                | EncryptedError::NoNetworkKey
                | EncryptedError::Chain(ChainError::CannotPay { .. }) => Self::Failure,
                EncryptedError::Chain(ChainError::NotMined { .. }) => Self::TimedOut,
                _ => Self::Usage,
            },
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, B256, U256};

    use super::*;

    #[test]
    fn every_code_is_in_the_help() {
        use Exit::*;
        let all = [Success, Failure, Usage, Refused, JobFailed, JobCancelled, TimedOut, NotVerified, Unchecked];
        let documented: Vec<u8> = EXIT_CODES
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next().expect("a code").parse().expect("a number"))
            .collect();
        assert_eq!(documented, all.map(Exit::code));
    }

    #[test]
    fn a_refusal_is_told_from_a_failure() {
        let unexpected = |status| ClientError::Unexpected { status, body: String::new() };
        assert_eq!([404, 409, 429].map(|status| Exit::of_error(&unexpected(status))), [Exit::Refused; 3]);
        assert_eq!([200, 302, 500, 503].map(|status| Exit::of_error(&unexpected(status))), [Exit::Failure; 4]);
        assert_eq!(Exit::of_error(&ClientError::Transport("refused".to_owned())), Exit::Failure);
        assert_eq!(Exit::of_error(&ClientError::ResultHash { stated: None, actual: B256::ZERO }), Exit::Failure);
        assert_eq!(Exit::of_error(&ClientError::Configuration("no address".to_owned())), Exit::Usage);
    }

    #[test]
    fn distrust_is_told_from_a_slip_and_from_a_failure() {
        let of = |error: EncryptedError| Exit::of_encrypted(&error);
        assert_eq!(of(EncryptedError::Answer(retrieval::OpenAnswerError::NotTheKeyManager)), Exit::NotVerified);
        assert_eq!(of(EncryptedError::KeyId { stated: B256::ZERO, actual: B256::ZERO }), Exit::NotVerified);
        assert_eq!(of(ChainError::WrongChain { expected: 1, actual: 2 }.into()), Exit::NotVerified);
        assert_eq!(of(ChainError::Unavailable("refused".to_owned()).into()), Exit::Unchecked);
        assert_eq!(of(ChainError::Configuration("no URL".to_owned()).into()), Exit::Usage);
        let poor = ChainError::CannotPay { account: Address::ZERO, balance: U256::ZERO, needed: U256::ONE };
        assert_eq!(of(poor.into()), Exit::Failure);
        let waits = ChainError::NotMined { tx_hash: B256::ZERO, account: Address::ZERO, nonce: 7 };
        assert_eq!(of(waits.into()), Exit::TimedOut);
        assert_eq!(of(EncryptedError::SubmitterKey), Exit::Usage);
        assert_eq!(of(EncryptedError::NoTrust), Exit::Usage);
        assert_eq!(of(EncryptedError::NoNetworkKey), Exit::Failure);
        assert_eq!(of(ClientError::Transport("refused".to_owned()).into()), Exit::Failure);
    }
}

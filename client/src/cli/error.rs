//! Why a command failed.

use jobs::IdempotencyKey;
use serde_json::{Value, json};
use thiserror::Error;

use super::exit::Exit;
use crate::encrypted::EncryptedError;
use crate::error::ClientError;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CliError {
    /// The call failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An encrypted job's inputs were not made, or its result was not opened.
    #[error("{0}")]
    Encrypted(Box<EncryptedError>),
    /// It is not known whether the submission arrived.
    #[error("{source}")]
    Submission { source: ClientError, key: IdempotencyKey },
    /// The command line, a file or the set-up is wrong; says what to do.
    #[error("{0}")]
    Usage(String),
    /// A result could not be written.
    #[error("cannot write {target}: {source}")]
    Write { target: String, source: std::io::Error },
}

impl CliError {
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// The call that failed, if it was one.
    pub(super) fn client(&self) -> Option<&ClientError> {
        match self {
            Self::Client(error) | Self::Submission { source: error, .. } => Some(error),
            Self::Encrypted(error) => error.client(),
            Self::Usage(_) | Self::Write { .. } => None,
        }
    }

    /// How the command ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match (self.client(), self) {
            (Some(error), _) => Exit::of_error(error),
            (None, Self::Encrypted(error)) => Exit::of_encrypted(error),
            (None, Self::Usage(_)) => Exit::Usage,
            (None, _) => Exit::Failure,
        }
    }

    /// What `--json` prints instead of a result.
    pub(super) fn to_json(&self) -> Value {
        let (kind, problem) = match self.client() {
            Some(ClientError::Problem(problem)) => ("problem", json!(problem)),
            Some(ClientError::Transport(_)) => ("transport", Value::Null),
            Some(ClientError::Tls(_)) => ("tls", Value::Null),
            Some(ClientError::Unexpected { .. }) => ("unexpected", Value::Null),
            Some(ClientError::OAuth { .. }) => ("oauth", Value::Null),
            Some(ClientError::ResultHash { .. }) => ("result_hash", Value::Null),
            Some(ClientError::Configuration(_)) => ("usage", Value::Null),
            None if self.exit() == Exit::NotVerified => ("not_verified", Value::Null),
            None if self.exit() == Exit::Unchecked => ("unchecked", Value::Null),
            None if self.exit() == Exit::Usage => ("usage", Value::Null),
            None if matches!(self, Self::Encrypted(_)) => ("failed", Value::Null),
            None => ("write", Value::Null),
        };
        let key = match self {
            Self::Submission { key, .. } => json!(key),
            _ => Value::Null,
        };
        let detail = self.to_string();
        let exit_code = self.exit().code();
        json!({ "error": { "kind": kind, "detail": detail, "exit_code": exit_code, "idempotency_key": key, "problem": problem } })
    }
}

impl From<EncryptedError> for CliError {
    fn from(error: EncryptedError) -> Self {
        Self::Encrypted(Box::new(error))
    }
}

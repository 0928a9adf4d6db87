//! What can go wrong between us and Temporal, sorted by what the caller should do about it.

use temporalio_client::errors::{AsyncActivityError, WorkflowInteractionError, WorkflowStartError};
use thiserror::Error;
use tonic::{Code, Status};

#[derive(Debug, Error)]
pub enum EngineError {
    /// Temporal is away or overloaded. Try again later.
    #[error("Temporal is unavailable: {0}")]
    Unavailable(String),
    /// Temporal answered, and refused: the same call is refused again until somebody changes something.
    #[error("Temporal refused the call: {0}")]
    Refused(String),
    /// The workflow id is taken by something that is not this job.
    #[error("workflow id {0} belongs to another job")]
    Conflict(String),
}

impl EngineError {
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Whether it is the workflow that the server does not know, and not the whole namespace.
pub(crate) fn is_gone(status: &Status) -> bool {
    const NAMESPACE: &[u8] = b"NamespaceNotFoundFailure";
    status.code() == Code::NotFound && !status.details().windows(NAMESPACE.len()).any(|found| found == NAMESPACE)
}

/// Codes that no waiting mends: a namespace or a search attribute that is missing, a right that is not given, an
/// argument too large. Everything else is the server's trouble.
fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::NotFound
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
    )
}

impl From<Status> for EngineError {
    fn from(status: Status) -> Self {
        let told = format!("{}: {}", status.code(), status.message());
        if is_refusal(status.code()) { Self::Refused(told) } else { Self::Unavailable(told) }
    }
}

impl From<WorkflowStartError> for EngineError {
    fn from(error: WorkflowStartError) -> Self {
        match error {
            WorkflowStartError::Rpc(status) => status.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<WorkflowInteractionError> for EngineError {
    fn from(error: WorkflowInteractionError) -> Self {
        match error {
            WorkflowInteractionError::Rpc(status) | WorkflowInteractionError::NotFound(status) => status.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<AsyncActivityError> for EngineError {
    fn from(error: AsyncActivityError) -> Self {
        match error {
            AsyncActivityError::Rpc(status) | AsyncActivityError::NotFound(status) => status.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: Code) -> EngineError {
        WorkflowStartError::Rpc(Status::new(code, "why")).into()
    }

    #[test]
    fn a_server_in_trouble_is_not_a_refusal() {
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::ResourceExhausted, Code::Internal, Code::Unknown]
        {
            assert!(of(code).is_unavailable(), "{code}");
        }
    }

    #[test]
    fn a_missing_namespace_is_not_a_missing_workflow() {
        let details = |kind: &str| format!("type.googleapis.com/temporal.api.errordetails.v1.{kind}").into_bytes();
        let status = |kind| Status::with_details(Code::NotFound, "not found", details(kind).into());
        assert!(is_gone(&status("NotFoundFailure")));
        assert!(!is_gone(&status("NamespaceNotFoundFailure")));
        assert!(!is_gone(&Status::unavailable("away")));
    }

    #[test]
    fn what_no_waiting_mends_is_a_refusal() {
        for code in [Code::InvalidArgument, Code::NotFound, Code::PermissionDenied, Code::Unauthenticated] {
            assert!(matches!(of(code), EngineError::Refused(_)), "{code}");
        }
    }
}

//! What callers of the key manager see when it does not do what they ask.

use jobs::ErrorCode;
use jobs::causes::{tls_refusal, with_causes};
use thiserror::Error;
use tonic::Status;

use crate::proto::ERROR_CODE;

/// Why a call has no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The rules forbid it; the code and the sentence may be shown to the client.
    #[error("the key manager refuses: {detail} ({code})")]
    Refused { code: ErrorCode, detail: String },
    /// It is away, or too slow. Try again later.
    #[error("the key manager is unavailable: {0}")]
    Unavailable(String),
    /// It is there, and its nodes do not tell it enough about the chain. Try again later.
    #[error("the key manager cannot read the chain: {0}")]
    Chain(String),
    /// Our credential is not the one that it expects.
    #[error("the key manager does not accept this credential: {0}")]
    Credential(String),
    /// It answered something that is no answer, or the address, certificate or key cannot be used.
    #[error("the key manager cannot be used: {0}")]
    Unusable(String),
}

impl ClientError {
    /// Whether the same call may succeed later without anyone changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Chain(_))
    }
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        let detail = status.message().to_owned();
        let code = status.metadata().get(ERROR_CODE).and_then(|code| code.to_str().ok()).and_then(|it| it.parse().ok());
        match (code, status.code()) {
            (Some(ErrorCode::ServiceUnavailable), _) => Self::Chain(detail),
            (Some(code), _) => Self::Refused { code, detail },
            (None, tonic::Code::Unauthenticated | tonic::Code::PermissionDenied) => Self::Credential(detail),
            (None, tonic::Code::Unavailable | tonic::Code::DeadlineExceeded | tonic::Code::Cancelled) => {
                // Whom we do not believe, or who does not believe us, will be the same when it is asked again.
                tls_refusal(&status).map_or_else(|| Self::Unavailable(told(&status)), Self::Unusable)
            }
            (None, other) => Self::Unusable(format!("{other}: {detail}")),
        }
    }
}

/// tonic's own text does not say "connection refused"; a proxy's may be a whole page.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    with_causes(error).chars().take(400).collect()
}

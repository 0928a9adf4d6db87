//! What can go wrong between a client and the API.

use alloy::primitives::B256;
use jobs::ErrorCode;
use jobs::causes::{tls_refusal, with_causes};
use jobs::error_code::Retry;
use jobs::wire::Problem;
use thiserror::Error as ThisError;

/// Most characters of a foreign answer that an error shows.
const MAX_SHOWN_BODY: usize = 300;

/// Why a call failed, after the retries that its kind deserves.
#[derive(Debug, ThisError)]
pub enum ClientError {
    /// The API refused the request and says why.
    #[error("{}: {}", .0.code, .0.detail)]
    Problem(Box<Problem>),
    /// No answer arrived: the API is away, too slow, or the connection broke.
    #[error("cannot reach the API: {0}")]
    Transport(String),
    /// Whoever answers at the API's address does not prove to be the API, or will not speak with us: another try meets
    /// the same.
    #[error("the server at the API's address is not believed: {0}")]
    Tls(String),
    /// Something answered that does not speak this API: a proxy, another server, a version that this client is too
    /// old for.
    #[error("unexpected answer with status {status}: {}", shown(.body))]
    Unexpected {
        /// HTTP status.
        status: u16,
        /// The body, or what is wrong with it.
        body: String,
    },
    /// The issuer refused to give a token.
    #[error("{error}: {description}")]
    OAuth {
        /// RFC 6749 section 5.2, RFC 8628 section 3.5.
        error: String,
        description: String,
    },
    /// The bytes of a result are not those that the API names in `X-Result-Hash`.
    #[error("the result's SHA-256 is {actual}, but X-Result-Hash {}", stated_hash(.stated))]
    ResultHash {
        /// The header, when there is a readable one.
        stated: Option<B256>,
        /// SHA-256 of the bytes that came.
        actual: B256,
    },
    /// The address or the token cannot be used.
    #[error("{0}")]
    Configuration(String),
}

impl ClientError {
    /// HTTP status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::Unexpected { status, .. } => Some(*status),
            Self::OAuth { .. } => Some(400),
            Self::Transport(_) | Self::Tls(_) | Self::ResultHash { .. } | Self::Configuration(_) => None,
        }
    }

    /// The same request may succeed in a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            // Whoever fetches a result too early, or deletes what a job needs, had better wait for the job.
            Self::Problem(problem) => {
                problem.code.retry() == Retry::Later && problem.code != ErrorCode::StillInUse && !self.is_not_ready()
            }
            Self::Unexpected { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            Self::Transport(_) => true,
            Self::Tls(_) | Self::OAuth { .. } | Self::ResultHash { .. } | Self::Configuration(_) => false,
        }
    }

    /// There is no result yet.
    #[must_use]
    pub fn is_not_ready(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.code == ErrorCode::ResultNotReady)
    }

    /// The access token was valid, and is not any more.
    pub(crate) fn is_expired_token(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.code == ErrorCode::TokenExpired)
    }

    /// reqwest's own text names the address and not the cause.
    pub(crate) fn transport(error: &reqwest::Error) -> Self {
        tls_refusal(error).map_or_else(|| Self::Transport(with_causes(error)), Self::Tls)
    }
}

fn shown(body: &str) -> String {
    let body = body.trim();
    if body.is_empty() {
        return "no body".to_owned();
    }
    let mut text: String = body.chars().take(MAX_SHOWN_BODY).collect();
    if text.len() < body.len() {
        text.push('…');
    }
    text
}

fn stated_hash(stated: &Option<B256>) -> String {
    stated.map_or_else(|| "is missing".to_owned(), |hash| format!("says {hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: ErrorCode) -> ClientError {
        ClientError::Problem(Box::new(Problem {
            problem_type: format!("http://127.0.0.1/docs/errors/{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            detail: "detail".to_owned(),
            instance: "/v1/jobs".to_owned(),
            code,
            request_id: "request".to_owned(),
            timestamp: chrono::DateTime::UNIX_EPOCH,
            errors: Vec::new(),
        }))
    }

    #[test]
    fn only_what_passes_by_itself_is_transient() {
        use ErrorCode::*;
        for code in
            [BodyTimeout, RequestInProgress, RateLimitExceeded, ServiceUnavailable, InternalError, RequestTimeout]
        {
            assert!(problem(code).is_transient(), "{code}");
        }
        for code in [
            JobNotFound,
            JobValidationFailed,
            IdempotencyKeyReused,
            TokenExpired,
            ResultNotReady,
            StillInUse,
            DataDamaged,
        ] {
            assert!(!problem(code).is_transient(), "{code}");
        }
        assert!(!ClientError::Tls("its certificate is for another name".to_owned()).is_transient());
        assert!(ClientError::Unexpected { status: 502, body: String::new() }.is_transient());
        assert!(!ClientError::Unexpected { status: 500, body: String::new() }.is_transient());
    }

    #[test]
    fn a_foreign_page_is_cut() {
        let error = ClientError::Unexpected { status: 418, body: "é".repeat(5_000) };
        assert!(error.to_string().chars().count() < MAX_SHOWN_BODY + 60);
        let empty = ClientError::Unexpected { status: 418, body: " \n".to_owned() };
        assert!(empty.to_string().ends_with("no body"));
    }
}

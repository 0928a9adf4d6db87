//! `LagoError`: the ways in which a call to Lago can fail, told apart by what the caller can do about them.

use std::time::Duration;

/// Why a call to Lago did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum LagoError {
    /// Lago could not be reached, took too long, answered 5xx, or asked for patience (429): try again later.
    #[error("Lago is unavailable: {reason}")]
    Unavailable {
        /// What went wrong, for the log.
        reason: String,
        /// How long Lago asked to wait, when it said so.
        retry_after: Option<Duration>,
    },
    /// Lago understood the request and refused it (4xx): the same request will be refused again.
    #[error("Lago refused the request with {status}: {body}")]
    Rejected {
        /// HTTP status, 400 to 499.
        status: u16,
        /// Lago's answer as text.
        body: String,
    },
    /// Lago does not accept the API key (401).
    #[error("Lago does not accept the API key")]
    Unauthorized,
    /// Lago answered with success, but not with what its API promises.
    #[error("Lago's answer was not understood: {0}")]
    Unexpected(String),
    /// The caller's own value cannot be used; nothing was sent.
    #[error("{0}")]
    Invalid(String),
}

impl LagoError {
    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    pub(crate) fn unavailable(reason: &impl ToString) -> Self {
        Self::Unavailable { reason: reason.to_string(), retry_after: None }
    }

    /// The error for an answer outside 2xx.
    pub(crate) fn from_status(status: u16, body: String, retry_after: Option<Duration>) -> Self {
        match status {
            401 => Self::Unauthorized,
            429 => Self::Unavailable { reason: "too many requests (429)".to_owned(), retry_after },
            400..=499 => Self::Rejected { status, body },
            _ => Self::Unavailable { reason: format!("it answered {status}: {body}"), retry_after },
        }
    }

    /// `Ok(None)` for a 404, so that "not there" is an answer and not a failure.
    pub(crate) fn absent_is_none<T>(result: Result<T, Self>) -> Result<Option<T>, Self> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(Self::Rejected { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl From<lago_types::error::LagoError> for LagoError {
    fn from(error: lago_types::error::LagoError) -> Self {
        use lago_types::error::LagoError as Crate;
        match error {
            Crate::Http(error) => Self::unavailable(&error),
            Crate::Serialization(error) => Self::Unexpected(error.to_string()),
            Crate::Api { status, message } => Self::from_status(status, message, None),
            Crate::Configuration(message) => Self::Invalid(message),
            Crate::Unauthorized => Self::Unauthorized,
            Crate::RateLimit => Self::from_status(429, String::new(), None),
        }
    }
}

impl From<reqwest::Error> for LagoError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_builder() { Self::Invalid(error.to_string()) } else { Self::unavailable(&error.without_url()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_helps_against_unavailability_alone() {
        for (status, helps) in
            [(400, false), (401, false), (404, false), (422, false), (429, true), (500, true), (503, true)]
        {
            let error = LagoError::from_status(status, String::new(), None);
            assert_eq!(matches!(error, LagoError::Unavailable { .. }), helps, "{status}");
        }
    }
}

//! The one error type of handlers and policies: a code, what happened this time, and the fields that are wrong.
//!
//! A problem knows nothing of the request that it answers. [`render`] adds what only the request knows.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use jobs::error_code::Retry;
use jobs::{ErrorCode, FieldError, wire};
use metrics::counter;
use store::StoreError;

use super::request_id::RequestId;
use crate::ApiState;

/// Media type of problem documents (RFC 9457).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Counter of requests that met stored data which makes no sense, by what is damaged.
const DAMAGED: &str = "zama_damaged_data_total";

/// A refused request.
#[derive(Clone, Debug)]
pub struct Problem {
    code: ErrorCode,
    detail: String,
    errors: Vec<FieldError>,
    challenge: Option<HeaderValue>,
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem; `detail` is a sentence for people.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), challenge: None, retry_after: None }
    }

    /// The same with the fields that are wrong.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// The same with a `WWW-Authenticate` header.
    #[must_use]
    pub fn with_challenge(mut self, challenge: &str) -> Self {
        self.challenge = HeaderValue::from_str(challenge).ok();
        self
    }

    /// The same with the seconds after which it is worth while to try again; else the code says.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// A failure of ours; the log knows more than the client.
    pub fn internal() -> Self {
        Self::new(ErrorCode::InternalError, "The service failed.")
    }

    /// Stored data that our own code could not have written: whoever sends the request again gets the same answer, so
    /// that an operator is told at once. `what` is damaged, `detail` leads to it; clients learn neither.
    pub fn damaged(what: &'static str, detail: impl fmt::Display) -> Self {
        counter!(DAMAGED, "what" => what).increment(1);
        tracing::error!(data.what = what, error = %detail, "stored data is damaged");
        Self::new(ErrorCode::DataDamaged, "Data that the answer needs is damaged.")
    }

    /// What a caught panic becomes.
    pub fn from_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
        let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        tracing::error!(panic = message, "a handler panicked");
        Self::internal().into_response()
    }

    fn retry_after(&self) -> Option<u64> {
        self.retry_after.or(match (self.code, self.code.retry()) {
            (ErrorCode::InternalError, _) => Some(5),
            (ErrorCode::RequestInProgress, _) => Some(1),
            (_, Retry::Later) => Some(2),
            (_, Retry::Change | Retry::Authenticate | Retry::Operator) => None,
        })
    }
}

#[cfg(test)]
impl Problem {
    /// Holds the page of its code to it: the example there is what is answered, word for word.
    #[track_caller]
    pub(crate) fn is_the_example_of_its_page(&self) {
        let page = format!("{}/../docs/errors/{}.md", env!("CARGO_MANIFEST_DIR"), self.code);
        let page = std::fs::read_to_string(page).expect("a readable page");
        let shows = |text: &str| assert!(page.contains(text), "docs/errors/{}.md has no {text}", self.code);
        shows(&format!("\n  \"detail\": {},\n", serde_json::Value::from(self.detail.as_str())));
        let errors = serde_json::to_string_pretty(&serde_json::json!({ "errors": self.errors })).expect("JSON");
        shows(errors.trim_start_matches('{').trim_end_matches('}'));
        match self.retry_after() {
            Some(seconds) => shows(&format!("\nRetry-After: {seconds}\n")),
            None => assert!(!page.contains("\nRetry-After: "), "docs/errors/{}.md has a Retry-After", self.code),
        }
        match &self.challenge {
            Some(value) => shows(&format!("\nWWW-Authenticate: {}\n", value.to_str().expect("text"))),
            None => assert!(!page.contains("\nWWW-Authenticate: "), "docs/errors/{}.md has a challenge", self.code),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_unavailable() {
            tracing::warn!(error = ?error, "the database is unavailable");
            return Self::new(ErrorCode::ServiceUnavailable, "The database is unavailable.");
        }
        if let StoreError::Corrupt { what, .. } = &error {
            return Self::damaged(what, &error);
        }
        tracing::error!(error = ?error, "the store failed");
        Self::internal()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Turns a problem into its document.
pub async fn render(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let instance = request.uri().path().to_owned();
    let request_id = request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };

    let retry_after = problem.retry_after();
    let document = wire::Problem {
        problem_type: state.problem_type(problem.code),
        title: problem.code.title().to_owned(),
        status: problem.code.status(),
        detail: problem.detail,
        instance,
        code: problem.code,
        request_id,
        timestamp: Utc::now(),
        errors: problem.errors,
    };
    let mut rendered = (response.status(), Json(document)).into_response();
    // What the router said, `Allow` above all, stays; the empty body's length does not.
    for (name, value) in response.headers().iter().filter(|(name, _)| *name != header::CONTENT_LENGTH) {
        rendered.headers_mut().insert(name, value.clone());
    }
    let headers = rendered.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(challenge) = problem.challenge {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    rendered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_show_what_is_said() {
        Problem::internal().is_the_example_of_its_page();
        Problem::damaged("payload", "of a test").is_the_example_of_its_page();
        Problem::from(StoreError::Silent(std::time::Duration::from_secs(3))).is_the_example_of_its_page();
    }
}

//! What every answer passes: the header that names the stand-in, and the API key in front of the API.

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::Refusal;

/// The header in each answer that no real Lago sends.
pub const STAND_IN_HEADER: &str = "x-lago-stand-in";

pub(super) const NAME: &str = "zama-jobs";

pub(super) async fn name_itself(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(HeaderName::from_static(STAND_IN_HEADER), HeaderValue::from_static(NAME));
    response
}

pub(super) async fn require_key(State(key): State<String>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given.and_then(|value| value.strip_prefix("Bearer ")) == Some(key.as_str()) {
        next.run(request).await
    } else {
        Refusal::Unauthorized.into_response()
    }
}

//! Headers that keep a browser from doing more with an answer than showing it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::ApiState;

const HEADERS: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (REFERRER_POLICY, "no-referrer"),
];

/// A year, for the subdomains too. It is told over TLS alone (RFC 6797 section 7.2), ours or a trusted proxy's.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// Adds the headers that the handler did not set itself.
pub async fn add(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let secure = state.gate.is_secure(&request);
    let mut response = next.run(request).await;
    if secure {
        response.headers_mut().entry(STRICT_TRANSPORT_SECURITY).or_insert(HTTPS_ONLY);
    }
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

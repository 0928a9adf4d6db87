//! Which pages of other origins may call the API from a browser: none, unless the configuration names them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jobs::ErrorCode;

use super::problem::Problem;
use crate::ApiState;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
/// What pages may send beside the headers that any page may.
const SENT: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, prefer, range, x-request-id, \
     x-zama-content-sha256, x-zama-nonce, x-zama-signature, x-zama-timestamp",
);
/// What pages may read beside the headers that any page may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "deprecation, etag, idempotency-key, idempotency-replayed, link, location, preference-applied, ratelimit, ratelimit-policy, \
     repr-digest, retry-after, www-authenticate, x-quota-warning, x-ratelimit-limit, x-ratelimit-remaining, \
     x-ratelimit-reset, x-request-id, x-result-hash, sunset",
);
/// Seconds for which a browser remembers the answer.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// Origins whose pages may call the API.
#[derive(Clone, Debug, Default)]
pub struct CorsPolicy(Vec<HeaderValue>);

impl CorsPolicy {
    /// Reads origins, separated by commas.
    ///
    /// # Errors
    /// The one that is no origin.
    pub fn read(text: &str) -> Result<Self, String> {
        let read = |text: &str| {
            let no_origin = || format!("{text} is not an origin such as https://app.example.com");
            let uri: Uri = text.parse().map_err(|_| no_origin())?;
            let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(no_origin()) };
            let origin = format!("{scheme}://{authority}");
            if origin != text || authority.as_str().contains('@') || !matches!(scheme, "http" | "https") {
                return Err(no_origin());
            }
            HeaderValue::from_str(text).map_err(|_| no_origin())
        };
        text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(read).collect::<Result<_, _>>().map(Self)
    }

    fn allows(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        self.0.iter().find(|allowed| *allowed == origin).cloned()
    }
}

/// Answers browsers that ask before they send, and lets allowed pages read what is answered.
pub async fn apply(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let policy = state.gate.cors();
    let allowed = policy.allows(request.headers());
    let asks_before = request.method() == Method::OPTIONS
        && request.headers().contains_key(ORIGIN)
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match (&allowed, asks_before) {
        (Some(_), true) => {
            let allows = [
                (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
                (ACCESS_CONTROL_ALLOW_HEADERS, SENT),
                (ACCESS_CONTROL_MAX_AGE, REMEMBERED),
            ];
            (StatusCode::NO_CONTENT, allows).into_response()
        }
        (None, true) => not_allowed().into_response(),
        (_, false) => next.run(request).await,
    };
    if !policy.0.is_empty() {
        response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = allowed {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

fn not_allowed() -> Problem {
    Problem::new(ErrorCode::OriginNotAllowed, "Pages of this origin may not call the API from a browser.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_is_said() {
        not_allowed().is_the_example_of_its_page();
    }

    #[test]
    fn origins_are_schemes_hosts_and_ports() {
        let policy = CorsPolicy::read("https://app.example.com, http://localhost:5173").expect("origins");
        let allows = |origin: &'static str| {
            let headers = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
            policy.allows(&headers).is_some()
        };
        assert!(allows("https://app.example.com") && allows("http://localhost:5173"));
        for other in ["http://app.example.com", "https://app.example.com:8443", "https://example.com", "null"] {
            assert!(!allows(other), "{other}");
        }
        assert!(policy.allows(&HeaderMap::new()).is_none());
    }

    #[test]
    fn what_is_no_origin_is_named() {
        for bad in ["*", "app.example.com", "https://app.example.com/", "https://a@b.c", "ftp://a.b", "null"] {
            let told = CorsPolicy::read(bad).expect_err("refused");
            assert!(told.starts_with(bad), "{told}");
        }
        assert!(CorsPolicy::read("").expect("none").0.is_empty());
    }
}

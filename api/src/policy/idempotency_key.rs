//! `Idempotency-Key`: the client's own name for what it asks for, so that it may ask again.

use axum::http::{HeaderMap, HeaderName};
use chrono::{DateTime, Utc};
use jobs::{ErrorCode, IdempotencyKey};

use super::problem::Problem;

pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that the answer is that of an earlier request.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key of a request, if it has one.
///
/// # Errors
/// INVALID_IDEMPOTENCY_KEY of something else, or of two.
pub fn given(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().ok().and_then(|text| text.parse().ok()).filter(|_| values.next().is_none());
    let invalid = || invalid("An idempotency key is 1 to 255 visible ASCII characters.");
    key.map(Some).ok_or_else(invalid)
}

/// A key that is not as it must be, or is not there.
pub fn invalid(detail: &str) -> Problem {
    Problem::new(ErrorCode::InvalidIdempotencyKey, detail)
}

/// A key whose request is being handled.
pub fn in_progress() -> Problem {
    Problem::new(ErrorCode::RequestInProgress, "Another request with this idempotency key is being handled.")
}

/// A key that was used for something else.
pub fn reused(first_use: DateTime<Utc>) -> Problem {
    let at = first_use.format("%Y-%m-%dT%H:%M:%SZ");
    let detail = format!("The idempotency key was used with another body on {at}.");
    Problem::new(ErrorCode::IdempotencyKeyReused, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_show_what_is_said() {
        in_progress().is_the_example_of_its_page();
        reused("2026-03-14T08:02:11Z".parse().expect("a time")).is_the_example_of_its_page();
        let headers = HeaderMap::from_iter([(KEY, axum::http::HeaderValue::from_static("two words"))]);
        given(&headers).expect_err("refused").is_the_example_of_its_page();
    }
}

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

/// A key that was used for something else.
pub fn reused(first_use: DateTime<Utc>) -> Problem {
    let at = first_use.format("%Y-%m-%dT%H:%M:%SZ");
    let detail = format!("The idempotency key was used with another body on {at}.");
    Problem::new(ErrorCode::IdempotencyKeyReused, detail)
}

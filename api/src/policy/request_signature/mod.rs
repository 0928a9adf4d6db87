//! Signed requests (HMAC-SHA256): a tenant may ask that its own requests carry a signature besides their credential, so
//! that a stolen token alone does nothing, and a request that was overheard is not sent twice. What is signed, with an
//! example: `docs/request-signing.md`.

mod body;
mod canonical;
mod keys;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use chrono::{DateTime, TimeDelta, Utc};
use jobs::{ErrorCode, TenantId};
use uuid::Uuid;

use super::problem::Problem;
pub use body::Promised;
use canonical::Canonical;
pub use keys::RequestKeys;

pub const TIMESTAMP: HeaderName = HeaderName::from_static("x-zama-timestamp");
pub const NONCE: HeaderName = HeaderName::from_static("x-zama-nonce");
pub const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-zama-content-sha256");
pub const SIGNATURE: HeaderName = HeaderName::from_static("x-zama-signature");

/// How far a request's timestamp may be from our clock, on either side.
pub const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// A nonce: 16 to 128 characters of the base64url alphabet.
const NONCE_LENGTHS: std::ops::RangeInclusive<usize> = 16..=128;

/// A request whose signature is right. Whether its nonce is new, and its body the one that was signed, is still to be seen.
#[derive(Debug)]
pub struct Signed<'a> {
    pub nonce: &'a str,
    /// After which the timestamp alone refuses it.
    pub until: DateTime<Utc>,
    /// SHA-256 that its body must have.
    pub body: [u8; 32],
}

/// Whether a request says that it is signed.
#[must_use]
pub fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key(&SIGNATURE)
}

/// Checks the signature of a request by the tenant's keys.
///
/// # Errors
/// REQUEST_SIGNATURE_INVALID with what is wrong.
pub fn check<'a>(
    parts: &'a Parts,
    tenant: &TenantId,
    secrets: &RequestKeys,
    keys: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Signed<'a>, Problem> {
    let timestamp = one(&parts.headers, &TIMESTAMP)?;
    let nonce = one(&parts.headers, &NONCE)?;
    let content = one(&parts.headers, &CONTENT_SHA256)?;
    let signature = one(&parts.headers, &SIGNATURE)?;
    let at = timestamp.parse::<i64>().ok().filter(|_| timestamp.bytes().all(|byte| byte.is_ascii_digit()));
    let at = at.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let at = at.ok_or_else(|| refused("X-Zama-Timestamp is not a time in seconds since 1970."))?;
    if (now - at).abs() > TOLERANCE {
        return Err(off_the_clock(now));
    }
    let is_nonce = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !NONCE_LENGTHS.contains(&nonce.len()) || !nonce.bytes().all(is_nonce) {
        return Err(refused("X-Zama-Nonce is not 16 to 128 letters, digits, - and _."));
    }
    let body = hash(content).ok_or_else(|| refused("X-Zama-Content-SHA256 is not 64 hexadecimal digits."))?;
    let signature = signature.strip_prefix("v1=").and_then(hash);
    let signature = signature.ok_or_else(|| refused("X-Zama-Signature is not v1= and 64 hexadecimal digits."))?;
    let canonical = Canonical {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        timestamp,
        nonce,
        body: content,
    };
    let text = canonical.to_string();
    if !keys.iter().any(|key| secrets.verifies(tenant, *key, text.as_bytes(), &signature)) {
        return Err(refused("X-Zama-Signature is not that of this request under a key of the tenant."));
    }
    Ok(Signed { nonce, until: at + TOLERANCE + TimeDelta::seconds(1), body })
}

/// The refusal of a request that is not signed as it must be.
pub fn refused(detail: impl Into<String>) -> Problem {
    Problem::new(ErrorCode::RequestSignatureInvalid, detail)
}

fn off_the_clock(now: DateTime<Utc>) -> Problem {
    let clock = now.timestamp();
    refused(format!("X-Zama-Timestamp is more than 5 minutes from the server's clock, {clock}."))
}

/// The refusal of a request whose body is not the one that was signed.
pub fn other_body() -> Problem {
    refused("The body is not the one that X-Zama-Content-SHA256 promises.")
}

/// The refusal of a nonce that was used before.
pub fn replayed() -> Problem {
    Problem::new(ErrorCode::NonceReplayed, "X-Zama-Nonce was used for another request.")
}

fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Problem> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().and_then(|value| value.to_str().ok());
    match (value, values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(refused(format!("The request must be signed: the header {name} is missing or given twice."))),
    }
}

fn hash(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests;

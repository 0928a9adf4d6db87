//! What stands in a token.

use serde::{Deserialize, Serialize};

/// Media type of a token, in its header (RFC 9068 section 2.1).
pub(super) const TYPE: &str = "at+jwt";

/// The body of a token; times are seconds since 1970.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: String,
    /// The user within the tenant.
    pub(super) sub: String,
    pub(super) tenant: String,
    pub(super) role: String,
    pub(super) scope: String,
    pub(super) iat: i64,
    pub(super) nbf: i64,
    pub(super) exp: i64,
    /// Names the token, so that it can be revoked.
    pub(super) jti: String,
}

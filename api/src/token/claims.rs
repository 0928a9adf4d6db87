//! What stands in a token.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Media type of a token, in its header (RFC 9068 section 2.1).
pub(super) const TYPE: &str = "at+jwt";

/// The body of a token (RFC 9068 section 2.2); times are seconds since 1970.
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
    /// The client that the token was given to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_id: Option<String>,
    /// The person's session that the token belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sid: Option<Uuid>,
}

/// What a valid token is known by, besides whom it speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenId {
    pub jti: String,
    pub client: Option<String>,
    pub session: Option<Uuid>,
    pub issued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

impl TokenId {
    /// Everything that revokes the token when it is revoked.
    pub(super) fn subjects(&self) -> impl Iterator<Item = String> {
        [Some(self.jti.clone()), self.client.clone(), self.session.map(|session| session.to_string())]
            .into_iter()
            .flatten()
    }
}

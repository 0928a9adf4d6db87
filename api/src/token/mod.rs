//! Access tokens: ES256 JWTs (RFC 7519, RFC 9068) that name a tenant, a user, a role and scopes.

mod claims;
mod issuer;
mod key;
mod scope;
mod verifier;

pub use issuer::TokenIssuer;
pub use scope::{Role, Scope, Scopes};
pub use verifier::{Rejection, TokenVerifier};

use chrono::{DateTime, Utc};
use jobs::{TenantId, UserId};

/// Who a token speaks for, and what it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub tenant: TenantId,
    pub user: UserId,
    pub role: Role,
    pub scopes: Scopes,
}

/// A token that was found to be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub principal: Principal,
    /// When it is so no longer.
    pub expires_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests;

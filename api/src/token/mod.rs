//! Access tokens: ES256 JWTs (RFC 7519, RFC 9068) that name a tenant, a user, a role and scopes.

mod claims;
mod issuer;
mod key;
mod scope;
mod verifier;

pub use issuer::TokenIssuer;
pub use scope::{Role, Scope, Scopes};
pub use verifier::{Rejection, TokenVerifier};

use jobs::{TenantId, UserId};

/// Who a token speaks for, and what it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub tenant: TenantId,
    pub user: UserId,
    pub role: Role,
    pub scopes: Scopes,
}

#[cfg(test)]
mod tests;

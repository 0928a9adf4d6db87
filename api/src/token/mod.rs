//! Access tokens: ES256 JWTs (RFC 7519, RFC 9068) that name a tenant, a user, a role and scopes.

mod authority;
mod claims;
mod issuer;
mod key;
mod keyring;
mod scope;
mod sealed;
pub mod secret;
mod verifier;

pub use authority::{ACCESS_TOKEN_LIFETIME, Authority, AuthorityConfig, Issued, LOOK_EVERY, NotIssued, REVOKED_FOR};
pub use claims::TokenId;
pub use issuer::TokenIssuer;
pub use key::Jwk;
pub use keyring::{JWKS_MAX_AGE, KeyState, ListedKey, NewKey, list_keys, retire_keys, rotate_keys};
pub use scope::{ALL as ALL_SCOPES, Role, Scope, Scopes};
pub use sealed::KeysSecret;
pub use verifier::{Rejection, TokenVerifier};

/// The client that everybody's command line is: public, it has no secret, and needs no row.
pub const COMMAND_LINE: &str = "zama-jobs-cli";

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

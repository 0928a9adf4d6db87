//! Access tokens: ES256 JWTs (RFC 7519, RFC 9068) that name a tenant, a user, a role and scopes.

mod authority;
mod claims;
pub mod external;
mod issuer;
mod key;
mod keyring;
mod revocations;
mod sealed;
pub mod secret;
mod verifier;

pub use authority::{ACCESS_TOKEN_LIFETIME, Authority, AuthorityConfig, Issued, LOOK_EVERY, NotIssued, REVOKED_FOR};
pub use claims::TokenId;
pub use issuer::TokenIssuer;
pub use jobs::identity::{ALL as ALL_SCOPES, Role, Scope, Scopes};
pub use key::Jwk;
pub use keyring::{JWKS_MAX_AGE, KeyState, ListedKey, NewKey, list_keys, retire_keys, rotate_keys, withdraw_key};
pub use sealed::KeysSecret;
pub use verifier::{Rejection, TokenVerifier};

/// The client that everybody's command line is: public, it has no secret, and needs no row.
pub const COMMAND_LINE: &str = "zama-jobs-cli";

use chrono::{DateTime, Utc};
use jobs::{ApiKeyId, KeyMode, TenantId, UserId};

/// Who a credential speaks for, and what it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// In whose name it acts: of a test key the tenant's sandbox.
    pub tenant: TenantId,
    pub user: UserId,
    pub role: Role,
    pub scopes: Scopes,
    pub credential: Credential,
}

/// What a caller shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Of our own issuer.
    AccessToken,
    /// An access token of another issuer.
    External(Assurance),
    ApiKey {
        id: ApiKeyId,
        mode: KeyMode,
    },
}

/// How sure an issuer was of whom it gave a token to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assurance {
    /// Enough for all that the scopes say.
    Enough,
    /// Not enough for `jobs:admin`, which is missing for that reason alone; how a client asks for more (`acr_values`, with
    /// spaces between).
    TooLittle { acr_values: String },
}

impl Credential {
    /// Whether what is done with it is a test: free, and marked so.
    #[must_use]
    pub fn is_test(&self) -> bool {
        matches!(self, Self::ApiKey { mode: KeyMode::Test, .. })
    }
}

/// A credential that was found to be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub principal: Principal,
    /// When it is so no longer.
    pub expires_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests;

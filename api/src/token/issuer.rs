//! Making tokens.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use uuid::Uuid;

use super::claims::{Claims, TYPE};
use super::key::SigningKey;
use super::{Principal, TokenVerifier};

/// Signs tokens with the key in one file.
pub struct TokenIssuer {
    key: SigningKey,
    issuer: String,
    audience: String,
}

impl TokenIssuer {
    /// Reads the key from a file, which is made with a new key (mode 0600) if there is none.
    ///
    /// # Errors
    /// A file that cannot be read or made, or holds no PKCS#8 P-256 key in PEM.
    pub fn from_file_or_create(path: &Path, issuer: &str, audience: &str) -> Result<Self> {
        let key = SigningKey::from_file_or_create(path)?;
        Ok(Self { key, issuer: issuer.to_owned(), audience: audience.to_owned() })
    }

    /// A token for `principal` that is valid from now on for `lifetime`.
    ///
    /// # Errors
    /// A scope that the role does not bring.
    pub fn issue(&self, principal: &Principal, lifetime: Duration) -> Result<String> {
        if let Some(scope) = principal.scopes.beyond(principal.role) {
            bail!("the role {} does not bring the scope {scope}", principal.role);
        }
        let now = Utc::now().timestamp();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: principal.user.to_string(),
            tenant: principal.tenant.to_string(),
            role: principal.role.to_string(),
            scope: principal.scopes.to_string(),
            iat: now,
            nbf: now,
            exp: now.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
            jti: Uuid::new_v4().to_string(),
        };
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.key.public.thumbprint());
        header.typ = Some(TYPE.to_owned());
        encode(&header, &claims, &EncodingKey::from_ec_der(&self.key.pkcs8)).context("Failed to sign a token")
    }

    /// The verifier of this issuer's tokens.
    #[must_use]
    pub fn verifier(&self) -> TokenVerifier {
        TokenVerifier::new(&self.key.public, &self.issuer, &self.audience)
    }
}

//! Checking tokens: one key, one algorithm, one issuer, one audience.

use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous, decode, decode_header};

use super::claims::Claims;
use super::key::{PublicKey, read_public};
use super::{Credential, Principal, Role, Scopes, Verified};

/// Seconds by which clocks may differ.
const LEEWAY_SECONDS: u64 = 30;

/// Longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 8192;

/// Checks tokens; holds the public half of the key alone.
pub struct TokenVerifier {
    key: DecodingKey,
    key_id: String,
    validation: Validation,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Not one of ours, or not for us.
    Invalid,
    /// One of ours, until then.
    Expired(Option<DateTime<Utc>>),
}

impl TokenVerifier {
    /// Reads the key from a PEM file with the private key, or with its public half alone.
    ///
    /// # Errors
    /// A file that cannot be read or holds no P-256 key.
    pub fn from_file(path: &Path, issuer: &str, audience: &str) -> Result<Self> {
        Ok(Self::new(&read_public(path)?, issuer, audience))
    }

    pub(super) fn new(key: &PublicKey, issuer: &str, audience: &str) -> Self {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        Self { key: DecodingKey::from_ec_der(key.point()), key_id: key.thumbprint(), validation }
    }

    /// Who the token speaks for, and until when.
    ///
    /// # Errors
    /// [`Rejection`], without telling which check failed beyond expiry.
    pub fn verify(&self, token: &str) -> Result<Verified, Rejection> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Rejection::Invalid);
        }
        let header = decode_header(token).map_err(|_| Rejection::Invalid)?;
        if header.kid.as_deref() != Some(&self.key_id) {
            return Err(Rejection::Invalid);
        }
        // The signature is checked before the times, so an expired token was ours.
        let claims = decode::<Claims>(token, &self.key, &self.validation).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => Rejection::Expired(expiry(token)),
            _ => Rejection::Invalid,
        })?;
        verified(&claims.claims).ok_or(Rejection::Invalid)
    }
}

fn expiry(token: &str) -> Option<DateTime<Utc>> {
    let claims = dangerous::insecure_decode::<Claims>(token).ok()?.claims;
    DateTime::from_timestamp(claims.exp, 0)
}

fn verified(claims: &Claims) -> Option<Verified> {
    let role: Role = claims.role.parse().ok()?;
    let scopes = Scopes::read(&claims.scope);
    if claims.jti.is_empty() || scopes.beyond(role).is_some() {
        return None;
    }
    let (tenant, user) = (claims.tenant.parse().ok()?, claims.sub.parse().ok()?);
    let principal = Principal { tenant, user, role, scopes, credential: Credential::AccessToken };
    Some(Verified { principal, expires_at: DateTime::from_timestamp(claims.exp, 0)? })
}

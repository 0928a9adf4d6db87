//! Checking tokens: published keys, one algorithm, one issuer, one audience.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous, decode, decode_header};

use super::claims::{Claims, TYPE, TokenId};
use super::key::{PublicKey, read_public};
use super::{Credential, Principal, Role, Scopes, Verified};

/// Seconds by which clocks may differ.
pub(super) const LEEWAY_SECONDS: u64 = 30;

/// What may stand in the header for it.
const TYPES: [&str; 2] = [TYPE, "application/at+jwt"];

/// Longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 8192;

/// Checks tokens; holds the public halves of the keys alone.
pub struct TokenVerifier {
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Not one of ours, or not for us.
    Invalid,
    /// One of ours, until then.
    Expired(Option<DateTime<Utc>>),
    /// One of ours, that was taken back.
    Revoked,
    /// Nobody knows: what was revoked cannot be read.
    Unknown,
}

impl TokenVerifier {
    /// Reads the key from a PEM file with the private key, or with its public half alone.
    ///
    /// # Errors
    /// A file that cannot be read or holds no P-256 key.
    pub fn from_file(path: &Path, issuer: &str, audience: &str) -> Result<Self> {
        Ok(Self::new([&read_public(path)?], issuer, audience))
    }

    pub(super) fn new<'a>(keys: impl IntoIterator<Item = &'a PublicKey>, issuer: &str, audience: &str) -> Self {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        let keys = keys.into_iter().map(|key| (key.thumbprint(), DecodingKey::from_ec_der(key.point()))).collect();
        Self { keys, validation }
    }

    /// Who the token speaks for, and until when.
    ///
    /// # Errors
    /// [`Rejection`], without telling which check failed beyond expiry.
    pub fn verify(&self, token: &str) -> Result<Verified, Rejection> {
        self.identify(token).map(|(verified, _)| verified)
    }

    /// The same, with what the token is revoked by.
    pub(super) fn identify(&self, token: &str) -> Result<(Verified, TokenId), Rejection> {
        let key = key_id(token).and_then(|kid| self.keys.get(&kid)).ok_or(Rejection::Invalid)?;
        // The signature is checked before the times, so an expired token was ours.
        let claims = decode::<Claims>(token, key, &self.validation).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => Rejection::Expired(expiry(token)),
            _ => Rejection::Invalid,
        })?;
        verified(claims.claims).ok_or(Rejection::Invalid)
    }

    /// Whether the key is one of those that are accepted.
    pub(super) fn knows(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }
}

/// The key that a token says it was signed with; `None` of what cannot be a token of ours.
pub(super) fn key_id(token: &str) -> Option<String> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let header = decode_header(token).ok()?;
    // A token of another kind that was signed with one of our keys is no access token (RFC 9068 section 4), and one that
    // wants to be understood in a way that we do not know is refused (RFC 7515 section 4.1.11).
    let is_ours = header.typ.as_deref().is_some_and(|typ| TYPES.iter().any(|ours| ours.eq_ignore_ascii_case(typ)));
    header.kid.filter(|_| is_ours && header.crit.is_none() && header.alg == Algorithm::ES256)
}

fn expiry(token: &str) -> Option<DateTime<Utc>> {
    let claims = dangerous::insecure_decode::<Claims>(token).ok()?.claims;
    DateTime::from_timestamp(claims.exp, 0)
}

fn verified(claims: Claims) -> Option<(Verified, TokenId)> {
    let role: Role = claims.role.parse().ok()?;
    let scopes = Scopes::read(&claims.scope);
    if claims.jti.is_empty() || scopes.beyond(role).is_some() {
        return None;
    }
    let (issued_at, expires_at) = (DateTime::from_timestamp(claims.iat, 0)?, DateTime::from_timestamp(claims.exp, 0)?);
    let (tenant, user) = (claims.tenant.parse().ok()?, claims.sub.parse().ok()?);
    let principal = Principal { tenant, user, role, scopes, credential: Credential::AccessToken };
    let id = TokenId { jti: claims.jti, client: claims.client_id, session: claims.sid, issued_at, expires_at };
    Some((Verified { principal, expires_at }, id))
}

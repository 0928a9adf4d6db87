//! Other issuers (OpenID Connect): their access tokens, checked with the keys that they publish, and what their claims
//! mean here.
//!
//! A token goes to the issuer that it names, and to that one's keys alone: no issuer makes tokens of another one, or of
//! ours.

mod cache;
mod claims;
mod keys;
mod rules;
mod source;

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation, dangerous, decode, decode_header};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

pub use cache::Times;
pub use claims::{Stranger, Unmapped};
pub use rules::{InvalidRules, IssuerConfig};
pub use source::{Reach, Scheme};

use super::verifier::{LEEWAY_SECONDS, Rejection};
use cache::KeyCache;
use claims::Claims;
use rules::Rules;
use source::Source;

/// Longest token that is looked at, in bytes: other issuers' carry lists of roles and groups.
const MAX_TOKEN_BYTES: usize = 16 << 10;

/// What may stand in the header: of access tokens (RFC 9068) and, since few issuers say so, of any token.
const TYPES: [&str; 3] = ["at+jwt", "application/at+jwt", "jwt"];

/// The issuers whose tokens are accepted besides our own.
#[derive(Default)]
pub struct ExternalIssuers(Vec<ExternalIssuer>);

/// One of them.
pub struct ExternalIssuer {
    rules: Rules,
    keys: Arc<KeyCache>,
}

/// What a token says of its issuer, before anything is believed.
#[derive(Deserialize)]
struct Says {
    iss: String,
}

impl ExternalIssuers {
    /// # Errors
    /// Rules that contradict each other, or two issuers of one name.
    pub fn new(configs: &[IssuerConfig], ours: &str, reach: Reach, times: Times) -> Result<Self> {
        let mut issuers: Vec<ExternalIssuer> = Vec::new();
        for config in configs {
            let rules = Rules::read(config).with_context(|| format!("oidc.issuers.{}", config.name))?;
            ensure!(rules.issuer != ours, "oidc.issuers.{}: {ours} is this installation's own issuer", config.name);
            let is_new = issuers.iter().all(|known| known.rules.issuer != rules.issuer);
            ensure!(is_new, "oidc.issuers.{}: {} stands there twice", config.name, rules.issuer);
            let source = Source::new(&rules.issuer, reach).context("no HTTP client could be made")?;
            issuers.push(ExternalIssuer { rules, keys: Arc::new(KeyCache::new(source, times)) });
        }
        Ok(Self(issuers))
    }

    /// The issuer that a token names, which has yet to say so.
    #[must_use]
    pub fn of(&self, token: &str) -> Option<&ExternalIssuer> {
        if self.0.is_empty() || token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let says: Says = dangerous::insecure_decode_claims(token).ok()?;
        self.0.iter().find(|issuer| issuer.rules.issuer == says.iss)
    }

    /// Keeps the issuers' keys fresh, until `stop`.
    pub async fn watch(&self, stop: CancellationToken) {
        futures::future::join_all(self.0.iter().map(|issuer| issuer.keys.clone().watch(stop.clone()))).await;
    }
}

impl ExternalIssuer {
    /// `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.rules.issuer
    }

    /// How a client asks for enough authentication to administer (`acr_values`, with spaces between).
    #[must_use]
    pub fn acr_values(&self) -> String {
        self.rules.mfa.acr.join(" ")
    }

    /// Whom a token speaks for.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn verify(&self, token: &str) -> Result<Stranger, Refused> {
        let claims = self.claims(token).await.map_err(Refused::Token)?;
        claims.stranger(&self.rules).ok_or(Refused::Token(Rejection::Invalid))?.map_err(Refused::Unmapped)
    }

    async fn claims(&self, token: &str) -> Result<Claims, Rejection> {
        let header = decode_header(token).map_err(|_| Rejection::Invalid)?;
        let kid = self.key_id(&header).ok_or(Rejection::Invalid)?;
        let known = self.keys.get(kid).await.map_err(|_| Rejection::Unknown)?;
        let key = known.filter(|key| key.signs(header.alg)).ok_or(Rejection::Invalid)?;
        // The signature is checked before the times, so an expired token was the issuer's.
        decode::<Claims>(token, &key.decoding, &self.validation(header.alg)).map(|token| token.claims).map_err(
            |error| match error.kind() {
                ErrorKind::ExpiredSignature => Rejection::Expired(None),
                _ => Rejection::Invalid,
            },
        )
    }

    /// The key that a header names, if it is one of an access token that was signed in a way that is allowed here.
    fn key_id<'a>(&self, header: &'a Header) -> Option<&'a str> {
        let is_access_token = header.typ.as_deref().is_none_or(|typ| TYPES.iter().any(|t| t.eq_ignore_ascii_case(typ)));
        let is_understood = header.crit.is_none() && self.rules.algorithms.contains(&header.alg);
        header.kid.as_deref().filter(|_| is_access_token && is_understood)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.rules.issuer]);
        validation.set_audience(&[&self.rules.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation
    }
}

/// Why a token of another issuer opens nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Token(Rejection),
    /// It is valid, and means nobody here.
    Unmapped(Unmapped),
}

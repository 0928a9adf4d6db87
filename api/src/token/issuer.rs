//! Making tokens.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use uuid::Uuid;

use super::claims::{Claims, TYPE};
use super::key::SigningKey;
use super::{COMMAND_LINE, Principal, TokenVerifier};

/// Signs tokens with the key in one file.
pub struct TokenIssuer {
    key: SigningKey,
    names: Names,
}

/// What tokens of an installation carry.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) issuer: String,
    pub(super) audience: String,
}

/// A token to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant<'a> {
    pub principal: &'a Principal,
    /// Whom the token is given to.
    pub client: &'a str,
    /// The person's session, if there is one.
    pub session: Option<Uuid>,
    pub lifetime: Duration,
}

impl TokenIssuer {
    /// Reads the key from a file, which is made with a new key (mode 0600) if there is none.
    ///
    /// # Errors
    /// A file that cannot be read or made, or holds no PKCS#8 P-256 key in PEM.
    pub fn from_file_or_create(path: &Path, issuer: &str, audience: &str) -> Result<Self> {
        let key = SigningKey::from_file_or_create(path)?;
        Ok(Self { key, names: Names { issuer: issuer.to_owned(), audience: audience.to_owned() } })
    }

    /// A token for `principal` that is valid from now on for `lifetime`, as the command line's.
    ///
    /// # Errors
    /// A scope that the role does not bring.
    pub fn issue(&self, principal: &Principal, lifetime: Duration) -> Result<String> {
        sign(&self.key, &self.names, Grant { principal, client: COMMAND_LINE, session: None, lifetime })
    }

    /// The verifier of this issuer's tokens.
    #[must_use]
    pub fn verifier(&self) -> TokenVerifier {
        TokenVerifier::new([&self.key.public], &self.names.issuer, &self.names.audience)
    }
}

/// Signs a token that is valid from now on.
pub(super) fn sign(key: &SigningKey, names: &Names, grant: Grant<'_>) -> Result<String> {
    let Grant { principal, client, session, lifetime } = grant;
    if let Some(scope) = principal.scopes.beyond(principal.role) {
        bail!("the role {} does not bring the scope {scope}", principal.role);
    }
    let now = Utc::now().timestamp();
    let claims = Claims {
        iss: names.issuer.clone(),
        aud: names.audience.clone(),
        sub: principal.user.to_string(),
        tenant: principal.tenant.to_string(),
        role: principal.role.to_string(),
        scope: principal.scopes.to_string(),
        iat: now,
        nbf: now,
        exp: now.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
        jti: Uuid::new_v4().to_string(),
        client_id: Some(client.to_owned()),
        sid: session,
    };
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(key.public.thumbprint());
    header.typ = Some(TYPE.to_owned());
    encode(&header, &claims, &EncodingKey::from_ec_der(&key.pkcs8)).context("Failed to sign a token")
}

//! The grants, a file each, and what they share: scopes, and signing.

mod client_credentials;
mod device_code;
mod refresh_token;

use std::sync::Arc;
use std::time::Duration;

use store::oauth::Holder;
use store::oauth::sessions::Lifetimes;
use uuid::Uuid;

pub(super) use client_credentials::client_credentials;
pub(super) use device_code::device_code;
pub(super) use refresh_token::refresh_token;

use super::form::Form;
use super::refusal::{OAuthError, Refusal};
use super::token::TokenResponse;
use crate::ApiState;
use crate::token::{Credential, NotIssued, Principal, REVOKED_FOR, Role, Scopes};

/// How long a refresh token is valid.
const REFRESH_TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// As long after its use a refresh token that comes again came from a slower process of the same owner.
const RACE: Duration = Duration::from_secs(10);

/// A way to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    ClientCredentials,
    RefreshToken,
    DeviceCode,
}

/// All of them.
pub const ALL: [GrantType; 3] = [GrantType::ClientCredentials, GrantType::RefreshToken, GrantType::DeviceCode];

impl GrantType {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
        }
    }

    /// The grant of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        ALL.into_iter().find(|grant| grant.as_str() == name)
    }
}

pub(super) fn lifetimes() -> Lifetimes {
    Lifetimes {
        refresh_token: REFRESH_TOKEN_LIFETIME.as_secs_f64(),
        race: RACE.as_secs_f64(),
        access_token: REVOKED_FOR.as_secs_f64(),
    }
}

/// The scopes that a request names; `None` when it names none.
pub(super) fn asked_scopes(form: &Form) -> Result<Option<Scopes>, Refusal> {
    let asked = form.get("scope").map(Scopes::parse).transpose();
    let asked = asked.map_err(|_| Refusal::new(OAuthError::InvalidScope, "There is no such scope."))?;
    Ok(asked.filter(|scopes| !scopes.is_empty()))
}

/// What is asked for, if it is within `allowed`; all of that when nothing is asked for.
fn narrowed(asked: Option<Scopes>, allowed: Scopes) -> Result<Scopes, Refusal> {
    let scopes = asked.unwrap_or_else(|| allowed.clone());
    if scopes.is_empty() || !scopes.is_within(&allowed) {
        return Err(Refusal::new(OAuthError::InvalidScope, format!("At most these scopes: {allowed}.")));
    }
    Ok(scopes)
}

/// A role that stands in the database.
fn role(holder: &Holder) -> Result<Role, Refusal> {
    holder.role.parse().map_err(|error: String| Refusal::internal(&anyhow::anyhow!(error)))
}

async fn signed(
    state: &Arc<ApiState>,
    (holder, role): (&Holder, Role),
    scopes: Scopes,
    (client, session): (&str, Option<Uuid>),
) -> Result<TokenResponse, Refusal> {
    let principal = Principal {
        tenant: holder.tenant.clone(),
        user: holder.user.clone(),
        role,
        scopes,
        credential: Credential::AccessToken,
    };
    let issued = state.tokens.issue(&principal, client, session).await.map_err(not_issued)?;
    tracing::info!(client.id = client, tenant.id = %holder.tenant, user.id = %holder.user, "issued an access token");
    Ok(TokenResponse {
        access_token: issued.token,
        token_type: "Bearer",
        expires_in: issued.lifetime.as_secs(),
        scope: principal.scopes.to_string(),
        refresh_token: None,
    })
}

pub(super) fn not_issued(error: NotIssued) -> Refusal {
    match error {
        NotIssued::Unknown(error) => {
            tracing::warn!(error = format!("{error:#}"), "the issuer's keys cannot be read");
            Refusal::unavailable()
        }
        NotIssued::Failed(error) => Refusal::internal(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_given_or_refused_never_cut() {
        let allowed = Role::Developer.scopes();
        let asked = |text: &str| Some(Scopes::parse(text).unwrap());
        assert_eq!(narrowed(None, allowed.clone()).unwrap(), allowed);
        assert_eq!(narrowed(asked("jobs:read"), allowed.clone()).unwrap().to_string(), "jobs:read");
        assert!(narrowed(asked("jobs:read jobs:admin"), allowed).is_err());
        assert!(narrowed(None, Scopes::default()).is_err());
    }

    #[test]
    fn grants_have_their_rfcs_names() {
        for grant in ALL {
            assert_eq!(GrantType::of(grant.as_str()), Some(grant));
        }
        assert_eq!(GrantType::of("password"), None);
        assert_eq!(GrantType::of("Client_Credentials"), None);
    }
}

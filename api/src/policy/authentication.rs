//! Who asks: a bearer token (RFC 6750), of our own issuer or of another one, or an API key becomes a [`Principal`], and a
//! principal must have the scope.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use jobs::{ErrorCode, api_key};
use store::api_keys::Owner;
use store::jobs::Reader;

use super::audit_trail::Trail;
use super::observation::Caller;
use super::problem::Problem;
use super::{api_keys, external_tokens};
use crate::ApiState;
use crate::token::{Assurance, Credential, Principal, Rejection, Scope, Verified};

pub(super) const REALM: &str = r#"Bearer realm="zama-jobs""#;

impl Principal {
    /// # Errors
    /// INSUFFICIENT_SCOPE when the token lacks the scope; MFA_REQUIRED when a second factor would bring it.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(scope) {
            return Ok(());
        }
        if let Credential::External(Assurance::TooLittle { acr_values }) = &self.credential
            && scope == Scope::JobsAdmin
        {
            return Err(external_tokens::mfa_required(acr_values));
        }
        let challenge = format!(r#"{REALM}, error="insufficient_scope", scope="{scope}""#);
        let detail = format!("The token lacks the scope {scope}.");
        Err(Problem::new(ErrorCode::InsufficientScope, detail).with_challenge(&challenge))
    }

    /// Refuses API keys, whatever they allow: one that leaked must not send its user's results to another address.
    ///
    /// # Errors
    /// INSUFFICIENT_SCOPE of an API key.
    pub fn require_access_token(&self) -> Result<(), Problem> {
        if let Credential::AccessToken | Credential::External(_) = self.credential {
            return Ok(());
        }
        let challenge = format!(r#"{REALM}, error="insufficient_scope""#);
        let detail = "An API key may not do this: use an access token.";
        Err(Problem::new(ErrorCode::InsufficientScope, detail).with_challenge(&challenge))
    }

    /// Who may make, rotate and end API keys: whoever has an access token, and an API key of an admin. Any other key that
    /// leaked would outlive its own end.
    ///
    /// # Errors
    /// INSUFFICIENT_SCOPE of an API key without `jobs:admin`.
    pub fn require_key_management(&self) -> Result<(), Problem> {
        match self.credential {
            Credential::AccessToken | Credential::External(_) => Ok(()),
            Credential::ApiKey { .. } => self.require(Scope::JobsAdmin),
        }
    }

    /// Whose API keys the principal sees and manages: its own, or with `jobs:admin` the tenant's.
    #[must_use]
    pub fn key_owner(&self) -> Owner<'_> {
        let any = self.scopes.contains(Scope::JobsAdmin);
        Owner { tenant: &self.tenant, user: (!any).then_some(&self.user) }
    }

    /// Whether the principal may read what it sees through [`Principal::reader`].
    #[must_use]
    pub fn may_read(&self) -> bool {
        self.scopes.contains(Scope::JobsRead)
    }

    /// Whose jobs the principal may cancel: its own, or with `jobs:admin` the tenant's. A scope that reads does not act.
    #[must_use]
    pub fn canceller(&self) -> Reader<'_> {
        let any = self.scopes.contains(Scope::JobsAdmin);
        Reader { tenant: &self.tenant, user: (!any).then_some(&self.user) }
    }

    /// Whose jobs the principal sees: its own, or with `jobs:read:team` the tenant's.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        let team = self.scopes.contains(Scope::JobsReadTeam);
        Reader { tenant: &self.tenant, user: (!team).then_some(&self.user) }
    }
}

impl FromRequestParts<Arc<ApiState>> for Verified {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, Problem> {
        let Some(token) = bearer(&parts.headers)? else {
            return Err(without_token());
        };
        let verified = if token.starts_with(api_key::PREFIX) {
            api_keys::verify(&state.pool, token).await?
        } else if let Some(issuer) = state.external.of(token) {
            Box::pin(external_tokens::verify(state, parts, (issuer, token))).await?
        } else {
            state.tokens.verify(token).await.map_err(refusal)?
        };
        // A sandbox is entered with a test key alone, whatever an issuer writes into its tokens.
        if verified.principal.tenant.is_sandbox() != verified.principal.credential.is_test() {
            return Err(refusal(Rejection::Invalid));
        }
        if let Some(caller) = parts.extensions.get::<Caller>() {
            caller.is(&verified.principal);
        }
        if let Some(trail) = parts.extensions.get::<Trail>() {
            trail.is_of(&verified.principal);
        }
        state.gate.admit(&state.pool, parts, &verified.principal).await?;
        if let Some(caller) = parts.extensions.get::<Caller>() {
            caller.is_let_in();
        }
        Ok(verified)
    }
}

impl FromRequestParts<Arc<ApiState>> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, Problem> {
        Verified::from_request_parts(parts, state).await.map(|verified| verified.principal)
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let parts = value.to_str().ok().and_then(|text| text.split_once(' '));
    match parts {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && values.next().is_none() => {
            Ok(Some(token.trim()).filter(|token| !token.is_empty()))
        }
        _ => Err(refusal(Rejection::Invalid)),
    }
}

pub(super) fn refusal(rejection: Rejection) -> Problem {
    let (code, detail) = match rejection {
        Rejection::Unknown => return Problem::new(ErrorCode::ServiceUnavailable, "The token cannot be checked now."),
        Rejection::Revoked => (ErrorCode::InvalidToken, "The access token was revoked.".to_owned()),
        Rejection::Invalid => (ErrorCode::InvalidToken, "The access token is not valid.".to_owned()),
        Rejection::Expired(at) => {
            let at = at.map(|at| at.format(" at %Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default();
            (ErrorCode::TokenExpired, format!("The access token expired{at}."))
        }
    };
    invalid_token(code, &detail)
}

fn without_token() -> Problem {
    Problem::new(ErrorCode::InvalidToken, "The request has no bearer token.").with_challenge(REALM)
}

/// A token that is valid but whose user nobody registered, or nobody any more.
pub fn unregistered() -> Problem {
    invalid_token(ErrorCode::InvalidToken, "The token's user is not registered.")
}

/// A token of a tenant in which nobody acts any more.
pub fn tenant_closed() -> Problem {
    invalid_token(ErrorCode::InvalidToken, "The tenant is closed.")
}

/// A user who has registered no address that jobs could belong to.
pub fn without_submitter() -> Problem {
    let detail = "The user has registered no submitter address: POST /v1/me/submitter/challenge, sign, PUT \
                  /v1/me/submitter (zama-jobs keys register).";
    Problem::new(ErrorCode::SubmitterMissing, detail)
}

/// A credential that is not accepted, with the challenge that a 401 must carry (RFC 6750 section 3).
pub(super) fn invalid_token(code: ErrorCode, detail: &str) -> Problem {
    let challenge = format!(r#"{REALM}, error="invalid_token", error_description="{detail}""#);
    Problem::new(code, detail).with_challenge(&challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_show_what_is_said() {
        without_token().is_the_example_of_its_page();
        without_submitter().is_the_example_of_its_page();
        let at = "2026-03-14T09:15:00Z".parse().expect("a time");
        refusal(Rejection::Expired(Some(at))).is_the_example_of_its_page();
        let reader = Principal {
            tenant: "acme".parse().expect("a name"),
            user: "ada".parse().expect("a name"),
            role: crate::token::Role::Developer,
            scopes: crate::token::Scopes::read("jobs:read"),
            credential: Credential::AccessToken,
        };
        reader.require(Scope::JobsSubmit).expect_err("refused").is_the_example_of_its_page();
    }
}

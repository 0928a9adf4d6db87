//! Who asks: a bearer token (RFC 6750) becomes a [`Principal`], and a principal must have the scope.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use jobs::ErrorCode;
use store::jobs::Reader;

use super::observation::Caller;
use super::problem::Problem;
use crate::ApiState;
use crate::token::{Principal, Rejection, Scope, Verified};

const REALM: &str = r#"Bearer realm="zama-jobs""#;

impl Principal {
    /// # Errors
    /// INSUFFICIENT_SCOPE when the token lacks the scope.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(scope) {
            return Ok(());
        }
        let challenge = format!(r#"{REALM}, error="insufficient_scope", scope="{scope}""#);
        let detail = format!("The token lacks the scope {scope}.");
        Err(Problem::new(ErrorCode::InsufficientScope, detail).with_challenge(&challenge))
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
            return Err(Problem::new(ErrorCode::InvalidToken, "The request has no bearer token.").with_challenge(REALM));
        };
        let verified = state.tokens.verify(token).await.map_err(refusal)?;
        if let Some(caller) = parts.extensions.get::<Caller>() {
            caller.is(&verified.principal);
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

fn refusal(rejection: Rejection) -> Problem {
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

/// A token that is valid but whose user nobody registered, or nobody any more.
pub fn unregistered() -> Problem {
    invalid_token(ErrorCode::InvalidToken, "The token's user is not registered.")
}

/// A token that is not accepted, with the challenge that a 401 must carry (RFC 6750 section 3).
fn invalid_token(code: ErrorCode, detail: &str) -> Problem {
    let challenge = format!(r#"{REALM}, error="invalid_token", error_description="{detail}""#);
    Problem::new(code, detail).with_challenge(&challenge)
}

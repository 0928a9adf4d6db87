//! Access tokens of other issuers as credentials: whom their claims mean here, for what their issuer was sure enough of.

use axum::http::request::Parts;
use jobs::{ErrorCode, Scope};
use serde_json::json;
use store::identities::{Admitted, Identity, admit};

use super::audit_trail::followed;
use super::authentication::{REALM, invalid_token, refusal};
use super::problem::Problem;
use crate::ApiState;
use crate::token::external::{ExternalIssuer, Refused, Stranger, Unmapped};
use crate::token::{Assurance, Credential, Principal, Verified};

/// Who shows this token. The database is asked with each request, so that a user who is deleted is out from the next one
/// on, on every node; whoever is seen for the first time is made a user, without an address.
///
/// # Errors
/// INVALID_TOKEN, TOKEN_EXPIRED, IDENTITY_NOT_MAPPED; SERVICE_UNAVAILABLE when the issuer's keys were never read.
pub async fn verify(
    state: &ApiState,
    parts: &Parts,
    (issuer, token): (&ExternalIssuer, &str),
) -> Result<Verified, Problem> {
    let stranger = issuer.verify(token).await.map_err(|refused| match refused {
        Refused::Token(rejection) => refusal(rejection),
        Refused::Unmapped(what) => not_mapped(what),
    })?;
    let identity = Identity {
        issuer: issuer.issuer(),
        subject: &stranger.subject,
        tenant: &stranger.tenant,
        role: stranger.role,
        name: &stranger.name,
    };
    let audit = followed(&state.gate, parts, json!({ "role": stranger.role, "issuer": issuer.issuer() }));
    let user = match admit(&state.pool, identity, &audit).await? {
        Admitted::User(user) => user,
        Admitted::Deleted => return Err(invalid_token(ErrorCode::InvalidToken, "The token's user was deleted.")),
        Admitted::NoSuchTenant => return Err(unmapped("The token is valid, but its tenant is not registered here.")),
    };
    let is_enough = stranger.has_second_factor || !stranger.scopes.contains(Scope::JobsAdmin);
    let (scopes, assurance) = if is_enough {
        (stranger.scopes, Assurance::Enough)
    } else {
        (stranger.scopes_without_second_factor(), Assurance::TooLittle { acr_values: issuer.acr_values() })
    };
    let Stranger { tenant, role, expires_at, .. } = stranger;
    let principal = Principal { tenant, user, role, scopes, credential: Credential::External(assurance) };
    Ok(Verified { principal, expires_at })
}

/// The one refusal that a login with a second factor mends (RFC 9470): the challenge tells how to ask for it.
pub(super) fn mfa_required(acr_values: &str) -> Problem {
    let detail = "Administration needs a login with a second factor.";
    let mut challenge = format!(r#"{REALM}, error="insufficient_user_authentication", error_description="{detail}""#);
    if !acr_values.is_empty() {
        challenge += &format!(r#", acr_values="{acr_values}""#);
    }
    Problem::new(ErrorCode::MfaRequired, detail).with_challenge(&challenge)
}

fn not_mapped(what: Unmapped) -> Problem {
    unmapped(match what {
        Unmapped::Role => "The token is valid, but none of its roles is one here.",
        Unmapped::Tenant => "The token is valid, but belongs to no tenant here.",
    })
}

/// Another token of the same person would be refused alike, so that it is no 401.
fn unmapped(detail: &str) -> Problem {
    Problem::new(ErrorCode::IdentityNotMapped, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_show_what_is_said() {
        mfa_required("gold").is_the_example_of_its_page();
        not_mapped(Unmapped::Role).is_the_example_of_its_page();
    }
}

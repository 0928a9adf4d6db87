//! POST /v1/oauth/revoke

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;
use store::oauth::sessions::{self, Ended};
use utoipa::ToSchema;

use super::client_authentication::authenticate;
use super::form::Form;
use super::grants::lifetimes;
use super::refusal::{OAuthError, OAuthRefusal, Refusal, not_stored};
use super::token::MeteredErrors;
use crate::ApiState;
use crate::policy::audit_trail::{Actor, Trail, by_client};
use crate::policy::gate::TokenRequest;
use crate::token::secret::{SecretKind, hash};
use crate::token::{COMMAND_LINE, Rejection};

/// A token that is not wanted any more.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what is read as a form")]
pub struct Revocation {
    /// An access token, or a refresh token: with it ends its session, with all its tokens.
    token: String,
    /// `access_token` or `refresh_token`; not needed.
    token_type_hint: Option<String>,
    /// Unless HTTP Basic names the client.
    client_id: Option<String>,
    client_secret: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    client_assertion_type: Option<String>,
    /// As for a token.
    client_assertion: Option<String>,
}

/// Revoke a token
///
/// RFC 7009: the client authenticates as for a token, and revokes its own tokens alone. A token that is not valid (any
/// more) is answered as one that was revoked now. It is refused here at once, and everywhere within a minute.
#[utoipa::path(
    post, path = "/v1/oauth/revoke", operation_id = "revoke_token", tag = "oauth",
    security(("client" = []), ()),
    request_body(content = Revocation, content_type = "application/x-www-form-urlencoded",
                 example = json!({"token": "zjr_Yc0n...", "token_type_hint": "refresh_token", "client_id": "zama-jobs-cli"})),
    responses(
        (status = 200, description = "The token is not valid."),
        (status = 400, description = "Refused: `invalid_grant` when the token is another client's.",
         body = OAuthRefusal,
         example = json!({"error": "invalid_grant", "error_description": "The token is another client's."})),
        (status = 401, description = "The client is not known, or did not prove itself.", body = OAuthRefusal,
         headers(("WWW-Authenticate" = String, description = "`Basic`.")),
         example = json!({"error": "invalid_client",
                          "error_description": "The client is not known, or did not prove itself."})),
        MeteredErrors
    )
)]
pub async fn revoke(
    State(state): State<Arc<ApiState>>,
    trail: Trail,
    _: TokenRequest,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refusal> {
    let token = form.require("token")?;
    let client = Box::pin(authenticate(&state, &trail, &headers, &form)).await?;
    if token.starts_with(SecretKind::RefreshToken.prefix()) {
        Box::pin(end_session(&state, &trail, client.id(), token)).await?;
    } else {
        Box::pin(revoke_access_token(&state, &trail, client.id(), token)).await?;
    }
    Ok(not_stored(()))
}

async fn end_session(state: &Arc<ApiState>, trail: &Trail, client: &str, token: &str) -> Result<(), Refusal> {
    let audit = trail.draft(by_client(client), json!({ "token": "refresh_token" }));
    match sessions::revoke(&state.pool, hash(token), client, lifetimes().access_token, &audit).await? {
        Ended::Revoked(session) => {
            state.tokens.is_revoked(&session.to_string());
            tracing::info!(session.id = %session, client.id = client, "a session was revoked");
            Ok(())
        }
        Ended::Unknown => Ok(()),
        Ended::Foreign => Err(foreign()),
    }
}

async fn revoke_access_token(state: &Arc<ApiState>, trail: &Trail, client: &str, token: &str) -> Result<(), Refusal> {
    let (verified, id) = match state.tokens.identify(token).await {
        Ok(known) => known,
        Err(Rejection::Unknown) => return Err(Refusal::unavailable()),
        // What is no token, or expired, is as good as revoked (RFC 7009 section 2.2).
        Err(_) => return Ok(()),
    };
    if id.client.as_deref().unwrap_or(COMMAND_LINE) != client {
        return Err(foreign());
    }
    state.tokens.revoke(&id).await?;
    trail.tell(json!({ "token": id.jti }));
    trail.is_of(Actor::of_client(&verified.principal, client));
    tracing::info!(client.id = client, tenant.id = %verified.principal.tenant, "an access token was revoked");
    Ok(())
}

fn foreign() -> Refusal {
    Refusal::new(OAuthError::InvalidGrant, "The token is another client's.")
}

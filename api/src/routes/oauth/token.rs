//! POST /v1/oauth/token

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::client_authentication::authenticate;
use super::form::Form;
use super::grants::{self, GrantType};
use super::refusal::{OAuthError, OAuthRefusal, Refusal, not_stored};
use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::{Actor, Trail};
use crate::policy::gate;

/// Its path; with the server's origin before it an audience of assertions.
pub const PATH: &str = "/v1/oauth/token";

errors!(pub(super) MeteredErrors: Public, PayloadTooLarge, BodyTimeout, RateLimitExceeded);

/// A request for a token; which parameters it needs depends on the grant.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what is read as a form")]
pub struct TokenRequest {
    /// `client_credentials`, `refresh_token` or `urn:ietf:params:oauth:grant-type:device_code`.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// Scopes with spaces between, at most what was granted; all of it when not given.
    #[schema(example = "jobs:submit jobs:read")]
    scope: Option<String>,
    /// Of the grant `refresh_token`.
    refresh_token: Option<String>,
    /// Of the device grant.
    device_code: Option<String>,
    /// Unless HTTP Basic names the client.
    client_id: Option<String>,
    client_secret: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    client_assertion_type: Option<String>,
    /// A JWT that the client signed: `iss` and `sub` its id, `aud` the issuer or this address, `exp` within 10 minutes,
    /// `jti` used once.
    client_assertion: Option<String>,
}

/// A token.
#[derive(Serialize, ToSchema)]
pub struct TokenResponse {
    pub access_token: String,
    /// `Bearer`.
    #[schema(value_type = String, example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds for which the access token is valid.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// What it allows.
    #[schema(example = "jobs:submit jobs:read")]
    pub scope: String,
    /// For people alone: valid for 30 days, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// Get an access token
///
/// OAuth 2.0 (RFC 6749): `client_credentials` for programs, the device grant (RFC 8628) for people, and `refresh_token`
/// for their next access token. Clients authenticate by HTTP Basic, by `client_secret` in the body, or by an assertion
/// (RFC 7523); the command line is a public client, `zama-jobs-cli`. An access token is valid for 15 minutes.
#[utoipa::path(
    post, path = "/v1/oauth/token", operation_id = "create_token", tag = "oauth",
    security(("client" = []), ()),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded",
                 example = json!({"grant_type": "client_credentials", "scope": "jobs:submit jobs:read"})),
    responses(
        (status = 200, description = "The token.", body = TokenResponse,
         headers(("Cache-Control" = String, description = "`no-store`.")),
         example = json!({"access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6Ii4uLiJ9.e30.c2ln",
                          "token_type": "Bearer", "expires_in": 900, "scope": "jobs:submit jobs:read"})),
        (status = 400, description = "Refused (RFC 6749 section 5.2, RFC 8628 section 3.5).", body = OAuthRefusal,
         example = json!({"error": "invalid_grant", "error_description": "The refresh token is not valid."})),
        (status = 401, description = "The client is not known, or did not prove itself.", body = OAuthRefusal,
         headers(("WWW-Authenticate" = String, description = "`Basic`.")),
         example = json!({"error": "invalid_client",
                          "error_description": "The client is not known, or did not prove itself."})),
        MeteredErrors
    )
)]
pub async fn token(
    State(state): State<Arc<ApiState>>,
    trail: Trail,
    _: gate::TokenRequest,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refusal> {
    let asked = form.require("grant_type")?;
    let unknown = || Refusal::new(OAuthError::UnsupportedGrantType, "There is no such grant here.");
    let grant = GrantType::of(asked).ok_or_else(unknown)?;
    let client = Box::pin(authenticate(&state, &trail, &headers, &form)).await?;
    state.tokens.is_ready().await.map_err(grants::not_issued)?;
    let answer = match grant {
        GrantType::ClientCredentials => Box::pin(grants::client_credentials(&state, &client, &form)).await?,
        GrantType::RefreshToken => Box::pin(grants::refresh_token(&state, &trail, &client, &form)).await?,
        GrantType::DeviceCode => Box::pin(grants::device_code(&state, &client, &form)).await?,
    };
    // Who it speaks for stands in the token: an entry of the audit log is that user's.
    let actor = Actor::of_token(&state, &answer.access_token).await;
    trail.tell(json!({"grant": grant.as_str(), "scope": answer.scope}));
    if let Some(actor) = actor {
        trail.is_of(actor);
    }
    Ok(not_stored(Json(answer)))
}

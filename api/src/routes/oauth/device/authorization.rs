//! POST /v1/oauth/device_authorization

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use store::oauth::devices::{self, NewLogin};
use utoipa::ToSchema;

use super::PAGE_PATH;
use crate::ApiState;
use crate::policy::audit_trail::Trail;
use crate::policy::gate::TokenRequest;
use crate::routes::oauth::client_authentication::{KnownClient, authenticate};
use crate::routes::oauth::form::Form;
use crate::routes::oauth::grants::asked_scopes;
use crate::routes::oauth::refusal::{OAuthError, OAuthRefusal, Refusal, not_stored};
use crate::routes::oauth::token::MeteredErrors;
use crate::token::secret::{SecretKind, hash, new_secret, new_user_code};

/// How long a person may take.
const LIFETIME: Duration = Duration::from_secs(600);
/// Between two polls, in seconds.
const INTERVAL: i32 = 5;
/// Codes that are tried before it is called a failure: one of 25 billion is taken rarely.
const TRIES: usize = 5;

/// A device that wants to be let in.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what is read as a form")]
pub struct DeviceRequest {
    /// `zama-jobs-cli`.
    #[schema(example = "zama-jobs-cli")]
    client_id: String,
    /// Scopes with spaces between; all that the person may when not given.
    scope: Option<String>,
}

/// What the device shows to the person, and what it asks with.
#[derive(Serialize, ToSchema)]
pub struct DeviceAuthorization {
    /// The device's own secret.
    pub device_code: String,
    /// What the person types.
    #[schema(example = "BCDF-GHJK")]
    pub user_code: String,
    /// Where it types it.
    pub verification_uri: String,
    /// The same with the code in it.
    pub verification_uri_complete: String,
    /// Seconds for which both codes are valid.
    pub expires_in: u64,
    /// Seconds between two polls.
    pub interval: i32,
}

/// Begin a login
///
/// RFC 8628: the device shows `verification_uri` and `user_code`, and asks the token endpoint every `interval` seconds
/// until the person has decided. The person proves who it is with a one-time login code (`zama-jobs login-code`).
#[utoipa::path(
    post, path = "/v1/oauth/device_authorization", operation_id = "begin_login", tag = "oauth",
    request_body(content = DeviceRequest, content_type = "application/x-www-form-urlencoded",
                 example = json!({"client_id": "zama-jobs-cli", "scope": "jobs:submit jobs:read"})),
    responses(
        (status = 200, description = "The login waits for a person.", body = DeviceAuthorization,
         headers(("Cache-Control" = String, description = "`no-store`.")),
         example = json!({"device_code": "zjd_Yc0n...", "user_code": "BCDF-GHJK",
                          "verification_uri": "https://api.example.com/v1/oauth/device",
                          "verification_uri_complete": "https://api.example.com/v1/oauth/device?user_code=BCDF-GHJK",
                          "expires_in": 600, "interval": 5})),
        (status = 400, description = "Refused.", body = OAuthRefusal,
         example = json!({"error": "invalid_scope", "error_description": "There is no such scope."})),
        (status = 401, description = "The client is not known.", body = OAuthRefusal,
         headers(("WWW-Authenticate" = String, description = "`Basic`.")),
         example = json!({"error": "invalid_client",
                          "error_description": "The client is not known, or did not prove itself."})),
        MeteredErrors
    )
)]
pub async fn begin(
    State(state): State<Arc<ApiState>>,
    trail: Trail,
    _: TokenRequest,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refusal> {
    let client = Box::pin(authenticate(&state, &trail, &headers, &form)).await?;
    let KnownClient::CommandLine = client else {
        let description = "The device grant is for people: this client has credentials of its own.";
        return Err(Refusal::new(OAuthError::UnauthorizedClient, description));
    };
    let scope = asked_scopes(&form)?.map(|scopes| scopes.to_string()).unwrap_or_default();
    let device_code = new_secret(SecretKind::DeviceCode);
    let user_code = start(&state, &client, &device_code, &scope).await?;
    let page = format!("{}{PAGE_PATH}", state.public_url);
    Ok(not_stored(Json(DeviceAuthorization {
        device_code,
        verification_uri_complete: format!("{page}?user_code={user_code}"),
        user_code,
        verification_uri: page,
        expires_in: LIFETIME.as_secs(),
        interval: INTERVAL,
    })))
}

async fn start(state: &ApiState, client: &KnownClient, device_code: &str, scope: &str) -> Result<String, Refusal> {
    for _ in 0..TRIES {
        let user_code = new_user_code();
        let login = NewLogin {
            device: hash(device_code),
            user_code: &user_code,
            client: client.id(),
            scope,
            lifetime: LIFETIME.as_secs_f64(),
            interval: INTERVAL,
        };
        if devices::start(&state.pool, login).await? {
            return Ok(user_code);
        }
    }
    Err(Refusal::internal(&anyhow::anyhow!("no user code is free")))
}

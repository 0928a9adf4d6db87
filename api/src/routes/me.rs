//! GET /v1/me

use std::sync::Arc;

use alloy::primitives::Address;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;
use crate::token::{Credential, Verified};

errors!(Errors: AnyToken);

/// Who asks.
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// Of a test key the sandbox, `acme--test`: encrypted inputs are bound to it.
    #[schema(example = "acme")]
    pub tenant: String,
    #[schema(example = "ada")]
    pub user: String,
    /// What the user is in the tenant.
    #[schema(example = "developer")]
    pub role: String,
    /// What the credential allows.
    pub scopes: Vec<String>,
    /// EVM address that the user's jobs belong to, and that encrypted inputs are bound to; null while none is registered,
    /// and then no job is accepted.
    #[schema(value_type = Option<String>)]
    pub submitter: Option<Address>,
    /// When the credential expires.
    pub expires_at: DateTime<Utc>,
    /// Whether the credential is a test key: it acts in the tenant's sandbox, where jobs are free and never billed.
    pub test_mode: bool,
    /// Id of the API key that was shown; null with an access token.
    #[schema(example = "4fTq0ZxkW9bYpR2c")]
    pub api_key: Option<String>,
}

/// Who am I
///
/// The caller as the service knows it. Any valid token or API key may ask. A client that encrypts learns here which tenant and
/// submitter its inputs' proof must name.
#[utoipa::path(
    get, path = "/v1/me", operation_id = "get_me", tag = "identity", security(("bearer" = [])),
    responses(
        (status = 200, description = "The caller.", body = Me,
         example = json!({
             "tenant": "acme", "user": "ada", "role": "developer", "scopes": ["jobs:submit", "jobs:read"],
             "submitter": "0x70997970c51812dc3a010c7d01b50e0d17dc79c8", "expires_at": "2026-03-14T09:41:53Z",
             "test_mode": false, "api_key": null
         })),
        Errors
    )
)]
pub async fn me(
    State(state): State<Arc<ApiState>>,
    Verified { principal, expires_at }: Verified,
) -> Result<Json<Me>, Problem> {
    let standing = store::users::standing(&state.pool, &principal.tenant, &principal.user).await?;
    Ok(Json(Me {
        tenant: principal.tenant.to_string(),
        user: principal.user.to_string(),
        role: principal.role.to_string(),
        scopes: principal.scopes.iter().map(|scope| scope.to_string()).collect(),
        submitter: standing.and_then(|standing| standing.submitter).map(Address::from),
        expires_at,
        test_mode: principal.credential.is_test(),
        api_key: match principal.credential {
            Credential::ApiKey { id, .. } => Some(id.to_string()),
            Credential::AccessToken | Credential::External(_) => None,
        },
    }))
}

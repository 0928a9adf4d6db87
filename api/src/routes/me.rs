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
use crate::token::Verified;

errors!(Errors: AnyToken);

/// Who asks.
#[derive(Serialize, ToSchema)]
pub struct Me {
    #[schema(example = "acme")]
    pub tenant: String,
    #[schema(example = "ada")]
    pub user: String,
    /// What the user is in the tenant.
    #[schema(example = "developer")]
    pub role: String,
    /// What the token allows.
    pub scopes: Vec<String>,
    /// EVM address that the user's jobs belong to, and that encrypted inputs are bound to; null while the user is not
    /// registered, and then no job is accepted.
    #[schema(value_type = Option<String>)]
    pub submitter: Option<Address>,
    /// When the token expires.
    pub expires_at: DateTime<Utc>,
    /// Whether the token is a test credential, whose jobs are free and never billed.
    pub test_mode: bool,
}

/// Who am I
///
/// The caller as the service knows it. Any valid token may ask. A client that encrypts learns here which tenant and
/// submitter its inputs' proof must name.
#[utoipa::path(
    get, path = "/v1/me", operation_id = "get_me", tag = "identity", security(("bearer" = [])),
    responses(
        (status = 200, description = "The caller.", body = Me,
         example = json!({
             "tenant": "acme", "user": "ada", "role": "developer", "scopes": ["jobs:submit", "jobs:read"],
             "submitter": "0x70997970c51812dc3a010c7d01b50e0d17dc79c8", "expires_at": "2026-03-14T09:41:53Z",
             "test_mode": false
         })),
        Errors
    )
)]
pub async fn me(
    State(state): State<Arc<ApiState>>,
    Verified { principal, expires_at }: Verified,
) -> Result<Json<Me>, Problem> {
    let submitter = store::tenants::submitter(&state.pool, &principal.tenant, &principal.user).await?;
    Ok(Json(Me {
        tenant: principal.tenant.to_string(),
        user: principal.user.to_string(),
        role: principal.role.to_string(),
        scopes: principal.scopes.iter().map(|scope| scope.to_string()).collect(),
        submitter: submitter.map(Address::from),
        expires_at,
        // No issuer makes test credentials yet.
        test_mode: false,
    }))
}

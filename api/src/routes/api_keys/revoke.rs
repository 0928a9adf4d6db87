//! DELETE /v1/api-keys/{id}

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;

use crate::ApiState;
use crate::errors;
use crate::policy::api_key_path::{ApiKeyPath, not_found};
use crate::policy::audit_trail::Trail;
use crate::policy::problem::Problem;
use crate::token::Principal;

errors!(Errors: AnyToken, InsufficientScope, NotFound);

/// Revoke an API key
///
/// At once, on every node, and for ever; asking again changes nothing. It stays in the list. A key revokes keys, itself
/// too, only if it has `jobs:admin`.
#[utoipa::path(
    delete, path = "/v1/api-keys/{id}", operation_id = "revoke_api_key", tag = "identity", security(("bearer" = [])),
    params(("id" = String, Path, description = "The key's id.", example = "4fTq0ZxkW9bYpR2c")),
    responses((status = 204, description = "The key is revoked."), Errors)
)]
pub async fn revoke(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    ApiKeyPath(id): ApiKeyPath,
    trail: Trail,
) -> Result<StatusCode, Problem> {
    principal.require_key_management()?;
    let note = trail.note(&principal, json!({}));
    match store::api_keys::revoke(&state.pool, principal.key_owner(), &id, &note).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(not_found(&id)),
    }
}

//! GET /v1/api-keys/{id}

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::presentation::{ApiKey, example};
use crate::ApiState;
use crate::errors;
use crate::policy::api_key_path::{ApiKeyPath, not_found};
use crate::policy::problem::Problem;
use crate::token::Principal;

errors!(Errors: AnyToken, NotFound);

/// Read an API key
///
/// Of the caller, or with `jobs:admin` of the tenant; any other one is 404. The secret is not told again.
#[utoipa::path(
    get, path = "/v1/api-keys/{id}", operation_id = "get_api_key", tag = "identity", security(("bearer" = [])),
    params(("id" = String, Path, description = "The key's id.", example = "4fTq0ZxkW9bYpR2c")),
    responses((status = 200, description = "The key.", body = ApiKey, example = json!(example())), Errors)
)]
pub async fn get(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    ApiKeyPath(id): ApiKeyPath,
) -> Result<Json<ApiKey>, Problem> {
    let key = store::api_keys::find(&state.pool, principal.key_owner(), &id).await?.ok_or_else(|| not_found(&id))?;
    Ok(Json(ApiKey::of(&state, key)))
}

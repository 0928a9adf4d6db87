//! GET /v1/users/{id}

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::presentation::{User, example};
use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;
use crate::policy::user_path::{UserPath, not_found};
use crate::token::{Principal, Scope};

errors!(Errors: Token, MfaRequired, NotFound);

/// Read a user
///
/// Of the caller's tenant; another tenant's is 404. Who the caller is itself tells `/v1/me`.
#[utoipa::path(
    get, path = "/v1/users/{id}", operation_id = "get_user", tag = "identity", security(("bearer" = ["jobs:admin"])),
    params(("id" = String, Path, description = "The user.", example = "ada")),
    responses((status = 200, description = "The user.", body = User, example = json!(example())), Errors)
)]
pub async fn get(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    UserPath(id): UserPath,
) -> Result<Json<User>, Problem> {
    principal.require(Scope::JobsAdmin)?;
    let user = store::users::find(&state.pool, &principal.tenant, &id).await?.ok_or_else(|| not_found(&id))?;
    Ok(Json(User::of(&state, user)))
}

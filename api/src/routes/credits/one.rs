//! GET /v1/credits/top-ups/{id}

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use jobs::ErrorCode;
use store::credits::top_ups;
use uuid::Uuid;

use super::presentation::{TopUp, settled_example};
use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;
use crate::token::{Principal, Scope};

errors!(Errors: Token, NotFound);

/// Read a top-up
///
/// As it stands now.
#[utoipa::path(
    get, path = "/v1/credits/top-ups/{id}", operation_id = "get_top_up", tag = "billing",
    params(("id" = uuid::Uuid, Path, description = "The top-up.", example = "019cebab-9a10-7b52-8d11-2f6c0d9e4a33")),
    security(("bearer" = ["jobs:read:team"])),
    responses((status = 200, description = "The top-up.", body = TopUp, example = json!(settled_example())), Errors)
)]
pub async fn one(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<TopUp>, Problem> {
    principal.require(Scope::JobsReadTeam)?;
    let missing = || Problem::new(ErrorCode::NotFound, "The tenant has no such top-up.");
    // What is no text, or no id, is the id of no top-up.
    let id: Uuid = path.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(missing)?;
    let found = top_ups::find(&state.pool, &principal.tenant, id).await?.ok_or_else(missing)?;
    Ok(Json(TopUp::of(&state, found)))
}

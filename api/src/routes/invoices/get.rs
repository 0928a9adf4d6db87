//! GET /v1/invoices/{id}

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};

use super::presentation::{Whole, example};
use super::{own, texts};
use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;
use crate::token::{Principal, Scope};

errors!(Errors: Token, NotFound);

/// Read an invoice
///
/// Its lines as the billing system made them. What stands behind a line of usage: `/v1/invoices/{id}/lines/{code}`.
#[utoipa::path(
    get, path = "/v1/invoices/{id}", operation_id = "get_invoice", tag = "billing",
    params(("id" = uuid::Uuid, Path, description = "The invoice.", example = "1a901a90-1a90-4a90-9a90-1a901a901a90")),
    security(("bearer" = ["jobs:read:team"])),
    responses((status = 200, description = "The invoice.", body = Whole, example = json!(example())), Errors)
)]
pub async fn get(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Whole>, Problem> {
    principal.require(Scope::JobsReadTeam)?;
    let id = texts(path)?;
    Ok(Json(own(&state, &principal.tenant, &id).await?.into()))
}

//! GET /v1/invoices

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::presentation::{Summary, summary_example};
use super::{billing, unavailable};
use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;
use crate::token::{Principal, Scope};

errors!(Errors: Token);

/// A tenant's invoices.
#[derive(Serialize, ToSchema)]
pub struct Invoices {
    /// The newest first.
    pub data: Vec<Summary>,
}

/// List invoices
///
/// All invoices of the tenant, from the billing system. A sandbox has none.
#[utoipa::path(
    get, path = "/v1/invoices", operation_id = "list_invoices", tag = "billing",
    security(("bearer" = ["jobs:read:team"])),
    responses((status = 200, description = "The invoices.", body = Invoices,
               example = json!({"data": [summary_example()]})), Errors)
)]
pub async fn list(State(state): State<Arc<ApiState>>, principal: Principal) -> Result<Json<Invoices>, Problem> {
    principal.require(Scope::JobsReadTeam)?;
    if principal.tenant.is_sandbox() {
        return Ok(Json(Invoices { data: Vec::new() }));
    }
    let invoices = billing(&state)?.invoices(&principal.tenant).await.map_err(unavailable)?;
    Ok(Json(Invoices { data: invoices.into_iter().map(Summary::from).collect() }))
}

//! GET /v1/tenants/current

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::presentation::{Tenant, example};
use crate::ApiState;
use crate::errors;
use crate::policy::authentication::unregistered;
use crate::policy::problem::Problem;
use crate::token::Principal;

errors!(Errors: AnyToken);

/// Read the caller's tenant
///
/// Its plan and its settings. With a test key it is the sandbox.
#[utoipa::path(
    get, path = "/v1/tenants/current", operation_id = "get_tenant", tag = "identity", security(("bearer" = [])),
    responses((status = 200, description = "The tenant.", body = Tenant, example = json!(example())), Errors)
)]
pub async fn get(State(state): State<Arc<ApiState>>, principal: Principal) -> Result<Json<Tenant>, Problem> {
    let tenant = store::tenants::find(&state.pool, principal.tenant.as_str()).await?;
    tenant.map(|tenant| Json(tenant.into())).ok_or_else(unregistered)
}

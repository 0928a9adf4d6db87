//! GET /v1/quotes/{id}

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use jobs::ErrorCode;
use jobs::quote::Quote;

use super::{credits, example, present};
use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;
use crate::policy::tenant_rules::Rules;
use crate::token::{Principal, Scope};

errors!(Errors: Token, QuoteNotFound);

/// Read a quote
///
/// Of the caller, or with `jobs:read:team` of the tenant; any other one is 404. One that nobody used is forgotten a day
/// after it expired; one that was used names its job. `credits` is as of this moment.
#[utoipa::path(
    get, path = "/v1/quotes/{id}", operation_id = "get_quote", tag = "jobs", security(("bearer" = ["jobs:read"])),
    params(("id" = uuid::Uuid, Path, description = "The quote.", example = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07")),
    responses((status = 200, description = "The quote.", body = Quote, example = json!(example())), Errors)
)]
pub async fn get(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    Extension(rules): Extension<Arc<Rules>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Quote>, Problem> {
    principal.require(Scope::JobsRead)?;
    let not_found = || Problem::new(ErrorCode::QuoteNotFound, "There is no such quote.");
    // What is no id cannot be a quote's.
    let id = path.ok().and_then(|Path(text)| text.parse().ok()).ok_or_else(not_found)?;
    let stored = store::quotes::find(&state.pool, principal.reader(), id).await?.ok_or_else(not_found)?;
    let credits = credits(&state, &principal.tenant, &rules, &stored).await?;
    Ok(Json(present(&principal.tenant, id, stored, credits)))
}

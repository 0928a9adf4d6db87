//! GET /readyz

use std::sync::Arc;

use axum::Json;
use axum::extract;
use jobs::ErrorCode;

use super::livez::State;
use crate::ApiState;
use crate::errors;
use crate::health::{PartName, PartStatus};
use crate::policy::problem::Problem;

errors!(Errors: Public);

/// Can requests be served
///
/// They can as long as the database answers: it is looked at every second. No other part makes the service unready: jobs
/// are accepted, and wait.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses((status = 200, description = "They can.", body = State, example = json!({"status": "ready"})), Errors)
)]
pub async fn readyz(extract::State(state): extract::State<Arc<ApiState>>) -> Result<Json<State>, Problem> {
    if state.health.part(PartName::Database).status == PartStatus::Ok {
        return Ok(Json(State { status: "ready" }));
    }
    Err(Problem::new(ErrorCode::ServiceUnavailable, "The database is unavailable."))
}

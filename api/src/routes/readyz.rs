//! GET /readyz

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract;
use jobs::ErrorCode;

use super::livez::State;
use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;

/// Probes give up soon, so the answer must come sooner.
const PATIENCE: Duration = Duration::from_secs(2);

errors!(Errors: Public);

/// Can requests be served
///
/// They can as long as the database answers. An absent Temporal or chain does not make the service unready: jobs are
/// accepted, and wait.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses((status = 200, description = "They can.", body = State, example = json!({"status": "ready"})), Errors)
)]
pub async fn readyz(extract::State(state): extract::State<Arc<ApiState>>) -> Result<Json<State>, Problem> {
    if database_answers(&state).await {
        return Ok(Json(State { status: "ready" }));
    }
    Err(Problem::new(ErrorCode::ServiceUnavailable, "The database is unavailable."))
}

pub(super) async fn database_answers(state: &ApiState) -> bool {
    let ping = tokio::time::timeout(PATIENCE, store::ping(&state.pool)).await;
    match ping {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(error = ?error, "the database does not answer");
            false
        }
        Err(_) => {
            tracing::warn!("the database does not answer in time");
            false
        }
    }
}

//! POST /v1/jobs/{id}/cancel

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jobs::wire::Job;
use store::cancel::Cancelled;

use super::presentation::present;
use crate::ApiState;
use crate::errors;
use crate::policy::job_path::{JobPath, not_found};
use crate::policy::problem::Problem;
use crate::token::{Principal, Scope};

errors!(Errors: Token, JobNotFound);

/// Cancel a job
///
/// Asking again changes nothing. A pending job is CANCELLED at once, a computation stops within seconds. A job that
/// has a result by now goes on to its confirmation and is answered as it is: work that was done is confirmed and
/// billed.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", tag = "jobs", security(("bearer" = ["jobs:submit"])),
    params(("id" = uuid::Uuid, Path, description = "The job.", example = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07")),
    responses(
        (status = 200, description = "The job as it is now.", body = Job,
         example = json!(crate::routes::jobs::new_job::job_example())),
        Errors
    )
)]
pub async fn cancel(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    JobPath(id): JobPath,
) -> Result<Json<Job>, Problem> {
    principal.require(Scope::JobsSubmit)?;
    let reader = principal.reader();
    match store::cancel::request(&state.pool, reader, id).await? {
        Cancelled::NoSuchJob => return Err(not_found(id)),
        // The wish is committed; whether the workflow hears it now or from the sweep is only a matter of seconds.
        Cancelled::Requested(Some(run)) => state.dispatcher.cancel(run),
        Cancelled::Requested(None) | Cancelled::Done => {}
    }
    let job = store::jobs::find(&state.pool, reader, id).await?.ok_or_else(|| not_found(id))?;
    Ok(Json(present(&state, job)?))
}

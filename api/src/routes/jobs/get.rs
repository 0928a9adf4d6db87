//! GET /v1/jobs/{id}

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use jobs::wire::Job;

use super::billing::billing_of;
use super::presentation::present;
use crate::ApiState;
use crate::errors;
use crate::policy::conditional::Tagged;
use crate::policy::job_path::{JobPath, not_found};
use crate::policy::problem::Problem;
use crate::token::{Principal, Scope};

errors!(Errors: Token, JobNotFound);

/// Read a job
///
/// `ETag` changes with the job and its billing; send it as `If-None-Match` and get 304 while nothing changed. Without
/// `jobs:read:team` a caller sees the jobs that it submitted.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", operation_id = "get_job", tag = "jobs", security(("bearer" = ["jobs:read"])),
    params(
        ("id" = uuid::Uuid, Path, description = "The job.", example = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of the version that the client has.")
    ),
    responses(
        (status = 200, description = "The job.", body = Job, headers(("ETag" = String, description = "The version.")),
         example = json!(crate::routes::jobs::new_job::billed_job_example())),
        (status = 304, description = "The job is as the client has it."),
        Errors
    )
)]
pub async fn get(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    JobPath(id): JobPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    principal.require(Scope::JobsRead)?;
    let job = store::jobs::find(&state.pool, principal.reader(), id).await?.ok_or_else(|| not_found(id))?;
    let rows = store::usage::of_job::rows(&state.pool, id).await?;
    let billing = billing_of(rows, state.prices().filter(|_| !job.test_mode));
    let part = serde_json::to_vec(&billing).map_err(|_| Problem::internal())?;
    let tagged = Tagged::version_with(job.version, &part);
    if let Some(not_modified) = tagged.not_modified(&headers) {
        return Ok(not_modified);
    }
    Ok(tagged.of(Json(Job { billing: Some(billing), ..present(&state, job)? })))
}

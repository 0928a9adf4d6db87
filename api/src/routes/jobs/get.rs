//! GET /v1/jobs/{id}

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jobs::wire::Job;

use super::presentation::present;
use crate::ApiState;
use crate::errors;
use crate::policy::conditional;
use crate::policy::job_path::{JobPath, not_found};
use crate::policy::problem::Problem;
use crate::token::{Principal, Scope};

/// A job changes at any time, so a cache asks before each use.
pub(super) const CACHE: &str = "private, no-cache";

errors!(Errors: Token, JobNotFound);

/// Read a job
///
/// `ETag` changes with the job; send it as `If-None-Match` and get 304 while nothing changed. Without
/// `jobs:read:team` a caller sees the jobs that it submitted.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs", security(("bearer" = ["jobs:read"])),
    params(
        ("id" = uuid::Uuid, Path, description = "The job.", example = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of the version that the client has.")
    ),
    responses(
        (status = 200, description = "The job.", body = Job, headers(("ETag" = String, description = "The version.")),
         example = json!(crate::routes::jobs::new_job::job_example())),
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
    let etag = format!("\"{}\"", job.version);
    let fresh = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, CACHE.to_owned())];
    if conditional::client_has(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, fresh).into_response());
    }
    Ok((fresh, Json(present(&state, job)?)).into_response())
}

//! POST /v1/jobs/{id}/cancel

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jobs::JobId;
use jobs::wire::{Accepted, Job};
use serde::Serialize;
use serde_json::json;
use store::cancel::Cancelled;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::presentation::{present, summarize};
use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::Trail;
use crate::policy::job_path::{JobPath, not_found};
use crate::policy::problem::Problem;
use crate::token::{Principal, Scope};

errors!(Errors: Token, MfaRequired, JobNotFound);

/// The job, as far as the token may read it.
#[derive(Serialize)]
#[serde(untagged)]
pub enum JobOrSummary {
    Job(Box<Job>),
    /// Of a token without `jobs:read`, or of a job that it does not let its bearer read.
    Summary(Accepted),
}

/// By hand: a whole job has all members of a summary, so that it is both and not one of them.
impl PartialSchema for JobOrSummary {
    fn schema() -> RefOr<Schema> {
        let either = AnyOfBuilder::new().item(Ref::from_schema_name("Job")).item(Ref::from_schema_name("Accepted"));
        either
            .description(Some("The job, or what its submission was answered with, as far as the token may read it."))
            .into()
    }
}

impl ToSchema for JobOrSummary {}

/// Cancel a job
///
/// Asking again changes nothing. A pending job is CANCELLED at once, a computation stops within seconds. A job that
/// has a result by now goes on to its confirmation and is answered as it is: work that was done is confirmed and
/// billed. Callers cancel what they submitted, those with `jobs:admin` the jobs of the whole tenant; `jobs:read:team`
/// reads and does not cancel. The job is answered whole to a token that may read it, else as its submission was.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", operation_id = "cancel_job", tag = "jobs", security(("bearer" = ["jobs:submit"])),
    params(("id" = uuid::Uuid, Path, description = "The job.", example = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07")),
    responses(
        (status = 200, description = "The job as it is now.", body = JobOrSummary,
         example = json!(crate::routes::jobs::new_job::job_example())),
        Errors
    )
)]
pub async fn cancel(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    JobPath(id): JobPath,
    trail: Trail,
) -> Result<Json<JobOrSummary>, Problem> {
    principal.require(Scope::JobsSubmit)?;
    let note = trail.note(&principal, json!({}));
    match store::cancel::request(&state.pool, principal.canceller(), id, &note).await? {
        Cancelled::NoSuchJob => return Err(refusal(&state, &principal, id).await?),
        // The wish is committed; whether the workflow hears it now or from the sweep is only a matter of seconds.
        Cancelled::Requested(Some(run)) => state.dispatcher.cancel(run),
        Cancelled::Requested(None) | Cancelled::Done => {}
    }
    if principal.may_read()
        && let Some(job) = store::jobs::find(&state.pool, principal.reader(), id).await?
    {
        return Ok(Json(JobOrSummary::Job(Box::new(present(&state, job)?))));
    }
    let job = store::jobs::find(&state.pool, principal.canceller(), id).await?.ok_or_else(|| not_found(id))?;
    Ok(Json(JobOrSummary::Summary(summarize(&state, &job))))
}

/// A colleague's job is refused for what it is to those who see it, and does not exist for the others.
async fn refusal(state: &ApiState, principal: &Principal, id: JobId) -> Result<Problem, Problem> {
    let seen = principal.may_read() && store::jobs::status(&state.pool, principal.reader(), id).await?.is_some();
    Ok(match principal.require(Scope::JobsAdmin) {
        Err(lacks_scope) if seen => lacks_scope,
        _ => not_found(id),
    })
}

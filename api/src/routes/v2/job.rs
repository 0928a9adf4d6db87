//! GET /v2/jobs/{id}

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy::primitives::{Address, B256};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use chrono::{DateTime, Utc};
use jobs::submission::{JobType, Priority};
use jobs::wire::{Confirmation, Job, JobError, JobResult, Links, Progress};
use jobs::{JobId, JobStatus};
use serde::Serialize;
use utoipa::ToSchema;

use crate::ApiState;
use crate::errors;
use crate::policy::conditional::Tagged;
use crate::policy::job_path::{JobPath, not_found};
use crate::policy::problem::Problem;
use crate::routes::jobs::new_job::job_example;
use crate::routes::jobs::presentation::present;
use crate::token::{Principal, Scope};

errors!(Errors: Token, JobNotFound);

/// A job, as the next version shows it: what belongs together stands together.
#[derive(Serialize, ToSchema)]
#[schema(as = JobV2)]
pub struct JobV2 {
    #[schema(value_type = uuid::Uuid)]
    pub id: JobId,
    #[serde(rename = "type")]
    pub job_type: JobType,
    #[schema(example = "prime_factorization")]
    pub algorithm: String,
    pub priority: Priority,
    #[schema(value_type = String, example = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8")]
    pub submitter: Address,
    pub test_mode: bool,
    #[schema(value_type = String)]
    pub content_hash: B256,
    pub state: JobState,
    pub times: JobTimes,
    pub result: Option<JobResult>,
    pub confirmation: Option<Confirmation>,
    /// Units by metric, as they will be billed.
    pub usage: BTreeMap<String, i64>,
    pub links: Links,
}

/// Where a job is, how far, and why it is no further.
#[derive(Serialize, ToSchema)]
#[schema(as = JobStateV2)]
pub struct JobState {
    pub status: JobStatus,
    /// Whether it will never change again.
    pub is_final: bool,
    pub progress: Progress,
    pub error: Option<JobError>,
}

/// When what happened, or will.
#[derive(Serialize, ToSchema)]
#[schema(as = JobTimesV2)]
pub struct JobTimes {
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
    pub started: Option<DateTime<Utc>>,
    pub completed: Option<DateTime<Utc>>,
    pub deadline: Option<DateTime<Utc>>,
    pub estimated_completion: Option<DateTime<Utc>>,
}

/// Read a job (preview of v2)
///
/// The same job as `GET /v1/jobs/{id}`, in the form of the next version. A preview: it may change without a deprecation,
/// until v2 is released (docs/versioning.md).
#[utoipa::path(
    get, path = "/v2/jobs/{id}", operation_id = "preview_job", tag = "preview", security(("bearer" = ["jobs:read"])),
    params(
        ("id" = uuid::Uuid, Path, description = "The job.", example = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of the version that the client has.")
    ),
    responses(
        (status = 200, description = "The job.", body = JobV2,
         headers(
             ("ETag" = String, description = "The version of the job."),
             ("Link" = String, description = "The same job in v1: `rel=\"predecessor-version\"` (RFC 5829).")
         ),
         example = json!(example())),
        (status = 304, description = "The job is as the client has it."),
        Errors
    )
)]
pub async fn job(
    state: State<Arc<ApiState>>,
    principal: Principal,
    JobPath(id): JobPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    principal.require(Scope::JobsRead)?;
    let job = store::jobs::find(&state.pool, principal.reader(), id).await?.ok_or_else(|| not_found(id))?;
    let predecessor = format!("<{}/v1/jobs/{id}>; rel=\"predecessor-version\"", state.public_url);
    let tagged = Tagged::version(job.version).with(header::LINK, predecessor);
    if let Some(not_modified) = tagged.not_modified(&headers) {
        return Ok(not_modified);
    }
    let mut job = JobV2::from(present(&state, job)?);
    job.links.this = format!("{}/v2/jobs/{id}", state.public_url);
    Ok(tagged.of(Json(job)))
}

fn example() -> Option<JobV2> {
    serde_json::from_value::<Job>(job_example()).ok().map(JobV2::from)
}

impl From<Job> for JobV2 {
    fn from(job: Job) -> Self {
        Self {
            id: job.job_id,
            job_type: job.job_type,
            algorithm: job.algorithm,
            priority: job.priority,
            submitter: job.submitter,
            test_mode: job.test_mode,
            content_hash: job.content_hash,
            state: JobState {
                status: job.status,
                is_final: job.status.is_terminal(),
                progress: job.progress,
                error: job.error,
            },
            times: JobTimes {
                created: job.created_at,
                updated: job.updated_at,
                started: job.started_at,
                completed: job.completed_at,
                deadline: job.deadline,
                estimated_completion: job.estimated_completion,
            },
            result: job.result,
            confirmation: job.blockchain_confirmation,
            usage: job.usage,
            links: job.links,
        }
    }
}

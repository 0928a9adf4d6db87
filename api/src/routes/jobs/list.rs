//! GET /v1/jobs

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use jobs::submission::JobType;
use jobs::wire::JobPage;
use jobs::{JobId, JobStatus};
use store::jobs::JobFilter;
use utoipa::IntoParams;
use uuid::Uuid;

use super::presentation::present;
use crate::ApiState;
use crate::errors;
use crate::policy::cursor::{Binding, Place};
use crate::policy::problem::Problem;
use crate::policy::query::Parameters;
use crate::token::{Principal, Scope};

const MAX_PAGE: i64 = 100;
const DEFAULT_PAGE: i64 = 20;

errors!(Errors: Token, InvalidRequest);

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct Query {
    /// Only jobs in this state.
    status: Option<JobStatus>,
    /// Only jobs of this type.
    r#type: Option<JobType>,
    /// Only jobs made after this time (RFC 3339).
    created_after: Option<DateTime<Utc>>,
    /// Only jobs made before this time (RFC 3339).
    created_before: Option<DateTime<Utc>>,
    /// Only jobs of this address.
    #[param(example = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8", pattern = "^0x[0-9a-fA-F]{40}$")]
    submitter: Option<String>,
    /// `next_cursor` of the page before, with the same filters.
    #[param(min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// At most this many jobs.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
}

/// List jobs
///
/// Newest first. With `jobs:read:team` these are the jobs of the whole tenant, else those that the caller submitted.
/// A parameter that is not listed here is refused.
#[utoipa::path(
    get, path = "/v1/jobs", operation_id = "list_jobs", tag = "jobs", params(Query), security(("bearer" = ["jobs:read"])),
    responses(
        (status = 200, description = "A page of jobs.", body = JobPage,
         example = json!({"data": [crate::routes::jobs::new_job::job_example()], "next_cursor": null, "has_more": false})),
        Errors
    )
)]
pub async fn list(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    mut query: Parameters,
) -> Result<Json<JobPage>, Problem> {
    principal.require(Scope::JobsRead)?;
    let reader = principal.reader();
    let mut filter = JobFilter {
        status: query.take("status", str::parse),
        job_type: query.take("type", str::parse),
        created_after: query.take_time("created_after"),
        created_before: query.take_time("created_before"),
        submitter: query.take("submitter", address),
        before: None,
    };
    let binding = Binding::of("jobs", (&reader, &filter));
    filter.before = query.take("cursor", |text| binding.read(text));
    let limit = query.take_integer("limit", 1..=MAX_PAGE, DEFAULT_PAGE);
    query.close()?;

    // One more than asked for tells whether there is a next page.
    let mut jobs = store::jobs::list(&state.pool, reader, &filter, limit + 1).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = jobs.len() > wanted;
    jobs.truncate(wanted);
    let next_cursor = jobs.last().filter(|_| has_more).map(|last| binding.cursor(&last.id));
    let data = jobs.into_iter().map(|job| present(&state, job)).collect::<Result<_, _>>()?;
    Ok(Json(JobPage { data, next_cursor, has_more }))
}

impl Place for JobId {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(JobId)
    }
}

fn address(text: &str) -> Result<[u8; 20], String> {
    let digits = text.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok());
    digits.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| "must be an address: 0x and 40 hex digits".to_owned())
}

//! GET /v1/usage

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use jobs::JobId;
use serde::Serialize;
use store::usage::{TEST_MODE, UsagePlace, UsageRow};
use utoipa::{IntoParams, ToSchema};

use crate::ApiState;
use crate::errors;
use crate::policy::cursor::{Binding, Place};
use crate::policy::problem::Problem;
use crate::policy::query::Parameters;
use crate::token::{Principal, Scope};

const MAX_ROWS: i64 = 1000;
const DEFAULT_ROWS: i64 = 100;

errors!(Errors: Token, InvalidRequest);

/// What was metered.
#[derive(Serialize, ToSchema)]
pub struct Usage {
    /// Units by metric, over all rows that match.
    pub totals: BTreeMap<String, i64>,
    /// Rows, the newest first.
    pub data: Vec<Row>,
    /// Pass as `cursor` to read on; null on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

/// A row of the usage ledger.
#[derive(Serialize, ToSchema)]
pub struct Row {
    /// The transaction id under which the row is billed.
    #[schema(example = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07:compute_units:0")]
    pub id: String,
    /// Null where the row belongs to no job.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub job_id: Option<JobId>,
    #[schema(example = "compute_units")]
    pub metric: String,
    pub units: i64,
    pub occurred_at: DateTime<Utc>,
    /// Time under which the row is billed.
    pub billed_at: Option<DateTime<Utc>>,
    /// When the billing system took the row.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Whether the row was used in a sandbox: it is never billed.
    pub test_mode: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct Query {
    /// Only rows of this job.
    job_id: Option<uuid::Uuid>,
    /// `next_cursor` of the page before, with the same filter.
    #[param(min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// At most this many rows.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// Read the usage ledger
///
/// A row stands for one metric of one job. With `jobs:read:team` these are the rows of the whole tenant, else those of
/// the caller's own jobs. An unknown job has no rows. `totals` count all rows that match, on every page.
#[utoipa::path(
    get, path = "/v1/usage", operation_id = "get_usage", tag = "billing", params(Query), security(("bearer" = ["jobs:read"])),
    responses(
        (status = 200, description = "Totals, and a page of rows.", body = Usage,
         example = json!({
             "totals": {"compute_units": 2, "jobs_submitted": 1},
             "data": [{
                 "id": "019cebab-804e-7c41-9b5e-3f2a8d6c1e07:compute_units:0",
                 "job_id": "019cebab-804e-7c41-9b5e-3f2a8d6c1e07",
                 "metric": "compute_units", "units": 2, "occurred_at": "2026-03-14T09:26:54.120Z",
                 "billed_at": "2026-03-14T09:26:54.120Z", "delivered_at": null, "test_mode": false
             }],
             "next_cursor": null, "has_more": false
         })),
        Errors
    )
)]
pub async fn usage(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    mut query: Parameters,
) -> Result<Json<Usage>, Problem> {
    principal.require(Scope::JobsRead)?;
    let job = query.take("job_id", |text| text.parse::<JobId>().map_err(|error| error.to_string()));
    let reader = principal.reader();
    let binding = Binding::of("usage", (&reader, job));
    let after = query.take("cursor", |text| binding.read(text));
    let limit = query.take_integer("limit", 1..=MAX_ROWS, DEFAULT_ROWS);
    query.close()?;

    // One more than asked for tells whether there is a next page.
    let mut rows = store::usage::list(&state.pool, reader, job, after.as_ref(), limit + 1).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    let next_cursor = rows.last().filter(|_| has_more).map(|last| binding.cursor(&UsagePlace::of(last)));
    let totals = store::usage::totals(&state.pool, reader, job).await?;
    Ok(Json(Usage { totals, data: rows.into_iter().map(Row::from).collect(), next_cursor, has_more }))
}

/// The time in microseconds, as exact as the database knows it, then the row's id.
impl Place for UsagePlace {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.occurred_at.timestamp_micros().to_be_bytes(), self.id.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (micros, id) = bytes.split_first_chunk()?;
        let occurred_at = DateTime::from_timestamp_micros(i64::from_be_bytes(*micros))?;
        Some(Self { occurred_at, id: String::from_utf8(id.to_vec()).ok()? })
    }
}

impl From<UsageRow> for Row {
    fn from(row: UsageRow) -> Self {
        Self {
            id: row.id,
            job_id: row.job_id.map(JobId),
            metric: row.metric,
            units: row.units,
            occurred_at: row.occurred_at,
            billed_at: row.billed_at,
            delivered_at: row.delivered_at,
            test_mode: row.dead_reason.as_deref() == Some(TEST_MODE),
        }
    }
}

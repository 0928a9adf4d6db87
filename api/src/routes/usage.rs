//! GET /v1/usage

pub mod csv;
mod reading;
mod span;
pub mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use jobs::JobId;
use jobs::usage::{Metric, Quantity};
use jobs::wire::JobUsageState;
use serde::Serialize;
use store::StoreError;
use store::usage::groups::{Group, Grouping};
use store::usage::standing::Standing;
use store::usage::{ListedRow, UsageFilter};
use utoipa::{IntoParams, ToSchema};

use self::reading::{Found, Reading};
use self::span::PageEnd;
use self::state::state_of;
use crate::ApiState;
use crate::errors;
use crate::policy::cursor::Binding;
use crate::policy::problem::Problem;
use crate::policy::query::Parameters;
use crate::token::{Principal, Scope};

const MAX_ROWS: i64 = 1000;
const DEFAULT_ROWS: i64 = 100;
const MAX_GROUPS: i64 = 10_000;

errors!(Errors: Token, InvalidRequest);

/// What was metered.
#[derive(Serialize, ToSchema)]
pub struct Usage {
    /// Since when: `from`, or what is taken for it; null where all of a job is told, or what is billed since `billed_from`.
    pub from: Option<DateTime<Utc>>,
    /// Until when: `until`; null without it.
    pub until: Option<DateTime<Utc>>,
    /// Billed since when: `billed_from`, or what is taken for it; null where nothing was asked about billing.
    pub billed_from: Option<DateTime<Utc>>,
    /// Billed until when: `billed_until`; null without it.
    pub billed_until: Option<DateTime<Utc>>,
    /// Units by metric, over all rows that match, whatever their `state`; null behind a `cursor`.
    #[schema(value_type = Option<BTreeMap<String, f64>>)]
    pub totals: Option<BTreeMap<String, Quantity>>,
    /// The same by what `group_by` names, the newest day first, at most 10,000; null without it, and behind a `cursor`.
    pub groups: Option<Vec<Sum>>,
    /// Whether there are more groups than these: ask for less time at once.
    pub groups_truncated: bool,
    /// Rows, the newest first: by when they were used, or, with `billed_from`, by when they are billed.
    pub data: Vec<Row>,
    /// Pass as `cursor` to read on; null on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

/// The units of a metric in a group.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageSum)]
pub struct Sum {
    /// The day (UTC) on which they were used; null unless grouped by day.
    pub day: Option<NaiveDate>,
    /// Null unless grouped by job, and of what belongs to no job.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub job_id: Option<JobId>,
    #[schema(example = "compute_units")]
    pub metric: String,
    #[schema(value_type = f64)]
    pub units: Quantity,
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
    /// Whole, but for `storage_gb_hours`, which has nine decimals at most; negative in a correction.
    #[schema(value_type = f64)]
    pub units: Quantity,
    /// Units of gas that a confirmation cost: its share of what the batch's transaction used. Null of every other metric,
    /// and where nobody noted it.
    pub gas: Option<i64>,
    pub occurred_at: DateTime<Utc>,
    /// Time under which the row is billed.
    pub billed_at: Option<DateTime<Utc>>,
    /// When the billing system took the row.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Whether the row was used in a sandbox: it is never billed.
    pub test_mode: bool,
    /// Why the row corrects another one; null in a row of use.
    pub reason: Option<String>,
    /// Whether it counts: what is `due` or `delivered` is billed, and nothing else.
    pub state: JobUsageState,
    /// The row that it corrects; null in a row of use.
    #[schema(example = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07:compute_units:0")]
    pub corrects: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct Query {
    /// Only rows of this job.
    job_id: Option<uuid::Uuid>,
    /// Only rows of this metric.
    metric: Option<Metric>,
    /// Only what was used at this time or later: at most 366 days before `until`, or before now. Without it since the first
    /// moment (UTC) of the month in which that is. A job (`job_id`) has neither limit: without `from` all of it is told. Nor has
    /// a question with `billed_from`, which has its own.
    from: Option<DateTime<Utc>>,
    /// Only what was used before this time.
    until: Option<DateTime<Utc>>,
    /// Only rows that are billed as of this time or later: at most 366 days before `billed_until`, or before now. With neither
    /// it nor `from`, but `billed_until`: since the first moment (UTC) of the month in which that is.
    billed_from: Option<DateTime<Utc>>,
    /// Only rows that are billed as of a time before this one.
    billed_until: Option<DateTime<Utc>>,
    /// `day`, `job` or both, with a comma: sums besides, always by metric, too, on the first page.
    group_by: Option<String>,
    /// `next_cursor` of the page before, with the same filter.
    #[param(min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// At most this many rows.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// Read the usage ledger
///
/// A row stands for one metric of one job, or of an hour of the whole tenant (`storage_gb_hours`, `api_calls`). With
/// `jobs:read:team` these are the rows of the whole tenant, else those of the caller's own jobs. An unknown job has no rows.
/// `totals` and `groups` count all rows that match, and stand on the first page alone: whoever reads on has them. Without
/// a time and `job_id` these are the rows of the current month (UTC); the times of the answer say what was taken.
///
/// With `billed_from` and `billed_until` these are the rows of a time that is invoiced, a month or an invoice's `periods`: by
/// metric, the `units` of those whose `state` is `delivered` add up to its lines. What was never sent is none of them.
#[utoipa::path(
    get, path = "/v1/usage", operation_id = "get_usage", tag = "billing", params(Query), security(("bearer" = ["jobs:read"])),
    responses(
        (status = 200, description = "Totals, and a page of rows.", body = Usage,
         example = json!({
             "from": "2026-03-01T00:00:00Z", "until": null, "billed_from": null, "billed_until": null,
             "totals": {"compute_units": 2, "jobs_submitted": 1}, "groups": null, "groups_truncated": false,
             "data": [{
                 "id": "019cebab-804e-7c41-9b5e-3f2a8d6c1e07:compute_units:0",
                 "job_id": "019cebab-804e-7c41-9b5e-3f2a8d6c1e07",
                 "metric": "compute_units", "units": 2, "gas": null, "occurred_at": "2026-03-14T09:26:54.120Z",
                 "billed_at": "2026-03-14T09:26:54.120Z", "delivered_at": null, "test_mode": false,
                 "reason": null, "state": "due", "corrects": null
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
    let asked = take_filter(&mut query);
    let grouping = query.take("group_by", grouping);
    let reader = principal.reader();
    let binding = Binding::of("usage", (&reader, &asked));
    let after = query.take("cursor", |text| binding.read::<PageEnd>(text));
    let limit = query.take_integer("limit", 1..=MAX_ROWS, DEFAULT_ROWS);
    let filter = span::settled(&asked, after.as_ref(), Utc::now()).unwrap_or_else(|(name, reason)| {
        query.complain(name, reason);
        asked.clone()
    });
    query.close()?;

    let reading = Reading {
        pool: state.pool.clone(),
        tenant: reader.tenant.clone(),
        user: reader.user.cloned(),
        filter: filter.clone(),
        after: after.map(|end| end.place),
        // One more than asked for tells whether there is a next page; of groups, whether there are more.
        max_rows: limit + 1,
        grouping,
        max_groups: MAX_GROUPS + 1,
    };
    // A job's rows are few, and found by it.
    let Found { mut rows, totals, groups } = match asked.job {
        Some(_) => reading.answer().await?,
        None => state.ledger_turns.take(reading.answer()).await?,
    };
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    let since = span::taken(&asked, &filter);
    let last = rows.last().filter(|_| has_more);
    let next_cursor = last.map(|last| binding.cursor(&PageEnd { since, place: filter.place_of(last) }));
    let data = rows.into_iter().map(Row::try_from).collect::<Result<_, _>>()?;
    let totals = totals.map(told).transpose()?;
    let most = usize::try_from(MAX_GROUPS).unwrap_or(usize::MAX);
    let groups_truncated = groups.as_ref().is_some_and(|groups| groups.len() > most);
    let groups = groups.map(|groups| groups.into_iter().take(most).map(Sum::try_from).collect::<Result<_, _>>());
    let groups = groups.transpose()?;
    let UsageFilter { from, until, billed_from, billed_until, .. } = filter;
    Ok(Json(Usage {
        from,
        until,
        billed_from,
        billed_until,
        totals,
        groups,
        groups_truncated,
        data,
        next_cursor,
        has_more,
    }))
}

/// What a query wants to see of the ledger.
fn take_filter(query: &mut Parameters) -> UsageFilter {
    UsageFilter {
        job: query.take("job_id", |text| text.parse::<JobId>().map_err(|error| error.to_string())),
        metric: query.take("metric", str::parse::<Metric>),
        from: query.take_time("from"),
        until: query.take_time("until"),
        billed_from: query.take_time("billed_from"),
        billed_until: query.take_time("billed_until"),
    }
}

fn grouping(text: &str) -> Result<Grouping, String> {
    let mut grouping = Grouping::default();
    for name in text.split(',') {
        let by = match name {
            "day" => &mut grouping.by_day,
            "job" => &mut grouping.by_job,
            _ => return Err("must be day, job or day,job".to_owned()),
        };
        if std::mem::replace(by, true) {
            return Err(format!("names {name} twice"));
        }
    }
    Ok(grouping)
}

fn told(totals: BTreeMap<String, i64>) -> Result<BTreeMap<String, Quantity>, StoreError> {
    totals.into_iter().map(|(metric, units)| Ok((metric.clone(), quantity(&metric, units)?))).collect()
}

/// Units in the metric's own size.
fn quantity(metric: &str, units: i64) -> Result<Quantity, StoreError> {
    let metric: Metric = metric.parse().map_err(|value| StoreError::Corrupt { what: "metric", value })?;
    Ok(metric.quantity(units))
}

impl TryFrom<Group> for Sum {
    type Error = StoreError;

    fn try_from(group: Group) -> Result<Self, StoreError> {
        let units = quantity(&group.metric, group.units)?;
        Ok(Self { day: group.day, job_id: group.job_id, metric: group.metric, units })
    }
}

impl TryFrom<ListedRow> for Row {
    type Error = StoreError;

    fn try_from(row: ListedRow) -> Result<Self, StoreError> {
        let standing = row.standing();
        Ok(Self {
            id: row.id,
            job_id: row.job_id.map(JobId),
            units: quantity(&row.metric, row.units)?,
            metric: row.metric,
            gas: row.gas,
            occurred_at: row.occurred_at,
            billed_at: row.billed_at,
            delivered_at: row.delivered_at,
            test_mode: standing == Standing::TestMode,
            reason: row.reason,
            state: state_of(&standing),
            corrects: row.corrects,
        })
    }
}

//! GET /v1/usage.csv

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use futures::stream::try_unfold;
use jobs::usage::Metric;
use jobs::{JobId, TenantId, UserId};
use store::jobs::Reader;
use store::usage::{UsageFilter, UsagePlace};
use store::{PgPool, StoreError};
use utoipa::IntoParams;

use super::{Row, take_filter};
use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;
use crate::policy::query::Parameters;
use crate::policy::turns::Turns;
use crate::token::{Principal, Scope};

/// Rows that are read at once.
const PAGE: i64 = 1000;
const HEAD: &str = "id,job_id,metric,units,occurred_at,billed_at,delivered_at,test_mode,reason,gas,state,corrects\n";

errors!(Errors: Token, InvalidRequest);

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct Query {
    /// Only rows of this job.
    job_id: Option<uuid::Uuid>,
    /// Only rows of this metric.
    #[param(inline)]
    metric: Option<Metric>,
    /// Only what was used at this time or later.
    from: Option<DateTime<Utc>>,
    /// Only what was used before this time.
    until: Option<DateTime<Utc>>,
    /// Only rows that are billed as of this time or later: with `billed_until` what an invoice's `periods` say, or a month.
    billed_from: Option<DateTime<Utc>>,
    /// Only rows that are billed as of a time before this one.
    billed_until: Option<DateTime<Utc>>,
}

/// Read the usage ledger as CSV
///
/// Every row that the filter lets through, the newest first, in the columns `id`, `job_id`, `metric`, `units`,
/// `occurred_at`, `billed_at`, `delivered_at`, `test_mode`, `reason`, `gas`, `state`, `corrects` (RFC 4180, a heading, empty
/// where JSON has null). A `reason` that a spreadsheet would take for a formula has an apostrophe before it.
/// Nothing is added up: without a time these are all rows that there are. With `billed_from` and `billed_until` they are those
/// of a month, or of an invoice's `periods`: by metric, the `units` of the rows whose `state` is `delivered` add up to its lines.
#[utoipa::path(
    get, path = "/v1/usage.csv", operation_id = "get_usage_csv", tag = "billing", params(Query), security(("bearer" = ["jobs:read"])),
    responses((status = 200, description = "The rows.", body = String, content_type = "text/csv",
               example = "id,job_id,metric,units,occurred_at,billed_at,delivered_at,test_mode,reason,gas,state,corrects"), Errors)
)]
pub async fn csv(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    mut query: Parameters,
) -> Result<Response, Problem> {
    principal.require(Scope::JobsRead)?;
    let filter = take_filter(&mut query);
    query.close()?;
    let reader = principal.reader();
    let list = List {
        pool: state.pool.clone(),
        turns: state.ledger_turns.clone(),
        tenant: reader.tenant.clone(),
        user: reader.user.cloned(),
        filter,
        next: Next::First,
    };
    // The first page is read before the answer begins, so that a database that is away is told as such.
    let (first, list) = list.page().await?;
    let head = format!("{HEAD}{first}");
    let rest = try_unfold(list, |list| async move {
        if matches!(list.next, Next::Nothing) {
            return Ok::<_, io::Error>(None);
        }
        let page = list.page().await;
        page.map(Some).map_err(|problem| io::Error::other(problem.code().to_string()))
    });
    let whole = futures::StreamExt::chain(futures::stream::once(async move { Ok(head) }), rest);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"usage.csv\""),
    ];
    Ok((headers, Body::from_stream(whole)).into_response())
}

/// The rows that are still to be read.
struct List {
    pool: PgPool,
    turns: Turns,
    tenant: TenantId,
    user: Option<UserId>,
    filter: UsageFilter,
    next: Next,
}

enum Next {
    First,
    After(UsagePlace),
    Nothing,
}

impl List {
    /// The next page. With a filter it may be far away: it takes a turn, but for a job's rows, which are found by it.
    async fn page(self) -> Result<(String, Self), Problem> {
        match self.filter.job {
            Some(_) => Ok(self.read().await?),
            None => self.turns.clone().take(self.read()).await,
        }
    }

    async fn read(mut self) -> Result<(String, Self), StoreError> {
        let reader = Reader { tenant: &self.tenant, user: self.user.as_ref() };
        let after = if let Next::After(place) = &self.next { Some(place) } else { None };
        let rows = store::usage::list(&self.pool, reader, &self.filter, after, PAGE).await?;
        let is_full = i64::try_from(rows.len()).is_ok_and(|length| length == PAGE);
        self.next = match rows.last().filter(|_| is_full) {
            Some(last) => Next::After(self.filter.place_of(last)),
            None => Next::Nothing,
        };
        let lines = rows.into_iter().map(|row| Row::try_from(row).map(|row| line(&row)));
        Ok((lines.collect::<Result<String, StoreError>>()?, self))
    }
}

fn line(row: &Row) -> String {
    let time = |moment: Option<DateTime<Utc>>| {
        moment.map_or_else(String::new, |moment| moment.to_rfc3339_opts(SecondsFormat::Micros, true))
    };
    let fields = [
        row.id.clone(),
        row.job_id.as_ref().map_or_else(String::new, JobId::to_string),
        row.metric.clone(),
        row.units.to_string(),
        time(Some(row.occurred_at)),
        time(row.billed_at),
        time(row.delivered_at),
        row.test_mode.to_string(),
        row.reason.clone().unwrap_or_default(),
        row.gas.map_or_else(String::new, |gas| gas.to_string()),
        row.state.as_str().to_owned(),
        row.corrects.clone().unwrap_or_default(),
    ];
    jobs::csv::line(&fields)
}

//! What the ledger holds of a billing period: the rows that are compared with the billing system.

use std::collections::BTreeSet;
use std::iter::successors;

use chrono::{DateTime, Months, NaiveDateTime, NaiveTime, Utc};
use jobs::JobId;
use jobs::credits::Counted;
use jobs::usage::Metric;
use sqlx::PgPool;

use super::standing;
use crate::StoreError;
use crate::limits::month_of;

/// A row that is compared with the billing system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeriodRow {
    pub id: String,
    pub metric: String,
    /// As the ledger counts.
    pub units: i64,
    /// `None` before its first send.
    pub billed_at: Option<DateTime<Utc>>,
    pub standing: Standing,
}

/// Where a row stands, as far as we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The billing system took it.
    Delivered,
    /// It took it just now, since the moment that was asked about.
    Arriving,
    /// It waits for its delivery, and not for long.
    Waiting,
    /// It waits for longer than it should.
    Overdue,
    /// The billing system refused it for good, and nobody has acted yet: a dead letter.
    Refused,
    /// It is never to be billed: taken back, or used in a sandbox.
    Out,
}

impl Standing {
    /// As it is told anywhere, and how long that has been so.
    fn of(told: &standing::Standing, is_arriving: bool, is_overdue: bool) -> Self {
        match told {
            standing::Standing::TakenBack | standing::Standing::TestMode => Self::Out,
            standing::Standing::Refused(_) => Self::Refused,
            standing::Standing::Delivered(_) if is_arriving => Self::Arriving,
            standing::Standing::Delivered(_) => Self::Delivered,
            standing::Standing::Due if is_overdue => Self::Overdue,
            standing::Standing::Due => Self::Waiting,
        }
    }
}

/// A half-open stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// The database's clock, by which rows say when they were delivered.
///
/// # Errors
/// The database is away.
pub async fn clock(pool: &PgPool) -> Result<DateTime<Utc>, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(pool).await?)
}

/// All rows of a tenant that are billed within a span, by id. What was used so many seconds ago and waits is overdue; what
/// was delivered `since` a moment may be unknown to whoever has read the billing system's side since then. A delivery that
/// is yet to come, by a clock that was put back, was before.
///
/// # Errors
/// The database is away.
pub async fn rows(
    pool: &PgPool,
    tenant: &str,
    span: Span,
    since: DateTime<Utc>,
    overdue_seconds: f64,
) -> Result<Vec<PeriodRow>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, metric, units, billed_at, delivered_at, dead_reason, voided,
                  coalesce(delivered_at BETWEEN $4 AND clock_timestamp(), false) AS "is_arriving!",
                  occurred_at < now() - make_interval(secs => $5) AS "is_overdue!"
             FROM usage_ledger WHERE tenant = $1 AND billed_at >= $2 AND billed_at < $3 ORDER BY id"#,
        tenant,
        span.from,
        span.until,
        since,
        overdue_seconds
    )
    .fetch_all(pool)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let told = standing::Standing::of(row.dead_reason.as_deref(), row.voided, row.delivered_at);
        let standing = Standing::of(&told, row.is_arriving, row.is_overdue);
        PeriodRow { id: row.id, metric: row.metric, units: row.units, billed_at: row.billed_at, standing }
    });
    Ok(rows.collect())
}

/// Rows of a tenant that were used before a moment, so many seconds ago, and were never sent, by id: in whatever period
/// they will be billed, the one that ends then lacks them.
///
/// # Errors
/// The database is away.
pub async fn overdue(
    pool: &PgPool,
    tenant: &str,
    before: DateTime<Utc>,
    overdue_seconds: f64,
) -> Result<Vec<PeriodRow>, StoreError> {
    let rows = sqlx::query!(
        "SELECT id, metric, units FROM usage_ledger
          WHERE tenant = $1 AND delivered_at IS NULL AND dead_reason IS NULL AND billed_at IS NULL
            AND occurred_at < $2 AND occurred_at < now() - make_interval(secs => $3)
          ORDER BY id",
        tenant,
        before,
        overdue_seconds
    )
    .fetch_all(pool)
    .await?;
    let overdue = |id, metric, units| PeriodRow { id, metric, units, billed_at: None, standing: Standing::Overdue };
    Ok(rows.into_iter().map(|row| overdue(row.id, row.metric, row.units)).collect())
}

/// Dead letters of a tenant that were used within a span and that no period has, by id: refused before a time of billing
/// was fixed.
///
/// # Errors
/// The database is away.
pub async fn refused(pool: &PgPool, tenant: &str, span: Span) -> Result<Vec<PeriodRow>, StoreError> {
    let rows = sqlx::query!(
        "SELECT id, metric, units FROM usage_ledger
          WHERE tenant = $1 AND dead_reason IS NOT NULL AND dead_reason <> 'test mode' AND NOT voided
            AND billed_at IS NULL AND occurred_at >= $2 AND occurred_at < $3
          ORDER BY id",
        tenant,
        span.from,
        span.until
    )
    .fetch_all(pool)
    .await?;
    let refused = |id, metric, units| PeriodRow { id, metric, units, billed_at: None, standing: Standing::Refused };
    Ok(rows.into_iter().map(|row| refused(row.id, row.metric, row.units)).collect())
}

/// Units of a metric, summed up.
struct Sum {
    metric: String,
    units: i64,
}

fn counted(sums: Vec<Sum>) -> Result<Counted, StoreError> {
    sums.into_iter()
        .map(|sum| {
            let metric: Metric = sum.metric.parse().map_err(|_| StoreError::corrupt("metric", &sum.metric))?;
            Ok((metric, sum.units))
        })
        .collect()
}

/// What is billed of a tenant within a span, by metric: rows that were delivered before `as_of`, and those of which it is not
/// known.
///
/// # Errors
/// The database is away.
pub async fn units(pool: &PgPool, tenant: &str, span: Span, as_of: DateTime<Utc>) -> Result<Counted, StoreError> {
    let sums = sqlx::query_as!(
        Sum,
        r#"SELECT metric, sum(units)::bigint AS "units!" FROM usage_ledger
            WHERE tenant = $1 AND billed_at >= $2 AND billed_at < $3 AND dead_reason IS NULL AND NOT voided
              AND (delivered_at IS NULL OR delivered_at < $4)
            GROUP BY metric"#,
        tenant,
        span.from,
        span.until,
        as_of
    )
    .fetch_all(pool)
    .await?;
    counted(sums)
}

/// What the billing system had taken of a tenant by `as_of` of what is billed from a moment on, by metric: whether it tells
/// that already or not.
///
/// # Errors
/// The database is away.
pub async fn taken(
    pool: &PgPool,
    tenant: &str,
    from: DateTime<Utc>,
    as_of: DateTime<Utc>,
) -> Result<Counted, StoreError> {
    let sums = sqlx::query_as!(
        Sum,
        r#"SELECT metric, sum(units)::bigint AS "units!" FROM usage_ledger
            WHERE tenant = $1 AND billed_at >= $2 AND delivered_at < $3 AND dead_reason IS NULL AND NOT voided
            GROUP BY metric"#,
        tenant,
        from,
        as_of
    )
    .fetch_all(pool)
    .await?;
    counted(sums)
}

/// How many rows of a tenant wait for their delivery, of what was used, or is to be billed, before a moment.
///
/// # Errors
/// The database is away.
pub async fn waiting(pool: &PgPool, tenant: &str, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM usage_ledger
            WHERE tenant = $1 AND delivered_at IS NULL AND dead_reason IS NULL AND coalesce(billed_at, occurred_at) < $2"#,
        tenant,
        before
    )
    .fetch_one(pool)
    .await?;
    Ok(count.unsigned_abs())
}

/// What stands behind a line of an invoice: a job, or an hour where there is no job, and its units.
#[derive(Clone, Debug)]
pub struct Behind {
    pub job_id: Option<JobId>,
    /// The row, where there is no job.
    pub row_id: Option<String>,
    pub units: i64,
}

/// What a metric's units within some spans come from, in order, at most `limit`, behind `after`: of the rows that the billing
/// system took. Where it is not known whether it did, nothing is told until it is.
///
/// A page costs a page, however many rows a month has: each month's rows stand in the index in the order in which they are
/// told. So many of each month are enough for so many of all.
///
/// # Errors
/// The database is away.
pub async fn behind(
    pool: &PgPool,
    tenant: &str,
    metric: &str,
    spans: &[Span],
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<(String, Behind)>, StoreError> {
    let begins: Vec<DateTime<Utc>> = spans.iter().map(|span| span.from).collect();
    let ends: Vec<DateTime<Utc>> = spans.iter().map(|span| span.until).collect();
    // All of them lie between these two: what does not is passed over within the index.
    let (Some(first), Some(last)) = (begins.iter().min(), ends.iter().max()) else { return Ok(Vec::new()) };
    let in_months = months(spans);
    let rows = sqlx::query!(
        r#"SELECT part.place AS "place!", min(part.job_id) AS job_id, sum(part.units)::bigint AS "units!"
             FROM unnest($9::timestamp[]) AS months (month)
            CROSS JOIN LATERAL (
                  SELECT coalesce(u.job_id::text, u.id) AS place, min(u.job_id::text) AS job_id, sum(u.units) AS units
                    FROM usage_ledger u
                   WHERE u.tenant = $1 AND u.metric = $2
                     AND date_trunc('month', u.billed_at AT TIME ZONE 'UTC') = months.month
                     AND coalesce(u.job_id::text, u.id) > coalesce($7::text, '')
                     AND u.billed_at >= $3 AND u.billed_at < $4
                     AND EXISTS (SELECT FROM unnest($5::timestamptz[], $6::timestamptz[]) AS span (begins, ends)
                                  WHERE u.billed_at >= span.begins AND u.billed_at < span.ends)
                     AND u.delivered_at IS NOT NULL AND u.dead_reason IS NULL AND NOT u.voided
                   GROUP BY 1 ORDER BY 1 LIMIT $8) part
            GROUP BY part.place ORDER BY part.place LIMIT $8"#,
        tenant,
        metric,
        *first,
        *last,
        &begins,
        &ends,
        after,
        limit,
        &in_months
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let job_id = row.job_id.map(|id| id.parse::<JobId>().map_err(|_| StoreError::corrupt("job id", &id)));
            let row_id = job_id.is_none().then(|| row.place.clone());
            Ok((row.place, Behind { job_id: job_id.transpose()?, row_id, units: row.units }))
        })
        .collect()
}

/// The months (UTC) in which some spans lie, by their first moments, as the index of [`behind`] has them.
fn months(spans: &[Span]) -> Vec<NaiveDateTime> {
    let months = spans.iter().flat_map(|span| {
        let first = month_of(span.from).and_time(NaiveTime::MIN);
        let months = successors(Some(first), |month| month.checked_add_months(Months::new(1)));
        months.take_while(move |month| *month < span.until.naive_utc())
    });
    months.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_lie_in_each_of_their_months_once() {
        let span = |from: &str, until: &str| Span { from: from.parse().unwrap(), until: until.parse().unwrap() };
        let told = |spans: &[Span]| months(spans).iter().map(ToString::to_string).collect::<Vec<_>>();
        let february = "2026-02-01 00:00:00";
        assert_eq!(told(&[span("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")]), [february]);
        let parts = [
            span("2026-02-10T12:00:01Z", "2026-03-01T00:00:00Z"),
            span("2026-02-01T00:00:00Z", "2026-02-10T12:00:01Z"),
            span("2025-12-31T23:59:59Z", "2026-01-01T00:00:01Z"),
        ];
        assert_eq!(told(&parts), ["2025-12-01 00:00:00", "2026-01-01 00:00:00", february]);
        assert!(told(&[span("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z")]).is_empty());
    }
}

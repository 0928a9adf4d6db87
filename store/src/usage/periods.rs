//! What the ledger holds of a billing period: the rows that are compared with the billing system.

use chrono::{DateTime, Utc};
use jobs::JobId;
use jobs::credits::Counted;
use jobs::usage::Metric;
use sqlx::PgPool;

use crate::StoreError;

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
    /// It waits for its delivery, and not for long.
    Waiting,
    /// It waits for longer than it should.
    Overdue,
    /// The billing system refused it for good, and nobody has acted yet: a dead letter.
    Refused,
    /// It is never to be billed: taken back, or used in a sandbox.
    Out,
}

/// A half-open stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// All rows of a tenant that are billed within a span, by id. What was used so many seconds ago and waits is overdue.
///
/// # Errors
/// The database is away.
pub async fn rows(pool: &PgPool, tenant: &str, span: Span, overdue_seconds: f64) -> Result<Vec<PeriodRow>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, metric, units, billed_at,
                  (voided OR dead_reason IS NOT DISTINCT FROM 'test mode') AS "is_out!",
                  dead_reason IS NOT NULL AS "is_refused!", delivered_at IS NOT NULL AS "is_delivered!",
                  occurred_at < now() - make_interval(secs => $4) AS "is_overdue!"
             FROM usage_ledger WHERE tenant = $1 AND billed_at >= $2 AND billed_at < $3 ORDER BY id"#,
        tenant,
        span.from,
        span.until,
        overdue_seconds
    )
    .fetch_all(pool)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let standing = match (row.is_out, row.is_refused, row.is_delivered, row.is_overdue) {
            (true, ..) => Standing::Out,
            (false, true, ..) => Standing::Refused,
            (false, false, true, _) => Standing::Delivered,
            (false, false, false, true) => Standing::Overdue,
            (false, false, false, false) => Standing::Waiting,
        };
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

/// What a metric's units within some spans come from, in order, at most `limit`, behind `after`.
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
    // All of them lie between these two, by which rows are found in the index.
    let (Some(first), Some(last)) = (begins.iter().min(), ends.iter().max()) else { return Ok(Vec::new()) };
    let rows = sqlx::query!(
        r#"SELECT coalesce(job_id::text, id) AS "place!", min(job_id::text) AS job_id, sum(units)::bigint AS "units!"
             FROM usage_ledger
            WHERE tenant = $1 AND metric = $2 AND billed_at >= $3 AND billed_at < $4
              AND EXISTS (SELECT FROM unnest($5::timestamptz[], $6::timestamptz[]) AS span (begins, ends)
                           WHERE billed_at >= span.begins AND billed_at < span.ends)
              AND dead_reason IS NULL AND NOT voided AND ($7::text IS NULL OR coalesce(job_id::text, id) > $7)
            GROUP BY 1 ORDER BY 1 LIMIT $8"#,
        tenant,
        metric,
        *first,
        *last,
        &begins,
        &ends,
        after,
        limit
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

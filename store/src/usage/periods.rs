//! What the ledger holds of a billing period: the rows that are compared with the billing system.

use chrono::{DateTime, Utc};
use jobs::JobId;
use jobs::credits::Counted;
use jobs::usage::Metric;
use sqlx::PgPool;

use crate::StoreError;

/// A row that is billed in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeriodRow {
    pub id: String,
    pub metric: String,
    /// As the ledger counts.
    pub units: i64,
    pub billed_at: DateTime<Utc>,
    /// Whether the billing system took it, as far as we know.
    pub is_delivered: bool,
    /// Whether it is never to be billed: refused for good, or taken back.
    pub is_out: bool,
}

/// A half-open stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// All rows of a tenant that are billed within a span, by id.
///
/// # Errors
/// The database is away.
pub async fn rows(pool: &PgPool, tenant: &str, span: Span) -> Result<Vec<PeriodRow>, StoreError> {
    let rows = sqlx::query_as!(
        PeriodRow,
        r#"SELECT id, metric, units, billed_at AS "billed_at!", delivered_at IS NOT NULL AS "is_delivered!",
                  (dead_reason IS NOT NULL OR voided) AS "is_out!"
             FROM usage_ledger WHERE tenant = $1 AND billed_at >= $2 AND billed_at < $3 ORDER BY id"#,
        tenant,
        span.from,
        span.until
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// What is billed of a tenant within a span, by metric: rows that were delivered before `as_of`, and those of which it is not
/// known.
///
/// # Errors
/// The database is away.
pub async fn units(pool: &PgPool, tenant: &str, span: Span, as_of: DateTime<Utc>) -> Result<Counted, StoreError> {
    let rows = sqlx::query!(
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
    rows.into_iter()
        .map(|row| {
            let metric: Metric = row.metric.parse().map_err(|_| StoreError::corrupt("metric", &row.metric))?;
            Ok((metric, row.units))
        })
        .collect()
}

/// How many rows of a tenant wait for their first send.
///
/// # Errors
/// The database is away.
pub async fn unsent(pool: &PgPool, tenant: &str) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM usage_ledger
            WHERE tenant = $1 AND billed_at IS NULL AND delivered_at IS NULL AND dead_reason IS NULL"#,
        tenant
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

/// What a metric's units within a span come from, in order, at most `limit`, behind `after`.
///
/// # Errors
/// The database is away.
pub async fn behind(
    pool: &PgPool,
    tenant: &str,
    metric: &str,
    span: Span,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<(String, Behind)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT coalesce(job_id::text, id) AS "place!", min(job_id::text) AS job_id, sum(units)::bigint AS "units!"
             FROM usage_ledger
            WHERE tenant = $1 AND metric = $2 AND billed_at >= $3 AND billed_at < $4
              AND dead_reason IS NULL AND NOT voided AND ($5::text IS NULL OR coalesce(job_id::text, id) > $5)
            GROUP BY 1 ORDER BY 1 LIMIT $6"#,
        tenant,
        metric,
        span.from,
        span.until,
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

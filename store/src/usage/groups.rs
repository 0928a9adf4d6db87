//! Sums of the ledger, by metric, day and job.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use jobs::JobId;
use sqlx::PgPool;
use uuid::Uuid;

use super::UsageFilter;
use super::filtered::select_filtered;
use crate::StoreError;
use crate::jobs::Reader;

/// What sums are told apart by, besides the metric.
#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq)]
pub struct Grouping {
    /// The day (UTC) on which it occurred.
    pub by_day: bool,
    pub by_job: bool,
}

/// The units of a metric in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub day: Option<NaiveDate>,
    pub job_id: Option<JobId>,
    pub metric: String,
    pub units: i64,
}

/// Sums of all rows that [`super::list`] would give without its limit: by day, the newest first, then job and metric; at most
/// `limit`.
///
/// # Errors
/// The database is away.
pub async fn sums(
    pool: &PgPool,
    reader: Reader<'_>,
    filter: &UsageFilter,
    grouping: Grouping,
    limit: i64,
) -> Result<Vec<Group>, StoreError> {
    macro_rules! select_rows {
        // Sums are in no order of time.
        ($of_job:tt, $within:tt, $wanted:tt, $time:tt) => {
            sqlx::query_as!(
                Row,
                r#"SELECT CASE WHEN $7 THEN (occurred_at AT TIME ZONE 'UTC')::date END AS day,
                          CASE WHEN $8 THEN job_id END AS job_id, metric, sum(units)::bigint AS "units!"
                     FROM usage_ledger u WHERE tenant = $1 AND "#
                    + $of_job
                    + " AND "
                    + $within
                    + " AND "
                    + $wanted
                    + " GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3 LIMIT $9",
                reader.tenant.as_str(),
                filter.job.map(|job| job.0),
                reader.user_column(),
                filter.metric_column(),
                filter.from,
                filter.until,
                grouping.by_day,
                grouping.by_job,
                limit,
                filter.billed_from,
                filter.billed_until
            )
        };
    }
    let rows = select_filtered!(select_rows, filter, pool);
    let group = |row: Row| Group { day: row.day, job_id: row.job_id.map(JobId), metric: row.metric, units: row.units };
    Ok(rows.into_iter().map(group).collect())
}

struct Row {
    day: Option<NaiveDate>,
    job_id: Option<Uuid>,
    metric: String,
    units: i64,
}

/// Units by metric over all rows that [`super::list`] would give without its limit.
///
/// # Errors
/// The database is away.
pub async fn totals(
    pool: &PgPool,
    reader: Reader<'_>,
    filter: &UsageFilter,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let sums = sums(pool, reader, filter, Grouping::default(), i64::MAX).await?;
    Ok(sums.into_iter().map(|group| (group.metric, group.units)).collect())
}

//! The ledger row by row, as its readers see it.

use chrono::{DateTime, Utc};
use jobs::JobId;
use jobs::usage::Metric;
use sqlx::PgPool;

use super::standing::Standing;
use crate::StoreError;
use crate::jobs::Reader;

/// Which rows of the ledger a reader wants.
#[derive(Clone, Debug, Default, Hash, PartialEq, Eq)]
pub struct UsageFilter {
    pub job: Option<JobId>,
    pub metric: Option<Metric>,
    /// Rows that occurred at this time or later ...
    pub from: Option<DateTime<Utc>>,
    /// ... and before this one.
    pub until: Option<DateTime<Utc>>,
    /// Rows that are billed as of this time or later ...
    pub billed_from: Option<DateTime<Utc>>,
    /// ... and before this one. With either, rows whose time of billing is not fixed yet are none of them.
    pub billed_until: Option<DateTime<Utc>>,
}

impl UsageFilter {
    pub(crate) fn metric_column(&self) -> Option<&'static str> {
        self.metric.map(Metric::as_str)
    }

    /// Whether rows are found, and listed, by when they are billed, and not by when they occurred.
    pub(crate) fn is_by_billing(&self) -> bool {
        self.billed_from.is_some()
    }

    /// Where a row of [`list`] stands in it.
    #[must_use]
    pub fn place_of(&self, row: &ListedRow) -> UsagePlace {
        let billed_at = row.billed_at.filter(|_| self.is_by_billing());
        UsagePlace { at: billed_at.unwrap_or(row.occurred_at), id: row.id.clone() }
    }
}

/// A row as it is listed.
#[derive(Clone, Debug)]
pub struct ListedRow {
    pub id: String,
    pub job_id: Option<uuid::Uuid>,
    pub metric: String,
    pub units: i64,
    /// Units of gas: a confirmation's share of its batch's transaction.
    pub gas: Option<i64>,
    pub occurred_at: DateTime<Utc>,
    pub billed_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub dead_reason: Option<String>,
    pub voided: bool,
    /// Why it corrects another row; `None` of a row of use.
    pub reason: Option<String>,
    /// The row that it corrects.
    pub corrects: Option<String>,
}

impl ListedRow {
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing::of(self.dead_reason.as_deref(), self.voided, self.delivered_at)
    }
}

/// Where a row stands in [`list`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsagePlace {
    /// The time by which rows are listed.
    pub at: DateTime<Utc>,
    pub id: String,
}

/// `limit` rows that a reader sees and wants, the newest first, or those that follow `after`: by when they occurred, or,
/// where `billed_from` is given, by when they are billed. Rows without a job belong to the whole tenant. Times are bounds of
/// the index, whether or not they are given: a page far from the newest row costs what the first one costs.
///
/// # Errors
/// The database is away.
pub async fn list(
    pool: &PgPool,
    reader: Reader<'_>,
    filter: &UsageFilter,
    after: Option<&UsagePlace>,
    limit: i64,
) -> Result<Vec<ListedRow>, StoreError> {
    // No plan suits all: a job's rows are found by it, all others by the time that is asked about. A bound of the other time
    // is written so that no index has it.
    macro_rules! select_rows {
        ($of_job:tt by use) => {
            select_rows!(
                $of_job,
                "occurred_at >= coalesce($5::timestamptz, '-infinity')
                 AND occurred_at < coalesce($6::timestamptz, 'infinity')
                 AND $10::timestamptz IS NULL AND ($11::timestamptz IS NULL OR billed_at < $11)",
                "occurred_at"
            )
        };
        ($of_job:tt by billing) => {
            select_rows!(
                $of_job,
                "billed_at >= $10::timestamptz AND billed_at < coalesce($11::timestamptz, 'infinity')
                 AND ($5::timestamptz IS NULL OR occurred_at >= $5) AND ($6::timestamptz IS NULL OR occurred_at < $6)",
                "billed_at"
            )
        };
        ($of_job:tt, $within:tt, $time:tt) => {
            sqlx::query_as!(
                ListedRow,
                "SELECT id, job_id, metric, units, gas, occurred_at, billed_at, delivered_at, dead_reason, voided, reason,
                        corrects
                   FROM usage_ledger u WHERE tenant = $1 AND "
                    + $of_job
                    + " AND "
                    + $within
                    + " AND ($3::text IS NULL OR EXISTS (SELECT 1 FROM jobs j
                                                         WHERE j.id = u.job_id AND j.tenant = $1 AND j.user_id = $3))
                    AND ($4::text IS NULL OR metric = $4)
                    AND "
                    + $time
                    + " <= coalesce($7::timestamptz, 'infinity')
                    AND ($7::timestamptz IS NULL OR "
                    + $time
                    + " < $7 OR id > $8)
                  ORDER BY "
                    + $time
                    + " DESC, id LIMIT $9",
                reader.tenant.as_str(),
                filter.job.map(|job| job.0),
                reader.user_column(),
                filter.metric_column(),
                filter.from,
                filter.until,
                after.map(|place| place.at),
                after.map(|place| place.id.as_str()),
                limit,
                filter.billed_from,
                filter.billed_until
            )
        };
    }
    Ok(match (filter.job, filter.is_by_billing()) {
        (Some(_), false) => select_rows!("job_id = $2::uuid" by use).fetch_all(pool).await?,
        (Some(_), true) => select_rows!("job_id = $2::uuid" by billing).fetch_all(pool).await?,
        (None, false) => select_rows!("$2::uuid IS NULL" by use).fetch_all(pool).await?,
        (None, true) => select_rows!("$2::uuid IS NULL" by billing).fetch_all(pool).await?,
    })
}

//! The ledger row by row, as its readers see it.

use chrono::{DateTime, Utc};
use jobs::JobId;
use jobs::usage::Metric;
use sqlx::PgPool;

use super::filtered::select_filtered;
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
    macro_rules! select_rows {
        ($of_job:tt, $within:tt, $wanted:tt, $time:tt) => {
            sqlx::query_as!(
                ListedRow,
                "SELECT id, job_id, metric, units, gas, occurred_at, billed_at, delivered_at, dead_reason, voided, reason,
                        corrects
                   FROM usage_ledger u WHERE tenant = $1 AND "
                    + $of_job
                    + " AND "
                    + $within
                    + " AND "
                    + $wanted
                    + " AND "
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
    Ok(select_filtered!(select_rows, filter, pool))
}

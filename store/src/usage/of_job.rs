//! What a job's usage is billed as: each row of its own, with where it stands.

use chrono::{DateTime, Utc};
use jobs::JobId;
use sqlx::PgPool;

use super::TEST_MODE;
use crate::StoreError;

/// Where a row stands with the billing system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is sent soon, or again.
    Due,
    /// The billing system has it.
    Delivered(DateTime<Utc>),
    /// It was used in a sandbox, and is never billed.
    TestMode,
    /// It was taken back by a row of its own, and neither is billed.
    TakenBack,
    /// The billing system refused it, for this reason: somebody has to look at it.
    Refused(String),
}

/// A row of a job.
#[derive(Clone, Debug)]
pub struct JobRow {
    pub id: String,
    pub metric: String,
    pub segment: String,
    pub units: i64,
    /// Units of gas: a confirmation's share of its batch's transaction.
    pub gas: Option<i64>,
    pub occurred_at: DateTime<Utc>,
    /// Time under which it is billed, once that is fixed.
    pub billed_at: Option<DateTime<Utc>>,
    pub standing: Standing,
    /// Why it corrects another row.
    pub reason: Option<String>,
}

/// All rows of a job, by metric and in the order in which they were written.
///
/// # Errors
/// The database is away.
pub async fn rows(pool: &PgPool, job: JobId) -> Result<Vec<JobRow>, StoreError> {
    let rows = sqlx::query!(
        "SELECT id, metric, segment, units, gas, occurred_at, billed_at, delivered_at, dead_reason, voided, reason
           FROM usage_ledger WHERE job_id = $1 ORDER BY metric, occurred_at, id",
        job.0
    )
    .fetch_all(pool)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let standing = match (row.dead_reason, row.voided, row.delivered_at) {
            (Some(reason), false, _) if reason == TEST_MODE => Standing::TestMode,
            (_, true, _) => Standing::TakenBack,
            (Some(reason), false, _) => Standing::Refused(reason),
            (None, false, Some(at)) => Standing::Delivered(at),
            (None, false, None) => Standing::Due,
        };
        JobRow {
            id: row.id,
            metric: row.metric,
            segment: row.segment,
            units: row.units,
            gas: row.gas,
            occurred_at: row.occurred_at,
            billed_at: row.billed_at,
            standing,
            reason: row.reason,
        }
    });
    Ok(rows.collect())
}

//! What a job's usage is billed as: each row of its own, with where it stands.

use chrono::{DateTime, Utc};
use jobs::JobId;
use sqlx::PgPool;

use super::standing::Standing;
use crate::StoreError;

/// By which plan a row is billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BilledBy {
    /// By this one, as the billing system told.
    Told(String),
    /// The billing system does not know the tenant yet, whose plan this is.
    Expected(String),
    /// Nobody has noted it.
    Unknown,
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
    /// Until its time is fixed: if it were sent now.
    pub billed_by: BilledBy,
    /// Why it corrects another row.
    pub reason: Option<String>,
}

/// All rows of a job, by metric and in the order in which they were written.
///
/// # Errors
/// The database is away.
pub async fn rows(pool: &PgPool, job: JobId) -> Result<Vec<JobRow>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT u.id, u.metric, u.segment, u.units, u.gas, u.occurred_at, u.billed_at, u.delivered_at, u.dead_reason, u.voided,
                  u.reason,
                  (SELECT b.plan FROM billing_plans b
                    WHERE b.tenant = u.tenant AND b.since <= coalesce(u.billed_at, greatest(u.occurred_at, now()))
                    ORDER BY b.since DESC LIMIT 1) AS "told_plan?",
                  (SELECT t.plan FROM tenants t
                    WHERE t.id = u.tenant AND t.billing_ready_at IS NULL) AS "expected_plan?"
             FROM usage_ledger u WHERE u.job_id = $1 ORDER BY u.metric, u.occurred_at, u.id"#,
        job.0
    )
    .fetch_all(pool)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let standing = Standing::of(row.dead_reason.as_deref(), row.voided, row.delivered_at);
        let billed_by = match (row.told_plan, row.expected_plan) {
            (Some(plan), _) => BilledBy::Told(plan),
            (None, Some(plan)) => BilledBy::Expected(plan),
            (None, None) => BilledBy::Unknown,
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
            billed_by,
            reason: row.reason,
        }
    });
    Ok(rows.collect())
}

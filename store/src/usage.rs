//! The usage ledger as the outbox of the billing system. Rows are written with what causes them, and never changed.

pub mod corrections;
pub mod dead_letters;
mod family;
mod filtered;
pub mod groups;
pub mod hours;
mod listing;
pub mod of_job;
pub mod periods;
pub mod standing;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use jobs::JobId;
use sqlx::PgPool;

pub use self::listing::{ListedRow, UsageFilter, UsagePlace, list};
use crate::StoreError;

/// Why the rows of sandboxes are never sent; the database writes it (`migrations/0025_people.sql`).
///
/// Queries that look for dead letters spell it out: a plan for any value of a parameter could not use `usage_dead`, the index
/// of the rows that are refused for another reason.
pub const TEST_MODE: &str = "test mode";

/// A ledger row.
#[derive(Clone, Debug)]
pub struct UsageRow {
    pub id: String,
    pub tenant: String,
    pub job_id: Option<uuid::Uuid>,
    pub metric: String,
    pub units: i64,
    /// Units of gas: a confirmation's share of its batch's transaction.
    pub gas: Option<i64>,
    pub occurred_at: DateTime<Utc>,
    pub billed_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub dead_reason: Option<String>,
    /// Why it corrects another row; `None` of a row of use.
    pub reason: Option<String>,
}

/// Undelivered rows of one job.
///
/// # Errors
/// The database is away.
pub async fn due_for_job(pool: &PgPool, job: JobId) -> Result<Vec<UsageRow>, StoreError> {
    let rows = sqlx::query_as!(
        UsageRow,
        "SELECT id, tenant, job_id, metric, units, gas, occurred_at, billed_at, delivered_at, dead_reason, reason
           FROM usage_ledger
          WHERE job_id = $1 AND delivered_at IS NULL AND dead_reason IS NULL ORDER BY id",
        job.0
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// Undelivered rows of one tenant, the oldest first.
///
/// # Errors
/// The database is away.
pub async fn due_for_tenant(pool: &PgPool, tenant: &str, limit: i64) -> Result<Vec<UsageRow>, StoreError> {
    let rows = sqlx::query_as!(
        UsageRow,
        "SELECT id, tenant, job_id, metric, units, gas, occurred_at, billed_at, delivered_at, dead_reason, reason
           FROM usage_ledger
          WHERE tenant = $1 AND delivered_at IS NULL AND dead_reason IS NULL ORDER BY occurred_at, id LIMIT $2",
        tenant,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// Rows by their ids, in the order of the ids.
///
/// # Errors
/// The database is away.
pub async fn of_ids(pool: &PgPool, ids: &[String]) -> Result<Vec<UsageRow>, StoreError> {
    let rows = sqlx::query_as!(
        UsageRow,
        "SELECT id, tenant, job_id, metric, units, gas, occurred_at, billed_at, delivered_at, dead_reason, reason
           FROM usage_ledger WHERE id = ANY($1) ORDER BY id",
        ids
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// Rows that nobody delivered for `age_seconds`: the oldest of each tenant in turn, so that one whose rows cannot be
/// delivered does not fill the answer.
///
/// As many rows are read as are answered, and one of each tenant more: a backlog is longest when the billing system was
/// away, and then this must not be slow. Tenants are found by jumping through the index, and so is a tenant's next row.
///
/// # Errors
/// The database is away.
pub async fn overdue(pool: &PgPool, age_seconds: f64, limit: i64) -> Result<Vec<UsageRow>, StoreError> {
    let rows = sqlx::query_as!(
        UsageRow,
        r#"
        WITH RECURSIVE tenants AS (
            (SELECT u.tenant FROM usage_ledger u
              WHERE u.delivered_at IS NULL AND u.dead_reason IS NULL ORDER BY u.tenant LIMIT 1)
            UNION ALL
            SELECT (SELECT u.tenant FROM usage_ledger u
                     WHERE u.tenant > t.tenant AND u.delivered_at IS NULL AND u.dead_reason IS NULL
                     ORDER BY u.tenant LIMIT 1)
              FROM tenants t WHERE t.tenant IS NOT NULL
        ), due AS (
            -- `taken` is how many rows there are up to this turn.
            SELECT 1::bigint AS turn, count(*) OVER () AS taken, oldest.*
              FROM tenants t
              CROSS JOIN LATERAL (
                    SELECT u.* FROM usage_ledger u
                     WHERE u.tenant = t.tenant AND u.delivered_at IS NULL AND u.dead_reason IS NULL
                       AND u.occurred_at < now() - make_interval(secs => $1)
                     ORDER BY u.occurred_at, u.id LIMIT 1
              ) oldest
            UNION ALL
            SELECT d.turn + 1, d.taken + count(*) OVER (), later.*
              FROM due d
              CROSS JOIN LATERAL (
                    SELECT u.* FROM usage_ledger u
                     WHERE u.tenant = d.tenant AND u.delivered_at IS NULL AND u.dead_reason IS NULL
                       AND u.occurred_at < now() - make_interval(secs => $1)
                       AND (u.occurred_at, u.id) > (d.occurred_at, d.id)
                     ORDER BY u.occurred_at, u.id LIMIT 1
              ) later
             WHERE d.taken < $2
        )
        SELECT id AS "id!", tenant AS "tenant!", job_id AS "job_id?", metric AS "metric!", units AS "units!",
               gas AS "gas?", occurred_at AS "occurred_at!", billed_at AS "billed_at?", delivered_at AS "delivered_at?",
               dead_reason AS "dead_reason?", reason AS "reason?"
          FROM due ORDER BY turn, occurred_at, id LIMIT $2
        "#,
        age_seconds,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// What waits for its delivery.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    pub rows: i64,
    /// Age of the oldest, in seconds; 0 when nothing waits.
    pub oldest_seconds: f64,
}

/// What waits for its delivery now.
///
/// # Errors
/// The database is away.
pub async fn backlog(pool: &PgPool) -> Result<Backlog, StoreError> {
    let backlog = sqlx::query_as!(
        Backlog,
        r#"SELECT count(*) AS "rows!",
                  coalesce(extract(epoch FROM now() - min(occurred_at)), 0)::float8 AS "oldest_seconds!"
             FROM usage_ledger WHERE delivered_at IS NULL AND dead_reason IS NULL"#
    )
    .fetch_one(pool)
    .await?;
    Ok(backlog)
}

/// Fixes the billing timestamp of rows before their first send, and answers it by row id; one that is fixed stays,
/// whoever fixed it.
///
/// # Errors
/// The database is away.
pub async fn freeze(
    pool: &PgPool,
    ids: &[String],
    period_start: DateTime<Utc>,
) -> Result<HashMap<String, DateTime<Utc>>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH mine AS (SELECT id FROM usage_ledger WHERE id = ANY($1) ORDER BY id FOR UPDATE)
           UPDATE usage_ledger u SET billed_at = coalesce(u.billed_at, greatest(u.occurred_at, $2)) FROM mine
            WHERE u.id = mine.id RETURNING u.id, u.billed_at AS "billed_at!""#,
        ids,
        period_start
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.billed_at)).collect())
}

/// Notes rows that the billing system has; answers those of them that somebody had put on the dead-letter list meanwhile,
/// who did not know: they are dead letters no more. One that was taken back stays so.
///
/// # Errors
/// The database is away; the rows are then sent again and found to be duplicates.
pub async fn delivered(pool: &PgPool, ids: &[String]) -> Result<Vec<String>, StoreError> {
    // A row whose time was freed meanwhile, since somebody tries it again, is billed all the same; and what is delivered has
    // a period. It was sent as of its use, unless that period was over.
    let noted = sqlx::query!(
        r#"WITH mine AS (
               SELECT id, dead_reason FROM usage_ledger
                WHERE id = ANY($1) AND delivered_at IS NULL AND NOT voided AND dead_reason IS DISTINCT FROM $2
                ORDER BY id FOR UPDATE
           )
           UPDATE usage_ledger u
              SET delivered_at = now(), dead_reason = NULL, billed_at = coalesce(u.billed_at, u.occurred_at)
             FROM mine WHERE u.id = mine.id
        RETURNING u.id, mine.dead_reason IS NOT NULL AS "was_dead!""#,
        ids,
        TEST_MODE
    )
    .fetch_all(pool)
    .await?;
    Ok(noted.into_iter().filter(|row| row.was_dead).map(|row| row.id).collect())
}

/// Puts a row on the dead-letter list, unless the billing system has it; tells whether it did. One that is there, or was taken
/// back, stays as it is.
///
/// # Errors
/// The database is away.
pub async fn dead(pool: &PgPool, id: &str, reason: &str) -> Result<bool, StoreError> {
    let put = sqlx::query!(
        "UPDATE usage_ledger SET dead_reason = $2
          WHERE id = $1 AND delivered_at IS NULL AND dead_reason IS NULL AND NOT voided",
        id,
        reason
    )
    .execute(pool)
    .await?;
    Ok(put.rows_affected() > 0)
}

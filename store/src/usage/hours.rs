//! What is metered by the hour: calls of the API, which its processes count, and what tenants have stored.
//!
//! Hours are those of UTC. A row's segment names its hour, so that an hour is booked once.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{StoreError, begin};

/// What a process has counted in an hour so far: the whole, not what is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallCount {
    pub tenant: String,
    /// The hour's begin.
    pub hour: DateTime<Utc>,
    pub calls: u64,
}

/// Notes what a process has counted. Telling it again changes nothing, so that one whose answer was lost is repeated.
///
/// # Errors
/// The database is away.
pub async fn count_calls(pool: &PgPool, node: Uuid, counts: &[CallCount]) -> Result<(), StoreError> {
    let tenants: Vec<String> = counts.iter().map(|count| count.tenant.clone()).collect();
    let hours: Vec<DateTime<Utc>> = counts.iter().map(|count| count.hour).collect();
    let calls: Vec<i64> = counts.iter().map(|count| i64::try_from(count.calls).unwrap_or(i64::MAX)).collect();
    sqlx::query!(
        "INSERT INTO api_call_counts AS c (hour, tenant, node, calls)
         SELECT n.hour, n.tenant, $1, n.calls
           FROM unnest($2::timestamptz[], $3::text[], $4::bigint[]) AS n (hour, tenant, calls)
         ON CONFLICT (hour, tenant, node) DO UPDATE SET calls = greatest(c.calls, EXCLUDED.calls)",
        node,
        &hours,
        &tenants,
        &calls
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Books the calls of hours that ended `margin_seconds` ago: one row a tenant and hour, and another one for what was told
/// after that. Tells how many rows.
///
/// # Errors
/// The database is away.
pub async fn book_calls(pool: &PgPool, margin_seconds: f64) -> Result<u64, StoreError> {
    let mut tx = begin(pool).await?;
    // One at a time: two would give a late row the same number.
    sqlx::query_scalar!(r#"SELECT 1 AS "locked!" FROM pg_advisory_xact_lock(hashtextextended('usage/api_calls', 0))"#)
        .fetch_one(&mut *tx)
        .await?;
    let booked = sqlx::query!(
        r#"WITH open AS (
                    SELECT c.hour, c.tenant, c.node, c.calls - c.booked AS calls
                      FROM api_call_counts c JOIN tenants t ON t.id = c.tenant
                     WHERE c.calls > c.booked AND c.hour < now() - interval '1 hour' - make_interval(secs => $1)
                       FOR UPDATE OF c
                ),
                noted AS (
                    UPDATE api_call_counts c SET booked = c.booked + o.calls FROM open o
                     WHERE c.hour = o.hour AND c.tenant = o.tenant AND c.node = o.node
                ),
                due AS (
                    SELECT hour, tenant, sum(calls)::bigint AS calls,
                           to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24"Z"') AS segment
                      FROM open GROUP BY hour, tenant
                ),
                numbered AS (
                    SELECT d.*, d.tenant || ':api_calls:' || d.segment AS first_id,
                           (SELECT count(*) FROM usage_ledger u
                             WHERE u.id = d.tenant || ':api_calls:' || d.segment
                                OR u.corrects = d.tenant || ':api_calls:' || d.segment) AS earlier
                      FROM due d
                )
           INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at, reason, corrects)
           SELECT CASE WHEN earlier = 0 THEN first_id ELSE first_id || '.' || earlier END, tenant, 'api_calls',
                  CASE WHEN earlier = 0 THEN segment ELSE segment || '.' || earlier END, calls,
                  -- Within the hour, and not before a tenant that began in it.
                  hour + interval '59 minutes 59 seconds',
                  CASE WHEN earlier > 0 THEN 'counted after the hour was booked' END,
                  CASE WHEN earlier > 0 THEN first_id END
             FROM numbered"#,
        margin_seconds
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    tx.commit().await?;
    Ok(booked)
}

/// Forgets counts of `age_days` ago that are booked. No process tells anything of such an hour any more.
///
/// # Errors
/// The database is away.
pub async fn forget_calls(pool: &PgPool, age_days: i32) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "DELETE FROM api_call_counts c
          WHERE hour < now() - make_interval(days => $1)
            AND (calls = booked OR NOT EXISTS (SELECT FROM tenants t WHERE t.id = c.tenant))",
        age_days
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Books what each tenant has stored now as this hour's storage, in byte-hours, once an hour. Tells how many rows.
///
/// # Errors
/// The database is away.
pub async fn snapshot_storage(pool: &PgPool) -> Result<u64, StoreError> {
    // What is booked is not added up again; who stores first within the hour is found by a later turn.
    let due = sqlx::query_scalar!(
        r#"SELECT id FROM tenants t
            WHERE closed_at IS NULL
              AND NOT EXISTS (SELECT FROM usage_ledger u
                               WHERE u.id = t.id || ':storage_gb_hours:'
                                            || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24"Z"'))"#
    )
    .fetch_all(pool)
    .await?;
    let booked = sqlx::query!(
        r#"WITH hour AS (SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24"Z"') AS segment),
                stored AS (
                    SELECT tenant, size FROM blobs
                    UNION ALL
                    -- The bytes of a refused key are gone.
                    SELECT tenant, size FROM client_keys WHERE status <> 'refused'
                )
           INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at)
           SELECT s.tenant || ':storage_gb_hours:' || h.segment, s.tenant, 'storage_gb_hours', h.segment,
                  sum(s.size)::bigint, now()
             FROM stored s JOIN tenants t ON t.id = s.tenant AND t.closed_at IS NULL CROSS JOIN hour h
            WHERE s.tenant = ANY($1)
            GROUP BY s.tenant, h.segment
           ON CONFLICT (id) DO NOTHING"#,
        &due
    )
    .execute(pool)
    .await?;
    Ok(booked.rows_affected())
}

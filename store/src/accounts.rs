//! Tenants as the billing system knows them: which plan it was told, and the end of a tenant.

pub mod notices;
pub mod plans;

use std::time::Duration;

use chrono::{DateTime, Utc};
use jobs::TenantId;
use sqlx::PgPool;

use crate::audit::Note;
use crate::{StoreError, begin};

/// A tenant's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub tenant: TenantId,
    pub created_at: DateTime<Utc>,
    /// Its plan, as operators set it.
    pub plan: String,
    /// Customer and subscription are there.
    pub is_ready: bool,
    /// Plan that its subscription was put on.
    pub billing_plan: Option<String>,
    pub is_sandbox: bool,
    /// Nobody acts in it any more.
    pub is_closed: bool,
    /// Its subscription was terminated.
    pub has_ended: bool,
}

/// The account of a tenant.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, tenant: &str) -> Result<Option<Account>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT id, created_at, plan, billing_ready_at IS NOT NULL AS "is_ready!", billing_plan,
                  sandbox_of IS NOT NULL AS "is_sandbox!", closed_at IS NOT NULL AS "is_closed!",
                  billing_ended_at IS NOT NULL AS "has_ended!"
             FROM tenants WHERE id = $1"#,
        tenant
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(Account {
            tenant: row.id.parse().map_err(|_| StoreError::corrupt("tenant", &row.id))?,
            created_at: row.created_at,
            plan: row.plan,
            is_ready: row.is_ready,
            billing_plan: row.billing_plan,
            is_sandbox: row.is_sandbox,
            is_closed: row.is_closed,
            has_ended: row.has_ended,
        })
    })
    .transpose()
}

/// Notes that customer and subscription are there, on this plan.
///
/// # Errors
/// The database is away.
pub async fn is_on_plan(pool: &PgPool, tenant: &str, plan: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE tenants SET billing_ready_at = coalesce(billing_ready_at, now()), billing_plan = $2 WHERE id = $1",
        tenant,
        plan
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Tenants that the billing system does not know yet, the oldest first.
///
/// # Errors
/// The database is away.
pub async fn to_begin(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    let tenants = sqlx::query_scalar!(
        "SELECT id FROM tenants
          WHERE sandbox_of IS NULL AND closed_at IS NULL AND billing_ready_at IS NULL AND billing_ended_at IS NULL
          ORDER BY created_at, id"
    )
    .fetch_all(pool)
    .await?;
    Ok(tenants)
}

/// Tenants whose customer and subscription were made, and that are to have both still, by name.
///
/// # Errors
/// The database is away.
pub async fn open(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    let tenants = sqlx::query_scalar!(
        "SELECT id FROM tenants
          WHERE sandbox_of IS NULL AND closed_at IS NULL AND billing_ready_at IS NOT NULL AND billing_ended_at IS NULL
          ORDER BY id"
    )
    .fetch_all(pool)
    .await?;
    Ok(tenants)
}

/// Tenants whose subscription is to be, or may be, on another plan than it was put on: `plans` are those that the billing
/// system has, and who is on none of them has `default`. One that is closed ends on the plan that it has there.
///
/// # Errors
/// The database is away.
pub async fn to_move(pool: &PgPool, plans: &[String], default: &str) -> Result<Vec<String>, StoreError> {
    let tenants = sqlx::query_scalar!(
        "SELECT id FROM tenants
          WHERE sandbox_of IS NULL AND closed_at IS NULL AND billing_ready_at IS NOT NULL AND billing_ended_at IS NULL
            AND billing_plan IS DISTINCT FROM CASE WHEN plan = ANY($1) THEN plan ELSE $2 END
          ORDER BY id",
        plans,
        default
    )
    .fetch_all(pool)
    .await?;
    Ok(tenants)
}

/// Closes a tenant, and its sandbox with it: nobody acts in it from now on. Answers since when it is closed; `None` of a
/// tenant that there is not.
///
/// # Errors
/// The database is away.
pub async fn close(pool: &PgPool, tenant: &TenantId, audit: &Note) -> Result<Option<DateTime<Utc>>, StoreError> {
    let mut tx = begin(pool).await?;
    let closed = sqlx::query_scalar!(
        r#"WITH own AS (
                    UPDATE tenants SET closed_at = coalesce(closed_at, now())
                     WHERE id = $1 AND sandbox_of IS NULL RETURNING id, closed_at
                ),
                sandbox AS (
                    UPDATE tenants t SET closed_at = o.closed_at FROM own o WHERE t.sandbox_of = o.id
                )
           SELECT closed_at AS "closed_at!" FROM own"#,
        tenant.as_str()
    )
    .fetch_optional(&mut *tx)
    .await?;
    if closed.is_some() {
        audit.write(&mut tx).await?;
        tx.commit().await?;
    }
    Ok(closed)
}

/// Since when a tenant is closed; `None` of one that is open, or that there is not.
///
/// # Errors
/// The database is away.
pub async fn closed_since(pool: &PgPool, tenant: &TenantId) -> Result<Option<DateTime<Utc>>, StoreError> {
    let closed = sqlx::query_scalar!("SELECT closed_at FROM tenants WHERE id = $1", tenant.as_str())
        .fetch_optional(pool)
        .await?;
    Ok(closed.flatten())
}

/// Closed tenants whose subscription can be terminated: they have been closed for `grace`, no job goes on, each call is
/// booked, every row is delivered or refused for good.
///
/// # Errors
/// The database is away.
pub async fn to_end(pool: &PgPool, grace: Duration) -> Result<Vec<String>, StoreError> {
    let tenants = sqlx::query_scalar!(
        "SELECT id FROM tenants t
          WHERE closed_at <= now() - make_interval(secs => $1) AND billing_ended_at IS NULL AND sandbox_of IS NULL
            AND NOT EXISTS (SELECT FROM jobs j
                             WHERE j.tenant = t.id AND j.status IN ('PENDING', 'PROCESSING', 'CONFIRMING'))
            AND NOT EXISTS (SELECT FROM api_call_counts c WHERE c.tenant = t.id AND c.calls > c.booked)
            AND NOT EXISTS (SELECT FROM usage_ledger u
                             WHERE u.tenant = t.id AND u.delivered_at IS NULL AND u.dead_reason IS NULL)
          ORDER BY id",
        grace.as_secs_f64()
    )
    .fetch_all(pool)
    .await?;
    Ok(tenants)
}

/// Notes that a tenant's subscription was terminated.
///
/// # Errors
/// The database is away.
pub async fn has_ended(pool: &PgPool, tenant: &str) -> Result<(), StoreError> {
    sqlx::query!("UPDATE tenants SET billing_ended_at = now() WHERE id = $1 AND billing_ended_at IS NULL", tenant)
        .execute(pool)
        .await?;
    Ok(())
}

//! Tenants and their users.

use chrono::{DateTime, Utc};
use jobs::{TenantId, UserId};
use sqlx::PgPool;

use crate::StoreError;
use crate::jobs::bytes;

/// A tenant as billing sees it.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: TenantId,
    pub plan: String,
    pub created_at: DateTime<Utc>,
    pub billing_ready: bool,
}

/// Creates a tenant if it does not exist.
///
/// # Errors
/// The database is away.
pub async fn ensure_tenant(pool: &PgPool, tenant: &TenantId, plan: &str) -> Result<(), StoreError> {
    sqlx::query!("INSERT INTO tenants (id, plan) VALUES ($1, $2) ON CONFLICT DO NOTHING", tenant.as_str(), plan)
        .execute(pool)
        .await?;
    Ok(())
}

/// Creates a user, or changes the role of the one that exists; the submitter address stays.
///
/// # Errors
/// The database is away.
pub async fn ensure_user(
    pool: &PgPool,
    tenant: &TenantId,
    user: &UserId,
    role: &str,
    submitter: [u8; 20],
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO users (tenant, id, role, submitter) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant, id) DO UPDATE SET role = EXCLUDED.role",
        tenant.as_str(),
        user.as_str(),
        role,
        &submitter[..]
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The address that a user's jobs belong to; `None` of a user who is not registered.
///
/// # Errors
/// The database is away.
pub async fn submitter(pool: &PgPool, tenant: &TenantId, user: &UserId) -> Result<Option<[u8; 20]>, StoreError> {
    let address = sqlx::query_scalar!(
        "SELECT submitter FROM users WHERE tenant = $1 AND id = $2",
        tenant.as_str(),
        user.as_str()
    )
    .fetch_optional(pool)
    .await?;
    address.map(|address| bytes("submitter", &address)).transpose()
}

/// All tenants, by name.
///
/// # Errors
/// The database is away.
pub async fn list(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT id FROM tenants ORDER BY id").fetch_all(pool).await?)
}

/// Reads a tenant.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, tenant: &str) -> Result<Option<Tenant>, StoreError> {
    let row = sqlx::query!("SELECT id, plan, created_at, billing_ready_at FROM tenants WHERE id = $1", tenant)
        .fetch_optional(pool)
        .await?;
    row.map(|row| {
        Ok(Tenant {
            id: row.id.parse().map_err(|_| StoreError::corrupt("tenant", &row.id))?,
            plan: row.plan,
            created_at: row.created_at,
            billing_ready: row.billing_ready_at.is_some(),
        })
    })
    .transpose()
}

/// What becomes of a tenant's failed jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedJobs {
    /// They are confirmed on chain, as failed.
    Confirmed,
    /// They are not.
    LeftOut,
}

impl FailedJobs {
    fn of_column(confirm: bool) -> Self {
        if confirm { Self::Confirmed } else { Self::LeftOut }
    }
}

/// What becomes of a tenant's failed jobs; `None` of a tenant that there is not.
///
/// # Errors
/// The database is away.
pub async fn failed_jobs(pool: &PgPool, tenant: &TenantId) -> Result<Option<FailedJobs>, StoreError> {
    let confirm = sqlx::query_scalar!("SELECT confirm_failed FROM tenants WHERE id = $1", tenant.as_str())
        .fetch_optional(pool)
        .await?;
    Ok(confirm.map(FailedJobs::of_column))
}

/// Sets what becomes of the jobs that fail from now on; returns what it was before, `None` of a tenant that there is not.
///
/// # Errors
/// The database is away.
pub async fn set_failed_jobs(
    pool: &PgPool,
    tenant: &TenantId,
    failed: FailedJobs,
) -> Result<Option<FailedJobs>, StoreError> {
    let before = sqlx::query_scalar!(
        r#"WITH before AS (SELECT id, confirm_failed FROM tenants WHERE id = $1 FOR UPDATE)
           UPDATE tenants t SET confirm_failed = $2 FROM before b WHERE t.id = b.id
           RETURNING b.confirm_failed AS "before!""#,
        tenant.as_str(),
        failed == FailedJobs::Confirmed
    )
    .fetch_optional(pool)
    .await?;
    Ok(before.map(FailedJobs::of_column))
}

/// Notes that the billing system knows the tenant's customer and subscription.
///
/// # Errors
/// The database is away.
pub async fn billing_is_ready(pool: &PgPool, tenant: &str) -> Result<(), StoreError> {
    sqlx::query!("UPDATE tenants SET billing_ready_at = now() WHERE id = $1 AND billing_ready_at IS NULL", tenant)
        .execute(pool)
        .await?;
    Ok(())
}

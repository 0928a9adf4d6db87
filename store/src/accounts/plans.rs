//! By which plan the billing system bills a tenant, and from when on, as it told.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::StoreError;

/// Notes the plan of a tenant's subscription, and the first moment whose usage it bills. Noting it again changes nothing.
///
/// # Errors
/// The database is away, or there is no such tenant.
pub async fn note(pool: &PgPool, tenant: &str, plan: &str, since: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO billing_plans AS b (tenant, since, plan) VALUES ($1, $2, $3)
         ON CONFLICT (tenant, since) DO UPDATE SET plan = EXCLUDED.plan, noted_at = now()
          WHERE b.plan <> EXCLUDED.plan",
        tenant,
        since,
        plan
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Tenants with a subscription of which no plan was noted, the oldest first.
///
/// # Errors
/// The database is away.
pub async fn unnoted(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    let tenants = sqlx::query_scalar!(
        "SELECT id FROM tenants t
          WHERE sandbox_of IS NULL AND billing_ready_at IS NOT NULL AND billing_ended_at IS NULL
            AND NOT EXISTS (SELECT FROM billing_plans b WHERE b.tenant = t.id)
          ORDER BY created_at, id"
    )
    .fetch_all(pool)
    .await?;
    Ok(tenants)
}

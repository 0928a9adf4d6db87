//! Jobs that are active at once: a slot for each, so that no two admissions ever take the last one.

use jobs::{TenantId, UserId};
use sqlx::{PgConnection, PgPool};

use super::{AdmissionLimits, Limited};
use crate::StoreError;

/// A place among the active jobs.
pub(crate) enum Active {
    /// The slot of the job to be; none is needed where there is no limit.
    Slot(Option<i32>),
    Refused(Limited),
}

/// Takes a free slot, the caller's until its transaction ends.
///
/// # Errors
/// The database is away.
pub(crate) async fn take_slot(
    tx: &mut PgConnection,
    tenant: &TenantId,
    user: &UserId,
    limits: &AdmissionLimits,
) -> Result<Active, StoreError> {
    if let Some(most) = limits.confirming_jobs
        && too_many_confirm(tx, tenant, most).await?
    {
        return Ok(Active::Refused(Limited::Confirming(most)));
    }
    let Some(most) = limits.active_jobs else { return Ok(Active::Slot(None)) };
    let slot = sqlx::query_scalar!(
        "SELECT take_active_slot($1, $2, $3)",
        tenant.as_str(),
        user.as_str(),
        i32::try_from(most).unwrap_or(i32::MAX)
    )
    .fetch_one(tx)
    .await?;
    Ok(match slot {
        Some(slot) => Active::Slot(Some(slot)),
        None => Active::Refused(Limited::Active(most)),
    })
}

/// Whether the tenant has `most` jobs that wait for the chain. Admission adds none to them, so that this may be a moment old.
async fn too_many_confirm(tx: &mut PgConnection, tenant: &TenantId, most: u32) -> Result<bool, StoreError> {
    let last = i64::from(most.saturating_sub(1));
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM jobs WHERE tenant = $1 AND status = 'CONFIRMING' OFFSET $2 LIMIT 1) AS "many!""#,
        tenant.as_str(),
        last
    )
    .fetch_one(tx)
    .await?)
}

/// How many places the user's active jobs take.
///
/// # Errors
/// The database is away.
pub async fn active(pool: &PgPool, tenant: &TenantId, user: &UserId) -> Result<u32, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM jobs
            WHERE tenant = $1 AND user_id = $2 AND active_slot IS NOT NULL AND status IN ('PENDING', 'PROCESSING')"#,
        tenant.as_str(),
        user.as_str()
    )
    .fetch_one(pool)
    .await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

//! Encrypted jobs: their inputs, attempts, checkpoints, and the transaction that gives them a result.

pub mod attempts;
pub mod checkpoints;
pub mod errors;
pub mod inputs;
pub mod results;

use jobs::{JobId, JobStatus, TenantId, UserId};
use sqlx::PgPool;

use crate::StoreError;
use crate::jobs::bytes;
use crate::quotes::ceiling;
use crate::transition::Units;

/// An encrypted job as its computation needs it.
#[derive(Clone, Debug)]
pub struct EncryptedJob {
    pub tenant: TenantId,
    pub user: UserId,
    pub submitter: [u8; 20],
    pub status: JobStatus,
    pub payload: String,
    pub timeout_seconds: i32,
    pub cancel_requested: bool,
    /// What it may cost at most, where it was quoted.
    pub ceiling: Option<Units>,
}

/// Reads a job for its computation.
///
/// # Errors
/// The database is away, or there is no such encrypted job.
pub async fn load(pool: &PgPool, job: JobId) -> Result<EncryptedJob, StoreError> {
    let row = sqlx::query!(
        r#"SELECT tenant, user_id, submitter, status, payload, timeout_seconds,
                  cancel_requested_at IS NOT NULL AS "cancel_requested!", unit_ceiling, fhe_unit_ceiling
             FROM jobs WHERE id = $1 AND job_type = 'fhe_compute'"#,
        job.0
    )
    .fetch_optional(pool)
    .await?
    .ok_or_else(|| StoreError::corrupt("reference to encrypted job", job))?;
    Ok(EncryptedJob {
        tenant: row.tenant.parse().map_err(|_| StoreError::corrupt("tenant", &row.tenant))?,
        user: row.user_id.parse().map_err(|_| StoreError::corrupt("user", &row.user_id))?,
        submitter: bytes("submitter", &row.submitter)?,
        status: row.status.parse().map_err(|_| StoreError::corrupt("status", &row.status))?,
        payload: row.payload,
        timeout_seconds: row.timeout_seconds,
        cancel_requested: row.cancel_requested,
        ceiling: ceiling(row.unit_ceiling, row.fhe_unit_ceiling)?,
    })
}

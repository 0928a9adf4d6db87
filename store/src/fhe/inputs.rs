//! The blob that a job computes on: noted once, before anything is computed.

use jobs::JobId;
use sqlx::PgPool;

use crate::StoreError;
use crate::jobs::bytes;
use crate::uploads::{length, size_of};

/// A job's input in the blob store, under the job's tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobInput {
    pub sha256: [u8; 32],
    /// Length in bytes.
    pub size: u64,
}

/// The input that was noted, if one was.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, job: JobId) -> Result<Option<JobInput>, StoreError> {
    let row = sqlx::query!("SELECT sha256, size FROM job_inputs WHERE job_id = $1", job.0).fetch_optional(pool).await?;
    row.map(|row| Ok(JobInput { sha256: bytes("input", &row.sha256)?, size: size_of(row.size)? })).transpose()
}

/// Notes a job's input. The first one stands, and is returned.
///
/// # Errors
/// The database is away.
pub async fn note(pool: &PgPool, job: JobId, input: JobInput) -> Result<JobInput, StoreError> {
    sqlx::query!(
        "INSERT INTO job_inputs (job_id, sha256, size) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        job.0,
        &input.sha256[..],
        length(input.size)
    )
    .execute(pool)
    .await?;
    find(pool, job).await?.ok_or_else(|| StoreError::corrupt("input", "gone"))
}

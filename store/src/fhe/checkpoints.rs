//! Where a computation can go on. The values lie in the blob store; a row says which, and carries the worker's MAC.

use jobs::JobId;
use sqlx::PgPool;

use crate::StoreError;
use crate::jobs::bytes;
use crate::uploads::{length, size_of};

/// The newest checkpoint of a job: to be believed only with its MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointRow {
    /// Steps that are done.
    pub step: u32,
    pub program_hash: [u8; 32],
    pub inputs_hash: [u8; 32],
    /// SHA-256 of the values.
    pub sha256: [u8; 32],
    /// Length of the values in bytes.
    pub size: u64,
    pub mac: [u8; 32],
}

/// Puts a checkpoint in place of the one before it, whose step is returned. Its values must be stored already.
///
/// # Errors
/// The database is away.
pub async fn save(pool: &PgPool, job: JobId, checkpoint: &CheckpointRow) -> Result<Option<u32>, StoreError> {
    let replaced = sqlx::query_scalar!(
        r#"WITH before AS (SELECT step FROM fhe_checkpoints WHERE job_id = $1)
           INSERT INTO fhe_checkpoints (job_id, step, program_hash, inputs_hash, sha256, size, mac)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (job_id) DO UPDATE
              SET step = EXCLUDED.step, program_hash = EXCLUDED.program_hash, inputs_hash = EXCLUDED.inputs_hash,
                  sha256 = EXCLUDED.sha256, size = EXCLUDED.size, mac = EXCLUDED.mac, saved_at = now()
           RETURNING (SELECT step FROM before) AS replaced"#,
        job.0,
        i64::from(checkpoint.step),
        &checkpoint.program_hash[..],
        &checkpoint.inputs_hash[..],
        &checkpoint.sha256[..],
        length(checkpoint.size),
        &checkpoint.mac[..]
    )
    .fetch_one(pool)
    .await?;
    replaced.map(step_of).transpose()
}

/// The newest checkpoint of a job.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, job: JobId) -> Result<Option<CheckpointRow>, StoreError> {
    let row = sqlx::query!(
        "SELECT step, program_hash, inputs_hash, sha256, size, mac FROM fhe_checkpoints WHERE job_id = $1",
        job.0
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(CheckpointRow {
            step: step_of(row.step)?,
            program_hash: bytes("program hash", &row.program_hash)?,
            inputs_hash: bytes("inputs hash", &row.inputs_hash)?,
            sha256: bytes("checkpoint", &row.sha256)?,
            size: size_of(row.size)?,
            mac: bytes("MAC", &row.mac)?,
        })
    })
    .transpose()
}

/// Forgets a job's checkpoint.
///
/// # Errors
/// The database is away.
pub async fn forget(pool: &PgPool, job: JobId) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM fhe_checkpoints WHERE job_id = $1", job.0).execute(pool).await?;
    Ok(())
}

fn step_of(column: i64) -> Result<u32, StoreError> {
    u32::try_from(column).map_err(|_| StoreError::corrupt("step", column))
}

//! Where a computation can go on. The values lie in the blob store; a row says which, and carries the worker's MAC.

use jobs::JobId;
use sqlx::PgPool;
use uuid::Uuid;

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

/// What became of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It stands, in place of the one of that step if there was one.
    Stands { replaced: Option<u32> },
    /// Another attempt is as far or further: that one's stands.
    Outrun { by: u32 },
}

/// Puts a checkpoint in place of one of an earlier step. Its values must be stored already.
///
/// # Errors
/// The database is away.
pub async fn save(pool: &PgPool, job: JobId, checkpoint: &CheckpointRow) -> Result<Saved, StoreError> {
    let saved = sqlx::query_scalar!(
        r#"WITH before AS (SELECT step FROM fhe_checkpoints WHERE job_id = $1)
           INSERT INTO fhe_checkpoints (job_id, step, program_hash, inputs_hash, sha256, size, mac)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (job_id) DO UPDATE
              SET step = EXCLUDED.step, program_hash = EXCLUDED.program_hash, inputs_hash = EXCLUDED.inputs_hash,
                  sha256 = EXCLUDED.sha256, size = EXCLUDED.size, mac = EXCLUDED.mac, saved_at = now()
            WHERE fhe_checkpoints.step < EXCLUDED.step
           RETURNING (SELECT step FROM before) AS replaced"#,
        job.0,
        i64::from(checkpoint.step),
        &checkpoint.program_hash[..],
        &checkpoint.inputs_hash[..],
        &checkpoint.sha256[..],
        length(checkpoint.size),
        &checkpoint.mac[..]
    )
    .fetch_optional(pool)
    .await?;
    if let Some(replaced) = saved {
        return Ok(Saved::Stands { replaced: replaced.map(step_of).transpose()? });
    }
    let by = find(pool, job).await?.map_or(checkpoint.step, |standing| standing.step);
    Ok(Saved::Outrun { by })
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

/// Those of `jobs`, and of the jobs that have a checkpoint, that are over: nothing goes on from their checkpoints.
///
/// # Errors
/// The database is away.
pub async fn over(pool: &PgPool, jobs: &[JobId]) -> Result<Vec<JobId>, StoreError> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.0).collect();
    let over = sqlx::query_scalar!(
        "SELECT id FROM jobs
          WHERE status NOT IN ('PENDING', 'PROCESSING')
            AND (id = ANY($1) OR id IN (SELECT job_id FROM fhe_checkpoints))",
        &ids
    )
    .fetch_all(pool)
    .await?;
    Ok(over.into_iter().map(JobId).collect())
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

//! The blob that a job computes on: noted once, before anything is computed.

use jobs::JobId;
use sqlx::{PgConnection, PgPool};

use crate::StoreError;
use crate::jobs::bytes;
use crate::uploads::{Custody, length, size_of};

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

/// Counts another try to fetch a job's input, before it begins, and tells how many there were with it.
///
/// # Errors
/// The database is away.
pub async fn begin_fetch(pool: &PgPool, job: JobId) -> Result<u32, StoreError> {
    let tries = sqlx::query_scalar!(
        "INSERT INTO input_fetches (job_id, tries) VALUES ($1, 1)
         ON CONFLICT (job_id) DO UPDATE SET tries = input_fetches.tries + 1, last_at = now()
         RETURNING tries",
        job.0
    )
    .fetch_one(pool)
    .await?;
    u32::try_from(tries).map_err(|_| StoreError::corrupt("tries", tries))
}

/// Notes a job's input. The first one stands, and is returned.
///
/// # Errors
/// The database is away.
pub async fn note(pool: &PgPool, job: JobId, input: JobInput) -> Result<JobInput, StoreError> {
    insert(&mut *pool.acquire().await?, job, input).await?;
    find(pool, job).await?.ok_or_else(|| StoreError::corrupt("input", "gone"))
}

impl Custody {
    /// Notes what was fetched for a job, whose blob has its row already, as the job's input: from now on the job holds it.
    /// An input that was noted before stands.
    ///
    /// # Errors
    /// The database is away.
    pub async fn note_input(&mut self, job: JobId, input: JobInput) -> Result<(), StoreError> {
        insert(self.tx(), job, input).await?;
        sqlx::query!(
            "UPDATE job_reservations r SET blob = b.sha256
               FROM job_inputs i, blobs b
              WHERE r.job_id = $1 AND i.job_id = $1 AND b.tenant = r.tenant AND b.sha256 = i.sha256",
            job.0
        )
        .execute(self.tx())
        .await?;
        Ok(())
    }
}

async fn insert(connection: &mut PgConnection, job: JobId, input: JobInput) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO job_inputs (job_id, sha256, size) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        job.0,
        &input.sha256[..],
        length(input.size)
    )
    .execute(connection)
    .await?;
    Ok(())
}

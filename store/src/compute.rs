//! What the compute activity reads and writes: the payload, progress, and the transaction that leaves PROCESSING.

use chrono::{DateTime, Utc};
use jobs::event::EventType;
use jobs::submission::JobType;
use jobs::wire::Progress;
use jobs::{JobId, JobStatus, Step};
use sqlx::PgPool;

use crate::admission::job_type_of;
use crate::departure::{self, Leaving, ResultRow};
use crate::quotes::ceiling;
use crate::transition::Units;
use crate::{StoreError, begin, events};

/// A job as its computation needs it.
#[derive(Clone, Debug)]
pub struct ComputeJob {
    pub tenant: String,
    pub job_type: JobType,
    pub status: JobStatus,
    pub payload: String,
    pub timeout_seconds: i32,
    pub deadline: Option<DateTime<Utc>>,
    pub cancel_requested: bool,
    pub progress_percent: f32,
    /// What it may cost at most, where it was quoted.
    pub ceiling: Option<Units>,
}

/// Reads a job for its computation.
///
/// # Errors
/// The database is away, or there is no such job.
pub async fn load(pool: &PgPool, job: JobId) -> Result<ComputeJob, StoreError> {
    let row = sqlx::query!(
        "SELECT tenant, job_type, status, payload, timeout_seconds, deadline, cancel_requested_at, progress_percent,
                unit_ceiling, fhe_unit_ceiling
           FROM jobs WHERE id = $1",
        job.0
    )
    .fetch_optional(pool)
    .await?
    .ok_or_else(|| StoreError::corrupt("reference to job", job))?;
    Ok(ComputeJob {
        tenant: row.tenant,
        job_type: job_type_of(&row.job_type)?,
        status: row.status.parse().map_err(|_| StoreError::corrupt("status", &row.status))?,
        payload: row.payload,
        timeout_seconds: row.timeout_seconds,
        deadline: row.deadline,
        cancel_requested: row.cancel_requested_at.is_some(),
        progress_percent: row.progress_percent,
        ceiling: ceiling(row.unit_ceiling, row.fhe_unit_ceiling)?,
    })
}

/// Notes progress; it never goes back, and only a running job has any.
///
/// # Errors
/// The database is away.
pub async fn progress(pool: &PgPool, job: JobId, progress: &Progress) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    let percent = progress.percent.clamp(0.0, 100.0) as f32;
    let tenant = sqlx::query_scalar!(
        "UPDATE jobs SET progress_percent = $2, progress_stage = $3, progress_detail = $4, updated_at = now(),
                         version = version + 1
          WHERE id = $1 AND status = 'PROCESSING' AND progress_percent <= $2
         RETURNING tenant",
        job.0,
        percent,
        progress.stage,
        progress.detail
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(tenant) = tenant {
        let data = serde_json::to_value(progress).map_err(|error| StoreError::corrupt("progress", error))?;
        events::append(&mut tx, job, &tenant, EventType::Progress, data).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// A computed result.
pub struct Computed<'a> {
    pub bytes: &'a [u8],
    /// SHA-256 of `bytes`.
    pub hash: [u8; 32],
    pub media_type: &'a str,
    pub compute_units: u64,
    /// Random, so that a content hash on chain does not tell its content.
    pub salt: [u8; 32],
}

/// Leaves PROCESSING with a result: result, hash, usage and confirmation row in one transaction. A result that stands
/// already is adopted; a cancellation or deadline that came first ends the job, billing the units that were done.
///
/// # Errors
/// The database is away, or there is no such job.
pub async fn finish(pool: &PgPool, job: JobId, computed: &Computed<'_>) -> Result<Step, StoreError> {
    let units = Units::plain(computed.compute_units);
    match departure::open(pool, job, units).await? {
        Leaving::Decided(stage) => Ok(stage),
        Leaving::Open(departure) => {
            let result = ResultRow {
                hash: computed.hash,
                media_type: computed.media_type,
                bytes: Some(computed.bytes),
                size: None,
                salt: computed.salt,
            };
            departure.leave(&result, units).await
        }
    }
}

/// The state of a job, for activities that only ask whether it is decided.
///
/// # Errors
/// The database is away, or there is no such job.
pub async fn status(pool: &PgPool, job: JobId) -> Result<JobStatus, StoreError> {
    let status = sqlx::query_scalar!("SELECT status FROM jobs WHERE id = $1", job.0)
        .fetch_optional(pool)
        .await?
        .ok_or_else(|| StoreError::corrupt("reference to job", job))?;
    status.parse().map_err(|_| StoreError::corrupt("status", &status))
}

//! The transaction that leaves PROCESSING with a result: the point of no return.
//!
//! It is open while the job's row is locked, so that whoever stores bytes elsewhere stores those whose hash will stand.

use jobs::wire::Progress;
use jobs::{JobId, JobStatus, Step};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use crate::transition::{Ending, Locked, Units, charge, deadline_exceeded, end, lock};
use crate::{StoreError, begin, events};

/// Whether a job may still take a result.
pub enum Leaving {
    /// It is decided: with an earlier result, cancelled or too late.
    Decided(Step),
    /// It may, and nobody else can decide it meanwhile.
    Open(Departure),
}

/// A locked job that takes a result. Dropped, nothing has happened.
pub struct Departure {
    tx: Transaction<'static, Postgres>,
    row: Locked,
}

/// The result's columns.
pub(crate) struct ResultRow<'a> {
    /// SHA-256 of the result.
    pub(crate) hash: [u8; 32],
    pub(crate) media_type: &'a str,
    /// The result, unless it lies elsewhere ...
    pub(crate) bytes: Option<&'a [u8]>,
    /// ... and then its length.
    pub(crate) size: Option<i64>,
    pub(crate) salt: [u8; 32],
}

/// Opens the way out of PROCESSING. A result that stands already is adopted; a cancellation or deadline that came first
/// ends the job, billing the units that were done.
///
/// # Errors
/// The database is away, or there is no such job.
pub async fn open(pool: &PgPool, job: JobId, units: Units) -> Result<Leaving, StoreError> {
    let mut tx = begin(pool).await?;
    let row = lock(&mut tx, job).await?.ok_or_else(|| StoreError::corrupt("reference to job", job))?;
    let step = match row.status {
        JobStatus::Processing if row.cancel_requested => end(&mut tx, &row, &Ending::Cancelled, units).await?,
        JobStatus::Processing if row.deadline_passed => end(&mut tx, &row, &deadline_exceeded(), units).await?,
        JobStatus::Processing => return Ok(Leaving::Open(Departure { tx, row })),
        JobStatus::Confirming => Step::Confirm,
        JobStatus::Pending => return Err(StoreError::corrupt("status", "PENDING while computing")),
        ended => Step::Ended(ended),
    };
    tx.commit().await?;
    Ok(Leaving::Decided(step))
}

impl Departure {
    pub(crate) fn tx(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    pub(crate) fn job(&self) -> JobId {
        self.row.job
    }

    /// Result, hash, confirmation row, usage and event, then the commit.
    pub(crate) async fn leave(mut self, result: &ResultRow<'_>, units: Units) -> Result<Step, StoreError> {
        let (tx, job, tenant) = (&mut *self.tx, self.row.job, self.row.tenant.as_str());
        sqlx::query!(
            "UPDATE jobs SET status = 'CONFIRMING', result_hash = $2, result_bytes = $3, result_size = $4,
                             result_media_type = $5, progress_percent = 100, progress_stage = $6, progress_detail = '',
                             updated_at = now(), version = version + 1
              WHERE id = $1 AND status = 'PROCESSING'",
            job.0,
            &result.hash[..],
            result.bytes,
            result.size,
            result.media_type,
            Progress::CONFIRMING
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "INSERT INTO confirmations (job_id, leaf_status, salt) VALUES ($1, 1, $2)",
            job.0,
            &result.salt[..]
        )
        .execute(&mut *tx)
        .await?;
        charge(tx, &self.row, units).await?;
        events::status(tx, job, tenant, Some(JobStatus::Processing), JobStatus::Confirming, None).await?;
        self.tx.commit().await?;
        Ok(Step::Confirm)
    }
}

//! Attempts at a computation, counted before they begin: what kills its worker cannot do so for ever.

use jobs::JobId;
use sqlx::PgPool;

use crate::StoreError;
use crate::uploads::{length, size_of};

/// An attempt that may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub job: JobId,
    number: i32,
}

impl Attempt {
    /// 1 for the first.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.number
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Computed,
    /// The client's fault.
    Refused,
    /// Cancelled, or out of time.
    Stopped,
    /// The worker stopped: another goes on.
    GivenBack,
    /// The child process died.
    Died,
    /// The child process could not go on, and said so.
    Failed,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Computed => "computed",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
            Self::GivenBack => "given_back",
            Self::Died => "died",
            Self::Failed => "failed",
        }
    }
}

/// Begins another attempt, unless `deaths` earlier ones came to no end of their own: died, failed, or were never heard
/// of again.
///
/// # Errors
/// The database is away, or another attempt begins at the same moment.
pub async fn begin(pool: &PgPool, job: JobId, deaths: i64) -> Result<Option<Attempt>, StoreError> {
    let number = sqlx::query_scalar!(
        "INSERT INTO fhe_attempts (job_id, attempt)
         SELECT $1, coalesce(max(attempt), 0) + 1 FROM fhe_attempts WHERE job_id = $1
         HAVING count(*) FILTER (WHERE outcome IS NULL OR outcome IN ('died', 'failed')) < $2
         RETURNING attempt",
        job.0,
        deaths
    )
    .fetch_optional(pool)
    .await?;
    Ok(number.map(|number| Attempt { job, number }))
}

/// Notes that the inputs are read and the program has `pbs` bootstrappings: a death from here on is not the inputs'
/// fault.
///
/// # Errors
/// The database is away.
pub async fn prepared(pool: &PgPool, attempt: Attempt, pbs: u64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE fhe_attempts SET phase = 'computing', pbs = $3
          WHERE job_id = $1 AND attempt = $2 AND outcome IS NULL",
        attempt.job.0,
        attempt.number,
        length(pbs)
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes the bootstrappings that are done, those before a checkpoint included; they never become fewer.
///
/// # Errors
/// The database is away.
pub async fn progress(pool: &PgPool, attempt: Attempt, pbs_done: u64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE fhe_attempts SET pbs_done = greatest(pbs_done, $3) WHERE job_id = $1 AND attempt = $2",
        attempt.job.0,
        attempt.number,
        length(pbs_done)
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Ends an attempt; the first outcome stands.
///
/// # Errors
/// The database is away: the attempt then counts as one that was never heard of again.
pub async fn end(pool: &PgPool, attempt: Attempt, outcome: Outcome, pbs_done: u64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE fhe_attempts SET outcome = $3, ended_at = now(), pbs_done = greatest(pbs_done, $4)
          WHERE job_id = $1 AND attempt = $2 AND outcome IS NULL",
        attempt.job.0,
        attempt.number,
        outcome.as_str(),
        length(pbs_done)
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// How often the child process was seen to die while it read this job's inputs.
///
/// # Errors
/// The database is away.
pub async fn deaths_while_reading(pool: &PgPool, job: JobId) -> Result<u64, StoreError> {
    let deaths = sqlx::query_scalar!(
        r#"SELECT count(*) AS "deaths!" FROM fhe_attempts
            WHERE job_id = $1 AND outcome = 'died' AND phase = 'reading'"#,
        job.0
    )
    .fetch_one(pool)
    .await?;
    size_of(deaths)
}

/// What was done for a job, whether or not it came to a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkDone {
    /// Length of the inputs, if they were read.
    pub input_bytes: u64,
    /// Bootstrappings.
    pub pbs: u64,
}

/// Reads what was done for a job.
///
/// # Errors
/// The database is away.
pub async fn work_done(pool: &PgPool, job: JobId) -> Result<WorkDone, StoreError> {
    let row = sqlx::query!(
        r#"SELECT coalesce((SELECT size FROM job_inputs WHERE job_id = $1), 0) AS "input_bytes!",
                  coalesce((SELECT max(pbs_done) FROM fhe_attempts WHERE job_id = $1), 0) AS "pbs!""#,
        job.0
    )
    .fetch_one(pool)
    .await?;
    Ok(WorkDone { input_bytes: size_of(row.input_bytes)?, pbs: size_of(row.pbs)? })
}

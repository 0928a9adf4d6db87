//! Attempts at a computation, counted before they begin: what kills its worker cannot do so for ever.

use std::time::Duration;

use jobs::JobId;
use sqlx::PgPool;
use uuid::Uuid;

use crate::StoreError;
use crate::uploads::{length, size_of};

/// An attempt that may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub job: JobId,
    /// How long the attempts before it computed, in all.
    pub computed_before: Duration,
    number: i32,
}

/// What an attempt has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Bootstrappings, those before a checkpoint included.
    pub pbs: u64,
    /// How long it has computed, reading included, by its worker's clock.
    pub computed: Duration,
}

/// The name of an attempt before it has a number: whoever asks again with it begins no other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(Uuid);

impl Token {
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
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

/// How often two attempts that begin at the same moment are told apart.
const COLLISIONS: u32 = 5;

/// Begins another attempt, unless `deaths` earlier ones came to no end of their own: died, failed, or were never heard
/// of again. Asked again with the same token it tells the attempt that it began.
///
/// # Errors
/// The database is away, or others begin attempts again and again.
pub async fn begin(pool: &PgPool, job: JobId, token: Token, deaths: i64) -> Result<Option<Attempt>, StoreError> {
    let mut collisions = 0;
    loop {
        match try_begin(pool, job, token, deaths).await {
            // Another one has this number, or the first question's answer was lost while it committed.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() && collisions < COLLISIONS => {
                collisions += 1;
            }
            begun => return Ok(begun?),
        }
    }
}

async fn try_begin(pool: &PgPool, job: JobId, token: Token, deaths: i64) -> Result<Option<Attempt>, sqlx::Error> {
    let begun = sqlx::query!(
        r#"WITH mine AS (SELECT attempt FROM fhe_attempts WHERE job_id = $1 AND token = $3),
                fresh AS (
                    INSERT INTO fhe_attempts (job_id, attempt, token)
                    SELECT $1, coalesce(max(attempt), 0) + 1, $3 FROM fhe_attempts
                     WHERE job_id = $1
                    HAVING count(*) FILTER (WHERE outcome IS NULL OR outcome IN ('died', 'failed')) < $2
                       AND NOT EXISTS (SELECT FROM mine)
                    RETURNING attempt
                ),
                begun AS (SELECT attempt FROM mine UNION ALL SELECT attempt FROM fresh)
           SELECT attempt AS "attempt!",
                  (SELECT coalesce(sum(computed_ms), 0)::bigint FROM fhe_attempts
                    WHERE job_id = $1 AND token IS DISTINCT FROM $3) AS "before!"
             FROM begun"#,
        job.0,
        deaths,
        token.0
    )
    .fetch_optional(pool)
    .await?;
    Ok(begun.map(|row| Attempt {
        job,
        computed_before: Duration::from_millis(row.before.unsigned_abs()),
        number: row.attempt,
    }))
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

/// Notes what is done; it never becomes less.
///
/// # Errors
/// The database is away.
pub async fn progress(pool: &PgPool, attempt: Attempt, done: Done) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE fhe_attempts SET pbs_done = greatest(pbs_done, $3), computed_ms = greatest(computed_ms, $4)
          WHERE job_id = $1 AND attempt = $2",
        attempt.job.0,
        attempt.number,
        length(done.pbs),
        milliseconds(done.computed)
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Ends an attempt; the first outcome stands.
///
/// # Errors
/// The database is away: the attempt then counts as one that was never heard of again.
pub async fn end(pool: &PgPool, attempt: Attempt, outcome: Outcome, done: Done) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE fhe_attempts SET outcome = $3, ended_at = now(), pbs_done = greatest(pbs_done, $4),
                                 computed_ms = greatest(computed_ms, $5)
          WHERE job_id = $1 AND attempt = $2 AND outcome IS NULL",
        attempt.job.0,
        attempt.number,
        outcome.as_str(),
        length(done.pbs),
        milliseconds(done.computed)
    )
    .execute(pool)
    .await?;
    Ok(())
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
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

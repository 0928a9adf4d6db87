//! Cancellation: a durable wish first; the workflow is told afterwards and told again until it heard.

use jobs::{JobId, JobStatus};
use sqlx::PgPool;
use uuid::Uuid;

use crate::audit::Note;
use crate::jobs::Reader;
use crate::transition::{Ending, Units, end, lock_of};
use crate::{StoreError, begin};

/// A workflow run to be told of a cancellation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowRun {
    pub workflow_id: String,
    pub run_id: String,
}

/// What a request to cancel did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The caller sees no such job.
    NoSuchJob,
    /// The job had not begun and is CANCELLED, or it was too late and nothing changed.
    Done,
    /// The wish stands; the workflow is to be told.
    Requested(Option<WorkflowRun>),
}

/// Asks for a job's end.
///
/// # Errors
/// The database is away.
pub async fn request(pool: &PgPool, reader: Reader<'_>, job: JobId, audit: &Note) -> Result<Cancelled, StoreError> {
    let mut tx = begin(pool).await?;
    let Some(row) = lock_of(&mut tx, reader, job).await? else { return Ok(Cancelled::NoSuchJob) };
    let answer = match row.status {
        JobStatus::Pending => {
            end(&mut tx, &row, &Ending::Cancelled, Units::NONE).await?;
            Cancelled::Done
        }
        JobStatus::Processing => {
            let run = sqlx::query!(
                "UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, now())
                  WHERE id = $1 AND status = 'PROCESSING'
                 RETURNING current_workflow_id, workflow_run_id",
                job.0
            )
            .fetch_one(&mut *tx)
            .await?;
            let workflow_id = run.current_workflow_id;
            Cancelled::Requested(run.workflow_run_id.map(|run_id| WorkflowRun { workflow_id, run_id }))
        }
        _ => Cancelled::Done,
    };
    audit.write(&mut tx).await?;
    tx.commit().await?;
    Ok(answer)
}

/// A run whose cancellation took no effect yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unheard {
    pub job_id: JobId,
    pub run: WorkflowRun,
}

/// Runs of jobs after `after`, in the order of their ids, whose cancellation was asked for at least `age_seconds` ago and
/// has not taken effect.
///
/// # Errors
/// The database is away.
pub async fn unheard(
    pool: &PgPool,
    after: Option<JobId>,
    age_seconds: f64,
    limit: i64,
) -> Result<Vec<Unheard>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, current_workflow_id, workflow_run_id AS "run_id!" FROM jobs
            WHERE cancel_requested_at < now() - make_interval(secs => $2) AND status IN ('PENDING', 'PROCESSING')
              AND workflow_run_id IS NOT NULL AND id > $1
            ORDER BY id LIMIT $3"#,
        after.map_or(Uuid::nil(), |job| job.0),
        age_seconds,
        limit
    )
    .fetch_all(pool)
    .await?;
    let unheard = rows.into_iter().map(|row| Unheard {
        job_id: JobId(row.id),
        run: WorkflowRun { workflow_id: row.current_workflow_id, run_id: row.run_id },
    });
    Ok(unheard.collect())
}

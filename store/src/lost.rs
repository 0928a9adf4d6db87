//! Open jobs whose workflow may be gone, and starting them again.

use jobs::{ErrorCode, JobId, JobStatus, workflow_id};
use sqlx::PgPool;
use uuid::Uuid;

use crate::cancel::WorkflowRun;
use crate::transition::{Ending, Units, end, lock};
use crate::{StoreError, begin};

/// How often a lost workflow is started again before the job fails.
pub const MAX_RESTARTS: i16 = 3;

/// An open job whose start is certain.
#[derive(Clone, Debug)]
pub struct OpenJob {
    pub job_id: JobId,
    pub run: WorkflowRun,
}

/// What became of a lost job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovered {
    Restarted,
    Failed,
    /// Somebody else was faster, or the job ended meanwhile.
    Unchanged,
}

/// Open jobs after `after`, in the order of their ids, that have not moved for `idle_seconds`.
///
/// # Errors
/// The database is away.
pub async fn open_jobs(
    pool: &PgPool,
    after: Option<JobId>,
    idle_seconds: f64,
    limit: i64,
) -> Result<Vec<OpenJob>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT j.id, j.current_workflow_id, j.workflow_run_id AS "run_id!" FROM jobs j
            WHERE j.status IN ('PENDING', 'PROCESSING', 'CONFIRMING') AND j.id > $1
              AND j.workflow_run_id IS NOT NULL AND j.updated_at < now() - make_interval(secs => $2)
              AND NOT EXISTS (SELECT FROM job_starts s WHERE s.job_id = j.id)
            ORDER BY j.id LIMIT $3"#,
        after.map_or(Uuid::nil(), |job| job.0),
        idle_seconds,
        limit
    )
    .fetch_all(pool)
    .await?;
    let open = rows.into_iter().map(|row| OpenJob {
        job_id: JobId(row.id),
        run: WorkflowRun { workflow_id: row.current_workflow_id, run_id: row.run_id },
    });
    Ok(open.collect())
}

/// Puts a job whose workflow is gone, or could never be its own, back into the outbox under the next workflow id; after
/// [`MAX_RESTARTS`] it fails.
/// A job that waits for its confirmation never fails: its outcome is fixed and the batcher needs no workflow.
///
/// # Errors
/// The database is away.
pub async fn recover(pool: &PgPool, job: JobId, lost_workflow_id: &str) -> Result<Recovered, StoreError> {
    let mut tx = begin(pool).await?;
    let Some(row) = lock(&mut tx, job).await?.filter(|row| !row.status.is_terminal()) else {
        return Ok(Recovered::Unchanged);
    };
    let current = sqlx::query!(
        "SELECT workflow_id, workflow_restarts, priority FROM jobs WHERE id = $1 AND current_workflow_id = $2",
        job.0,
        lost_workflow_id
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(current) = current else {
        return Ok(Recovered::Unchanged);
    };
    if current.workflow_restarts >= MAX_RESTARTS {
        if row.status == JobStatus::Confirming {
            return Ok(Recovered::Unchanged);
        }
        end(&mut tx, &row, &lost(), Units::NONE).await?;
        tx.commit().await?;
        return Ok(Recovered::Failed);
    }
    let restarts = current.workflow_restarts + 1;
    let next = workflow_id::restarted(&current.workflow_id, restarts.unsigned_abs().into());
    sqlx::query!(
        "UPDATE jobs SET workflow_restarts = $2, current_workflow_id = $3, workflow_run_id = NULL, updated_at = now()
          WHERE id = $1",
        job.0,
        restarts,
        next
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "INSERT INTO job_starts (job_id, tenant, priority, workflow_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (job_id) DO UPDATE SET workflow_id = EXCLUDED.workflow_id, claimed_until = '-infinity'",
        job.0,
        row.tenant,
        current.priority,
        next
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Recovered::Restarted)
}

fn lost() -> Ending {
    let detail = format!("The job's workflow was lost {} times.", MAX_RESTARTS + 1);
    Ending::Failed { code: ErrorCode::WorkflowLost, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transition::deadline_exceeded;

    #[test]
    fn the_pages_show_what_jobs_are_told() {
        for (ending, page) in [
            (lost(), include_str!("../../docs/errors/WORKFLOW_LOST.md")),
            (deadline_exceeded(), include_str!("../../docs/errors/DEADLINE_EXCEEDED.md")),
        ] {
            let Ending::Failed { detail, .. } = ending else { panic!("it failed") };
            assert!(page.contains(&format!("\n    \"detail\": \"{detail}\",\n")), "{detail}");
        }
    }
}

//! Changes of a job's state that end it without a result, and the start of its computation.

use jobs::submission::JobType;
pub use jobs::usage::Units;
use jobs::usage::{FIRST_SEGMENT, Metric, row_id};
use jobs::{ErrorCode, JobId, JobStatus, Step};
use sqlx::{PgConnection, PgPool};

use crate::admission::job_type_of;
use crate::cancel::WorkflowRun;
use crate::jobs::Reader;
use crate::quotes::ceiling;
use crate::{StoreError, events};

/// What [`begin`] found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    pub step: Step,
    pub job_type: JobType,
}

/// How a job ends without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Failed { code: ErrorCode, detail: String },
    Cancelled,
}

impl Ending {
    fn is_our_fault(&self) -> bool {
        matches!(self, Self::Failed { code, .. } if code.is_ours())
    }
}

/// A row locked for a change of state.
pub(crate) struct Locked {
    pub(crate) job: JobId,
    pub(crate) tenant: String,
    pub(crate) job_type: JobType,
    pub(crate) status: JobStatus,
    pub(crate) cancel_requested: bool,
    pub(crate) deadline_passed: bool,
    /// What it is billed at most for its computation.
    ceiling: Option<Units>,
}

struct LockedRow {
    tenant: String,
    job_type: String,
    status: String,
    cancel_requested: bool,
    deadline_passed: bool,
    unit_ceiling: Option<i64>,
    fhe_unit_ceiling: Option<i64>,
}

/// One statement locks any job, or a caller's: what differs is at its end.
macro_rules! select_locked {
    ($condition:tt, $($argument:expr),*) => {
        sqlx::query_as!(
            LockedRow,
            r#"SELECT tenant, job_type, status, cancel_requested_at IS NOT NULL AS "cancel_requested!",
                      coalesce(deadline <= now(), false) AS "deadline_passed!", unit_ceiling, fhe_unit_ceiling
                 FROM jobs "# + $condition + " FOR UPDATE",
            $($argument),*
        )
    };
}

pub(crate) async fn lock(tx: &mut PgConnection, job: JobId) -> Result<Option<Locked>, StoreError> {
    let row = select_locked!("WHERE id = $1", job.0).fetch_optional(tx).await?;
    row.map(|row| locked(job, row)).transpose()
}

/// The same of a job that the reader sees. Another's is neither locked nor waited for: how long that takes would tell
/// that it is there.
pub(crate) async fn lock_of(
    tx: &mut PgConnection,
    reader: Reader<'_>,
    job: JobId,
) -> Result<Option<Locked>, StoreError> {
    let row = select_locked!(
        "WHERE id = $1 AND tenant = $2 AND ($3::text IS NULL OR user_id = $3)",
        job.0,
        reader.tenant.as_str(),
        reader.user_column()
    )
    .fetch_optional(tx)
    .await?;
    row.map(|row| locked(job, row)).transpose()
}

fn locked(job: JobId, row: LockedRow) -> Result<Locked, StoreError> {
    let status = row.status.parse().map_err(|_| StoreError::corrupt("status", &row.status))?;
    let (cancel_requested, deadline_passed) = (row.cancel_requested, row.deadline_passed);
    let job_type = job_type_of(&row.job_type)?;
    let ceiling = ceiling(row.unit_ceiling, row.fhe_unit_ceiling)?;
    Ok(Locked { job, tenant: row.tenant, job_type, status, cancel_requested, deadline_passed, ceiling })
}

/// Begins the computation: PENDING becomes PROCESSING, unless the job was cancelled or is too late. Notes the run that
/// works on the job, as the run itself tells it: a dispatcher that died right after its start could not, and the
/// batcher completes a confirmation by its run.
///
/// # Errors
/// The database is away, or there is no such job.
pub async fn begin(pool: &PgPool, job: JobId, run: Option<&WorkflowRun>) -> Result<Begun, StoreError> {
    let mut tx = crate::begin(pool).await?;
    let row = lock(&mut tx, job).await?.ok_or_else(|| StoreError::corrupt("reference to job", job))?;
    let step = match row.status {
        JobStatus::Pending if row.cancel_requested => end(&mut tx, &row, &Ending::Cancelled, Units::NONE).await?,
        JobStatus::Pending if row.deadline_passed => end(&mut tx, &row, &deadline_exceeded(), Units::NONE).await?,
        JobStatus::Pending => {
            sqlx::query!(
                "UPDATE jobs SET status = 'PROCESSING', started_at = now(), updated_at = now(), version = version + 1,
                                 workflow_run_id = coalesce(workflow_run_id,
                                                            CASE WHEN current_workflow_id = $2 THEN $3 END)
                  WHERE id = $1 AND status = 'PENDING'",
                job.0,
                run.map(|run| run.workflow_id.as_str()),
                run.map(|run| run.run_id.as_str())
            )
            .execute(&mut *tx)
            .await?;
            events::status(&mut tx, job, &row.tenant, Some(JobStatus::Pending), JobStatus::Processing, None).await?;
            Step::Compute
        }
        JobStatus::Processing => {
            note_run(&mut tx, job, run).await?;
            Step::Compute
        }
        JobStatus::Confirming => {
            note_run(&mut tx, job, run).await?;
            Step::Confirm
        }
        ended => Step::Ended(ended),
    };
    tx.commit().await?;
    Ok(Begun { step, job_type: row.job_type })
}

/// Of a job that goes on under another workflow, or whose validation is repeated.
async fn note_run(tx: &mut PgConnection, job: JobId, run: Option<&WorkflowRun>) -> Result<(), StoreError> {
    let Some(run) = run else { return Ok(()) };
    sqlx::query!(
        "UPDATE jobs SET workflow_run_id = $3
          WHERE id = $1 AND current_workflow_id = $2 AND workflow_run_id IS NULL",
        job.0,
        run.workflow_id,
        run.run_id
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends a job without a result. A job that has one by now goes on to its confirmation instead: work that was done is
/// confirmed and billed. `units_done` are billed unless the failure is ours. A failure of ours after a request to cancel
/// is a cancellation: Temporal tries nothing again whose cancellation was asked for, so that a worker's end then looks
/// like the job's.
///
/// # Errors
/// The database is away, or there is no such job.
pub async fn conclude(pool: &PgPool, job: JobId, ending: &Ending, units_done: Units) -> Result<Step, StoreError> {
    let mut tx = crate::begin(pool).await?;
    let row = lock(&mut tx, job).await?.ok_or_else(|| StoreError::corrupt("reference to job", job))?;
    let step = match row.status {
        JobStatus::Pending | JobStatus::Processing => {
            let cancelled = row.cancel_requested && ending.is_our_fault();
            let ending = if cancelled { &Ending::Cancelled } else { ending };
            end(&mut tx, &row, ending, units_done).await?
        }
        JobStatus::Confirming => Step::Confirm,
        ended => Step::Ended(ended),
    };
    tx.commit().await?;
    Ok(step)
}

pub(crate) fn deadline_exceeded() -> Ending {
    Ending::Failed {
        code: ErrorCode::DeadlineExceeded,
        detail: "The deadline passed before there was a result.".into(),
    }
}

/// The move itself, with event, usage and settled reservation.
pub(crate) async fn end(
    tx: &mut PgConnection,
    row: &Locked,
    ending: &Ending,
    units_done: Units,
) -> Result<Step, StoreError> {
    let (status, code, detail) = match ending {
        Ending::Failed { code, detail } => (JobStatus::Failed, Some(*code), Some(detail.as_str())),
        Ending::Cancelled => (JobStatus::Cancelled, None, None),
    };
    sqlx::query!(
        "UPDATE jobs SET status = $2, error_code = $3, error_detail = $4, completed_at = now(), updated_at = now(),
                         version = version + 1
          WHERE id = $1 AND status = $5",
        row.job.0,
        status.as_str(),
        code.map(ErrorCode::as_str),
        detail,
        row.status.as_str()
    )
    .execute(&mut *tx)
    .await?;
    if status == JobStatus::Failed {
        confirm_failure(tx, row).await?;
    }
    if code.is_none_or(|code| !code.is_ours()) {
        charge(tx, row, units_done).await?;
    }
    sqlx::query!("DELETE FROM job_reservations WHERE job_id = $1", row.job.0).execute(&mut *tx).await?;
    events::status(tx, row.job, &row.tenant, Some(row.status), status, code).await?;
    Ok(Step::Ended(status))
}

/// Where the tenant wants it, a failed job goes on chain as failed. The job itself has ended: the confirmation is a matter
/// of its batch, changes no state and costs nothing. The salt is random (the database's generator is the system's).
async fn confirm_failure(tx: &mut PgConnection, row: &Locked) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO confirmations (job_id, leaf_status, salt)
         SELECT $1, 2, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
           FROM tenants WHERE id = $2 AND confirm_failed",
        row.job.0,
        row.tenant
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes the usage rows of the job's computation, none beyond its ceiling: what was done beyond it is a gift.
pub(crate) async fn charge(tx: &mut PgConnection, row: &Locked, units: Units) -> Result<(), StoreError> {
    let billed = row.ceiling.map_or(units, |ceiling| units.at_most(ceiling));
    if billed != units {
        tracing::warn!(job.id = %row.job, ?units, ?billed, "more was done than the job's ceiling allows");
    }
    let rows = [(Metric::ComputeUnits, billed.compute), (Metric::FheComputeUnits, billed.fhe)];
    for (metric, units) in rows.into_iter().filter(|(_, units)| *units > 0) {
        sqlx::query!(
            "INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units) VALUES ($1, $2, $3, $4, $5, $6)",
            row_id(row.job, metric, FIRST_SEGMENT),
            row.tenant,
            row.job.0,
            metric.as_str(),
            FIRST_SEGMENT,
            i64::try_from(units).unwrap_or(i64::MAX)
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

//! Appending to `job_events`, always inside the transaction of the change that the event tells. Every change of state
//! passes here, so here the one table of moves is enforced.

use jobs::event::{EventType, StatusChange};
use jobs::{ErrorCode, JobId, JobStatus};
use sqlx::PgConnection;

use crate::StoreError;

/// Appends a `job.status` event; a move that the table does not allow fails, and its transaction with it.
pub(crate) async fn status(
    tx: &mut PgConnection,
    job: JobId,
    tenant: &str,
    previous: Option<JobStatus>,
    status: JobStatus,
    error_code: Option<ErrorCode>,
) -> Result<(), StoreError> {
    let data = status_change(previous, status, error_code)?;
    append(tx, job, tenant, EventType::Status, data).await
}

/// The data of a `job.status` event.
pub(crate) fn status_change(
    previous: Option<JobStatus>,
    status: JobStatus,
    error_code: Option<ErrorCode>,
) -> Result<serde_json::Value, StoreError> {
    let allowed = match previous {
        Some(previous) => previous.may_become(status),
        None => status == JobStatus::Pending,
    };
    if !allowed {
        let previous = previous.map_or("nothing", JobStatus::as_str);
        return Err(StoreError::corrupt("move", format!("{previous} to {status}")));
    }
    serde_json::to_value(StatusChange { status, previous, error_code })
        .map_err(|error| StoreError::corrupt("event", error))
}

pub(crate) async fn append(
    tx: &mut PgConnection,
    job: JobId,
    tenant: &str,
    event_type: EventType,
    data: serde_json::Value,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO job_events (job_id, tenant, event_type, data) VALUES ($1, $2, $3, $4)",
        job.0,
        tenant,
        event_type.as_str(),
        data
    )
    .execute(tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jobs::status::{ALL, MOVES};

    #[test]
    fn only_the_tables_moves_are_told() {
        for left in ALL {
            for entered in ALL {
                let told = status_change(Some(left), entered, None).is_ok();
                assert_eq!(told, MOVES.contains(&(left, entered)), "{left} to {entered}");
            }
        }
        assert!(status_change(None, JobStatus::Pending, None).is_ok());
        assert!(status_change(None, JobStatus::Completed, None).is_err(), "a job begins as PENDING");
    }
}

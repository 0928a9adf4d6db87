//! Appending to `job_events`, always inside the transaction of the change that the event tells.

use jobs::event::{EventType, StatusChange};
use jobs::{ErrorCode, JobId, JobStatus};
use sqlx::PgConnection;

use crate::StoreError;

/// Appends a `job.status` event.
pub(crate) async fn status(
    tx: &mut PgConnection,
    job: JobId,
    tenant: &str,
    previous: Option<JobStatus>,
    status: JobStatus,
    error_code: Option<ErrorCode>,
) -> Result<(), StoreError> {
    let data = serde_json::to_value(StatusChange { status, previous, error_code })
        .map_err(|error| StoreError::corrupt("event", error))?;
    append(tx, job, tenant, EventType::Status, data).await
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

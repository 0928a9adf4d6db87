//! Waiting for a job's end on behalf of a client (`Prefer: wait`).

use std::time::Duration;

use jobs::JobId;
use store::jobs::{Reader, StoredJob};
use tokio::time::{Instant, sleep};

use crate::ApiState;

/// First pause between two looks; each one is half as long again.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(250);

/// The job, if it is terminal within `limit`. What cannot be read is as if it were not terminal: the job was accepted,
/// and nothing that happens here may tell otherwise.
pub async fn until_terminal(state: &ApiState, reader: Reader<'_>, job: JobId, limit: Duration) -> Option<StoredJob> {
    let end = Instant::now() + limit;
    let mut pause = SHORTEST;
    loop {
        match store::jobs::status(&state.pool, reader, job).await {
            Ok(Some(status)) if status.is_terminal() => break,
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => tracing::warn!(job.id = %job, error = ?error, "the waited-for job cannot be read"),
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        // The last look is at the end, not a pause before it.
        sleep(pause.min(left)).await;
        pause = (pause * 3 / 2).min(LONGEST);
    }
    store::jobs::find(&state.pool, reader, job).await.ok().flatten()
}

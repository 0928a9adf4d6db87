//! `confirm`: waits for the job's batch. It does no work that can be lost: each attempt first reads the database.

use std::sync::Arc;

use jobs::JobStatus;
use store::PgPool;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::activities::{JobRef, Step};

pub struct Confirm {
    pub pool: PgPool,
}

#[activities]
impl Confirm {
    /// The batcher completes the activity by its id; the attempt's time-out and the next attempt's look into the
    /// database are the safety net.
    #[activity(name = "confirm")]
    pub async fn confirm(self: Arc<Self>, _ctx: ActivityContext, job: JobRef) -> Result<Step, ActivityError> {
        match store::compute::status(&self.pool, job.job_id).await? {
            JobStatus::Confirming => Err(ActivityError::WillCompleteAsync),
            decided => Ok(Step::Ended(decided)),
        }
    }
}

//! `validate`: checks that the reference leads to a job, and begins it.

use std::sync::Arc;

use store::transition::{self, Stage};
use store::{PgPool, starts};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::activities::{JobRef, Step};

/// Runs as a local activity: one marker in the history.
pub struct Validate {
    pub pool: PgPool,
}

#[activities]
impl Validate {
    #[activity(name = "validate")]
    pub async fn validate(self: Arc<Self>, ctx: ActivityContext, job: JobRef) -> Result<Step, ActivityError> {
        let info = ctx.info();
        if let (Some(workflow_id), Some(run_id)) = (&info.workflow_id, &info.workflow_run_id) {
            starts::note_run(&self.pool, job.job_id, workflow_id, run_id).await?;
        }
        Ok(step(transition::begin(&self.pool, job.job_id).await?))
    }
}

/// The store's word for where a job goes on, in the workflow's words.
pub(crate) fn step(stage: Stage) -> Step {
    match stage {
        Stage::Compute => Step::Compute,
        Stage::Confirm => Step::Confirm,
        Stage::Ended(status) => Step::Ended(status),
    }
}

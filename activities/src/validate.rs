//! `validate`: checks that the reference leads to a job, and begins it.

use std::sync::Arc;

use store::PgPool;
use store::cancel::WorkflowRun;
use store::transition::{self, Stage};
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
        let run = info.workflow_id.clone().zip(info.workflow_run_id.clone());
        let run = run.map(|(workflow_id, run_id)| WorkflowRun { workflow_id, run_id });
        Ok(step(transition::begin(&self.pool, job.job_id, run.as_ref()).await?))
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

//! The batcher: one workflow a registry, for ever. Its work is one long activity at a time, because everything that
//! must survive a crash stands in the database before it is done.

use std::time::Duration;

use jobs::workflow_id::SERVICE;
use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{ActivityOptions, ContinueAsNewOptions, RetryPolicy, WorkflowContext, WorkflowResult};

use crate::activities::ConfirmBatches;

/// An activity that is silent for this long is dead, and another worker goes on.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest life of one activity; it ends by itself well before.
const ATTEMPT: Duration = Duration::from_secs(1200);
/// Runs before the history is begun anew.
const RUNS: u32 = 50;

/// Which registry the batcher serves; in the workflow id too.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct BatcherInput {
    pub chain_id: u64,
    pub registry: String,
}

impl BatcherInput {
    #[must_use]
    pub fn workflow_id(&self) -> String {
        format!("{SERVICE}/batcher/{}/{}", self.chain_id, self.registry)
    }
}

#[workflow]
pub struct BatcherWorkflow {
    input: BatcherInput,
}

#[workflow_methods]
impl BatcherWorkflow {
    #[init]
    fn new(_ctx: &temporalio_workflow::WorkflowContextView, input: BatcherInput) -> Self {
        Self { input }
    }

    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        for _ in 0..RUNS {
            let report = ctx.execute_activity(ConfirmBatches, (), options()).await?;
            let (chain, registry) = ctx.state(|state| (state.input.chain_id, state.input.registry.clone()));
            ctx.set_current_details(format!(
                "registry {registry} on chain {chain}: {} batches and {} jobs completed in the last run, {} jobs wait; \
                 last transaction {}; {}",
                report.batches_completed,
                report.jobs_completed,
                report.jobs_waiting,
                report.last_transaction.as_deref().unwrap_or("none"),
                report.trouble.as_deref().unwrap_or("no trouble"),
            ));
        }
        let input = ctx.state(|state| state.input.clone());
        match ctx.continue_as_new(input, ContinueAsNewOptions::default())? {}
    }
}

fn options() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(ATTEMPT)
        .heartbeat_timeout(HEARTBEAT_TIMEOUT)
        .retry_policy(RetryPolicy::builder().maximum_interval(Duration::from_secs(10)).build())
        .build()
}

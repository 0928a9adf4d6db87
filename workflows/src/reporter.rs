//! The reporter: sends whatever usage the jobs' own meter activities did not, in turns, for ever.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{ActivityOptions, ContinueAsNewOptions, RetryPolicy, WorkflowContext, WorkflowResult};

use crate::activities::ReportUsage;

/// A turn has time for a backlog, for credits and for accounts, one after the other.
const ATTEMPT: Duration = Duration::from_secs(300);
/// Turns before the history is begun anew.
const TURNS: u32 = 200;

/// How often to look.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ReporterInput {
    pub every_seconds: u64,
}

impl ReporterInput {
    pub const WORKFLOW_ID: &'static str = "zama.jobs/usage-reporter";
}

#[workflow]
pub struct ReporterWorkflow {
    input: ReporterInput,
}

#[workflow_methods]
impl ReporterWorkflow {
    #[init]
    fn new(_ctx: &temporalio_workflow::WorkflowContextView, input: ReporterInput) -> Self {
        Self { input }
    }

    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let input = ctx.state(|state| state.input.clone());
        for _ in 0..TURNS {
            let delivered = ctx.execute_activity(ReportUsage, (), options(input.every_seconds)).await?;
            ctx.set_current_details(format!("{delivered} rows delivered in the last turn"));
            ctx.timer(Duration::from_secs(input.every_seconds)).await;
        }
        match ctx.continue_as_new(input, ContinueAsNewOptions::default())? {}
    }
}

/// A turn that fails for one tenant has served the others, which do not wait longer for the next one.
fn options(every_seconds: u64) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(ATTEMPT)
        .retry_policy(RetryPolicy::builder().maximum_interval(Duration::from_secs(every_seconds.max(1))).build())
        .build()
}

//! The hours: books what is metered by the hour, again and again, for ever. An hour is booked once, however often.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{ActivityOptions, ContinueAsNewOptions, RetryPolicy, WorkflowContext, WorkflowResult};

use crate::activities::BookHours;

const ATTEMPT: Duration = Duration::from_secs(60);
/// An hour must not pass without a look at what is stored.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// Turns before the history is begun anew.
const TURNS: u32 = 200;

/// How often to look.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct UsageHoursInput {
    pub every_seconds: u64,
}

impl UsageHoursInput {
    pub const WORKFLOW_ID: &'static str = "zama.jobs/usage-hours";
}

#[workflow]
pub struct UsageHoursWorkflow {
    input: UsageHoursInput,
}

#[workflow_methods]
impl UsageHoursWorkflow {
    #[init]
    fn new(_ctx: &temporalio_workflow::WorkflowContextView, input: UsageHoursInput) -> Self {
        Self { input }
    }

    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let input = ctx.state(|state| state.input.clone());
        for _ in 0..TURNS {
            let booked = ctx.execute_activity(BookHours, (), options()).await?;
            ctx.set_current_details(format!("{booked} rows booked in the last turn"));
            ctx.timer(Duration::from_secs(input.every_seconds)).await;
        }
        match ctx.continue_as_new(input, ContinueAsNewOptions::default())? {}
    }
}

fn options() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(ATTEMPT)
        .retry_policy(RetryPolicy::builder().maximum_interval(LONGEST_PAUSE).build())
        .build()
}

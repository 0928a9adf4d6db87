//! The reconciler: holds the ledger against the billing system every hour, for ever.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{ActivityOptions, ContinueAsNewOptions, RetryPolicy, WorkflowContext, WorkflowResult};

use crate::activities::{Reconcile, Reconciled};

/// Each tenant's events are read, a hundred a call.
const ATTEMPT: Duration = Duration::from_secs(30 * 60);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// Turns before the history is begun anew.
const TURNS: u32 = 100;

/// How often to look.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ReconcilerInput {
    pub every_seconds: u64,
}

impl ReconcilerInput {
    pub const WORKFLOW_ID: &'static str = "zama.jobs/billing-reconciler";
}

#[workflow]
pub struct ReconcilerWorkflow {
    input: ReconcilerInput,
}

#[workflow_methods]
impl ReconcilerWorkflow {
    #[init]
    fn new(_ctx: &temporalio_workflow::WorkflowContextView, input: ReconcilerInput) -> Self {
        Self { input }
    }

    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let input = ctx.state(|state| state.input.clone());
        for _ in 0..TURNS {
            let found = ctx.execute_activity(Reconcile, (), options()).await?;
            ctx.set_current_details(told(&found));
            ctx.timer(Duration::from_secs(input.every_seconds)).await;
        }
        match ctx.continue_as_new(input, ContinueAsNewOptions::default())? {}
    }
}

fn told(found: &Reconciled) -> String {
    let Reconciled { tenants, drifting, waiting, dead_letters } = found;
    format!(
        "{tenants} tenants compared: {drifting} metrics disagree, {waiting} rows wait, {dead_letters} are dead letters"
    )
}

fn options() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(ATTEMPT)
        .retry_policy(RetryPolicy::builder().maximum_interval(LONGEST_PAUSE).build())
        .build()
}

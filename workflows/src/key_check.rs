//! The check of an evaluation key that a client uploaded: one activity on the queue of those who may parse it.

use std::time::Duration;

use alloy::primitives::{B256, hex};
use jobs::TenantId;
use jobs::workflow_id::SERVICE;
use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{ActivityOptions, RetryPolicy, WorkflowContext, WorkflowResult};

use crate::activities::{CheckKey, KeyRef, KeyVerdict};
use crate::task_queue;

const ATTEMPT: Duration = Duration::from_secs(300);
/// A worker that is silent for this long is dead, and another goes on.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);

/// References only.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct KeyCheckInput {
    pub tenant: TenantId,
    /// SHA-256 of the key's bytes.
    pub key_id: B256,
}

impl KeyCheckInput {
    /// One workflow a key: whoever starts it a second time finds the first.
    #[must_use]
    pub fn workflow_id(&self) -> String {
        format!("{SERVICE}/key-check/{}/{}", self.tenant, hex::encode(self.key_id))
    }
}

#[workflow]
pub struct KeyCheckWorkflow {
    input: KeyCheckInput,
}

#[workflow_methods]
impl KeyCheckWorkflow {
    #[init]
    fn new(_ctx: &temporalio_workflow::WorkflowContextView, input: KeyCheckInput) -> Self {
        Self { input }
    }

    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<KeyVerdict> {
        let KeyCheckInput { tenant, key_id } = ctx.state(|state| state.input.clone());
        ctx.set_current_details(format!("checking evaluation key {key_id} of {tenant}"));
        let verdict = ctx.execute_activity(CheckKey, KeyRef { tenant, key_id }, options()).await?;
        Ok(verdict)
    }
}

fn options() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(ATTEMPT)
        .task_queue(task_queue::FHE.to_owned())
        .heartbeat_timeout(HEARTBEAT_TIMEOUT)
        .retry_policy(RetryPolicy::builder().maximum_interval(Duration::from_secs(60)).build())
        .build()
}

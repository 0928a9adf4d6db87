//! The batcher: one workflow a registry, for ever. Its work is one long activity at a time, because everything that
//! must survive a crash stands in the database before it is done.

use std::time::Duration;

use jobs::workflow_id::SERVICE;
use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{ActivityOptions, ContinueAsNewOptions, RetryPolicy, WorkflowContext, WorkflowResult};

use crate::activities::{BatcherReport, ConfirmBatches};

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
            ctx.set_current_details(format!("registry {registry} on chain {chain}: {}", told(&report)));
        }
        let input = ctx.state(|state| state.input.clone());
        match ctx.continue_as_new(input, ContinueAsNewOptions::default())? {}
    }
}

/// A report in words, for the UI. The next one comes within about a minute; the running activity's heartbeat is newer.
fn told(report: &BatcherReport) -> String {
    let or_none = |known: &Option<String>| known.as_deref().unwrap_or("none").to_owned();
    let low = if report.balance_is_low { " (low)" } else { "" };
    format!(
        "{} batches and {} jobs completed in the last run; current batch {}; {} jobs wait to be sealed, the oldest \
         unconfirmed since {}; last transaction {}; balance {}{low}; {}",
        report.batches_completed,
        report.jobs_completed,
        or_none(&report.current_batch),
        report.jobs_waiting,
        or_none(&report.oldest_waiting_since),
        or_none(&report.last_transaction),
        report.balance.as_deref().unwrap_or("unknown"),
        report.trouble.as_deref().unwrap_or("no trouble"),
    )
}

fn options() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(ATTEMPT)
        .heartbeat_timeout(HEARTBEAT_TIMEOUT)
        .retry_policy(RetryPolicy::builder().maximum_interval(Duration::from_secs(10)).build())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_in_words() {
        let quiet = told(&BatcherReport::default());
        assert!(quiet.contains("current batch none") && quiet.ends_with("no trouble"), "{quiet}");
        let poor = BatcherReport {
            balance: Some("0.01 ETH".to_owned()),
            balance_is_low: true,
            trouble: Some("paused".to_owned()),
            ..BatcherReport::default()
        };
        assert!(told(&poor).ends_with("balance 0.01 ETH (low); paused"), "{}", told(&poor));
    }

    /// Running workflows have reports of older workers in their histories.
    #[test]
    fn an_older_report_is_read() {
        let older = r#"{"batches_completed":3,"jobs_completed":4,"jobs_waiting":0,"last_transaction":null,"last_block":null,"trouble":null}"#;
        let report: BatcherReport = serde_json::from_str(older).expect("it is read");
        assert_eq!((report.batches_completed, report.balance_is_low), (3, false));
    }
}

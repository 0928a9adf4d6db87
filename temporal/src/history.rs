//! Fetching a workflow's history, as replay tests read it.

use anyhow::{Context, Result};
use temporalio_client::{Client, WorkflowExecutionInfo, WorkflowFetchHistoryOptions};

/// The history of a run, or of the newest one under an id, in the SDK's JSON; payloads stay encrypted.
///
/// # Errors
/// Temporal is away, or there is no such workflow.
pub async fn fetch(client: &Client, workflow_id: &str, run_id: Option<&str>) -> Result<Vec<u8>> {
    let info = WorkflowExecutionInfo::builder()
        .namespace(client.options().namespace.clone())
        .workflow_id(workflow_id)
        .maybe_run_id(run_id)
        .build();
    let history = info.bind_untyped(client.clone()).fetch_history(WorkflowFetchHistoryOptions::default());
    history.to_json().await.with_context(|| format!("Failed to fetch the history of {workflow_id}"))
}

//! Fetching a workflow's history, as replay tests read it.

use anyhow::{Context, Result};
use temporalio_client::{Client, UntypedWorkflow, WorkflowFetchHistoryOptions};

/// The history of the newest run under an id, in the SDK's JSON; payloads stay encrypted.
///
/// # Errors
/// Temporal is away, or there is no such workflow.
pub async fn fetch(client: &Client, workflow_id: &str) -> Result<Vec<u8>> {
    let handle = client.get_workflow_handle::<UntypedWorkflow>(workflow_id);
    let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
    history.to_json().await.with_context(|| format!("Failed to fetch the history of {workflow_id}"))
}

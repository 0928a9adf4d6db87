//! What an operator sees and does with Temporal's own command line: the program that is the stack's server.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use super::patience::until;
use super::stack::Stack;

const NAMESPACE: &str = "zama-jobs";

impl Stack {
    fn temporal(&self, arguments: &[&str]) -> Value {
        let output = self.temporal_in(NAMESPACE, arguments);
        assert!(output.status.success(), "temporal {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Temporal's own command line in any namespace; it may fail.
    pub fn temporal_in(&self, namespace: &str, arguments: &[&str]) -> Output {
        let server = self.place.part("temporal").pid.unwrap();
        let program: PathBuf = std::fs::read_link(format!("/proc/{server}/exe")).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).args(["--address", &self.temporal, "--namespace", namespace, "--output", "json"]);
        command.output().unwrap()
    }

    /// A namespace's own search attributes: name to type.
    pub fn search_attributes(&self, namespace: &str) -> Value {
        let listed = self.temporal_in(namespace, &["operator", "search-attribute", "list"]);
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap_or_else(|_| panic!("{listed:?}"));
        listed["customAttributes"].clone()
    }

    /// Ids of the tenant's workflows, as `temporal workflow list` finds them.
    pub fn workflows(&self, tenant: &str) -> Vec<String> {
        let query = format!("ZamaTenant='{tenant}'");
        let listed = self.temporal(&["workflow", "list", "--limit", "1000", "--query", &query]);
        let id = |workflow: &Value| workflow["execution"]["workflowId"].as_str().unwrap().to_owned();
        listed.as_array().into_iter().flatten().map(id).collect()
    }

    /// Waits until the list shows as many: it follows the starts at some distance.
    pub async fn lists(&self, count: usize, tenant: &str) -> Vec<String> {
        until(&format!("{count} workflows of {tenant} are listed"), async || {
            let listed = self.workflows(tenant);
            assert!(listed.len() <= count, "{listed:?}");
            (listed.len() == count).then_some(listed)
        })
        .await
    }

    /// The history's events, payloads as they are stored.
    pub fn history(&self, workflow: &str) -> Vec<Value> {
        let shown = self.temporal(&["workflow", "show", "--workflow-id", workflow]);
        shown["events"].as_array().unwrap_or_else(|| panic!("no history: {shown}")).clone()
    }

    /// The history of a workflow, once it has ended.
    pub async fn whole_history(&self, workflow: &str) -> Vec<Value> {
        until(&format!("workflow {workflow} has ended"), async || {
            let events = self.history(workflow);
            let last = events.last()?["eventType"].as_str()?.to_owned();
            let ended = ["COMPLETED", "FAILED", "CANCELED", "TERMINATED"]
                .iter()
                .any(|end| last == format!("EVENT_TYPE_WORKFLOW_EXECUTION_{end}"));
            ended.then_some(events)
        })
        .await
    }

    /// Waits until the activity that a workflow waits for has failed at least once.
    pub async fn retries(&self, workflow: &str) {
        until(&format!("workflow {workflow} tries again"), async || {
            let described = self.temporal(&["workflow", "describe", "--workflow-id", workflow]);
            let waits = described["pendingActivities"]
                .as_array()?
                .iter()
                .any(|activity| activity["attempt"].as_u64() > Some(1));
            waits.then_some(())
        })
        .await;
    }

    /// Which attempt of its activity a workflow waits for; none between two activities.
    pub fn attempt(&self, workflow: &str) -> Option<u64> {
        let described = self.temporal(&["workflow", "describe", "--workflow-id", workflow]);
        described["pendingActivities"].as_array()?.first()?["attempt"].as_u64()
    }

    /// The workflow that confirms the stack's batches.
    pub fn batcher(&self) -> String {
        format!("zama.jobs/batcher/31337/{}", self.registry)
    }

    pub fn terminates(&self, workflow: &str) {
        self.temporal(&["workflow", "terminate", "--workflow-id", workflow, "--reason", "an operator's mistake"]);
    }
}

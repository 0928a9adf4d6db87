//! What an operator sees and does with Temporal's own command line: the program that is the stack's server.

use std::path::PathBuf;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use temporalio_client::schedules::{
    DeleteScheduleOptions, ScheduleDescription, ScheduleHandle, ScheduleOverlapPolicy, ScheduleUpdate,
    TriggerScheduleOptions,
};
use temporalio_client::{ActivityIdentifier, Client, ClientOptions, Connection, ConnectionOptions, RpcOptions, Url};

use super::patience::until;
use super::stack::Stack;

const NAMESPACE: &str = "zama-jobs";

/// The schedule by which ledger and billing system are compared.
pub const RECONCILIATION: &str = "zama.jobs/reconciliation";

impl Stack {
    fn temporal(&self, arguments: &[&str]) -> Value {
        self.asks_temporal(arguments).unwrap_or_else(|refusal| panic!("temporal {arguments:?}: {refusal}"))
    }

    /// The answer, or what the server refuses with.
    fn asks_temporal(&self, arguments: &[&str]) -> Result<Value, String> {
        let output = self.temporal_in(NAMESPACE, arguments);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
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
        self.found(&format!("ZamaTenant='{tenant}'"))
    }

    fn found(&self, query: &str) -> Vec<String> {
        let listed = self.temporal(&["workflow", "list", "--limit", "1000", "--query", query]);
        let id = |workflow: &Value| workflow["execution"]["workflowId"].as_str().unwrap().to_owned();
        listed.as_array().into_iter().flatten().map(id).collect()
    }

    /// Waits until a query finds exactly these workflows, in any order.
    pub async fn finds(&self, query: &str, workflows: &[String]) {
        until(&format!("{query} finds {workflows:?}"), async || {
            let mut found = self.found(query);
            found.sort_unstable();
            (found == workflows).then_some(())
        })
        .await;
    }

    /// What the UI says of a running workflow: it asks the workflow itself, and opens the answer by the codec server.
    pub fn current_details(&self, workflow: &str) -> String {
        self.current_details_if_any(workflow).unwrap_or_else(|| panic!("{workflow} has no details"))
    }

    /// The same of a workflow that need not have said anything yet.
    pub fn current_details_if_any(&self, workflow: &str) -> Option<String> {
        let asked = ["workflow", "metadata", "--workflow-id", workflow, "--codec-endpoint", &self.codec()];
        let told = self.asks_temporal(&asked).ok()?;
        Some(told["queryResult"][0]["currentDetails"].as_str()?.to_owned())
    }

    /// What the activity that a workflow waits for told with its last heartbeat, opened by the codec server; none between
    /// two activities.
    pub async fn heartbeat(&self, workflow: &str) -> Option<Value> {
        let sealed = self.pending(workflow)?["heartbeatDetails"].take();
        self.opened(sealed.get("payloads").unwrap_or(&sealed)).await
    }

    /// The first of some payloads, opened by the codec server.
    async fn opened(&self, payloads: &Value) -> Option<Value> {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.post(format!("{}/decode", self.codec())).json(&json!({ "payloads": payloads }));
        let opened: Value = request.send().await.ok()?.json().await.ok()?;
        let told = STANDARD.decode(opened["payloads"][0]["data"].as_str()?).unwrap();
        Some(serde_json::from_slice(&told).unwrap())
    }

    /// What a workflow answered, once it has ended.
    pub async fn result(&self, workflow: &str) -> Value {
        let events = self.whole_history(workflow).await;
        let ended = &events[events.len() - 1]["workflowExecutionCompletedEventAttributes"];
        let sealed = &ended["result"]["payloads"];
        assert_eq!(sealed[0]["metadata"]["encoding"], STANDARD.encode("binary/encrypted"), "{ended}");
        self.opened(sealed).await.unwrap_or_else(|| panic!("{workflow} has no result: {ended}"))
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

    /// What a running workflow waits for; none between two activities.
    fn pending(&self, workflow: &str) -> Option<Value> {
        let described = self.asks_temporal(&["workflow", "describe", "--workflow-id", workflow]).ok()?;
        described["pendingActivities"].as_array()?.first().cloned()
    }

    /// Waits until a worker executes this activity of a workflow.
    pub async fn executes(&self, workflow: &str, activity: &str) {
        until(&format!("workflow {workflow} executes {activity}"), async || {
            let pending = self.pending(workflow)?;
            let executes = pending["activityType"]["name"] == activity;
            (executes && pending["state"] == "PENDING_ACTIVITY_STATE_STARTED").then_some(())
        })
        .await;
    }

    /// Waits until the server has details that the workflow's activity told from now on: the next heartbeat may be on
    /// its way already, the one after it is not.
    pub async fn hears_of(&self, workflow: &str) {
        for _ in 0..2 {
            let last = self.pending(workflow).map(|activity| activity["lastHeartbeatTime"].clone());
            until(&format!("workflow {workflow} heartbeats"), async || {
                let newest = self.pending(workflow)?["lastHeartbeatTime"].clone();
                (newest.is_string() && Some(&newest) != last.as_ref()).then_some(())
            })
            .await;
        }
    }

    /// Tells the server, in the activity's name, details of a form that no worker knows.
    pub async fn plants_heartbeat_details(&self, workflow: &str) {
        let activity = self.pending(workflow).unwrap()["activityId"].as_str().unwrap().to_owned();
        let client = self.temporal_client().await;
        let id = ActivityIdentifier::by_id_workflow(workflow, String::new(), activity);
        let planted =
            client.get_async_activity_handle(id).heartbeat(Some("nonsense".to_owned()), RpcOptions::default()).await;
        planted.unwrap();
    }

    async fn temporal_client(&self) -> Client {
        let url: Url = format!("http://{}", self.temporal).parse().unwrap();
        let connection = Connection::connect(ConnectionOptions::new(url).build()).await.unwrap();
        Client::new(connection, ClientOptions::new(NAMESPACE).build()).unwrap()
    }

    async fn schedule_handle(&self, id: &str) -> ScheduleHandle<Client> {
        self.temporal_client().await.get_schedule_handle(id)
    }

    /// A schedule, once there is one.
    pub async fn schedule(&self, id: &str) -> ScheduleDescription {
        self.schedule_that(id, |_| true).await
    }

    /// A schedule, once it is like this.
    pub async fn schedule_that(&self, id: &str, is_it: impl Fn(&ScheduleDescription) -> bool) -> ScheduleDescription {
        let handle = self.schedule_handle(id).await;
        until(&format!("schedule {id} is as it should be"), async || {
            handle.describe(RpcOptions::default()).await.ok().filter(|described| is_it(described))
        })
        .await
    }

    /// As an operator does by hand: the schedule starts its workflow, after the one that runs. Answers the workflow's id.
    pub async fn triggers(&self, schedule: &str) -> String {
        let known: Vec<String> =
            self.schedule(schedule).await.recent_actions().into_iter().map(|run| run.run_id).collect();
        let handle = self.schedule_handle(schedule).await;
        handle.trigger(ScheduleOverlapPolicy::BufferOne, TriggerScheduleOptions::default()).await.unwrap();
        until(&format!("schedule {schedule} has started another workflow"), async || {
            let runs = handle.describe(RpcOptions::default()).await.ok()?.recent_actions();
            runs.into_iter().rfind(|run| !known.contains(&run.run_id)).map(|run| run.workflow_id)
        })
        .await
    }

    /// As an operator does, or an earlier version.
    pub async fn changes_schedule(&self, id: &str, change: impl FnOnce(&mut ScheduleUpdate) + Send + 'static) {
        self.schedule_handle(id).await.update(change, RpcOptions::default()).await.unwrap();
    }

    /// Deletes a schedule, and waits until the server knows it no more.
    pub async fn deletes_schedule(&self, id: &str) {
        let handle = self.schedule_handle(id).await;
        handle.delete(DeleteScheduleOptions::default()).await.unwrap();
        until(&format!("schedule {id} is gone"), async || {
            handle.describe(RpcOptions::default()).await.is_err().then_some(())
        })
        .await;
    }

    /// Which attempt of its activity a workflow waits for; none between two activities.
    pub fn attempt(&self, workflow: &str) -> Option<u64> {
        self.pending(workflow)?["attempt"].as_u64()
    }

    /// The workflow that confirms the stack's batches.
    pub fn batcher(&self) -> String {
        format!("zama.jobs/batcher/31337/{}", self.registry)
    }

    /// As an operator does who takes a workflow for a leftover: nothing remains of it.
    pub fn deletes(&self, workflow: &str) {
        self.temporal(&["workflow", "delete", "--workflow-id", workflow]);
    }

    /// Another program, in the same namespace, starts a workflow of its own that nobody executes.
    pub fn has_a_stranger(&self, workflow: &str) {
        self.temporal(&[
            "workflow",
            "start",
            "--workflow-id",
            workflow,
            "--type",
            "Stranger",
            "--task-queue",
            "nobody",
        ]);
    }

    pub fn terminates(&self, workflow: &str) {
        self.temporal(&["workflow", "terminate", "--workflow-id", workflow, "--reason", "an operator's mistake"]);
    }
}

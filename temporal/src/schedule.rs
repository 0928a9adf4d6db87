//! The schedule of the reconciliation: made where it is missing, put right where it differs from the settings.

use std::time::Duration;

use temporalio_client::errors::WorkflowInteractionError;
use temporalio_client::{WorkflowExecutionInfo, WorkflowTerminateOptions};
use temporalio_common::WorkflowDefinition;
use temporalio_common::protos::temporal::api::common::v1::WorkflowType;
use temporalio_common::protos::temporal::api::enums::v1::ScheduleOverlapPolicy;
use temporalio_common::protos::temporal::api::schedule::v1::schedule_action::Action;
use temporalio_common::protos::temporal::api::schedule::v1::{
    IntervalSpec, Schedule, ScheduleAction, SchedulePatch, SchedulePolicies, ScheduleSpec, TriggerImmediatelyRequest,
};
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflow::v1::NewWorkflowExecutionInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    CreateScheduleRequest, DescribeScheduleRequest, UpdateScheduleRequest,
};
use tonic::{Code, IntoRequest};
use workflows::{ReconciliationWorkflow, task_queue};

use crate::Engine;
use crate::engine_error::{EngineError, is_gone};

/// A comparison that was missed by more is not made up for: the next one sees the same. The server's default is a year.
const CATCH_UP: Duration = Duration::from_secs(60);
/// Temporal numbers an overlap policy.
const OVERLAP: i32 = ScheduleOverlapPolicy::Skip as i32;

impl Engine {
    /// Makes sure that ledger and billing system are held against each other so often. Whether the schedule is paused
    /// is an operator's to say, and stays. The workflow that did it before there was a schedule is ended.
    ///
    /// # Errors
    /// Temporal is away, or refuses.
    pub async fn ensure_reconciliation(&self, every: Duration) -> Result<(), EngineError> {
        self.end_perpetual_reconciler().await?;
        let wanted = schedule(every);
        let request = DescribeScheduleRequest { namespace: self.namespace(), schedule_id: schedule_id() };
        let described = self.client().connection().workflow_service().describe_schedule(request.into_request()).await;
        let described = match described {
            Ok(described) => described.into_inner(),
            Err(status) if is_gone(&status) => return self.create(wanted).await,
            Err(status) => return Err(status.into()),
        };
        let there = described.schedule.unwrap_or_default();
        if decided(&there) == decided(&wanted) {
            return Ok(());
        }
        let request = UpdateScheduleRequest {
            namespace: self.namespace(),
            schedule_id: schedule_id(),
            schedule: Some(Schedule { state: there.state, ..wanted }),
            conflict_token: described.conflict_token,
            request_id: request_id(),
            ..Default::default()
        };
        self.client().connection().workflow_service().update_schedule(request.into_request()).await?;
        tracing::info!(schedule.id = schedule_id(), interval_s = every.as_secs(), "the schedule was put right");
        Ok(())
    }

    /// The first comparison is made at once.
    async fn create(&self, schedule: Schedule) -> Result<(), EngineError> {
        let at_once = TriggerImmediatelyRequest { overlap_policy: OVERLAP, ..Default::default() };
        let request = CreateScheduleRequest {
            namespace: self.namespace(),
            schedule_id: schedule_id(),
            schedule: Some(schedule),
            initial_patch: Some(SchedulePatch { trigger_immediately: Some(at_once), ..Default::default() }),
            request_id: request_id(),
            ..Default::default()
        };
        match self.client().connection().workflow_service().create_schedule(request.into_request()).await {
            Ok(_) => {
                tracing::info!(schedule.id = schedule_id(), "the schedule was made");
                Ok(())
            }
            // Another process was faster.
            Err(status) if status.code() == Code::AlreadyExists => Ok(()),
            Err(status) => Err(status.into()),
        }
    }

    async fn end_perpetual_reconciler(&self) -> Result<(), EngineError> {
        let id = ReconciliationWorkflow::PERPETUAL_ID;
        let info = WorkflowExecutionInfo::builder().namespace(self.namespace()).workflow_id(id.to_owned()).build();
        let reason = format!("the schedule {} has taken its place", schedule_id());
        let options = WorkflowTerminateOptions::builder().reason(reason).build();
        match info.bind_untyped(self.client().clone()).terminate(options).await {
            Ok(()) => {
                tracing::info!(workflow.id = id, "the reconciler of an earlier version was ended");
                Ok(())
            }
            Err(WorkflowInteractionError::NotFound(status)) if is_gone(&status) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn namespace(&self) -> String {
        self.client().options().namespace.clone()
    }
}

fn schedule_id() -> String {
    ReconciliationWorkflow::SCHEDULE_ID.to_owned()
}

/// By it the server knows a call that is repeated.
fn request_id() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

/// The schedule as it is to be.
fn schedule(every: Duration) -> Schedule {
    let interval = IntervalSpec { interval: every.try_into().ok(), phase: None };
    // No input, so no payload: what it finds is encrypted by the worker, as every workflow's result is.
    let workflow = NewWorkflowExecutionInfo {
        workflow_id: schedule_id(),
        workflow_type: Some(WorkflowType { name: ReconciliationWorkflow::run.name().to_owned() }),
        task_queue: Some(TaskQueue { name: task_queue::JOBS.to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let policies =
        SchedulePolicies { overlap_policy: OVERLAP, catchup_window: CATCH_UP.try_into().ok(), ..Default::default() };
    Schedule {
        spec: Some(ScheduleSpec { interval: vec![interval], ..Default::default() }),
        action: Some(ScheduleAction { action: Some(Action::StartWorkflow(workflow)) }),
        policies: Some(policies),
        ..Default::default()
    }
}

/// What of a schedule is ours to decide, however the server spells it.
#[derive(Debug, PartialEq)]
struct Decided<'a> {
    /// Seconds between two starts, and of their shift.
    intervals: Vec<(i64, i64)>,
    /// Times that it is started at or left out besides.
    calendars: usize,
    overlap_policy: i32,
    /// Seconds.
    catch_up: i64,
    /// Id, type, queue, and how many payloads its input has.
    workflow: Option<(&'a str, &'a str, &'a str, usize)>,
}

fn decided(schedule: &Schedule) -> Decided<'_> {
    let spec = schedule.spec.as_ref();
    let intervals: Option<Vec<(i64, i64)>> = spec.map(|spec| {
        let seconds = |one: &IntervalSpec| {
            (one.interval.as_ref().map_or(0, |time| time.seconds), one.phase.as_ref().map_or(0, |time| time.seconds))
        };
        spec.interval.iter().map(seconds).collect()
    });
    let calendars = spec.map(|spec| {
        let starts = spec.structured_calendar.len() + spec.calendar.len() + spec.cron_string.len();
        starts + spec.exclude_structured_calendar.len()
    });
    let policies = schedule.policies.as_ref();
    Decided {
        intervals: intervals.unwrap_or_default(),
        calendars: calendars.unwrap_or_default(),
        overlap_policy: policies.map_or(0, |policies| policies.overlap_policy),
        catch_up: policies.and_then(|policies| policies.catchup_window.as_ref()).map_or(0, |window| window.seconds),
        workflow: schedule.action.as_ref().and_then(|action| action.action.as_ref()).map(started),
    }
}

fn started(Action::StartWorkflow(workflow): &Action) -> (&str, &str, &str, usize) {
    (
        &workflow.workflow_id,
        workflow.workflow_type.as_ref().map_or("", |kind| kind.name.as_str()),
        workflow.task_queue.as_ref().map_or("", |queue| queue.name.as_str()),
        workflow.input.as_ref().map_or(0, |input| input.payloads.len()),
    )
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::schedule::v1::ScheduleState;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn it_starts_one_comparison_at_a_time() {
        let hourly = schedule(HOUR);
        let Decided { intervals, calendars, overlap_policy, catch_up, workflow } = decided(&hourly);
        assert_eq!((intervals, calendars, overlap_policy, catch_up), (vec![(3600, 0)], 0, 1, 60));
        assert_eq!(workflow, Some(("zama.jobs/reconciliation", "ReconciliationWorkflow", "jobs", 0)));
    }

    #[test]
    fn what_an_operator_paused_and_what_the_server_fills_in_is_no_difference() {
        let mut there = schedule(HOUR);
        let state = ScheduleState { paused: true, notes: "for the night".to_owned(), ..Default::default() };
        there.state = Some(state);
        there.spec.as_mut().expect("a spec").interval[0].phase = Duration::ZERO.try_into().ok();
        assert_eq!(decided(&there), decided(&schedule(HOUR)));
    }

    #[test]
    fn whatever_else_differs_is_seen() {
        let change = |change: fn(&mut Schedule)| {
            let mut there = schedule(HOUR);
            change(&mut there);
            there
        };
        let others = [
            schedule(2 * HOUR),
            Schedule::default(),
            change(|there| there.policies = None),
            change(|there| there.policies.as_mut().expect("policies").overlap_policy = 0),
            change(|there| there.policies.as_mut().expect("policies").catchup_window = None),
            change(|there| there.spec.as_mut().expect("a spec").cron_string.push("@daily".to_owned())),
            change(|there| there.action = None),
        ];
        for there in &others {
            assert_ne!(decided(there), decided(&schedule(HOUR)), "{there:?}");
        }
    }
}

//! The schedule of the reconciliation, after somebody has changed or deleted it, and what an earlier version left behind.

use std::time::Duration;

use temporalio_client::schedules::{ScheduleDescription, ScheduleSpec, ScheduleUpdate};

use crate::harness::{RECONCILIATION, Stack};

/// The workflow that compared the books before there was a schedule.
const PERPETUAL: &str = "zama.jobs/billing-reconciler";
const NIGHT: &str = "for the night";

/// Seconds between two comparisons.
fn interval(described: &ScheduleDescription) -> Option<i64> {
    let spec = described.raw().schedule.as_ref()?.spec.as_ref()?;
    spec.interval.first()?.interval.as_ref().map(|time| time.seconds)
}

#[tokio::test]
async fn a_new_process_of_the_api_puts_it_right_and_ends_the_workflow_that_ran_for_ever() {
    let stack = Stack::own();
    stack.schedule(RECONCILIATION).await;
    stack.has_a_stranger(PERPETUAL);
    let change = |update: &mut ScheduleUpdate| {
        update.set_spec(ScheduleSpec::from_interval(Duration::from_secs(7200))).set_paused(true).set_note(NIGHT);
    };
    stack.changes_schedule(RECONCILIATION, change).await;
    stack.schedule_that(RECONCILIATION, |there| interval(there) == Some(7200) && there.paused()).await;

    stack.kills("api");
    let events = stack.whole_history(PERPETUAL).await;
    let ended = &events[events.len() - 1]["workflowExecutionTerminatedEventAttributes"];
    assert!(ended["reason"].as_str().unwrap().contains(RECONCILIATION), "{ended}");
    let there = stack.schedule_that(RECONCILIATION, |there| interval(there) == Some(3600)).await;
    assert!(there.paused(), "that is the operator's");
    assert_eq!(there.note(), Some(NIGHT));
}

#[tokio::test]
async fn one_that_was_deleted_is_made_again_and_compares_at_once() {
    let stack = Stack::own();
    stack.schedule(RECONCILIATION).await;
    stack.deletes_schedule(RECONCILIATION).await;
    stack.kills("api");
    stack.schedule_that(RECONCILIATION, |there| there.action_count() > 0).await;
}

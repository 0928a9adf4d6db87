//! Cancelling a computation, told by Temporal or by the database alone.

use jobs::JobStatus;

use super::story::{KeyHolder, bytes, disturbed, power, powers};
use crate::harness::{JobHandle, Stack, WORKER};

/// A minute of computing.
const LONG: usize = 200;

/// Ends CANCELLED without a result, and so does its workflow.
async fn is_cancelled(stack: &Stack, job: JobHandle<'_>) {
    let cancelled = job.reaches(JobStatus::Cancelled).await;
    assert!(cancelled.result.is_none() && cancelled.error.is_none(), "{cancelled:#?}");
    let events = stack.whole_history(&job.workflow_id().await).await;
    assert_eq!(events.last().unwrap()["eventType"], "EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED");
    assert!(job.is_billed().await.iter().all(|row| row.metric != "jobs_completed"));
}

/// The process stops by itself, which it does between two operations, and serves the next job.
#[tokio::test]
async fn a_running_computation_stops_and_its_process_serves_another() {
    let (stack, _turn) = disturbed().await;
    let holder = KeyHolder::regular(stack).await;
    let inputs = holder.encrypts(bytes(&[3])).await;
    let job = holder.submits("program", powers(LONG), &inputs).await;
    stack.has_a_checkpoint(job).await;
    let process = stack.computing_process().unwrap();
    assert_eq!(job.cancel().await.status, 200);
    is_cancelled(stack, job).await;

    let attempts = stack.attempts(job).await;
    let [attempt] = attempts.as_slice() else { panic!("{attempts:?}") };
    assert_eq!(attempt.outcome.as_deref(), Some("stopped"));
    assert!(attempt.pbs_done > 0 && attempt.pbs_done < attempt.pbs.unwrap(), "{attempt:?}");
    let next = holder.submits("program", powers(2), &inputs).await;
    next.completes().await;
    assert_eq!(holder.opens(next).await, power(3, 2));
    assert_eq!(stack.computing_process().unwrap().pid(), process.pid(), "it was not killed");
}

/// The wish stands in the database before an attempt begins, and Temporal has not heard of it.
#[tokio::test]
async fn a_wish_that_temporal_has_not_heard_of_is_no_failure() {
    let (stack, _turn) = disturbed().await;
    let holder = KeyHolder::regular(stack).await;
    let inputs = holder.encrypts(bytes(&[3])).await;
    let outage = stack.stops(WORKER);
    let job = holder.submits("program", powers(2), &inputs).await;
    job.reaches(JobStatus::Processing).await;
    let wish = sqlx::query("UPDATE jobs SET cancel_requested_at = now() WHERE id = $1").bind(job.id.0);
    assert_eq!(stack.execute(wish).await, 1);
    outage.over();
    job.reaches(JobStatus::Cancelled).await;
    assert!(stack.attempts(job).await.is_empty(), "nothing was computed");
    assert!(job.is_billed().await.iter().all(|row| row.metric != "jobs_completed"));
}

//! Cancelling in states that pass too quickly to be met without an outage.

use jobs::JobStatus;

use crate::harness::{BUSY, Stack, eventually, factor, long_factor};

#[tokio::test]
async fn a_pending_job_is_cancelled_at_once_and_never_computes() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let outage = stack.stops("worker");
    let job = zama.submit(&factor(91)).await;
    stack.lists(1, &zama.tenant).await;
    let answer = job.cancel().await;
    assert_eq!((answer.status, answer.body["status"].as_str()), (200, Some("CANCELLED")));
    outage.over();
    let events = stack.whole_history(&job.workflow_id().await).await;
    let computed =
        events.iter().any(|event| event["activityTaskScheduledEventAttributes"]["activityType"]["name"] == "compute");
    assert!(!computed, "{events:#?}");
    assert_eq!(job.now().await.status, JobStatus::Cancelled);
    assert_eq!(job.is_billed().await.len(), 1);
}

#[tokio::test]
async fn a_job_that_was_cancelled_before_temporal_was_back_never_computes() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let outage = stack.stops("temporal");
    let job = zama.submit(&factor(91)).await;
    let answer = job.cancel().await;
    assert_eq!((answer.status, answer.body["status"].as_str()), (200, Some("CANCELLED")));
    outage.over();
    assert_eq!(job.is_billed().await.len(), 1);
    let ended = job.now().await;
    assert!(ended.status == JobStatus::Cancelled && ended.started_at.is_none(), "{ended:#?}");
}

#[tokio::test]
async fn a_job_that_has_its_result_is_confirmed_and_billed_whoever_cancels() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let outage = stack.stops("anvil");
    let job = zama.submit(&factor(91)).await;
    let before = job.reaches(JobStatus::Confirming).await;
    let answer = job.cancel().await;
    assert_eq!((answer.status, answer.body["status"].as_str()), (200, Some("CONFIRMING")));
    assert_eq!(job.now().await.updated_at, before.updated_at);
    outage.over();
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
}

#[tokio::test]
async fn a_job_that_was_sealed_is_confirmed_and_billed_whoever_cancels() {
    let stack = Stack::own();
    let zama = stack.tenant();
    stack.stops_mining().await;
    let job = zama.submit(&factor(91)).await;
    job.reaches(JobStatus::Confirming).await;
    stack.holds_a_transaction().await;
    let before = job.now().await;
    let answer = job.cancel().await;
    assert_eq!((answer.status, answer.body["status"].as_str()), (200, Some("CONFIRMING")));
    assert_eq!(job.now().await.updated_at, before.updated_at);
    stack.mines().await;
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
}

#[tokio::test]
async fn a_cancel_while_temporal_is_away_takes_effect_when_it_is_back() {
    let stack = Stack::with(&[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "3600000")]);
    let zama = stack.tenant();
    let job = zama.submit(&factor(91)).await;
    job.reaches(JobStatus::Processing).await;
    let outage = stack.stops("temporal");
    let answer = job.cancel().await;
    assert_eq!(answer.status, 200);
    outage.over();
    job.reaches(JobStatus::Cancelled).await;
}

/// The other tests' computations pause, and a pause looks whether to stop by itself.
#[tokio::test]
async fn a_computation_that_works_ends_on_its_thread_when_its_client_cancels() {
    let stack = Stack::with(BUSY);
    let zama = stack.tenant();
    let job = zama.submit(&long_factor()).await;
    job.computes().await;
    assert_eq!(job.cancel().await.status, 200);
    let cancelled = job.reaches(JobStatus::Cancelled).await;
    assert!(cancelled.result.is_none() && cancelled.started_at.is_some(), "{cancelled:#?}");
    let id = job.id.to_string();
    eventually("its thread has ended", || stack.says_of("worker", "the computation was stopped", &id) == 1);
}

/// Nothing computes to its end by itself.
const ENDLESS: &[(&str, &str)] = &[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "3600000")];

#[tokio::test]
async fn a_cancel_after_the_worker_was_killed_is_no_failure() {
    let stack = Stack::with(ENDLESS);
    let zama = stack.tenant();
    let job = zama.submit(&factor(91)).await;
    job.reaches(JobStatus::Processing).await;
    stack.kills("worker");
    assert_eq!(job.cancel().await.status, 200);
    job.reaches(JobStatus::Cancelled).await;
}

#[tokio::test]
async fn a_cancel_while_the_worker_is_stopped_for_good_is_no_failure() {
    let stack = Stack::with(ENDLESS);
    let zama = stack.tenant();
    let submitted = zama.submits_at_once(6).await;
    zama.has(6, "PROCESSING").await;
    for job in &submitted {
        assert_eq!(job.cancel().await.status, 200);
    }
    stack.place.signal(&stack.place.part("worker"), nix::sys::signal::Signal::SIGTERM);
    for job in &submitted {
        job.reaches(JobStatus::Cancelled).await;
    }
}

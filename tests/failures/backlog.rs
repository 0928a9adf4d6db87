//! More computations wait than any worker has slots.

use chrono::{SecondsFormat, TimeDelta, Utc};
use jobs::{ErrorCode, JobStatus};

use crate::harness::{CROWD, Stack, factor, until};

/// Far more than `worker.max_activities`.
const JOBS: usize = 110;
/// Two at once take minutes for all of them.
const SETTINGS: &[(&str, &str)] =
    &[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "8000"), ("ZAMA__WORKER__MAX_COMPUTE", "2"), CROWD[0], CROWD[1]];

/// One computation holds the only slot for ever.
const FULL: &[(&str, &str)] = &[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "3600000"), ("ZAMA__WORKER__MAX_COMPUTE", "1")];

#[tokio::test]
async fn a_backlog_of_computations_delays_no_confirmation_and_no_bill() {
    let stack = Stack::with(SETTINGS);
    let zama = stack.tenant();
    zama.submits_at_once(JOBS).await;
    let first = until("one of them completes", async || {
        zama.jobs().await.into_iter().find(|job| job.status == JobStatus::Completed)
    })
    .await;
    zama.job(first.job_id).is_billed().await;
    let waiting = zama.jobs().await.iter().filter(|job| !job.status.is_terminal()).count();
    assert!(waiting > 80, "only {waiting} wait: the others had to be computed first");
}

#[tokio::test]
async fn a_tenants_backlog_does_not_stand_before_another_tenant() {
    let stack = Stack::with(SETTINGS);
    let (crowd, other) = (stack.tenant(), stack.tenant());
    crowd.submits_at_once(60).await;
    crowd.has(0, "PENDING").await;
    let one = other.submit(&factor(91)).await;
    one.completes().await;
    let waiting = crowd.jobs().await.iter().filter(|job| !job.status.is_terminal()).count();
    assert!(waiting > 40, "only {waiting} wait: the other tenant came after them");
}

#[tokio::test]
async fn a_job_whose_deadline_passes_in_a_backlog_is_late_and_not_lost() {
    let stack = Stack::with(FULL);
    let zama = stack.tenant();
    let before = zama.submit(&factor(91)).await;
    before.reaches(JobStatus::Processing).await;
    let mut body = factor(91);
    body["deadline"] = (Utc::now() + TimeDelta::seconds(10)).to_rfc3339_opts(SecondsFormat::Millis, true).into();
    let late = zama.submit(&body).await.fails().await;
    assert_eq!(late.error.unwrap().code, ErrorCode::DeadlineExceeded);
}

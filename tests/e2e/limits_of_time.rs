//! Deadline and timeout of a job.

use chrono::{SecondsFormat, TimeDelta, Utc};
use jobs::ErrorCode;

use crate::harness::{Stack, factor};

#[tokio::test]
async fn a_job_whose_deadline_passes_while_it_computes_fails() {
    let zama = Stack::endless().tenant();
    let mut body = factor(91);
    let deadline = Utc::now() + TimeDelta::seconds(4);
    body["deadline"] = deadline.to_rfc3339_opts(SecondsFormat::Millis, true).into();
    let job = zama.submit(&body).await.fails().await;
    assert_eq!(job.error.as_ref().unwrap().code, ErrorCode::DeadlineExceeded);
    assert!(job.started_at.is_some(), "it did not even begin: {job:#?}");
    assert!(job.completed_at.unwrap() >= deadline - TimeDelta::milliseconds(1));
    assert!(job.result.is_none());
}

#[tokio::test]
async fn a_computation_that_takes_longer_than_it_may_fails() {
    let zama = Stack::endless().tenant();
    let mut body = factor(91);
    body["payload"]["parameters"]["timeout"] = 1.into();
    let submitted = zama.submit(&body).await;
    let job = submitted.fails().await;
    let error = job.error.unwrap();
    assert_eq!(error.code, ErrorCode::ComputeTimeout);
    assert!(error.problem_type.ends_with("/COMPUTE_TIMEOUT"), "{}", error.problem_type);
    assert!(submitted.usage().await.iter().all(|row| row.metric != "jobs_completed"));
}

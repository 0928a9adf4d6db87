//! Deadline and timeout of a job.

use chrono::{SecondsFormat, TimeDelta, Utc};
use jobs::ErrorCode;

use crate::harness::{Stack, factor};

#[tokio::test]
async fn a_job_whose_deadline_passes_while_it_computes_fails() {
    let zama = Stack::endless().tenant();
    // How soon a machine begins with it depends on the machine: one that had not begun in time gets twice as much.
    for seconds in [4, 8, 16, 32, 64, 128] {
        let mut body = factor(91);
        let deadline = Utc::now() + TimeDelta::seconds(seconds);
        body["deadline"] = deadline.to_rfc3339_opts(SecondsFormat::Millis, true).into();
        let answer = zama.posts(&body, &[]).await;
        if answer.code() == "JOB_VALIDATION_FAILED" {
            assert!(Utc::now() >= deadline - TimeDelta::milliseconds(1), "it came in time: {answer:?}");
            continue;
        }
        assert_eq!(answer.status, 202, "{answer:?}");
        let job = zama.job(answer.job_id()).fails().await;
        assert_eq!(job.error.as_ref().unwrap().code, ErrorCode::DeadlineExceeded);
        assert!(job.completed_at.unwrap() >= deadline - TimeDelta::milliseconds(1));
        assert!(job.result.is_none());
        if job.started_at.is_some() {
            return;
        }
    }
    panic!("within two minutes it did not even begin");
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

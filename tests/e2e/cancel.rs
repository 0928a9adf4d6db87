//! Cancelling a job; the states that need an outage to be met stand with the failures.

use jobs::JobStatus;

use crate::harness::{Stack, factor};

#[tokio::test]
async fn a_computation_is_cancelled_and_stays_so() {
    let stack = Stack::endless();
    let zama = stack.tenant();
    let id = zama.submits_with_key("cancelled", &factor(91)).await.job_id();
    let job = zama.job(id);
    job.reaches(JobStatus::Processing).await;
    assert_eq!(job.cancel().await.status, 200);
    let cancelled = job.reaches(JobStatus::Cancelled).await;
    assert!(cancelled.result.is_none() && cancelled.completed_at.is_some());

    let again = job.cancel().await;
    assert_eq!((again.status, again.body["status"].as_str()), (200, Some("CANCELLED")));
    assert_eq!(job.now().await.updated_at, cancelled.updated_at);
    assert!(job.usage().await.iter().all(|row| row.metric != "jobs_completed"));
    let receipt = zama.get(&job.path("/receipt")).await;
    assert!(receipt.status >= 400, "{receipt:?}");
    let events = stack.whole_history(&format!("{}/cancelled", zama.tenant)).await;
    assert_eq!(events.last().unwrap()["eventType"], "EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED");
}

#[tokio::test]
async fn cancelling_a_completed_job_changes_nothing() {
    let zama = Stack::shared().tenant();
    let job = zama.submit(&factor(91)).await;
    let completed = zama
        .get(&{
            job.completes().await;
            job.path("")
        })
        .await;
    let answer = job.cancel().await;
    assert_eq!((answer.status, answer.body["status"].as_str()), (200, Some("COMPLETED")));
    let after = zama.get(&job.path("")).await;
    assert_eq!(after.body["updated_at"], completed.body["updated_at"]);
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
}

#[tokio::test]
async fn cancelling_a_failed_job_changes_nothing() {
    let zama = Stack::endless().tenant();
    let mut body = factor(91);
    body["payload"]["parameters"]["timeout"] = 1.into();
    let job = zama.submit(&body).await;
    let failed = job.fails().await;
    let answer = job.cancel().await;
    assert_eq!((answer.status, answer.body["status"].as_str()), (200, Some("FAILED")));
    assert_eq!(job.now().await.updated_at, failed.updated_at);
}

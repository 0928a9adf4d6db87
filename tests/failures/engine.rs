//! Temporal is away, or an operator ends a workflow.

use jobs::{ErrorCode, JobStatus};

use crate::harness::{Stack, factor};

#[tokio::test]
async fn fifty_submits_while_temporal_is_away_are_accepted_and_start_once_when_it_is_back() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let outage = stack.stops("temporal");
    let submitted = zama.submits_at_once(50).await;
    let ids: Vec<_> = submitted.iter().map(|job| job.id).collect();
    assert!(zama.jobs().await.iter().all(|job| job.status == JobStatus::Pending));
    outage.over();

    zama.all_complete_confirmed_and_billed_once(&ids).await;
    stack.lists(50, &zama.tenant).await;
    assert_eq!(zama.jobs().await.len(), 50);
}

#[tokio::test]
async fn submits_are_accepted_while_temporal_is_killed() {
    let stack = Stack::own();
    let zama = stack.tenant();
    stack.kills("temporal");
    let submitted = zama.submits_at_once(20).await;
    let ids: Vec<_> = submitted.iter().map(|job| job.id).collect();
    zama.all_complete_confirmed_and_billed_once(&ids).await;
    stack.lists(20, &zama.tenant).await;
}

#[tokio::test]
async fn a_job_whose_workflow_an_operator_terminated_goes_on_in_another() {
    let stack = Stack::with(&[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "20000")]);
    let zama = stack.tenant();
    let job = zama.job(zama.submits_with_key("terminated", &factor(91)).await.job_id());
    job.reaches(JobStatus::Processing).await;
    let first = format!("{}/terminated", zama.tenant);
    assert_eq!(job.workflow_id().await, first);
    stack.terminates(&first);

    job.completes().await;
    assert_eq!(job.workflow_id().await, format!("{first}/1"));
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
    let mut listed = stack.lists(2, &zama.tenant).await;
    listed.sort_unstable();
    assert_eq!(listed, [first.clone(), format!("{first}/1")]);
}

#[tokio::test]
async fn a_job_whose_workflow_an_operator_deleted_goes_on_in_another() {
    let stack = Stack::with(&[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "20000")]);
    let zama = stack.tenant();
    let job = zama.job(zama.submits_with_key("deleted", &factor(91)).await.job_id());
    let first = format!("{}/deleted", zama.tenant);
    stack.executes(&first, "compute").await;
    stack.deletes(&first);

    job.completes().await;
    assert_eq!(job.workflow_id().await, format!("{first}/1"));
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
    stack.finds(&format!("ZamaTenant='{}'", zama.tenant), &[format!("{first}/1")]).await;
}

#[tokio::test]
async fn a_job_whose_workflow_is_terminated_again_and_again_fails_and_pays_for_no_computation() {
    let stack = Stack::with(&[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "3600000")]);
    let zama = stack.tenant();
    let job = zama.job(zama.submits_with_key("doomed", &factor(91)).await.job_id());
    let first = format!("{}/doomed", zama.tenant);
    for workflow in [first.clone(), format!("{first}/1"), format!("{first}/2"), format!("{first}/3")] {
        stack.executes(&workflow, "compute").await;
        stack.terminates(&workflow);
    }
    let failed = job.fails().await;
    assert_eq!(failed.error.unwrap().code, ErrorCode::WorkflowLost);
    let metrics: Vec<_> = job.usage().await.into_iter().map(|row| row.metric).collect();
    assert_eq!(metrics, ["jobs_submitted"]);
}

#[tokio::test]
async fn a_job_that_waits_for_its_confirmation_ends_although_its_workflow_was_terminated() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let outage = stack.stops("anvil");
    let job = zama.submit(&factor(91)).await;
    job.reaches(JobStatus::Confirming).await;
    stack.terminates(&job.workflow_id().await);
    outage.over();
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
}

//! kill -9 of the worker at each step of a job.

use jobs::JobStatus;

use crate::harness::{Stack, factor};

#[tokio::test]
async fn while_it_computes() {
    let stack = Stack::with(&[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "3000")]);
    let zama = stack.tenant();
    let job = zama.submit(&factor(91)).await;
    job.reaches(JobStatus::Processing).await;
    stack.kills("worker");
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
    assert_eq!(stack.place.part("worker").restarts, 1);
}

#[tokio::test]
async fn between_computation_and_confirmation() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let outage = stack.stops("anvil");
    let job = zama.submit(&factor(91)).await;
    job.reaches(JobStatus::Confirming).await;
    stack.kills("worker");
    outage.over();
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
}

#[tokio::test]
async fn while_its_batch_is_on_its_way() {
    let stack = Stack::own();
    let zama = stack.tenant();
    // Nothing is mined by itself: the batch's transaction is sent and waits.
    stack.calls_node("evm_setIntervalMining", serde_json::json!([0])).await;
    let job = zama.submit(&factor(91)).await;
    job.reaches(JobStatus::Confirming).await;
    stack.holds_a_transaction().await;
    stack.kills("worker");
    stack.calls_node("evm_setIntervalMining", serde_json::json!([1])).await;
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
}

#[tokio::test]
async fn while_it_meters() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let outage = stack.stops("lago");
    let job = zama.submit(&factor(91)).await;
    job.completes().await;
    assert!(job.usage().await.iter().all(|row| row.delivered_at.is_none()));
    stack.kills("worker");
    outage.over();
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
}

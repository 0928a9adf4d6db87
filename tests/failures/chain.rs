//! The chain is away.

use jobs::JobStatus;

use crate::harness::{Stack, factor};

#[tokio::test]
async fn jobs_wait_in_confirming_and_none_fails() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let outage = stack.stops("anvil");
    let submitted = zama.submits_at_once(10).await;
    let ids: Vec<_> = submitted.iter().map(|job| job.id).collect();
    zama.has(10, "CONFIRMING").await;
    assert!(zama.jobs().await.iter().all(|job| job.result.is_some() && job.blockchain_confirmation.is_none()));
    outage.over();
    zama.all_complete_confirmed_and_billed_once(&ids).await;
}

#[tokio::test]
async fn a_node_that_is_killed_comes_back_with_the_chain() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let before = zama.submit(&factor(91)).await;
    before.completes().await;
    // What anvil has not written yet dies with it: the batches after the last write are another matter.
    stack.has_written_the_chain().await;
    stack.kills("anvil");
    let after = zama.submit(&factor(93)).await;
    after.reaches(JobStatus::Completed).await;
    zama.all_complete_confirmed_and_billed_once(&[before.id, after.id]).await;
}

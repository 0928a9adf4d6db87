//! The chain is away.

use jobs::{JobId, JobStatus};
use sqlx::Row;

use crate::harness::{Place, Stack, Zama, factor, until};

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
async fn a_node_that_hangs_costs_the_batcher_no_attempt() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let before = zama.submit(&factor(91)).await;
    before.completes().await;
    let attempt = stack.attempt(&stack.batcher()).expect("the batcher works");
    let outage = stack.stops("anvil");
    let job = zama.submit(&factor(93)).await;
    job.reaches(JobStatus::Confirming).await;
    until("the trouble is told", async || (stack.says("worker", "the batcher waits") > 0).then_some(())).await;
    assert_eq!(stack.attempt(&stack.batcher()), Some(attempt), "one leader all the time");
    outage.over();
    zama.all_complete_confirmed_and_billed_once(&[before.id, job.id]).await;
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

#[tokio::test]
async fn a_chain_that_forgot_everything_is_anchored_again() {
    is_anchored_again(async |_| (), |place| std::fs::remove_file(place.chain_file()).unwrap()).await;
}

#[tokio::test]
async fn a_chain_that_went_back_is_anchored_again() {
    let keep = async |stack: &Stack| {
        stack.has_written_the_chain().await;
        std::fs::copy(stack.place.chain_file(), stack.place.path("older.json")).unwrap();
    };
    let goes_back = |place: &Place| std::fs::rename(place.path("older.json"), place.chain_file()).unwrap();
    is_anchored_again(keep, goes_back).await;
}

/// One job completes, `meanwhile` happens, another completes, and while nothing runs the chain `loses` blocks: both
/// stay as they are for their clients, and their receipts verify on the chain that is there now.
async fn is_anchored_again(meanwhile: impl AsyncFnOnce(&Stack), loses: impl FnOnce(&Place)) {
    let mut stack = Stack::own();
    let (tenant, token, ids) = {
        let zama = stack.tenant();
        let first = zama.submit(&factor(91)).await.id;
        zama.job(first).completes().await;
        meanwhile(&stack).await;
        let second = zama.submit(&factor(93)).await.id;
        zama.all_complete_confirmed_and_billed_once(&[first, second]).await;
        stack.has_written_the_chain().await;
        (zama.tenant, zama.token, [first, second])
    };
    stack.dies_and_starts_again_after(loses);
    let zama = Zama::new(&stack, tenant, token);
    was_told_of_another_block(&stack, ids[1]).await;
    for id in ids {
        stack.verifies(&zama.job(id).receipt().await).await;
    }
    zama.all_complete_confirmed_and_billed_once(&ids).await;
}

async fn was_told_of_another_block(stack: &Stack, id: JobId) {
    let query = "SELECT event_type FROM job_events WHERE job_id = $1 ORDER BY xid DESC, id DESC LIMIT 1";
    until("the job's batch stands in another block", async || {
        let newest = stack.rows(sqlx::query(query).bind(id.0)).await;
        (newest[0].get::<&str, _>("event_type") == "job.reanchored").then_some(())
    })
    .await;
}

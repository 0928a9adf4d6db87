//! Several nodes, one of them faulty: the batcher goes on with another.

use std::collections::BTreeSet;

use crate::harness::{FaultyNode, Manner, OwnWorker, Stack, factor, until, within_a_minute};

#[tokio::test]
async fn a_node_that_hangs_or_errs_or_talks_rubbish_is_left_for_the_next() {
    let stack = Stack::without_worker();
    let zama = stack.tenant();
    let faulty = FaultyNode::before(&stack.rpc).await;
    let both = format!("{},{}", faulty.url, stack.rpc);
    let settings = [("ZAMA__CHAIN__RPC_URL", both.as_str()), ("ZAMA__CHAIN__RPC_TIMEOUT_SECONDS", "1")];
    let mut ids = Vec::new();
    let manners = [Manner::True, Manner::Hangs, Manner::Errors, Manner::Rubbish, Manner::Page, Manner::TakesInSilence];
    for manner in manners {
        // A new process has no grudge against the node.
        let worker = OwnWorker::start(&stack, &settings);
        faulty.answers(Manner::True);
        until("the first node is used", async || (faulty.asked() > 3).then_some(())).await;
        faulty.answers(manner);
        let job = zama.submit(&factor(91 + 2 * ids.len() as u64)).await;
        within_a_minute("another node is used", async || {
            (job.now().await.status == jobs::JobStatus::Completed).then_some(())
        })
        .await;
        ids.push(job.id);
        worker.dies();
    }
    assert!(stack.says("worker", "the EVM node is left alone for a while") >= 5);
    let _worker = OwnWorker::start(&stack, &settings);
    zama.all_complete_confirmed_and_billed_once(&ids).await;
    let sent = stack.sent().await;
    let nonces: BTreeSet<i64> = sent.iter().map(|sent| sent.nonce).collect();
    assert_eq!((nonces.len(), sent.len()), (ids.len(), ids.len()), "one transaction a batch: {sent:?}");
}

//! Several nodes, one of them faulty: the batcher goes on with another. One signing server: the batches wait for it.

use std::collections::BTreeSet;

use crate::harness::{CONFIRMER, FaultyNode, Manner, OwnWorker, Stack, factor, until, within_a_minute};

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

#[tokio::test]
async fn a_signing_server_that_is_away_holds_up_its_batches_and_costs_no_job() {
    let stack = Stack::without_worker();
    let zama = stack.tenant();
    let server = FaultyNode::before(&stack.rpc).await;
    let settings = [
        ("ZAMA__CHAIN__CONFIRMER_KEY", ""),
        ("ZAMA__CHAIN__CONFIRMER_SIGNER_URL", server.url.as_str()),
        ("ZAMA__CHAIN__CONFIRMER_ADDRESS", CONFIRMER),
        ("ZAMA__CHAIN__RPC_TIMEOUT_SECONDS", "1"),
    ];
    let _worker = OwnWorker::start(&stack, &settings);
    let mut ids = Vec::new();
    for manner in [Manner::True, Manner::Hangs, Manner::Errors, Manner::Rubbish] {
        server.answers(manner);
        let job = zama.submit(&factor(91 + 2 * ids.len() as u64)).await;
        ids.push(job.id);
        if !matches!(manner, Manner::True) {
            until("it is asked", async || (server.asked() > 0).then_some(())).await;
            assert_eq!(job.now().await.status, jobs::JobStatus::Confirming);
            server.answers(Manner::True);
        }
        within_a_minute("it signs again", async || {
            (job.now().await.status == jobs::JobStatus::Completed).then_some(())
        })
        .await;
        assert!(server.asked() > 0, "nobody else has the key");
    }
    assert!(stack.says("worker", "\"reason\":\"signer_away\"") > 0);
    zama.all_complete_confirmed_and_billed_once(&ids).await;
}

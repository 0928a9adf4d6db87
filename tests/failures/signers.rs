//! Who signs for the confirmer: a signing server, for which its batches wait, and a key in an encrypted file.

use alloy::primitives::Address;
use jobs::JobId;

use crate::harness::{CONFIRMER, FaultyNode, Keystore, Manner, OwnWorker, Stack, Zama, factor, until, within_a_minute};

/// Of anvil's account 1.
const CONFIRMER_KEY: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

#[tokio::test]
async fn a_signing_server_that_is_away_holds_up_its_batches_and_costs_no_job_and_a_keystore_takes_its_place() {
    let stack = Stack::without_worker();
    let zama = stack.tenant();
    let server = FaultyNode::before(&stack.rpc).await;
    let settings = [
        ("ZAMA__CHAIN__CONFIRMER_KEY", ""),
        ("ZAMA__CHAIN__CONFIRMER_SIGNER_URL", server.url.as_str()),
        ("ZAMA__CHAIN__CONFIRMER_ADDRESS", CONFIRMER),
        ("ZAMA__CHAIN__RPC_TIMEOUT_SECONDS", "1"),
    ];
    let worker = OwnWorker::start(&stack, &settings);
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
    worker.dies();

    // The same account, whose key now lies in a file.
    let (job, _worker) = signs_from_a_keystore(&zama).await;
    ids.push(job);
    zama.all_complete_confirmed_and_billed_once(&ids).await;
}

/// A worker that has nothing but the encrypted file and its password.
async fn signs_from_a_keystore(zama: &Zama<'_>) -> (JobId, OwnWorker) {
    let stack = zama.stack;
    let keystore = Keystore::import(&stack.place.data_dir(), "confirmer", CONFIRMER_KEY);
    let settings = [
        ("ZAMA__CHAIN__CONFIRMER_KEY", ""),
        ("ZAMA__CHAIN__CONFIRMER_KEYSTORE", Keystore::path(&keystore.file)),
        ("ZAMA__CHAIN__CONFIRMER_PASSWORD_FILE", Keystore::path(&keystore.password_file)),
    ];
    let worker = OwnWorker::start(stack, &settings);
    let before = stack.sent().await.len();
    let job = zama.submit(&factor(107)).await;
    job.completes().await;
    let sent = stack.sent().await;
    let [signed] = &sent[before..] else { panic!("one more transaction: {sent:?}") };
    assert_eq!(stack.sender(signed.hash).await, CONFIRMER.parse::<Address>().unwrap());
    (job.id, worker)
}

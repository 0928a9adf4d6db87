//! A failed job on chain, where its tenant wants it.

use jobs::leaf::LeafStatus;
use jobs::receipt::Receipt;
use jobs::{ErrorCode, JobStatus};

use crate::harness::{Stack, Zama, factor, until};

/// A job that takes longer than it may.
async fn fails(zama: &Zama<'_>) -> jobs::JobId {
    let mut body = factor(91);
    body["payload"]["parameters"]["timeout"] = 1.into();
    let job = zama.submit(&body).await;
    job.fails().await;
    job.id
}

#[tokio::test]
async fn its_receipt_verifies_and_the_job_stays_failed() {
    let stack = Stack::endless();
    let zama = stack.tenant();
    let without = fails(&zama).await;
    let set = stack.operates(&["confirm-failed", &zama.tenant, "on"]);
    assert!(set.status.success(), "{set:?}");
    let job = zama.job(fails(&zama).await);
    let receipt: Receipt = until("the failure is on chain", async || {
        let answer = zama.get(&job.path("/receipt")).await;
        (answer.status == 200).then(|| serde_json::from_value(answer.body).unwrap())
    })
    .await;
    assert_eq!(receipt.leaf.status, LeafStatus::Failed);
    stack.verifies(&receipt).await;
    assert!(stack.is_confirmed(receipt.leaf.index.get()).await);

    let now = job.now().await;
    assert_eq!((now.status, now.error.unwrap().code), (JobStatus::Failed, ErrorCode::ComputeTimeout));
    assert_eq!(now.blockchain_confirmation.unwrap().merkle_root, receipt.root);
    let billed: Vec<String> = job.is_billed().await.into_iter().map(|row| row.metric).collect();
    assert!(billed.iter().all(|metric| metric != "chain_confirmations" && metric != "jobs_completed"), "{billed:?}");
    let refused = zama.get(&zama.job(without).path("/receipt")).await;
    assert_eq!(refused.body["code"], "COMPUTE_TIMEOUT", "it failed before the setting");
}

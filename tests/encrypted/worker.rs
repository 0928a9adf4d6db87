//! kill -9 of the FHE worker in the middle of a computation.

use serde_json::json;

use crate::harness::{Stack, until};
use crate::story::{Owner, bytes};

#[tokio::test]
async fn another_attempt_goes_on_and_the_job_is_billed_once() {
    // Checkpoints come often, so that the second attempt begins in the middle.
    let stack = Stack::encrypted_with(&[("ZAMA__FHE__CHECKPOINT_PBS", "100")]);
    let owner = Owner::of(&stack).await;
    let blob = owner.encrypts(bytes(&[3, 250, 7, 0, 19, 40])).await;
    let job = owner.submits("encrypted_statistical_analysis", json!({}), blob).await;
    until("the computation is under way", async || {
        let now = job.now().await;
        assert!(!now.status.is_terminal(), "{now:#?}");
        (now.progress.percent > 20.0).then_some(())
    })
    .await;
    stack.kills("worker-fhe");
    job.completes().await;
    let told: serde_json::Value = serde_json::from_str(owner.opens(job).await.json()).unwrap();
    assert_eq!((&told["sum"], &told["max"], &told["count"]), (&json!(319), &json!(250), &json!(6)));
    let rows = job.is_billed().await;
    let metrics: Vec<&str> = rows.iter().map(|row| row.metric.as_str()).collect();
    let billed = ["chain_confirmations", "compute_units", "fhe_compute_units", "jobs_completed", "jobs_submitted"];
    assert_eq!(metrics, billed, "{rows:?}");
}

//! Each decision has its line in the audit log, whether or not anybody waits for the answer.

use std::time::{Duration, Instant};

use kms::proto::DecryptRequest;
use retrieval::RecipientKey;

use crate::gate::Gate;
use crate::stage::{PATIENCE, Stage};

#[tokio::test]
async fn a_caller_that_goes_away_takes_no_line_along() {
    let gate = Gate::closed().await;
    let stage = Stage::with_nodes(|anvil| vec![gate.before(&anvil.rpc_url)], 1).await;
    let (job, key) = (stage.completed(0).await, RecipientKey::generate());
    let asked = DecryptRequest::from(stage.asks(&stage.owner, &job, &key));
    tokio::select! {
        answer = stage.sends(asked) => panic!("{answer:?} though the node says nothing"),
        () = gate.is_knocked_at() => {}
    }
    gate.opens();
    let began = Instant::now();
    while stage.audit().is_empty() {
        assert!(began.elapsed() < PATIENCE, "the decision has no line");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(stage.audit().contains("\"outcome\":\"sealed\""), "{}", stage.audit());
}

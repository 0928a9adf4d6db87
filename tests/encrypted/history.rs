//! What an encrypted job costs the engine.

use serde_json::json;

use super::story::{Owner, bytes};
use crate::harness::Stack;

/// As of a plain one.
const MOST_EVENTS: usize = 28;

#[tokio::test]
async fn the_history_of_a_completed_job_is_short() {
    let stack = Stack::encrypted();
    let owner = Owner::of(stack).await;
    let job = owner.submits("encrypted_maximum", json!({}), owner.encrypts(bytes(&[5, 9])).await).await;
    job.completes().await;
    let events = stack.whole_history(&job.workflow_id().await).await;
    println!("a completed encrypted job: {} history events", events.len());
    assert!(events.len() <= MOST_EVENTS, "{} events: {events:#?}", events.len());
}

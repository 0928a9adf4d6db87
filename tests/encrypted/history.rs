//! What an encrypted job costs the engine.

use super::retrieval::a_job;
use super::story::Owner;
use crate::harness::Stack;

/// As of a plain one.
const MOST_EVENTS: usize = 28;

#[tokio::test]
async fn the_history_of_a_completed_job_is_short() {
    let stack = Stack::encrypted();
    let owner = Owner::regular(stack).await;
    let job = a_job(&owner).await;
    let events = stack.whole_history(&owner.zama.job(job.job_id).workflow_id().await).await;
    println!("a completed encrypted job: {} history events", events.len());
    assert!(events.len() <= MOST_EVENTS, "{} events: {events:#?}", events.len());
}

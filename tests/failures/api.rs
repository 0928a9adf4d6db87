//! kill -9 of the API's process.

use crate::harness::Stack;

/// A dead process's claims run out soon.
const SETTINGS: &[(&str, &str)] = &[("ZAMA__DISPATCHER__CLAIM_SECONDS", "5"), ("ZAMA__DISPATCHER__SWEEP_SECONDS", "1")];

#[tokio::test]
async fn what_it_accepted_and_had_not_started_starts_once() {
    let stack = Stack::with(SETTINGS);
    let zama = stack.tenant();
    // So that nothing can be started before the kill.
    let outage = stack.stops("temporal");
    let submitted = zama.submits_at_once(20).await;
    stack.kills("api");
    outage.over();
    let ids: Vec<_> = submitted.iter().map(|job| job.id).collect();
    zama.all_complete_confirmed_and_billed_once(&ids).await;
    stack.lists(20, &zama.tenant).await;
}

#[tokio::test]
async fn what_it_was_just_starting_starts_once() {
    let stack = Stack::with(SETTINGS);
    let zama = stack.tenant();
    let submitted = zama.submits_at_once(20).await;
    stack.kills("api");
    let ids: Vec<_> = submitted.iter().map(|job| job.id).collect();
    zama.all_complete_confirmed_and_billed_once(&ids).await;
    stack.lists(20, &zama.tenant).await;
}

//! kill -9 of the API's process.

use futures::future::join_all;

use crate::harness::{Stack, factor};

#[tokio::test]
async fn what_it_accepted_and_had_not_started_starts_once() {
    let stack = Stack::own();
    let zama = stack.tenant();
    // So that nothing can be started before the kill.
    let outage = stack.stops("temporal");
    let bodies: Vec<_> = (0..20).map(|number| factor(1_000_003 + number)).collect();
    let submitted = join_all(bodies.iter().map(|body| zama.submit(body))).await;
    stack.kills("api");
    outage.over();
    let ids: Vec<_> = submitted.iter().map(|job| job.id).collect();
    zama.all_complete_confirmed_and_billed_once(&ids).await;
    stack.lists(20, &zama.tenant).await;
}

#[tokio::test]
async fn what_it_was_just_starting_starts_once() {
    let stack = Stack::own();
    let zama = stack.tenant();
    let bodies: Vec<_> = (0..20).map(|number| factor(1_000_003 + number)).collect();
    let submitted = join_all(bodies.iter().map(|body| zama.submit(body))).await;
    stack.kills("api");
    let ids: Vec<_> = submitted.iter().map(|job| job.id).collect();
    zama.all_complete_confirmed_and_billed_once(&ids).await;
    stack.lists(20, &zama.tenant).await;
}

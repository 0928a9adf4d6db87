//! kill -9 of the API's process, and several of them at once.

use futures::future::join_all;

use crate::harness::{CROWD, SecondApi, Stack, factor};

/// A dead process's claims run out soon.
const SETTINGS: &[(&str, &str)] =
    &[("ZAMA__DISPATCHER__CLAIM_SECONDS", "5"), ("ZAMA__DISPATCHER__SWEEP_SECONDS", "1"), CROWD[0], CROWD[1]];

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

#[tokio::test]
async fn two_of_them_share_the_work_and_the_keys() {
    let stack = Stack::with(SETTINGS);
    let second = SecondApi::start(&stack).await;
    let zama = stack.tenant();
    let other = zama.through(&second.origin);
    let sides = [&zama, &other];

    let body = factor(91);
    let posts = (0..60).map(|number| sides[number % 2].submits_with_key("one", &body));
    let answers = join_all(posts).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 202);
    assert!(refused.iter().all(|answer| answer.code() == "REQUEST_IN_PROGRESS"), "{refused:?}");
    assert_eq!(accepted.iter().filter(|answer| !answer.is_replay()).count(), 1);
    let one = accepted[0].job_id();
    assert!(accepted.iter().all(|answer| answer.job_id() == one));

    // A backlog for both dispatchers at once.
    let outage = stack.stops("temporal");
    let numbers = (1_000_003..).take(40).enumerate();
    let submitted = join_all(numbers.map(async |(turn, number)| sides[turn % 2].submit(&factor(number)).await.id));
    let mut ids = submitted.await;
    outage.over();
    ids.push(one);
    zama.all_complete_confirmed_and_billed_once(&ids).await;
    stack.lists(ids.len(), &zama.tenant).await;
}

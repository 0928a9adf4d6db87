//! One key, one job.

use futures::future::join_all;
use jobs::JobStatus;

use crate::harness::{Stack, factor};

#[tokio::test]
async fn two_hundred_posts_with_one_key_are_one_job_and_one_workflow() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let body = factor(1_000_003);
    let answers = join_all((0..200).map(|_| zama.submits_with_key("one", &body))).await;
    let (accepted, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 202);
    // Who finds the key busy is told to come back; nobody has to wait for a connection that others hold who wait for the key.
    let mut refused = others.iter().map(|answer| (answer.status, answer.code()));
    assert!(refused.all(|why| why == (409, "REQUEST_IN_PROGRESS")), "{others:?}");
    assert_eq!(accepted.iter().filter(|answer| !answer.is_replay()).count(), 1);
    let id = accepted[0].job_id();
    assert!(accepted.iter().all(|answer| answer.body == accepted[0].body));
    for (same, refused) in join_all(others.iter().map(|_| zama.insists("one", &body))).await {
        assert_eq!(same, id);
        assert!(refused.iter().all(|answer| answer.status == 409), "{refused:?}");
    }

    let again = zama.submits_with_key("one", &body).await;
    assert_eq!((again.status, again.is_replay()), (202, true));
    assert_eq!(again.body, accepted[0].body);
    assert_eq!(again.header("idempotency-key"), Some("one"));

    let other = zama.submits_with_key("one", &factor(1_000_033)).await;
    assert_eq!((other.status, other.code()), (422, "IDEMPOTENCY_KEY_REUSED"), "{other:?}");

    zama.all_complete_confirmed_and_billed_once(&[id]).await;
    assert_eq!(zama.jobs().await.len(), 1);
    assert_eq!(stack.lists(1, &zama.tenant).await, [format!("{}/one", zama.tenant)]);
}

#[tokio::test]
async fn a_key_whose_day_is_over_is_a_new_job_even_while_the_old_one_is_open() {
    let stack = Stack::endless();
    let zama = stack.tenant();
    let first = zama.submits_with_key("again", &factor(91)).await.job_id();
    zama.job(first).reaches(JobStatus::Processing).await;
    assert!(zama.submits_with_key("again", &factor(91)).await.is_replay());

    let age = "UPDATE idempotency_keys SET created_at = created_at - interval '25 hours' WHERE tenant = $1";
    assert_eq!(stack.execute(sqlx::query(age).bind(&zama.tenant)).await, 1);
    // Another body, too: the key is free.
    let answer = zama.submits_with_key("again", &factor(93)).await;
    assert_eq!((answer.status, answer.is_replay()), (202, false), "{answer:?}");
    let second = answer.job_id();
    assert_ne!(second, first);
    zama.job(second).reaches(JobStatus::Processing).await;
    assert_eq!(zama.job(first).now().await.status, JobStatus::Processing);

    let mut listed = stack.lists(2, &zama.tenant).await;
    listed.sort_unstable();
    let one = format!("{}/again", zama.tenant);
    assert_eq!(listed, [one.clone(), format!("{one}/{second}")]);
    for id in [first, second] {
        zama.job(id).cancel().await;
        zama.job(id).reaches(JobStatus::Cancelled).await;
    }
}

#[tokio::test]
async fn a_key_belongs_to_its_tenant() {
    let stack = Stack::shared();
    let (one, other) = (stack.tenant(), stack.tenant());
    let first = one.submits_with_key("mine", &factor(91)).await;
    let second = other.submits_with_key("mine", &factor(93)).await;
    assert_eq!((first.status, second.status), (202, 202));
    assert!(!second.is_replay());
    assert_ne!(first.job_id(), second.job_id());
}

//! Inputs that kill the process that reads them.

use client::ClearValue;
use jobs::ErrorCode;

use super::story::{KeyHolder, bytes, disturbed, power, powers};
use crate::harness::WORKER;

const PRODUCTS: usize = 4;

/// Three megabytes that become a hundred times as many when they are read: more than the process may have here, so the
/// allocator aborts it. Elsewhere they would be refused for what they are.
#[tokio::test]
async fn bytes_that_kill_their_reader_fail_their_job_alone() {
    let (stack, _turn) = disturbed().await;
    let holder = KeyHolder::regular(stack).await;
    let worker = stack.place.part(WORKER);
    let good = holder.encrypts(bytes(&[3])).await;
    let deadly = holder.encrypts(vec![ClearValue::U64(u64::MAX); 512]).await;

    let before = holder.submits("program", powers(PRODUCTS), &good).await;
    let job = holder.submits("program", powers(PRODUCTS), &deadly).await;
    let after = holder.submits("program", powers(PRODUCTS), &good).await;
    let error = job.fails().await.error.unwrap();
    assert_eq!(error.code, ErrorCode::CiphertextInvalid, "{error:?}");
    for other in [before, after] {
        other.completes().await;
        assert_eq!(holder.opens(other).await, power(3, PRODUCTS));
    }

    let outcomes: Vec<_> = stack.attempts(job).await.into_iter().map(|it| (it.outcome, it.pbs)).collect();
    let died = || (Some("died".to_owned()), None);
    assert_eq!(outcomes, [died(), died()], "while it read, not while it computed");
    assert!(stack.says_of(WORKER, "signal 6", &job.id.to_string()) >= 1, "it aborted");
    let still = stack.place.part(WORKER);
    assert_eq!((still.pid, still.restarts), (worker.pid, worker.restarts), "the worker stays up");
}

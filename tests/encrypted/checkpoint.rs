//! A checkpoint that somebody planted who has database and blob store, and not the worker's key.

use jobs::JobStatus;

use super::story::{KeyHolder, bytes, disturbed, power, powers};
use crate::harness::WORKER;

const PRODUCTS: usize = 10;

/// Genuine values of the same program, on other inputs, with the MAC that they had: everything is right but the name.
#[tokio::test]
async fn a_checkpoint_with_another_s_mac_is_refused_and_the_result_is_the_same() {
    let (stack, _turn) = disturbed().await;
    let holder = KeyHolder::regular(stack).await;
    let inputs = holder.encrypts(bytes(&[3])).await;
    let honest = holder.submits("program", powers(PRODUCTS), &inputs).await;
    let expected = honest.completes().await.result.unwrap().hash;
    let other = holder.submits("program", powers(PRODUCTS), &holder.encrypts(bytes(&[5])).await).await;
    let stolen = stack.steals_a_checkpoint(other).await;

    let outage = stack.stops(WORKER);
    let job = holder.submits("program", powers(PRODUCTS), &inputs).await;
    job.reaches(JobStatus::Processing).await;
    stack.plants(&stolen, job, &stack.inputs_hash(honest).await).await;
    outage.over();
    assert_eq!(job.completes().await.result.unwrap().hash, expected);
    assert_eq!(holder.opens(job).await, power(3, PRODUCTS));
    assert_eq!(stack.says_of(WORKER, "no worker of ours made", &job.id.to_string()), 1);
    assert_eq!(stack.says_of(WORKER, "resuming", &job.id.to_string()), 0);
    other.completes().await;
}

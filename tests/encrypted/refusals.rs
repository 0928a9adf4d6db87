//! Ciphertexts that are not what they should be: the job says why, nothing is computed, and the worker goes on.

use client::ClearValue;
use fhe::encrypt::for_network;
use jobs::ErrorCode::{self, CiphertextInvalid, JobValidationFailed, KeyMismatch};
use serde_json::json;

use super::story::{KeyHolder, Owner, WORKER_LIFE, bytes};
use crate::harness::{JobHandle, Stack, WORKER, network_public_key, other_network_key};

const ALGORITHM: &str = "encrypted_maximum";

/// Each attempt ended where the inputs are read.
pub async fn was_not_computed(stack: &Stack, job: JobHandle<'_>) {
    for attempt in stack.attempts(job).await {
        assert_eq!(attempt.outcome.as_deref(), Some("refused"), "{attempt:?}");
        assert_eq!((attempt.pbs, attempt.pbs_done), (None, 0), "{attempt:?}");
    }
}

/// Submits each blob: its job alone fails, with this code, in the worker that serves all the time.
async fn each_fails_its_job(owner: &Owner<'_>, wrong: Vec<(&str, Vec<u8>, ErrorCode)>) {
    let stack = owner.zama.stack;
    let _lives = WORKER_LIFE.read().await;
    let worker = stack.place.part(WORKER);
    for (what, blob, code) in wrong {
        let job = owner.submits(ALGORITHM, json!({}), blob).await;
        let failed = job.fails().await;
        let error = failed.error.unwrap();
        assert_eq!(error.code, code, "{what}: {error:?}");
        assert!(failed.result.is_none(), "{what}");
        assert!(!stack.attempts(job).await.is_empty(), "{what}: a process has read it");
        was_not_computed(stack, job).await;
    }
    let still = stack.place.part(WORKER);
    assert_eq!((still.pid, still.restarts), (worker.pid, worker.restarts), "the worker stays up");
}

#[tokio::test]
async fn bytes_that_are_no_inputs_of_this_submitter_fail_their_job_alone() {
    let stack = Stack::encrypted();
    let (owner, stranger) = (Owner::regular(stack).await, Owner::of(stack).await);
    let colleague = Owner::colleague(stack, "colleague").await;
    let good = owner.encrypts(bytes(&[1, 2])).await;
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let origin = owner.submitter.origin(&owner.zama.tenant);
    let elsewhere = for_network(&bytes(&[1, 2]), &other_network_key(), &origin).unwrap();
    let holder = KeyHolder::being(owner).await;
    let own = holder.encrypts(bytes(&[1, 2])).await.bytes().to_vec();
    let owner = holder.owner;
    let wrong = vec![
        ("another tenant's and submitter's", stranger.encrypts(bytes(&[1, 2])).await, CiphertextInvalid),
        ("of another submitter of the tenant", colleague.encrypts(bytes(&[1, 2])).await, CiphertextInvalid),
        ("under another network's key", elsewhere, KeyMismatch),
        ("cut off", good[..good.len() - 1].to_vec(), CiphertextInvalid),
        ("followed by more", [good.as_slice(), b"x"].concat(), CiphertextInvalid),
        ("a flipped bit", flipped, CiphertextInvalid),
        ("no ciphertext", b"hello".to_vec(), CiphertextInvalid),
        ("a key", network_public_key(), CiphertextInvalid),
        ("of the other mode", own, CiphertextInvalid),
        (
            "of a type that the algorithm does not take",
            owner.encrypts(vec![ClearValue::Bool(true)]).await,
            JobValidationFailed,
        ),
    ];
    each_fails_its_job(&owner, wrong).await;
    let job = owner.submits(ALGORITHM, json!({}), good).await;
    job.completes().await;
    assert_eq!(owner.opens(job).await.json(), r#"{"index":1,"price":2}"#, "the worker goes on");
}

#[tokio::test]
async fn another_tenant_s_blob_is_no_input_and_another_network_s_key_no_key() {
    let stack = Stack::encrypted();
    let (owner, stranger) = (Owner::regular(stack).await, Owner::of(stack).await);
    let url = owner.uploads(owner.encrypts(bytes(&[1, 2])).await).await;
    let body = |payload| json!({"type": "fhe_compute", "payload": payload});
    let payload = json!({"algorithm": ALGORITHM, "encrypted_data_url": url});
    let refused = stranger.zama.posts(&body(payload.clone()), &[]).await;
    assert_eq!((refused.status, refused.code()), (400, "JOB_VALIDATION_FAILED"), "{refused:?}");
    assert_eq!(refused.body["errors"][0]["pointer"], "/payload/encrypted_data_url");

    let mut elsewhere = payload;
    elsewhere["key"] = json!({"mode": "network", "key_id": format!("0x{}", "77".repeat(32))});
    let refused = owner.zama.posts(&body(elsewhere), &[]).await;
    assert_eq!((refused.status, refused.code()), (422, "KEY_MISMATCH"), "{refused:?}");
    assert_eq!(refused.body["errors"][0]["pointer"], "/payload/key/key_id");
}

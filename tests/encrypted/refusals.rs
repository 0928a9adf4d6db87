//! Ciphertexts that are not what they should be: the job says why, and the worker goes on.

use jobs::ErrorCode;
use serde_json::json;

use super::story::{Owner, bytes};
use crate::harness::{Stack, Zama};

const ALGORITHM: &str = "encrypted_maximum";

#[tokio::test]
async fn bytes_that_are_no_inputs_of_this_submitter_fail_their_job_alone() {
    let stack = Stack::encrypted();
    let (owner, stranger) = (Owner::of(stack).await, Owner::of(stack).await);
    let good = owner.encrypts(bytes(&[1, 2])).await;
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let wrong = [
        ("another tenant's and submitter's", stranger.encrypts(bytes(&[1, 2])).await),
        ("cut off", good[..good.len() - 1].to_vec()),
        ("followed by more", [good.as_slice(), b"x"].concat()),
        ("a flipped bit", flipped),
        ("no ciphertext", b"hello".to_vec()),
    ];
    for (what, blob) in wrong {
        let failed = owner.submits(ALGORITHM, json!({}), blob).await.fails().await;
        assert_eq!(failed.error.unwrap().code, ErrorCode::CiphertextInvalid, "{what}");
        assert!(failed.result.is_none(), "{what}");
    }
    let job = owner.submits(ALGORITHM, json!({}), good).await;
    job.completes().await;
    assert_eq!(owner.opens(job).await.json(), r#"{"index":1,"price":2}"#, "the worker goes on");
}

#[tokio::test]
async fn another_tenant_s_blob_is_no_input() {
    let stack = Stack::encrypted();
    let (owner, stranger) = (Owner::of(stack).await, Owner::of(stack).await);
    let url = owner.uploads(owner.encrypts(bytes(&[1, 2])).await).await;
    let body = |zama: &Zama<'_>| {
        let payload = json!({"algorithm": ALGORITHM, "encrypted_data_url": url});
        (zama.tenant.clone(), json!({"type": "fhe_compute", "payload": payload}))
    };
    let (_, body) = body(&stranger.zama);
    let refused = stranger.zama.posts(&body, &[]).await;
    assert_eq!((refused.status, refused.code()), (400, "JOB_VALIDATION_FAILED"), "{refused:?}");
    assert_eq!(refused.body["errors"][0]["pointer"], "/payload/encrypted_data_url");
}

//! Jobs under a key that their client keeps: uploaded to compute with, never to read with.

use alloy::primitives::B256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client::{EncryptedError, EncryptedInputs, JobKey, KeyStatus, OwnKey, OwnKeyFiles};
use jobs::ErrorCode;
use reqwest::Method;
use retrieval::{Domain, Retrieval, Signer};
use serde_json::{Value, json};

use super::story::{KeyHolder, Owner, bytes, own_keys};
use super::verified_files::{Submitted, both_verifiers_agree, each_file_is_held_against_the_leaf};
use crate::harness::{JobHandle, Stack};

const ALGORITHM: &str = "encrypted_maximum";

async fn another_key() -> OwnKey {
    let files = OwnKeyFiles::generate().await.unwrap();
    OwnKey::from_bytes(&files.secret_key, files.key_id).unwrap()
}

/// A request for the ciphertext, signed by the submitter.
async fn retrieves(holder: &KeyHolder<'_>, job: JobHandle<'_>) -> Value {
    let (stack, nonce) = (holder.owner.zama.stack, [7; 32]);
    let retrieval = Retrieval { job_id: job.id, nonce: nonce.into(), public_key_hash: B256::ZERO, deadline: None };
    let domain = Domain { chain_id: 31_337, registry: stack.registry.parse().unwrap() };
    let signature = Signer::from_hex(&holder.owner.secret).unwrap().sign(retrieval.digest(domain)).unwrap();
    let body = json!({
        "clientSignature": format!("0x{}", alloy::hex::encode(signature.to_bytes())),
        "retrievalNonce": format!("0x{}", alloy::hex::encode(nonce)),
    });
    let answer = holder.owner.zama.ask(Method::POST, &job.path("/fhe-result"), &[], Some(&body)).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[tokio::test]
async fn what_is_computed_under_a_client_s_key_its_client_opens() {
    let holder = KeyHolder::regular(Stack::encrypted()).await;
    let inputs = holder.encrypts(bytes(&[3, 250, 7])).await;
    let algorithm = "encrypted_statistical_analysis";
    let job = holder.submits(algorithm, json!({}), &inputs).await;
    let completed = job.completes().await;
    // (3 * 62558 - 260^2) / 9, rounded down.
    let expected = json!({"count": 3, "sum": 260, "mean": 86, "min": 3, "max": 250, "variance": 13341});
    assert_eq!(holder.opens(job).await, expected);

    let answer = retrieves(&holder, job).await;
    assert_eq!(answer["mode"], "ciphertext", "{answer}");
    let result = holder.owner.client.result(job.id).await.unwrap();
    assert_eq!(STANDARD.decode(answer["ciphertext"].as_str().unwrap()).unwrap(), result.bytes);
    assert_eq!(completed.result.unwrap().hash, result.hash);

    let stranger = another_key().await;
    let refused = Box::pin(holder.owner.client.decrypt(job.id, &stranger, &holder.owner.trust())).await.unwrap_err();
    assert!(matches!(refused, EncryptedError::OtherKey { .. }), "{refused}");

    let submitted = Submitted { job, algorithm, types: "u8*3", inputs: &inputs };
    each_file_is_held_against_the_leaf(&holder, &submitted).await;
    both_verifiers_agree(job, &holder.owner.zama).await;
}

#[tokio::test]
async fn ciphertexts_under_another_key_than_the_job_names_are_a_mismatch() {
    let stack = Stack::encrypted();
    let holder = KeyHolder::regular(stack).await;
    let foreign = another_key().await.encrypt(bytes(&[1, 2])).await.unwrap();
    let named = EncryptedInputs::new(foreign.bytes().clone(), JobKey::client(holder.key.id()));
    let failed = holder.submits(ALGORITHM, json!({}), &named).await.fails().await;
    assert_eq!(failed.error.unwrap().code, ErrorCode::KeyMismatch);

    // A key is its tenant's own.
    let stranger = Owner::of(stack).await;
    let url = stranger.uploads(foreign.bytes().to_vec()).await;
    let payload = json!({"algorithm": ALGORITHM, "encrypted_data_url": url, "key": named.key().to_json()});
    let refused = stranger.zama.posts(&json!({"type": "fhe_compute", "payload": payload}), &[]).await;
    assert_eq!((refused.status, refused.code()), (400, "JOB_VALIDATION_FAILED"), "{refused:?}");
    assert_eq!(refused.body["errors"][0]["pointer"], "/payload/key/key_id");
}

#[tokio::test]
async fn an_evaluation_key_that_was_cut_or_changed_is_refused_and_serves_no_job() {
    let holder = KeyHolder::regular(Stack::encrypted()).await;
    let good = &own_keys().await.evaluation_key;
    let mut flipped = good.clone();
    // In the name of what the bytes are.
    flipped[20] ^= 1;
    let inputs = holder.encrypts(bytes(&[4, 9])).await;
    let url = holder.owner.uploads(inputs.bytes().to_vec()).await;
    for (what, changed) in [("cut", good[..good.len() - 1].to_vec()), ("flipped", flipped), ("no key", vec![7; 1000])] {
        let refused = holder.owner.uploads_key(changed).await;
        assert_eq!(refused.status, KeyStatus::Refused, "{what}");
        assert!(refused.detail.is_some(), "{what}");
        let key = JobKey::client(refused.key_id);
        let payload = json!({"algorithm": ALGORITHM, "encrypted_data_url": url, "key": key.to_json()});
        let answer = holder.owner.zama.posts(&json!({"type": "fhe_compute", "payload": payload}), &[]).await;
        assert_eq!((answer.status, answer.code()), (400, "JOB_VALIDATION_FAILED"), "{what}: {answer:?}");
    }
    let job = holder.submits(ALGORITHM, json!({}), &inputs).await;
    job.completes().await;
    assert_eq!(holder.opens(job).await, json!({"index": 1, "price": 9}), "the worker goes on");
}

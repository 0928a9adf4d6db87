//! A nonce is used once; the identical request is answered again.

use jobs::ErrorCode;
use retrieval::{RecipientKey, Retrieval};

use crate::stage::Stage;

#[tokio::test]
async fn the_identical_request_gets_the_same_bytes_and_any_other_nothing() {
    let stage = Stage::set().await;
    let (job, key) = (stage.completed(0).await, RecipientKey::generate());
    let asked = stage.asks(&stage.owner, &job, &key);
    let answer = stage.client.decrypt(asked.clone()).await.unwrap();
    assert_eq!(stage.client.decrypt(asked.clone()).await.unwrap(), answer);

    let later = Retrieval { deadline: Some(4_000_000_000), ..asked.retrieval };
    stage.refuses(stage.asks_with(&stage.owner, &job, &key, later), ErrorCode::NonceReplayed).await;
    let other_key = RecipientKey::generate();
    let to_another = Retrieval { public_key_hash: other_key.public_key().unwrap().hash(), ..asked.retrieval };
    stage.refuses(stage.asks_with(&stage.owner, &job, &other_key, to_another), ErrorCode::NonceReplayed).await;
    // For another job it is another nonce.
    let other_job = stage.completed(1).await;
    let again = Retrieval { job_id: other_job.attestation.job_id, ..asked.retrieval };
    stage.client.decrypt(stage.asks_with(&stage.owner, &other_job, &key, again)).await.unwrap();
}

#[tokio::test]
async fn of_requests_at_once_one_answer_is_given() {
    let stage = Stage::set().await;
    let (job, key, other_key) = (stage.completed(0).await, RecipientKey::generate(), RecipientKey::generate());
    let one = stage.asks(&stage.owner, &job, &key);
    let (first, second) = tokio::join!(stage.client.decrypt(one.clone()), stage.client.decrypt(one.clone()));
    assert_eq!(first.unwrap(), second.unwrap());

    let left = stage.asks(&stage.owner, &job, &key);
    let same_nonce = Retrieval { public_key_hash: other_key.public_key().unwrap().hash(), ..left.retrieval };
    let right = stage.asks_with(&stage.owner, &job, &other_key, same_nonce);
    let (left, right) = tokio::join!(stage.client.decrypt(left), stage.client.decrypt(right));
    assert!(left.is_ok() ^ right.is_ok(), "{left:?} {right:?}");
    let refusal = left.err().or(right.err()).unwrap();
    assert!(refusal.to_string().contains("NONCE_REPLAYED"), "{refusal}");
}

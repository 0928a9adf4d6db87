//! The owner reads, and what the owner's own request must be.

use alloy::primitives::U256;
use alloy::sol_types::{SolStruct as _, eip712_domain};
use jobs::ErrorCode;
use retrieval::{RecipientKey, Retrieval};

use crate::stage::{SECRET, Stage};

alloy::sol! {
    struct RetrieveResult {
        string jobId;
        bytes32 retrievalNonce;
        bytes32 publicKeyHash;
        uint256 deadline;
    }
}

#[tokio::test]
async fn the_owner_reads_the_confirmed_result() {
    let stage = Stage::set().await;
    let (job, key) = (stage.completed(7).await, RecipientKey::generate());
    let asked = stage.asks(&stage.owner, &job, &key);
    let answer = stage.client.decrypt(asked.clone()).await.unwrap();
    assert_eq!(stage.opens(&answer, &asked, &key), format!(r#"{{"count":1,"value":{SECRET}}}"#));
}

#[tokio::test]
async fn a_request_that_expired_or_names_the_job_otherwise_is_refused() {
    let stage = Stage::set().await;
    let (job, key) = (stage.completed(0).await, RecipientKey::generate());
    let asked = stage.asks(&stage.owner, &job, &key);

    let expired = Retrieval { deadline: Some(1_700_000_000), ..asked.retrieval };
    stage.refuses(stage.asks_with(&stage.owner, &job, &key, expired), ErrorCode::SignatureExpired).await;
    let in_time = Retrieval { deadline: Some(4_000_000_000), ..asked.retrieval };
    stage.client.decrypt(stage.asks_with(&stage.owner, &job, &key, in_time)).await.unwrap();

    let wire = |job_id: String| kms::proto::DecryptRequest { job_id, ..asked.clone().into() };
    let lower = asked.retrieval.job_id.to_string();
    for text in [lower.to_uppercase(), lower.replace('-', ""), format!("{{{lower}}}")] {
        let refusal = stage.sends(wire(text)).await.unwrap_err();
        assert_eq!(refusal.metadata().get(kms::proto::ERROR_CODE).unwrap(), "INVALID_REQUEST");
    }
}

/// What a wallet would sign over an id in other letters: the same job, another statement.
#[tokio::test]
async fn a_signature_over_the_id_in_capitals_is_not_the_owner_s_wish() {
    let stage = Stage::set().await;
    let (job, key) = (stage.completed(0).await, RecipientKey::generate());
    let mut asked = stage.asks(&stage.owner, &job, &key);
    let by_hand = |job_id: String| {
        let statement = RetrieveResult {
            jobId: job_id,
            retrievalNonce: asked.retrieval.nonce,
            publicKeyHash: asked.retrieval.public_key_hash,
            deadline: U256::ZERO,
        };
        let domain = eip712_domain! {
            name: "ZamaJobs",
            version: "1",
            chain_id: stage.domain.chain_id,
            verifying_contract: stage.domain.registry,
        };
        stage.owner.sign(statement.eip712_signing_hash(&domain)).unwrap().to_bytes().to_vec()
    };
    let id = asked.retrieval.job_id.to_string();
    let (capitals, as_it_is) = (by_hand(id.to_uppercase()), by_hand(id));
    asked.retrieval_signature = capitals;
    stage.refuses(asked.clone(), ErrorCode::SignatureInvalid).await;
    asked.retrieval_signature = as_it_is;
    stage.client.decrypt(asked).await.unwrap();
}

#[tokio::test]
async fn what_was_not_signed_is_not_sealed() {
    let stage = Stage::set().await;
    let (job, key, thief) = (stage.completed(0).await, RecipientKey::generate(), RecipientKey::generate());
    let mut to_the_thief = stage.asks(&stage.owner, &job, &key);
    to_the_thief.client_public_key = thief.public_key().unwrap().to_pem();
    stage.refuses(to_the_thief, ErrorCode::SignatureInvalid).await;
    let mut other_nonce = stage.asks(&stage.owner, &job, &key);
    other_nonce.retrieval.nonce.0[0] ^= 1;
    stage.refuses(other_nonce, ErrorCode::SignatureInvalid).await;
    let mut no_key = stage.asks(&stage.owner, &job, &key);
    no_key.client_public_key = "-----BEGIN PUBLIC KEY-----".to_owned();
    stage.refuses(no_key, ErrorCode::InvalidRequest).await;
}

//! POST /v1/jobs/{id}/fhe-result

use alloy::primitives::B256;
use api::key_manager::KeyManagerError;
use api::token::Role;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blobs::{BlobHash, SystemKey};
use chrono::Utc;
use jobs::ErrorCode;
use retrieval::RecipientKey;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::app::{Call, Owner, TestApp, result_bytes};

const BLOB: &str = "/v1/blobs/1111111111111111111111111111111111111111111111111111111111111111";

fn client_mode() -> Value {
    json!({"algorithm": "encrypted_maximum", "encrypted_data_url": BLOB, "key": {"mode": "client", "key_id": format!("0x{}", "33".repeat(32))}})
}

fn network_mode(recipient: &RecipientKey) -> Value {
    let recipient = recipient.public_key().unwrap().to_pem();
    json!({"algorithm": "encrypted_maximum", "encrypted_data_url": BLOB, "client_public_key": recipient})
}

#[tokio::test]
async fn under_the_clients_own_key_the_ciphertexts_come_as_they_are() {
    let app = TestApp::new().await;
    let ada = app.owner("acme", "ada").await;
    let id = app.encrypted_and_completed(&ada, client_mode()).await;
    let body = ada.signed(&id, 1, B256::ZERO, None);
    let answer = app.retrieve(&ada.user, &id, &body).await.expect(200);
    let bytes = result_bytes(&id);
    let expected = json!({
        "job_id": id, "mode": "ciphertext", "suite": null, "enc": null, "info": null, "aad": null,
        "kms_signature": null, "ciphertext": STANDARD.encode(&bytes), "result_hash": format!("0x{}", BlobHash::of(&bytes))
    });
    assert_eq!(answer, expected);
    assert!(app.seen.calls.lock().unwrap().is_empty(), "the key manager has no part in it");

    assert_eq!(app.retrieve(&ada.user, &id, &body).await.expect(200), expected, "the identical request again");
    let later = Some(u64::try_from(Utc::now().timestamp()).unwrap() + 60);
    let same_nonce = ada.signed(&id, 1, B256::ZERO, later);
    app.retrieve(&ada.user, &id, &same_nonce).await.problem("NONCE_REPLAYED");
    app.retrieve(&ada.user, &id, &ada.signed(&id, 2, B256::ZERO, later)).await.expect(200);
    app.execute("UPDATE retrievals SET created_at = now() - interval '601 seconds'").await;
    app.retrieve(&ada.user, &id, &body).await.problem("NONCE_REPLAYED");
    let other = app.encrypted_and_completed(&ada, client_mode()).await;
    app.retrieve(&ada.user, &other, &ada.signed(&other, 1, B256::ZERO, None)).await.expect(200);
}

/// Sending it again helps nobody: only an operator brings back what is lost.
#[tokio::test]
async fn a_result_that_the_blob_store_has_lost_or_changed_is_damaged_data() {
    let app = TestApp::new().await;
    let ada = app.owner("acme", "ada").await;
    let id = app.encrypted_and_completed(&ada, client_mode()).await;
    let bytes = result_bytes(&id);
    let key = SystemKey::result(id.parse().unwrap(), BlobHash::of(&bytes));
    let body = ada.signed(&id, 1, B256::ZERO, None);
    app.blobs.put_system(&key, "other bytes".into()).await.unwrap();
    app.retrieve(&ada.user, &id, &body).await.problem("DATA_DAMAGED");
    app.blobs.delete_system(&key).await.unwrap();
    let result = app.get(&ada.user, &format!("/v1/jobs/{id}/result")).await;
    for answer in [app.retrieve(&ada.user, &id, &body).await, result] {
        answer.problem("DATA_DAMAGED");
        assert!(!answer.headers.contains_key("retry-after"));
    }
    assert_eq!(app.count("SELECT count(*) FROM retrievals").await, 0, "no nonce is spent on it");
    app.blobs.put_system(&key, bytes).await.unwrap();
    app.retrieve(&ada.user, &id, &body).await.expect(200);
}

#[tokio::test]
async fn nobody_elses_signature_is_accepted() {
    let app = TestApp::new().await;
    let ada = app.owner("acme", "ada").await;
    let lea = app.owner("acme", "lea").await;
    let lead = app.user("acme", "lead", Role::TeamLead).await;
    let id = app.encrypted_and_completed(&ada, client_mode()).await;
    let other = app.encrypted_and_completed(&ada, client_mode()).await;
    let past = Some(u64::try_from(Utc::now().timestamp()).unwrap() - 5);
    for (what, body) in [
        ("another's", lea.signed(&id, 1, B256::ZERO, None)),
        ("of another job", ada.signed(&other, 1, B256::ZERO, None)),
        ("for a sealed answer", ada.signed(&id, 1, B256::repeat_byte(1), None)),
    ] {
        assert_eq!(app.retrieve(&ada.user, &id, &body).await.problem("SIGNATURE_INVALID")["status"], 403, "{what}");
    }
    app.retrieve(&ada.user, &id, &ada.signed(&id, 1, B256::ZERO, past)).await.problem("SIGNATURE_EXPIRED");
    app.retrieve(&ada.user, &id, &lea.signed(&id, 1, B256::ZERO, past)).await.problem("SIGNATURE_INVALID");
    let mut changed = ada.signed(&id, 1, B256::ZERO, None);
    changed["retrievalNonce"] = json!(B256::repeat_byte(7));
    app.retrieve(&ada.user, &id, &changed).await.problem("SIGNATURE_INVALID");
    let mut unsigned = ada.signed(&id, 1, B256::ZERO, None);
    unsigned["clientSignature"] = json!(format!("0x{}", "00".repeat(65)));
    app.retrieve(&ada.user, &id, &unsigned).await.problem("SIGNATURE_INVALID");
    assert_eq!(app.count("SELECT count(*) FROM retrievals").await, 0, "no nonce is spent on a refusal");
    app.retrieve(&lead, &id, &ada.signed(&id, 1, B256::ZERO, None)).await.expect(200);
}

#[tokio::test]
async fn under_the_network_key_the_key_manager_gets_what_it_checks() {
    let app = TestApp::new().await;
    let ada = app.owner("acme", "ada").await;
    let recipient = RecipientKey::generate();
    let id = app.encrypted_and_completed(&ada, network_mode(&recipient)).await;
    let hash = recipient.public_key().unwrap().hash();
    let body = ada.signed(&id, 1, hash, Some(7));
    let answer = app.retrieve(&ada.user, &id, &body).await.expect(200);
    assert_eq!((&answer["mode"], &answer["ciphertext"]), (&json!("sealed"), &json!(STANDARD.encode("sealed"))));

    let asked = app.seen.decryptions.lock().unwrap().pop().unwrap();
    assert_eq!(asked.result, result_bytes(&id));
    assert_eq!(asked.attestation, ada.attestation(&id));
    assert_eq!(asked.attestation_signature, [0x55; 65]);
    assert_eq!((asked.retrieval.public_key_hash, asked.retrieval.deadline), (hash, Some(7)));
    assert_eq!(asked.client_public_key, recipient.public_key().unwrap().to_pem());
    assert_eq!(format!("0x{}", hex::encode(asked.retrieval_signature)), body["clientSignature"].as_str().unwrap());
    assert_eq!(asked.leaf.result_hash.0, BlobHash::of(&result_bytes(&id)).0);
    assert_ne!(asked.leaf.handle, B256::ZERO);
    assert_eq!(asked.leaf.hash(), asked.inclusion.root, "the only leaf of its batch");

    let grantee = RecipientKey::generate().public_key().unwrap();
    let mut other = ada.signed(&id, 2, grantee.hash(), None);
    other["client_public_key"] = json!(grantee.to_pem());
    app.retrieve(&ada.user, &id, &other).await.expect(200);
    let asked = app.seen.decryptions.lock().unwrap().pop().unwrap();
    assert_eq!(asked.retrieval.public_key_hash, grantee.hash(), "the request's key comes first");
}

#[tokio::test]
async fn the_key_managers_refusals_reach_the_client() {
    let app = TestApp::new().await;
    let ada = app.owner("acme", "ada").await;
    let id = app.encrypted_and_completed(&ada, network_mode(&RecipientKey::generate())).await;
    let body = ada.signed(&id, 1, B256::ZERO, None);
    for code in [
        ErrorCode::SignatureInvalid,
        ErrorCode::SignatureExpired,
        ErrorCode::AccessRevoked,
        ErrorCode::NonceReplayed,
        ErrorCode::ResultNotReady,
        ErrorCode::KeyMismatch,
        ErrorCode::CiphertextInvalid,
    ] {
        let detail = "The key manager says why.".to_owned();
        app.seen.refuse(Some(KeyManagerError::Refused { code, detail: detail.clone() }));
        assert_eq!(app.retrieve(&ada.user, &id, &body).await.problem(code.as_str())["detail"], detail);
    }
    app.seen
        .refuse(Some(KeyManagerError::Refused { code: ErrorCode::ResultNotReady, detail: "not final yet".to_owned() }));
    let told = app.retrieve(&ada.user, &id, &body).await.problem("RESULT_NOT_READY");
    assert_eq!(told["detail"], "Not final yet.", "a sentence");
    app.seen.refuse(Some(KeyManagerError::Unavailable("it is away".to_owned())));
    let away = app.retrieve(&ada.user, &id, &body).await.problem("SERVICE_UNAVAILABLE");
    app.seen.refuse(Some(KeyManagerError::Chain("its nodes stand still".to_owned())));
    let frozen = app.retrieve(&ada.user, &id, &body).await.problem("SERVICE_UNAVAILABLE");
    assert!(away["detail"].as_str().unwrap().contains("unavailable"), "{away:#}");
    assert_eq!(frozen["detail"], "The key manager cannot read the chain: its nodes stand still.");
}

#[tokio::test]
async fn a_key_to_seal_to_must_be_one() {
    let app = TestApp::new().await;
    let ada = app.owner("acme", "ada").await;
    let id =
        app.encrypted_and_completed(&ada, json!({"algorithm": "encrypted_maximum", "encrypted_data_url": BLOB})).await;
    let mut body = ada.signed(&id, 1, B256::ZERO, None);
    for key in [json!(null), json!("-----BEGIN PUBLIC KEY-----"), json!("x")] {
        body["client_public_key"] = key;
        let answer = app.retrieve(&ada.user, &id, &body).await;
        answer.problem("INVALID_REQUEST");
        assert_eq!(answer.pointers(), ["/client_public_key"]);
    }
    let own = app.encrypted_and_completed(&ada, client_mode()).await;
    body["client_public_key"] = json!(RecipientKey::generate().public_key().unwrap().to_pem());
    app.retrieve(&ada.user, &own, &body).await.problem("INVALID_REQUEST");
}

#[tokio::test]
async fn a_result_is_there_when_it_is_confirmed() {
    let app = TestApp::new().await;
    let ada = app.owner("acme", "ada").await;
    let id = app.encrypted(&ada, client_mode()).await;
    let body = ada.signed(&id, 1, B256::ZERO, None);
    let not_ready = async || {
        let answer = app.retrieve(&ada.user, &id, &body).await;
        answer.problem("RESULT_NOT_READY");
        assert!(answer.headers.contains_key("retry-after"));
    };
    not_ready().await;
    app.finish_encrypted(&id).await;
    not_ready().await;
    let batch = app.seal().await;
    app.confirm(batch).await;
    app.retrieve(&ada.user, &id, &body).await.expect(200);

    let failed = app.encrypted(&ada, client_mode()).await;
    app.begin(&failed).await;
    app.fail(&failed, ErrorCode::CiphertextInvalid, "The proof is wrong.").await;
    let problem = app.retrieve(&ada.user, &failed, &body).await.problem("CIPHERTEXT_INVALID");
    assert_eq!(problem["detail"], "The proof is wrong.");
    let cancelled = app.encrypted(&ada, client_mode()).await;
    app.post(&ada.user, &format!("/v1/jobs/{cancelled}/cancel")).await.expect(200);
    app.retrieve(&ada.user, &cancelled, &body).await.problem("JOB_CANCELLED");
    let plain = app.accepted(&ada.user).await;
    app.retrieve(&ada.user, &plain, &body).await.problem("INVALID_REQUEST");
}

#[tokio::test]
async fn whatever_a_job_failed_with_is_the_answer() {
    let app = TestApp::new().await;
    let ada = app.owner("acme", "ada").await;
    for code in jobs::error_code::ENDINGS {
        let id = app.encrypted(&ada, client_mode()).await;
        app.fail(&id, *code, "It ended so.").await;
        let answer = app.retrieve(&ada.user, &id, &ada.signed(&id, 1, B256::ZERO, None)).await;
        answer.problem(code.of_result().as_str());
    }
}

#[tokio::test]
async fn garbage_is_refused_by_its_pointers() {
    let app = TestApp::new().await;
    let ada = app.owner("acme", "ada").await;
    let id = app.encrypted_and_completed(&ada, client_mode()).await;
    let answer = app.retrieve(&ada.user, &id, &json!({"clientSignature": 1, "nonce": "0x00", "deadline": "x"})).await;
    answer.problem("INVALID_REQUEST");
    assert_eq!(answer.pointers(), ["/clientSignature", "/retrieval_nonce", "/deadline", "/nonce"]);
    let path = format!("/v1/jobs/{id}/fhe-result");
    for body in ["", "null", "[]", "{", "\"x\"", r#"{"deadline":1,"deadline":2}"#] {
        let call = Call::new("POST", &path).header("content-type", "application/json").body(body).by(&ada.user);
        app.send(call).await.problem("INVALID_REQUEST");
    }
    app.send(Call::new("POST", &path).body("{}").by(&ada.user)).await.problem("INVALID_CONTENT_TYPE");
    let eve = app.owner("globex", "eve").await;
    app.retrieve(&eve.user, &id, &eve.signed(&id, 1, B256::ZERO, None)).await.problem("JOB_NOT_FOUND");
}

/// Only the chain says who a grantee is: neither tenant nor user matters.
#[tokio::test]
async fn a_grantee_of_any_tenant_asks_with_a_key_of_its_own() {
    let app = TestApp::new().await;
    let (ada, lea) = (app.owner("acme", "ada").await, app.owner("acme", "lea").await);
    let (eve, mallory) = (app.owner("globex", "eve").await, app.owner("globex", "mallory").await);
    let sealing = RecipientKey::generate();
    let id = app.encrypted_and_completed(&ada, network_mode(&sealing)).await;
    let key = RecipientKey::generate().public_key().unwrap();
    let with_key = |owner: &Owner, nonce| {
        let mut body = owner.signed(&id, nonce, key.hash(), None);
        body["client_public_key"] = json!(key.to_pem());
        body
    };
    for stranger in [&lea, &eve] {
        app.retrieve(&stranger.user, &id, &with_key(stranger, 1)).await.problem("JOB_NOT_FOUND");
    }
    assert!(app.seen.decryptions.lock().unwrap().is_empty(), "nothing is decrypted for strangers");

    let asked = {
        app.retrieve(&ada.user, &id, &ada.signed(&id, 2, sealing.public_key().unwrap().hash(), None)).await.expect(200);
        app.seen.decryptions.lock().unwrap().pop().unwrap()
    };
    for grantee in [&lea, &eve] {
        app.seen.grants.lock().unwrap().push((asked.leaf.hash(), grantee.signer.address()));
        app.retrieve(&grantee.user, &id, &with_key(grantee, 3)).await.expect(200);
        let seen = app.seen.decryptions.lock().unwrap().pop().unwrap();
        assert_eq!((&seen.attestation, &seen.leaf), (&asked.attestation, &asked.leaf), "as the owner's");
        assert_eq!(seen.retrieval.public_key_hash, key.hash());

        // Without one the result would be sealed to the owner's key.
        for hash in [sealing.public_key().unwrap().hash(), B256::ZERO] {
            let answer = app.retrieve(&grantee.user, &id, &grantee.signed(&id, 4, hash, None)).await;
            answer.problem("INVALID_REQUEST");
            assert_eq!(answer.pointers(), ["/client_public_key"]);
        }
    }
    // Lea is in the same tenant: a lead sees the job, and Lea's signature still needs Lea's key.
    let lead = app.user("acme", "lead", Role::TeamLead).await;
    let answer = app.retrieve(&lead, &id, &lea.signed(&id, 5, B256::ZERO, None)).await;
    assert_eq!(answer.problem("INVALID_REQUEST")["status"], 400);
    assert_eq!(answer.pointers(), ["/client_public_key"]);
    // Whose token it is says nothing: Eve's grant is in her signature.
    app.retrieve(&mallory.user, &id, &with_key(&eve, 6)).await.expect(200);
    app.retrieve(&eve.user, &id, &with_key(&mallory, 6)).await.problem("JOB_NOT_FOUND");
    assert_eq!(app.seen.decryptions.lock().unwrap().len(), 1);

    app.seen.refuse(Some(KeyManagerError::Unavailable("it is away".to_owned())));
    app.retrieve(&eve.user, &id, &with_key(&eve, 7)).await.problem("JOB_NOT_FOUND");
}

#[tokio::test]
async fn the_result_itself_is_streamed_by_its_hash() {
    let app = TestApp::new().await;
    let ada = app.owner("acme", "ada").await;
    let id = app.encrypted_and_completed(&ada, client_mode()).await;
    let bytes = result_bytes(&id);
    let path = format!("/v1/jobs/{id}/result");
    let answer = app.get(&ada.user, &path).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &bytes));
    assert_eq!(answer.header("content-type"), "application/cbor");
    assert_eq!(answer.header("content-length"), bytes.len().to_string());
    assert_eq!(answer.header("x-result-hash"), format!("0x{}", BlobHash::of(&bytes)));
    assert_eq!(answer.header("repr-digest"), format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&bytes))));
    let shown = app.job(&ada.user, &id).await["result"].take();
    assert_eq!((&shown["size"], &shown["value"]), (&json!(bytes.len()), &Value::Null));
    app.lose_blobs();
    assert_eq!(app.get(&ada.user, &path).await.status.as_u16() / 100, 5);
}

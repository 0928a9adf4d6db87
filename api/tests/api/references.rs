//! POST /v1/jobs of an encrypted job: the blob and the key that it names must be its tenant's.

use api::key_manager::KeyManagerError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blobs::BlobHash;
use retrieval::RecipientKey;
use serde_json::{Value, json};
use store::client_keys::{self, KeyVerdict};

use crate::app::{Call, PUBLIC_URL, TestApp, User};

const CIPHERTEXTS: &[u8] = &[7; 3000];
const KEY: &[u8] = b"an evaluation key";

async fn upload(app: &TestApp, user: &User, path: &str, bytes: &'static [u8]) {
    let call = Call::new("POST", path).header("content-type", "application/octet-stream").body(bytes).by(user);
    assert!(app.send(call).await.status.is_success());
}

fn job(url: &str, key: Value) -> Value {
    let payload = json!({
        "algorithm": "encrypted_maximum", "encrypted_data_url": url, "key": key,
        "parameters": {"value_type": "u8", "count": 4}
    });
    json!({"type": "fhe_compute", "payload": payload})
}

fn blob_url(bytes: &[u8]) -> String {
    format!("{PUBLIC_URL}/v1/blobs/0x{}", BlobHash::of(bytes))
}

fn network() -> Value {
    json!({"mode": "network"})
}

#[tokio::test]
async fn a_blob_must_be_the_tenants_own() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let eve = app.user("globex", "eve", api::token::Role::Developer).await;
    let body = job(&blob_url(CIPHERTEXTS), network());
    let refused = async |user: &User, body: &Value| {
        let answer = app.submit(user, body).await;
        answer.problem("JOB_VALIDATION_FAILED");
        assert_eq!(answer.pointers(), ["/payload/encrypted_data_url"]);
    };
    refused(&ada, &body).await;
    upload(&app, &ada, "/v1/blobs", CIPHERTEXTS).await;
    refused(&eve, &body).await;
    let accepted = app.submit(&ada, &body).await.expect(202);
    let shown = app.job(&ada, accepted["job_id"].as_str().unwrap()).await;
    assert_eq!((&shown["type"], &shown["use_fhe"]), (&json!("fhe_compute"), &json!(true)));
    let path_alone = format!("/v1/blobs/{}", BlobHash::of(CIPHERTEXTS));
    app.submit(&ada, &job(&path_alone, network())).await.expect(202);
    let reserved = "SELECT max(units) FROM job_reservations";
    assert!(app.count(reserved).await < 10, "the inputs' three KiB are reserved, not the largest blob");
    app.submit(&ada, &job("https://example.com/ciphertexts", network())).await.expect(202);
    assert!(app.count(reserved).await > 60_000, "what is not there yet may be the largest blob");
}

#[tokio::test]
async fn a_key_must_be_the_tenants_own_and_ready() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let eve = app.user("globex", "eve", api::token::Role::Developer).await;
    let key_id = BlobHash::of(KEY);
    let body = job(&blob_url(CIPHERTEXTS), json!({"mode": "client", "key_id": format!("0x{key_id}")}));
    upload(&app, &ada, "/v1/blobs", CIPHERTEXTS).await;
    upload(&app, &eve, "/v1/blobs", CIPHERTEXTS).await;
    let refused = async |user: &User| {
        let answer = app.submit(user, &body).await;
        answer.problem("JOB_VALIDATION_FAILED");
        assert_eq!(answer.pointers(), ["/payload/key/key_id"]);
        answer.json()["errors"][0]["reason"].as_str().unwrap().to_owned()
    };
    assert!(refused(&ada).await.contains("names no key"));
    upload(&app, &ada, "/v1/fhe/keys", KEY).await;
    assert!(refused(&ada).await.contains("being checked"));
    let acme = "acme".parse().unwrap();
    client_keys::conclude(&app.pool, &acme, key_id.0, &KeyVerdict::Ready).await.unwrap();
    app.submit(&ada, &body).await.expect(202);
    assert!(refused(&eve).await.contains("names no key"));
    upload(&app, &eve, "/v1/fhe/keys", KEY).await;
    let verdict = KeyVerdict::Refused { detail: "It has other parameters.".to_owned() };
    client_keys::conclude(&app.pool, &"globex".parse().unwrap(), key_id.0, &verdict).await.unwrap();
    assert!(refused(&eve).await.contains("It has other parameters."));
}

#[tokio::test]
async fn a_key_to_seal_to_must_lie_on_the_curve() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    upload(&app, &ada, "/v1/blobs", CIPHERTEXTS).await;
    let key = RecipientKey::generate().public_key().unwrap();
    let with = |der: &[u8]| {
        let mut body = job(&blob_url(CIPHERTEXTS), network());
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(der));
        body["payload"]["client_public_key"] = json!(pem);
        body
    };
    let mut beside = key.as_der().to_vec();
    *beside.last_mut().unwrap() ^= 1;
    let answer = app.submit(&ada, &with(&beside)).await;
    answer.problem("JOB_VALIDATION_FAILED");
    assert_eq!(answer.pointers(), ["/payload/client_public_key"]);
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0, "nothing is billed");
    app.submit(&ada, &with(key.as_der())).await.expect(202);
}

#[tokio::test]
async fn a_url_that_will_certainly_not_be_fetched_is_refused_at_once() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    for url in [
        "https://127.0.0.1/ciphertexts",
        "https://0x7f.1/ciphertexts",
        "https://10.1.2.3:8443/ciphertexts",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/ciphertexts",
        "https://localhost/ciphertexts",
        "https://example.com:6379/ciphertexts",
    ] {
        let answer = app.submit(&ada, &job(url, network())).await;
        answer.problem("JOB_VALIDATION_FAILED");
        assert_eq!(answer.pointers(), ["/payload/encrypted_data_url"], "{url}");
    }
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0);
}

#[tokio::test]
async fn the_network_key_that_a_job_names_is_the_one_that_there_is() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    upload(&app, &ada, "/v1/blobs", CIPHERTEXTS).await;
    let named = |byte: &str| {
        job(&blob_url(CIPHERTEXTS), json!({"mode": "network", "key_id": format!("0x{}", byte.repeat(32))}))
    };
    app.seen.refuse(Some(KeyManagerError::Unavailable("away".to_owned())));
    app.submit(&ada, &named("b2")).await.expect(202);
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    upload(&app, &ada, "/v1/blobs", CIPHERTEXTS).await;
    let answer = app.submit(&ada, &named("b2")).await;
    let problem = answer.problem("KEY_MISMATCH");
    assert_eq!(answer.pointers(), ["/payload/key/key_id"]);
    assert!(problem["errors"][0]["reason"].as_str().unwrap().contains(&"a1".repeat(32)), "{problem:#}");
    app.submit(&ada, &named("a1")).await.expect(202);
}

//! What tenants store: quotas that nobody passes, and deletion of what no open job needs.

use api::token::{Role, Scope, Scopes};
use blobs::BlobHash;
use futures::future::join_all;
use serde_json::{Value, json};
use store::admission::Admitted;
use store::audit::Note;
use store::client_keys::{self, KeyVerdict};
use store::fhe::inputs::JobInput;
use store::uploads::{Custody, Kind, NewUpload, Noted, Quota, Quotas};

use crate::answer::Answer;
use crate::app::{Call, PUBLIC_URL, TestApp, User};

const QUOTAS: Quotas =
    Quotas { blobs: Quota { count: 3, bytes: 1_000 }, client_keys: Quota { count: 1, bytes: 1_000 } };

async fn put(app: &TestApp, user: &User, path: &str, body: &[u8]) -> Answer {
    let call = Call::new("POST", path).header("content-type", "application/octet-stream");
    app.send(call.body(body.to_vec()).by(user)).await
}

async fn delete(app: &TestApp, user: &User, path: &str) -> Answer {
    app.send(Call::new("DELETE", path).by(user)).await
}

fn blob(content: &[u8]) -> String {
    format!("/v1/blobs/0x{}", BlobHash::of(content))
}

fn key(content: &[u8]) -> String {
    format!("/v1/fhe/keys/0x{}", BlobHash::of(content))
}

fn job_on(content: &[u8], key: Value) -> Value {
    let payload = json!({
        "algorithm": "encrypted_maximum", "encrypted_data_url": format!("{PUBLIC_URL}{}", blob(content)), "key": key,
        "parameters": {"value_type": "u8", "count": 4}
    });
    json!({"type": "fhe_compute", "payload": payload})
}

#[tokio::test]
async fn a_tenant_stores_no_more_than_its_quota() {
    let app = TestApp::with_quotas(QUOTAS).await;
    let ada = app.developer("ada").await;
    let bob = app.developer("bob").await;
    let eve = app.user("globex", "eve", Role::Developer).await;
    for content in [b"1", b"2", b"3"] {
        put(&app, &ada, "/v1/blobs", content).await.expect(201);
    }
    let full = put(&app, &bob, "/v1/blobs", b"4").await.problem("STORAGE_QUOTA_EXCEEDED");
    assert!(full["detail"].as_str().unwrap().contains("3 blobs of 3 bytes"), "{full:#}");
    assert_eq!(put(&app, &bob, "/v1/blobs", b"3").await.status, 200, "it is there already");
    assert_eq!(put(&app, &eve, "/v1/blobs", b"4").await.status, 201, "another tenant");
    assert_eq!(put(&app, &ada, "/v1/fhe/keys", b"1").await.status, 202, "keys are counted for themselves");
    put(&app, &ada, "/v1/fhe/keys", b"2").await.problem("STORAGE_QUOTA_EXCEEDED");
    assert_eq!(app.stored_files(), 4, "nothing of what was refused");

    assert_eq!(delete(&app, &bob, &blob(b"2")).await.status, 204, "it is the tenant's");
    put(&app, &ada, "/v1/blobs", &[0; 999]).await.problem("STORAGE_QUOTA_EXCEEDED");
    put(&app, &ada, "/v1/blobs", &[0; 998]).await.expect(201);
}

#[tokio::test]
async fn uploads_at_once_do_not_pass_the_quota() {
    let app = TestApp::with_quotas(QUOTAS).await;
    let ada = app.developer("ada").await;
    let contents: Vec<[u8; 1]> = (0..12).map(|byte| [byte]).collect();
    let answers = join_all(contents.iter().map(|content| put(&app, &ada, "/v1/blobs", content))).await;
    let stored = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((stored, app.count("SELECT count(*) FROM blobs").await), (3, 3));
    assert_eq!(app.stored_files(), 3);
}

#[tokio::test]
async fn a_deleted_blob_is_gone_for_its_tenant_alone() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let eve = app.user("globex", "eve", Role::Admin).await;
    for user in [&ada, &eve] {
        put(&app, user, "/v1/blobs", b"same").await.expect(201);
    }
    let reader = app.token("acme", "ada", Role::Developer, Scopes::from_iter([Scope::JobsRead]));
    app.send(Call::new("DELETE", &blob(b"same")).token(&reader)).await.problem("INSUFFICIENT_SCOPE");
    let gone = delete(&app, &ada, &blob(b"same")).await;
    assert_eq!((gone.status.as_u16(), gone.body.len()), (204, 0));
    delete(&app, &ada, &blob(b"same")).await.problem("NOT_FOUND");
    app.get(&ada, &blob(b"same")).await.problem("NOT_FOUND");
    assert_eq!(app.get(&eve, &blob(b"same")).await.body, "same");
    assert_eq!(app.stored_files(), 1);
    put(&app, &ada, "/v1/blobs", b"same").await.expect(201);
    assert_eq!(app.get(&ada, &blob(b"same")).await.body, "same");
    assert_eq!(app.count("SELECT count(*) FROM unwanted_bytes").await, 0);
}

/// A blob and a key of the same bytes are one object in the blob store.
#[tokio::test]
async fn bytes_stay_for_as_long_as_anything_needs_them() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    put(&app, &ada, "/v1/blobs", b"both").await.expect(201);
    put(&app, &ada, "/v1/fhe/keys", b"both").await.expect(202);
    assert_eq!(delete(&app, &ada, &key(b"both")).await.status, 204);
    app.get(&ada, &key(b"both")).await.problem("NOT_FOUND");
    assert_eq!(app.get(&ada, &blob(b"both")).await.body, "both");
    assert_eq!(delete(&app, &ada, &blob(b"both")).await.status, 204);
    assert_eq!(app.stored_files(), 0);
    delete(&app, &ada, &key(b"both")).await.problem("NOT_FOUND");
}

#[tokio::test]
async fn what_an_open_job_needs_is_not_deleted() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    put(&app, &ada, "/v1/blobs", b"inputs").await.expect(201);
    put(&app, &ada, "/v1/fhe/keys", b"key").await.expect(202);
    let (acme, key_id) = ("acme".parse().unwrap(), BlobHash::of(b"key"));
    client_keys::conclude(&app.pool, &acme, key_id.0, &KeyVerdict::Ready).await.unwrap();
    let own = json!({"mode": "client", "key_id": format!("0x{key_id}")});
    let body = job_on(b"inputs", own);
    let accepted = app.submit_with_key(&ada, "k", &body).await.expect(202);
    for path in [blob(b"inputs"), key(b"key")] {
        let refused = delete(&app, &ada, &path).await;
        refused.problem("STILL_IN_USE");
        assert!(refused.headers.contains_key("retry-after"));
        assert_eq!(app.get(&ada, &path).await.status, 200, "it is all there");
    }
    let id = accepted["job_id"].as_str().unwrap();
    app.post(&ada, &format!("/v1/jobs/{id}/cancel")).await.expect(200);
    for path in [blob(b"inputs"), key(b"key")] {
        assert_eq!(delete(&app, &ada, &path).await.status, 204, "the job has ended");
    }
    let replayed = app.submit_with_key(&ada, "k", &body).await;
    assert_eq!(replayed.header("idempotency-replayed"), "true");
    assert_eq!(replayed.expect(202)["job_id"], id, "the same 202, whatever became of its inputs");
    let other = job_on(b"other inputs", json!({"mode": "network"}));
    app.submit_with_key(&ada, "k", &other).await.problem("IDEMPOTENCY_KEY_REUSED");
    app.submit(&ada, &body).await.problem("JOB_VALIDATION_FAILED");
}

#[tokio::test]
async fn the_list_tells_what_there_is_and_what_can_be_deleted() {
    let app = TestApp::with_quotas(QUOTAS).await;
    let ada = app.developer("ada").await;
    let eve = app.user("globex", "eve", Role::Developer).await;
    for content in [&b"first"[..], b"second", b"third"] {
        put(&app, &ada, "/v1/blobs", content).await.expect(201);
    }
    app.submit(&ada, &job_on(b"second", json!({"mode": "network"}))).await.expect(202);
    let page = app.get(&ada, "/v1/blobs?limit=2").await.expect(200);
    assert_eq!(page["stored"], json!({"count": 3, "bytes": 16}));
    assert_eq!(page["quota"], json!({"count": 3, "bytes": 1_000}));
    let rest = format!("/v1/blobs?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    let last = app.get(&ada, &rest).await.expect(200);
    assert_eq!(
        (&page["has_more"], &last["has_more"], &last["next_cursor"]),
        (&json!(true), &json!(false), &Value::Null)
    );
    let listed: Vec<Value> = [&page, &last].iter().flat_map(|page| page["data"].as_array().unwrap().clone()).collect();
    let told: Vec<_> = listed.iter().map(|entry| (entry["url"].as_str().unwrap(), entry["in_use"] == true)).collect();
    let url = |content: &[u8]| format!("{PUBLIC_URL}{}", blob(content));
    assert_eq!(told, [(&*url(b"third"), false), (&*url(b"second"), true), (&*url(b"first"), false)]);
    assert_eq!(app.get(&eve, "/v1/blobs").await.expect(200)["data"], json!([]));
    app.get(&eve, &rest).await.problem("INVALID_REQUEST");
    app.get(&ada, "/v1/blobs?order=up").await.problem("INVALID_REQUEST");
}

/// The check of the references and the admission are two steps: what goes in between is missed by the second.
#[tokio::test]
async fn a_job_is_not_admitted_on_a_blob_that_was_just_deleted() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    put(&app, &ada, "/v1/blobs", b"inputs").await.expect(201);
    let (acme, user) = ("acme".parse().unwrap(), "ada".parse().unwrap());
    let now = chrono::Utc::now();
    let submission = jobs::submission::read(&job_on(b"inputs", json!({"mode": "network"})), now, PUBLIC_URL).unwrap();
    assert_eq!(delete(&app, &ada, &blob(b"inputs")).await.status, 204);
    let admission = store::admission::Admission {
        job_id: jobs::JobId::generate(),
        tenant: &acme,
        user: &user,
        key: &jobs::IdempotencyKey::generate(),
        submission: &submission,
        limits: store::limits::AdmissionLimits::default(),
        prepaid: None,
        created_at: now,
        estimated_completion: now,
        request_id: "r",
        response: "{}",
        audit: &Note::by_operator(&acme, "test", String::new(), json!({})),
    };
    let admitted = store::admission::admit(&app.pool, admission).await.unwrap();
    assert!(matches!(admitted, Admitted::Missing(Kind::Blob)), "{admitted:?}");
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0);
}

#[tokio::test]
async fn what_was_fetched_for_a_job_counts_and_is_held_by_it() {
    let app = TestApp::with_quotas(QUOTAS).await;
    let ada = app.developer("ada").await;
    let payload = json!({"algorithm": "encrypted_maximum", "encrypted_data_url": "https://files.example.com/a",
                         "parameters": {"value_type": "u8", "count": 4}});
    let accepted = app.submit(&ada, &json!({"type": "fhe_compute", "payload": payload})).await.expect(202);
    let job = accepted["job_id"].as_str().unwrap().parse().unwrap();
    let (acme, user) = ("acme".parse().unwrap(), "ada".parse().unwrap());
    let fetched = async |content: &[u8]| {
        let (sha256, size) = (BlobHash::of(content).0, content.len() as u64);
        let mut custody = Custody::of(&app.pool, &acme).await.unwrap();
        let noted = custody.note(Kind::Blob, NewUpload { user: &user, sha256, size }, QUOTAS.blobs).await.unwrap();
        if noted == Noted::New {
            custody.note_input(job, JobInput { sha256, size }).await.unwrap();
            custody.release().await.unwrap();
        }
        noted
    };
    assert_eq!(fetched(b"first").await, Noted::New);
    assert_eq!(fetched(b"another attempt's").await, Noted::New);
    assert!(matches!(fetched(&[0; 1_000]).await, Noted::Full(_)));
    delete(&app, &ada, &blob(b"first")).await.problem("STILL_IN_USE");
    assert_eq!(delete(&app, &ada, &blob(b"another attempt's")).await.status, 204, "it is no job's input");
    app.post(&ada, &format!("/v1/jobs/{job}/cancel")).await.expect(200);
    assert_eq!(delete(&app, &ada, &blob(b"first")).await.status, 204);
}

#[tokio::test]
async fn bytes_that_could_not_be_deleted_are_swept_unless_they_are_wanted_again() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let acme = "acme".parse().unwrap();
    for content in [&b"lost"[..], b"again"] {
        put(&app, &ada, "/v1/blobs", content).await.expect(201);
        // What a process does that dies between the commit and the bytes.
        let mut custody = Custody::of(&app.pool, &acme).await.unwrap();
        custody.remove(Kind::Blob, BlobHash::of(content).0).await.unwrap();
        custody.release().await.unwrap();
    }
    put(&app, &ada, "/v1/blobs", b"again").await.expect(201);
    assert_eq!(app.stored_files(), 2);
    let stop = tokio_util::sync::CancellationToken::new();
    stop.cancel();
    api::sweep_uploads(app.pool.clone(), app.blobs.clone(), stop).await;
    assert_eq!(app.stored_files(), 1);
    assert_eq!(app.get(&ada, &blob(b"again")).await.body, "again");
    assert_eq!(app.count("SELECT count(*) FROM unwanted_bytes").await, 0);
}

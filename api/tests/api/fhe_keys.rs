//! /v1/fhe/keys: the network key, and evaluation keys of clients.

use api::key_manager::KeyManagerError;
use api::token::Role;
use axum::body::Body;
use blobs::{BlobHash, MAX_EVALUATION_KEY_BYTES};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use store::client_keys::{self, KeyStatus, KeyVerdict};

use crate::answer::Answer;
use crate::app::{CRS, Call, PUBLIC_KEY, PUBLIC_URL, TestApp, User};

const KEY: &[u8] = b"an evaluation key that only a worker can judge";

async fn upload(app: &TestApp, user: &User, body: impl Into<Body>) -> Answer {
    let call = Call::new("POST", "/v1/fhe/keys").header("content-type", "application/octet-stream");
    app.send(call.body(body).by(user)).await
}

fn path(key: &[u8]) -> String {
    format!("/v1/fhe/keys/0x{}", BlobHash::of(key))
}

#[tokio::test]
async fn an_uploaded_key_is_pending_until_it_was_checked() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let accepted = upload(&app, &ada, KEY).await;
    assert_eq!(accepted.header("location"), format!("{PUBLIC_URL}{}", path(KEY)));
    assert!(accepted.header("retry-after").parse::<u32>().unwrap() > 0);
    let pending = accepted.expect(202);
    assert_eq!((&pending["status"], &pending["detail"]), (&json!("pending"), &Value::Null));
    assert_eq!(pending["key_id"], format!("0x{}", BlobHash::of(KEY)));
    assert_eq!(app.get(&ada, &path(KEY)).await.expect(200), pending);
    assert_eq!(upload(&app, &ada, KEY).await.expect(202), pending, "again changes nothing");

    let due = client_keys::claim(&app.pool, 10, 60.0).await.unwrap();
    let tenant = "acme".parse().unwrap();
    let key_id = BlobHash::of(KEY);
    assert_eq!((due.len(), &due[0].tenant, due[0].key_id), (1, &tenant, key_id.0));
    assert_eq!(client_keys::claim(&app.pool, 10, 60.0).await.unwrap(), [], "one process starts the check");
    app.execute("UPDATE client_keys SET check_claimed_until = '-infinity'").await;
    assert_eq!(client_keys::claim(&app.pool, 10, 60.0).await.unwrap().len(), 1, "a claim runs out");

    assert_eq!(app.blobs.get(&tenant, key_id, 1000).await.unwrap(), KEY, "what the worker reads");
    let conclude = async |verdict| client_keys::conclude(&app.pool, &tenant, key_id.0, &verdict).await.unwrap();
    assert_eq!(conclude(KeyVerdict::Ready).await, Some(KeyStatus::Ready));
    let late = KeyVerdict::Refused { detail: "late".to_owned() };
    assert_eq!(conclude(late).await, Some(KeyStatus::Ready), "the first verdict stands");
    assert_eq!(app.get(&ada, &path(KEY)).await.expect(200)["status"], "ready");
    assert_eq!(upload(&app, &ada, KEY).await.expect(200)["status"], "ready");
    app.execute("UPDATE client_keys SET check_claimed_until = '-infinity'").await;
    assert_eq!(client_keys::claim(&app.pool, 10, 60.0).await.unwrap(), [], "nothing is left to check");
}

#[tokio::test]
async fn a_refused_key_says_why_and_no_tenant_sees_anothers() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let eve = app.user("globex", "eve", Role::Admin).await;
    upload(&app, &ada, KEY).await.expect(202);
    let refused = KeyVerdict::Refused { detail: "It has other parameters.".to_owned() };
    let (acme, globex) = ("acme".parse().unwrap(), "globex".parse().unwrap());
    let key_id = BlobHash::of(KEY).0;
    assert_eq!(client_keys::conclude(&app.pool, &globex, key_id, &refused).await.unwrap(), None);
    client_keys::conclude(&app.pool, &acme, key_id, &refused).await.unwrap();
    let shown = app.get(&ada, &path(KEY)).await.expect(200);
    assert_eq!((&shown["status"], &shown["detail"]), (&json!("refused"), &json!("It has other parameters.")));

    app.get(&eve, &path(KEY)).await.problem("NOT_FOUND");
    assert_eq!(app.get(&eve, "/v1/fhe/keys").await.expect(200)["client"], json!([]));
    assert_eq!(upload(&app, &eve, KEY).await.expect(202)["status"], "pending", "her own is checked by itself");
    app.get(&ada, &format!("/v1/blobs/0x{}", BlobHash::of(KEY))).await.problem("NOT_FOUND");
    for garbage in ["0", "network", "0xzz"] {
        app.get(&ada, &format!("/v1/fhe/keys/{garbage}")).await.problem("NOT_FOUND");
    }
}

#[tokio::test]
async fn the_network_key_is_asked_for_once() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    upload(&app, &ada, KEY).await.expect(202);
    let keys = app.get(&ada, "/v1/fhe/keys").await.expect(200);
    let network = &keys["network"];
    assert_eq!(
        (&network["parameters"], &network["key_id"]),
        (&json!("litesvc"), &json!(format!("0x{}", "a1".repeat(32))))
    );
    assert_eq!(keys["client"][0], app.get(&ada, &path(KEY)).await.expect(200));

    for (part, name, bytes) in [("public_key", "public-key", PUBLIC_KEY), ("crs", "crs", CRS)] {
        let path = format!("/v1/fhe/keys/network/{name}");
        let shown = json!({
            "url": format!("{PUBLIC_URL}{path}"), "size": bytes.len(), "sha256": format!("0x{}", BlobHash::of(bytes))
        });
        assert_eq!(network[part], shown);
        for _ in 0..3 {
            let answer = app.get(&ada, &path).await;
            assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, bytes));
            let tag = answer.header("etag").to_owned();
            assert_eq!(app.send(Call::get(&path).by(&ada).header("if-none-match", tag)).await.status, 304);
        }
    }
    for unknown in ["evaluation-key", "PUBLIC-KEY", "%ff"] {
        app.get(&ada, &format!("/v1/fhe/keys/network/{unknown}")).await.problem("NOT_FOUND");
    }
    app.seen.refuse(Some(KeyManagerError::Unavailable("it is away".to_owned())));
    assert_eq!(app.get(&ada, "/v1/fhe/keys/network/crs").await.status, 200, "what is known needs no key manager");
    assert_eq!(*app.seen.calls.lock().unwrap(), ["manifest", "public_key", "crs"]);
}

#[tokio::test]
async fn a_key_manager_that_is_away_is_unavailable() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.seen.refuse(Some(KeyManagerError::Unavailable("it is away".to_owned())));
    for path in ["/v1/fhe/keys", "/v1/fhe/keys/network/crs", "/v1/fhe/keys/network/public-key"] {
        app.get(&ada, path).await.problem("SERVICE_UNAVAILABLE");
    }
    assert_eq!(app.get(&ada, "/v1/health").await.expect(200)["status"], "ok");
    upload(&app, &ada, KEY).await.expect(202);
}

#[tokio::test]
async fn a_key_is_limited_and_must_be_whole() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    upload(&app, &ada, "").await.problem("INVALID_REQUEST");
    let megabytes = usize::try_from(MAX_EVALUATION_KEY_BYTES >> 20).unwrap();
    let chunk = Bytes::from(vec![0; 1 << 20]);
    let large = stream::iter(std::iter::repeat_n(chunk, megabytes + 1).map(Ok::<_, std::io::Error>));
    upload(&app, &ada, Body::from_stream(large)).await.problem("PAYLOAD_TOO_LARGE");
    let half =
        stream::iter([Ok(Bytes::from_static(b"half"))]).chain(stream::iter([Err(std::io::Error::other("gone"))]));
    upload(&app, &ada, Body::from_stream(half)).await.problem("INVALID_REQUEST");
    assert_eq!(app.stored_files(), 0);
    assert_eq!(app.count("SELECT count(*) FROM client_keys").await, 0);
}

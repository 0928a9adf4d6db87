//! POST /v1/blobs, GET and HEAD /v1/blobs/{sha256}

use std::io;
use std::time::Duration;

use api::token::{Role, Scope, Scopes};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blobs::{BlobHash, MAX_BLOB_BYTES};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::answer::Answer;
use crate::app::{Call, PUBLIC_URL, TestApp, User};

fn upload(body: impl Into<Body>) -> Call {
    Call::new("POST", "/v1/blobs").header("content-type", "application/octet-stream").body(body)
}

async fn put(app: &TestApp, user: &User, body: &[u8]) -> Answer {
    app.send(upload(body.to_vec()).by(user)).await
}

fn path(content: &[u8]) -> String {
    format!("/v1/blobs/0x{}", BlobHash::of(content))
}

#[tokio::test]
async fn what_was_uploaded_comes_back() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let content: Vec<u8> = (0..300_000_u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
    let created = put(&app, &ada, &content).await;
    let url = format!("{PUBLIC_URL}{}", path(&content));
    assert_eq!(created.header("location"), url);
    let shown = json!({"sha256": format!("0x{}", BlobHash::of(&content)), "size": 300_000, "url": url});
    assert_eq!(created.expect(201), shown);
    assert_eq!(put(&app, &ada, &content).await.expect(200), shown, "it was there");

    for path in [path(&content), path(&content).replace("0x", "")] {
        let got = app.get(&ada, &path).await;
        assert_eq!((got.status.as_u16(), &got.body[..]), (200, &content[..]));
        assert_eq!(got.header("content-type"), "application/octet-stream");
        assert_eq!(got.header("content-length"), "300000");
        assert_eq!(got.header("etag"), format!("\"0x{}\"", BlobHash::of(&content)));
        let digest = STANDARD.encode(BlobHash::of(&content).0);
        assert_eq!(got.header("repr-digest"), format!("sha-256=:{digest}:"));
        let again = app.send(Call::get(&path).by(&ada).header("if-none-match", got.header("etag"))).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
        let head = app.send(Call::new("HEAD", &path).by(&ada)).await;
        assert_eq!((head.status.as_u16(), head.body.len(), head.header("content-length")), (200, 0, "300000"));
    }
}

#[tokio::test]
async fn a_blob_is_its_tenants_alone() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let bob = app.developer("bob").await;
    let eve = app.user("globex", "eve", Role::Admin).await;
    put(&app, &ada, b"secret").await.expect(201);
    assert_eq!(app.get(&bob, &path(b"secret")).await.status, 200, "a colleague");
    app.get(&eve, &path(b"secret")).await.problem("NOT_FOUND");
    assert_eq!(app.send(Call::new("HEAD", &path(b"secret")).by(&eve)).await.status, 404);
    assert_eq!(put(&app, &eve, b"secret").await.status, 201, "she learns nothing from uploading the same");
    assert_eq!(app.count("SELECT count(*) FROM blobs").await, 2);

    for garbage in ["0", "0x", "%00", "%ff", &"A".repeat(64), &"0x0x".repeat(16), &"a".repeat(5000)] {
        app.get(&ada, &format!("/v1/blobs/{garbage}")).await.problem("NOT_FOUND");
    }
}

#[tokio::test]
async fn a_body_of_the_wrong_kind_is_refused() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    for media_type in ["application/json", "application/octet-stream; charset=x", "text/plain", ""] {
        let call = Call::new("POST", "/v1/blobs").header("content-type", media_type).body("x").by(&ada);
        app.send(call).await.problem("INVALID_CONTENT_TYPE");
    }
    app.send(Call::new("POST", "/v1/blobs").body("x").by(&ada)).await.problem("INVALID_CONTENT_TYPE");
    app.send(upload("").by(&ada)).await.problem("INVALID_REQUEST");
    let nothing = Body::from_stream(stream::empty::<io::Result<Bytes>>());
    app.send(upload(nothing).by(&ada)).await.problem("INVALID_REQUEST");

    let reader = app.token("acme", "ada", Role::Developer, Scopes::from_iter([Scope::JobsRead]));
    app.send(upload("x").token(&reader)).await.problem("INSUFFICIENT_SCOPE");
    let stranger = app.token("acme", "nobody", Role::Developer, Role::Developer.scopes());
    let before = app.stored_files();
    app.send(upload("x").token(&stranger)).await.problem("INVALID_TOKEN");
    assert_eq!(app.stored_files(), before, "the bytes of nobody stay");
    assert_eq!(app.count("SELECT count(*) FROM blobs").await, 0);
}

#[tokio::test]
async fn a_promised_hash_is_kept() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let digest = format!("sha-256=:{}:", STANDARD.encode(BlobHash::of(b"true").0));
    let hash = BlobHash::of(b"true").to_string();
    for (name, value) in [("repr-digest", &digest), ("x-content-sha256", &hash)] {
        app.send(upload("false").by(&ada).header(name, value)).await.problem("INVALID_REQUEST");
        app.send(upload("true").by(&ada).header(name, "nonsense")).await.problem("INVALID_REQUEST");
    }
    assert_eq!(app.stored_files(), 0);
    app.send(upload("true").by(&ada).header("repr-digest", &digest)).await.expect(201);
    app.send(upload("true").by(&ada).header("x-content-sha256", &hash)).await.expect(200);
}

#[tokio::test]
async fn a_large_body_is_refused_with_or_without_its_length() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let large = vec![0; usize::try_from(MAX_BLOB_BYTES).unwrap() + 1];
    app.send(upload(large).by(&ada)).await.problem("PAYLOAD_TOO_LARGE");
    let endless = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[b' '; 65_536])));
    app.send(upload(Body::from_stream(endless)).by(&ada)).await.problem("PAYLOAD_TOO_LARGE");
    assert_eq!(app.stored_files(), 0);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let app = TestApp::with_timeout(Duration::from_secs(3)).await;
    let ada = app.developer("ada").await;
    let parts = || vec![Ok(Bytes::from(vec![1; 100_000]))];
    let broken = stream::iter(parts()).chain(stream::iter([Err(io::Error::other("the connection is gone"))]));
    app.send(upload(Body::from_stream(broken)).by(&ada)).await.problem("INVALID_REQUEST");
    let stalled = stream::iter(parts()).chain(stream::pending::<io::Result<Bytes>>());
    app.send(upload(Body::from_stream(stalled)).by(&ada)).await.problem("BODY_TIMEOUT");
    assert_eq!(app.stored_files(), 0);
    assert_eq!(app.count("SELECT count(*) FROM blobs").await, 0);
}

/// Over a real connection: a length that promises more than comes, and one that promises less.
#[tokio::test]
async fn a_lying_length_stores_nothing_but_what_it_says() {
    let app = TestApp::with_timeout(Duration::from_secs(5)).await;
    let ada = app.developer("ada").await;
    let server = app.listen().await;
    let send = async |length: usize, body: &str| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "POST /v1/blobs HTTP/1.1\r\nhost: zama\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             content-type: application/octet-stream\r\ncontent-length: {length}\r\n\r\n{body}",
            ada.token
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    };
    let short = send(1000, "only this").await;
    assert!(short.is_empty() || short.starts_with("HTTP/1.1 400"), "{short}");
    while app.stored_files() > 0 {
        tokio::task::yield_now().await;
    }
    let cut = send(4, "four and more").await;
    assert!(cut.starts_with("HTTP/1.1 201"), "{cut}");
    assert_eq!(app.get(&ada, &path(b"four")).await.body, "four");
    assert_eq!(app.count("SELECT count(*) FROM blobs").await, 1);
}

#[tokio::test]
async fn the_same_upload_at_once_is_one_blob() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let content = vec![9; 200_000];
    let (a, b, c) = tokio::join!(put(&app, &ada, &content), put(&app, &ada, &content), put(&app, &ada, &content));
    let mut statuses = [a, b, c].map(|answer| answer.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 201]);
    assert_eq!(app.stored_files(), 1);
}

#[tokio::test]
async fn a_blob_that_the_store_has_lost_is_damaged_data_and_a_deleted_one_is_not() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    put(&app, &ada, b"kept").await.expect(201);
    app.blobs.delete(&"acme".parse().unwrap(), BlobHash::of(b"kept")).await.unwrap();
    let lost = app.get(&ada, &path(b"kept")).await;
    lost.problem("DATA_DAMAGED");
    assert!(!lost.headers.contains_key("retry-after"));
    app.execute("DELETE FROM blobs").await;
    app.get(&ada, &path(b"kept")).await.problem("NOT_FOUND");
}

#[tokio::test]
async fn a_lost_store_is_unavailable_and_nothing_else_is() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    put(&app, &ada, b"kept").await.expect(201);
    app.lose_blobs();
    let refused = put(&app, &ada, b"new").await;
    refused.problem("SERVICE_UNAVAILABLE");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(app.get(&ada, &path(b"kept")).await.status.as_u16() / 100, 5);
    assert_eq!(app.get(&ada, "/v1/health").await.expect(200)["status"], "ok");
    app.accepted(&ada).await;
}

//! Signed requests: as the documentation's example signs them, and as somebody who stole or overheard one would send them.

use std::process::Command;

use api::RequestKeys;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use chrono::{TimeDelta, Utc};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use store::limits::rules::{self, Change, Signature};

use crate::app::{Call, REQUEST_KEY_SECRET, TestApp, User, by_operator, job};

const DOCUMENT: &str = include_str!("../../../docs/request-signing.md");

/// A new key of `acme`.
async fn new_key(app: &TestApp, overlap: Option<TimeDelta>) -> String {
    let acme = "acme".parse().unwrap();
    let id = rules::new_key(&app.pool, &acme, overlap.map(|overlap| Utc::now() + overlap), &by_operator(&acme))
        .await
        .unwrap();
    app.gate.look(&app.pool).await;
    RequestKeys::new(REQUEST_KEY_SECRET).unwrap().of(&acme, id)
}

async fn required(app: &TestApp) {
    app.rules(Change { signature: Some(Signature::Required), ..Change::default() }).await;
}

/// A request as its client signs it.
#[derive(Clone)]
struct Signer<'a> {
    user: &'a User,
    key: &'a str,
    nonce: String,
    timestamp: i64,
}

impl<'a> Signer<'a> {
    fn new(user: &'a User, key: &'a str) -> Self {
        Self { user, key, nonce: uuid::Uuid::new_v4().simple().to_string(), timestamp: Utc::now().timestamp() }
    }

    fn signs(&self, method: &str, uri: &str, body: &str) -> [(&'static str, String); 4] {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let (timestamp, nonce) = (self.timestamp, &self.nonce);
        let content = hex::encode(Sha256::digest(body));
        let text = format!("zama-jobs/v1/request\n{method}\n{path}\n{query}\n{timestamp}\n{nonce}\n{content}");
        let tag = hex::encode(sign(&Key::new(HMAC_SHA256, self.key.as_bytes()), text.as_bytes()));
        [
            ("x-zama-timestamp", timestamp.to_string()),
            ("x-zama-nonce", nonce.clone()),
            ("x-zama-content-sha256", content),
            ("x-zama-signature", format!("v1={tag}")),
        ]
    }

    /// A request with the headers of one that says `signed`.
    fn call(&self, method: &str, uri: &str, signed: &str, sent: &str) -> Call {
        let call = Call::new(method, uri).by(self.user).header("content-type", "application/json");
        let headers = self.signs(method, uri, signed);
        headers.into_iter().fold(call, |call, (name, value)| call.header(name, value)).body(sent.to_owned())
    }

    fn get(&self, uri: &str) -> Call {
        self.call("GET", uri, "", "")
    }
}

#[tokio::test]
async fn a_request_must_be_signed_where_its_tenant_wants_it() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let eve = app.user("globex", "eve", api::token::Role::Developer).await;
    let key = new_key(&app, None).await;
    app.get(&ada, "/v1/me").await.expect(200);
    app.send(Signer::new(&ada, &key).get("/v1/me")).await.expect(200);
    app.send(Signer::new(&ada, "zrk_guessed").get("/v1/me")).await.problem("REQUEST_SIGNATURE_INVALID");
    required(&app).await;
    let problem = app.get(&ada, "/v1/me").await.problem("REQUEST_SIGNATURE_INVALID");
    assert!(problem["detail"].as_str().unwrap().contains("must be signed"), "{problem}");
    app.send(Signer::new(&ada, &key).get("/v1/jobs?limit=10&status=FAILED")).await.expect(200);
    let body = job(104_729).to_string();
    app.send(Signer::new(&ada, &key).call("POST", "/v1/jobs", &body, &body)).await.expect(202);
    app.get(&eve, "/v1/me").await.expect(200);
    app.send(Signer::new(&eve, &key).get("/v1/me")).await.problem("REQUEST_SIGNATURE_INVALID");
}

#[tokio::test]
async fn a_body_that_is_not_the_signed_one_does_nothing() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let key = new_key(&app, None).await;
    required(&app).await;
    let (signed, sent) = (job(104_729).to_string(), job(104_723).to_string());
    for sent in [sent.as_str(), "", &format!("{signed} "), &signed[..signed.len() - 1]] {
        let answer = app.send(Signer::new(&ada, &key).call("POST", "/v1/jobs", &signed, sent)).await;
        let problem = answer.problem("REQUEST_SIGNATURE_INVALID");
        assert!(problem["detail"].as_str().unwrap().contains("body"), "{problem}");
    }
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0);

    let upload = |sent: &'static str| {
        let signer = Signer::new(&ada, &key);
        let call = Call::new("POST", "/v1/blobs").by(&ada).header("content-type", "application/octet-stream");
        let headers = signer.signs("POST", "/v1/blobs", "ciphertext");
        headers.into_iter().fold(call, |call, (name, value)| call.header(name, value)).body(sent)
    };
    app.send(upload("CIPHERTEXT")).await.problem("REQUEST_SIGNATURE_INVALID");
    assert_eq!((app.count("SELECT count(*) FROM blobs").await, app.stored_files()), (0, 0));
    app.send(upload("ciphertext")).await.expect(201);
}

/// Where a body may be missing, one that was signed may not.
#[tokio::test]
async fn a_body_that_was_taken_away_is_missed() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let old = app.key(&ada, serde_json::json!({})).await;
    let key = new_key(&app, None).await;
    required(&app).await;
    let path = format!("{}/rotate", old.path());
    let rotates = |signed: &str| {
        let headers = Signer::new(&ada, &key).signs("POST", &path, signed);
        headers.into_iter().fold(Call::new("POST", &path).by(&ada), |call, (name, value)| call.header(name, value))
    };
    let answer = app.send(rotates(r#"{"overlap_seconds":1}"#)).await;
    let problem = answer.problem("REQUEST_SIGNATURE_INVALID");
    assert!(problem["detail"].as_str().unwrap().contains("body"), "{problem}");
    assert_eq!(app.count("SELECT count(*) FROM api_keys").await, 1);
    app.send(rotates("")).await.expect(201);
}

#[tokio::test]
async fn a_request_that_was_overheard_is_not_sent_twice() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let key = new_key(&app, None).await;
    required(&app).await;
    let signer = Signer::new(&ada, &key);
    app.send(signer.get("/v1/me")).await.expect(200);
    app.send(signer.get("/v1/me")).await.problem("NONCE_REPLAYED");
    // Another request under the same nonce, and one that was never right: that nonce is nobody's yet.
    app.send(signer.get("/v1/jobs")).await.problem("NONCE_REPLAYED");
    let other = Signer::new(&ada, &key);
    let forged = Signer { key: "zrk_guessed", ..other.clone() };
    app.send(forged.get("/v1/me")).await.problem("REQUEST_SIGNATURE_INVALID");
    app.send(other.get("/v1/me")).await.expect(200);

    // Of a hundred at once one passes.
    let signer = Signer::new(&ada, &key);
    let answers = futures::future::join_all((0..100).map(|_| app.send(signer.get("/v1/me")))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);

    // A nonce is remembered for as long as its timestamp is accepted, and no longer.
    app.gate.look(&app.pool).await;
    let known = "SELECT count(*) FROM request_nonces";
    let before = app.count(known).await;
    assert!(before >= 3, "{before}");
    app.execute("UPDATE request_nonces SET expires_at = expires_at - interval '3 minutes'").await;
    app.gate.look(&app.pool).await;
    assert_eq!(app.count(known).await, before);
    app.execute("UPDATE request_nonces SET expires_at = expires_at - interval '3 minutes'").await;
    app.gate.look(&app.pool).await;
    assert_eq!(app.count(known).await, 0);
    let old = Signer { timestamp: Utc::now().timestamp() - 301, ..Signer::new(&ada, &key) };
    app.send(old.get("/v1/me")).await.problem("REQUEST_SIGNATURE_INVALID");
}

#[tokio::test]
async fn a_key_is_replaced_without_a_gap() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let first = new_key(&app, None).await;
    required(&app).await;
    let second = new_key(&app, Some(TimeDelta::hours(1))).await;
    assert_ne!(first, second);
    for key in [&first, &second] {
        app.send(Signer::new(&ada, key).get("/v1/me")).await.expect(200);
    }
    app.execute("UPDATE request_keys SET expires_at = now() WHERE expires_at IS NOT NULL").await;
    app.gate.look(&app.pool).await;
    app.send(Signer::new(&ada, &first).get("/v1/me")).await.problem("REQUEST_SIGNATURE_INVALID");
    app.send(Signer::new(&ada, &second).get("/v1/me")).await.expect(200);
}

/// The example of the documentation, as it stands there, against the server.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_example_works() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let key = new_key(&app, None).await;
    required(&app).await;
    let server = app.listen().await;
    let (_, script) = DOCUMENT.split_once("```bash\n").expect("an example");
    let (script, _) = script.split_once("```").expect("its end");
    let run = |script: String| {
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", &script]);
        command.env("API", format!("http://{}", server.address)).env("TOKEN", &ada.token).env("KEY", &key);
        command.env("no_proxy", "127.0.0.1");
        tokio::task::spawn_blocking(move || command.output().expect("bash"))
    };
    let output = run(script.to_owned()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let accepted: Value = serde_json::from_slice(&output.stdout).expect("the 202");
    assert_eq!(accepted["status"], "PENDING");

    let listed =
        script.replace("method=POST path=/v1/jobs query=", "method=GET path=/v1/jobs query='limit=1&status=PENDING'");
    let listed = listed.replace("body='{", "body='' #");
    let output = run(listed).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let page: Value = serde_json::from_slice(&output.stdout).expect("a page");
    assert_eq!(page["data"][0]["job_id"], accepted["job_id"]);

    let output = run(script.replace("--data-binary \"$body\"", "--data-binary \"$body \"")).await.unwrap();
    assert_eq!(output.status.code(), Some(22), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("REQUEST_SIGNATURE_INVALID"), "{output:?}");
}

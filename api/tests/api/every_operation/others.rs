//! Another tenant's things are as if they were not: the same status, headers and bytes as for what nobody has.

use api::token::Role;
use serde_json::{Value, json};

use super::table::{Body, Row, TABLE};
use super::world::World;
use crate::answer::Answer;
use crate::app::{Call, TestApp, User};

/// Names that a caller gives: whoever makes a user of its own under another tenant's name makes just that.
const NAMED_BY_THE_CALLER: [(&str, &str); 1] = [("PUT", "/v1/users/{id}")];

/// The answer without what differs between any two: the name that was asked for, the request's id and the time.
fn comparable(answer: &Answer, name: &str) -> (u16, String, Vec<(String, String)>) {
    let mut text = String::from_utf8(answer.body.to_vec()).unwrap().replace(name, "NAME");
    // A hash is named without its prefix, too.
    if let Some(digits) = name.strip_prefix("0x") {
        text = text.replace(digits, "NAME");
    }
    let document = answer.json();
    for member in ["request_id", "timestamp"] {
        if let Some(value) = document[member].as_str() {
            text = text.replace(value, member);
        }
    }
    let headers = answer.headers.iter().filter(|(header, _)| *header != "x-request-id" && *header != "content-length");
    let headers = headers.map(|(header, value)| (header.to_string(), value.to_str().unwrap().to_owned()));
    (answer.status.as_u16(), text, headers.collect())
}

/// Everything of a tenant that a stranger could want to know or to change.
async fn snapshot(app: &TestApp, world: &World) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in [
        "/v1/jobs",
        "/v1/blobs",
        "/v1/audit",
        "/v1/fhe/keys",
        "/v1/api-keys",
        "/v1/users",
        "/v1/usage",
        "/v1/invoices",
        "/v1/credits/top-ups",
        "/v1/tenants/current",
    ] {
        let mut page = app.get(&world.caller, path).await.expect(200);
        // Noted when a key is used, by whoever has it.
        if let Some(keys) = page["data"].as_array_mut().filter(|_| path == "/v1/api-keys") {
            keys.iter_mut().for_each(|key| key["last_used_at"] = Value::Null);
        }
        seen.push(page);
    }
    seen
}

/// Who asks: an admin of another tenant with every scope, and a test key of the very tenant.
async fn strangers(app: &TestApp, world: &World) -> [(&'static str, User); 3] {
    let eve = app.user("globex", "eve", Role::Admin).await;
    let eves = app.key(&eve, json!({})).await.bearer;
    let tester = app.key(&world.caller, json!({"test_mode": true})).await.bearer;
    [("another tenant's admin", eve), ("another tenant's API key", eves), ("a test key", tester)]
}

#[tokio::test]
async fn what_another_has_is_as_if_it_were_not() {
    let app = TestApp::new().await;
    let world = World::of(&app, "acme", Role::Admin).await;
    let strangers = strangers(&app, &world).await;
    let before = snapshot(&app, &world).await;
    let mut compared = 0;
    for row in TABLE.iter().filter(|row| !NAMED_BY_THE_CALLER.contains(&(row.method, row.path))) {
        let Some(theirs) = world.named_by(row.path) else { continue };
        for (who, stranger) in &strangers {
            let nobodys = World::of_nobody(stranger);
            let expected = app.send(nobodys.call(row).by(stranger)).await;
            let answer = app.send(world.call(row).by(stranger)).await;
            let at = format!("{} {} by {who}", row.method, row.path);
            let refused = answer.json();
            let code = refused["code"].as_str().unwrap_or_default();
            let is_lacking = code == "INSUFFICIENT_SCOPE" && *who == "a test key";
            let is_missing = matches!(code, "JOB_NOT_FOUND" | "QUOTE_NOT_FOUND" | "NOT_FOUND");
            assert!(is_missing || is_lacking, "{at}: {answer:?}");
            let nobodys_name = nobodys.named_by(row.path).unwrap();
            assert_eq!(comparable(&answer, theirs), comparable(&expected, nobodys_name), "{at}");
            compared += 1;
        }
    }
    assert!(compared >= 3 * 12, "{compared}");
    assert_eq!(snapshot(&app, &world).await, before, "and nothing has happened to it");
}

/// In a query or a body, too, another tenant's things are those that nobody has.
#[tokio::test]
async fn naming_what_another_has_elsewhere_than_in_the_path_tells_nothing_either() {
    let app = TestApp::new().await;
    let world = World::of(&app, "acme", Role::Admin).await;
    let strangers = strangers(&app, &world).await;
    let before = snapshot(&app, &world).await;
    for (who, stranger) in &strangers {
        let nobodys = World::of_nobody(stranger);
        for (at, ask) in REQUESTS {
            let expected = app.send(ask(&nobodys).by(stranger)).await;
            let answer = app.send(ask(&world).by(stranger)).await;
            let [same, other] = [(&answer, &world), (&expected, &nobodys)].map(|(answer, of)| {
                let (status, mut text, headers) = comparable(answer, &of.job);
                for name in [&of.sha256, &of.user] {
                    text = text.replace(name.as_str(), "NAME");
                }
                (status, text, headers)
            });
            assert_eq!(same, other, "{at} by {who}");
        }
    }
    assert_eq!(snapshot(&app, &world).await, before, "and nothing has happened to it");
}

/// A path that is no text names nothing, and is told so as everything else: by a problem.
#[tokio::test]
async fn what_is_no_text_is_no_name() {
    let app = TestApp::new().await;
    let world = World::of(&app, "acme", Role::Admin).await;
    let mut asked = 0;
    for row in TABLE.iter().filter(|row| row.path.contains('{')) {
        let braces = row.path.matches('{').count();
        let path: String = row.path.split('{').enumerate().fold(String::new(), |path, (at, part)| {
            let rest = part.split_once('}').map_or(part, |(_, rest)| rest);
            path + if at == 0 { "" } else { "%ff" } + rest
        });
        assert_eq!(path.matches("%ff").count(), braces, "{path}");
        let answer = app.send(world.call_at(row, &path).by(&world.caller)).await;
        let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
        assert!(code.ends_with("NOT_FOUND"), "{} {path}: {answer:?}", row.method);
        answer.problem(&code);
        asked += 1;
    }
    assert!(asked >= 20, "{asked}");
}

type Ask = fn(&World) -> Call;

/// Requests that name things elsewhere than in their path, and are refused or find nothing.
const REQUESTS: [(&str, Ask); 7] = [
    ("usage of a job", |of| Call::get(&format!("/v1/usage?job_id={}", of.job))),
    ("keys of a user", |of| Call::get(&format!("/v1/api-keys?user={}", of.user))),
    ("a key for a user", |of| json_call("/v1/api-keys", &json!({"name": "n", "user": of.user}))),
    ("a job on a blob", |of| encrypted_job(&of.sha256, json!({"mode": "network"}))),
    ("a job under a key", |of| {
        encrypted_job(&format!("0x{}", "7c".repeat(32)), json!({"mode": "client", "key_id": of.sha256}))
    }),
    ("a job under a quote", |of| {
        let mut body: Value = serde_json::from_str(super::table::JOB).unwrap();
        body["quote_id"] = json!(of.quote);
        json_call("/v1/jobs", &body)
    }),
    ("a proof of another's challenge", |_| {
        let row: &Row = super::table::row_of("PUT", "/v1/me/submitter");
        let Body::Json(text) = row.body else { unreachable!("a proof is JSON") };
        Call::new("PUT", "/v1/me/submitter").header("content-type", "application/json").body(text)
    }),
];

fn json_call(path: &str, body: &Value) -> Call {
    Call::new("POST", path).header("content-type", "application/json").body(body.to_string())
}

fn encrypted_job(blob: &str, key: Value) -> Call {
    let payload = json!({
        "algorithm": "encrypted_maximum", "encrypted_data_url": format!("/v1/blobs/{blob}"), "key": key,
        "parameters": {"value_type": "u8", "count": 4}
    });
    json_call("/v1/jobs", &json!({"type": "fhe_compute", "payload": payload}))
}

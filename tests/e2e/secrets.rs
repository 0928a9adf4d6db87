//! What somebody hands in that lets somebody in is found nowhere again: not in logs, metrics and files of the stack, not
//! in the database, not in Temporal's histories, sealed or opened. What a job computes on lies in its own row alone.

use std::fs;
use std::path::Path;

use alloy::primitives::hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, COOKIE};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};

use crate::harness::{Stack, Zama, factor};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const COMMAND_LINE: (&str, &str) = ("client_id", "zama-jobs-cli");

/// The number that a job factors, which stands in no other test.
const NUMBER: u64 = 1_000_081 * 1_000_099;
/// Where it may stand: the job holds its payload and its result.
const ROWS_OF_JOBS: &str = "jobs";

/// What was handed in, by the place where.
#[derive(Default)]
struct Planted(Vec<(&'static str, String)>);

impl Planted {
    fn add(&mut self, place: &'static str, secret: &str) -> String {
        assert!(secret.len() >= 12, "{place}: too short to be told from others");
        self.0.push((place, secret.to_owned()));
        secret.to_owned()
    }

    /// A secret that is none, for a place where it is refused.
    fn wrong(&mut self, place: &'static str) -> String {
        let marker = format!("planted-{}-{}", self.0.len(), uuid::Uuid::new_v4().simple());
        self.add(place, &marker)
    }

    /// Of a token its signature: whoever has the rest has nothing.
    fn token(&mut self, place: &'static str, token: &str) {
        self.add(place, token.rsplit('.').next().unwrap());
    }

    /// The places whose secret stands in a text, as it is or in another writing.
    fn found_in(&self, text: &str) -> Vec<&'static str> {
        let writings = |secret: &str| [secret.to_owned(), hex::encode(secret), STANDARD.encode(secret)];
        let is_in = |secret: &str| writings(secret).iter().any(|writing| text.contains(writing));
        self.0.iter().filter(|(_, secret)| is_in(secret)).map(|(place, _)| *place).collect()
    }
}

#[tokio::test]
async fn no_secret_that_is_handed_in_is_found_again() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let mut planted = Planted::default();
    planted.token("access token", &zama.token);
    credentials(stack, &zama, &mut planted).await;
    person(stack, &zama, &mut planted).await;
    refused(stack, &zama, &mut planted).await;

    let job = zama.submits_with_key("planted", &factor(NUMBER)).await.job_id();
    zama.job(job).completes().await;
    zama.job(job).is_billed().await;

    let number = NUMBER.to_string();
    let nowhere = |place: &str, text: &str| {
        assert_eq!(planted.found_in(text), [""; 0], "secrets stand in {place}");
        assert!(!text.contains(&number), "the payload stands in {place}");
    };
    for (file, text) in files(&stack.place.data_dir()) {
        nowhere(&file, &text);
    }
    let worker = format!("http://127.0.0.1:{}", stack.place.port_base + 9);
    for origin in [stack.api.as_str(), &worker] {
        let metrics = reqwest::get(format!("{origin}/metrics")).await.unwrap().text().await.unwrap();
        assert!(metrics.contains("zama_"), "{origin} has metrics");
        nowhere("the metrics", &metrics);
    }
    let tables = tables(stack).await;
    assert!(tables.len() > 20 && tables.iter().any(|(table, rows)| table == ROWS_OF_JOBS && rows.contains(&number)));
    for (table, rows) in tables {
        let rows = if table == ROWS_OF_JOBS { rows.replace(&number, "") } else { rows };
        nowhere(&format!("the table {table}"), &rows);
    }
    let workflow = format!("{}/planted", zama.tenant);
    let events = stack.whole_history(&workflow).await;
    let opened = opened(stack, &events).await;
    assert!(opened.contains(&job.to_string()), "the histories are opened: {opened}");
    nowhere("the history", &serde_json::to_string(&events).unwrap());
    nowhere("the opened history", &opened);
    let batcher = stack.history(&stack.batcher());
    nowhere("the batcher's history", &serde_json::to_string(&batcher).unwrap());
    nowhere("the batcher's opened history", &self::opened(stack, &batcher).await);
}

/// Everything that lets programs in, made and used.
async fn credentials(stack: &Stack, zama: &Zama<'_>, planted: &mut Planted) {
    let made = zama.ask(Method::POST, "/v1/api-keys", &[], Some(&json!({"name": "planted"}))).await.unwrap();
    let key = made.body["key"].as_str().unwrap();
    // The id stands in lists and logs.
    planted.add("API key", key.rsplit('_').next().unwrap());
    assert_eq!(Zama::new(stack, zama.tenant.clone(), key.to_owned()).get("/v1/me").await.status, 200);

    let made = stack.runs_command(&["--json", "clients", "create", "--tenant", &zama.tenant, "--user", "developer"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let (id, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
    planted.add("client secret", secret);
    let program = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    let given = form(stack, "token", &program).await;
    planted.token("a program's access token", given["access_token"].as_str().unwrap());
    let basic = reqwest::Client::new().post(format!("{}/v1/oauth/token", stack.api)).basic_auth(id, Some(secret));
    let basic = basic.header("content-type", "application/x-www-form-urlencoded").body("grant_type=client_credentials");
    assert_eq!(basic.send().await.unwrap().status(), 200);
    planted.add("HTTP Basic", &STANDARD.encode(format!("{id}:{secret}")));

    let output = stack.policy(&["new-key", &zama.tenant]);
    planted.add("key of signed requests", String::from_utf8(output.stdout).unwrap().trim());
}

/// A person's login, from its first code to its second token.
async fn person(stack: &Stack, zama: &Zama<'_>, planted: &mut Planted) {
    let device = form(stack, "device_authorization", &[COMMAND_LINE]).await;
    let (device_code, user_code) = (device["device_code"].as_str().unwrap(), device["user_code"].as_str().unwrap());
    planted.add("device code", device_code);
    let code = stack.runs_command(&["login-code", "--tenant", &zama.tenant, "--user", "developer"]);
    planted.add("login code", &code);
    form(stack, "device/decision", &[("user_code", user_code), ("login_code", &code), ("decision", "approve")]).await;
    let poll = [("grant_type", DEVICE_GRANT), ("device_code", device_code), COMMAND_LINE];
    let mut tokens = form(stack, "token", &poll).await;
    for place in ["refresh token", "the next refresh token"] {
        let refresh_token = planted.add(place, tokens["refresh_token"].as_str().unwrap());
        planted.token("a person's access token", tokens["access_token"].as_str().unwrap());
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str()), COMMAND_LINE];
        tokens = form(stack, "token", &refresh).await;
    }
    planted.add("the last refresh token", tokens["refresh_token"].as_str().unwrap());
}

/// What is refused is told and noted without what it was refused for.
async fn refused(stack: &Stack, zama: &Zama<'_>, planted: &mut Planted) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let me = || http.get(format!("{}/v1/me", stack.api));
    let good = format!("Bearer {}", zama.token);
    let requests = [
        me().header(AUTHORIZATION, format!("Bearer {}", planted.wrong("a wrong token"))),
        me().header(AUTHORIZATION, format!("Bearer zj_live_{}", planted.wrong("a wrong API key"))),
        me().header(AUTHORIZATION, format!("Basic {}", planted.wrong("a wrong scheme"))),
        me().query(&[("access_token", planted.wrong("a token in the query"))]),
        me().header(COOKIE, format!("session={}", planted.wrong("a cookie"))),
        me().header(AUTHORIZATION, &good).header("x-zama-signature", planted.wrong("a signature")),
        me().header(AUTHORIZATION, &good).header("x-zama-nonce", planted.wrong("a nonce")),
    ];
    for request in requests {
        let answer = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(planted.found_in(&answer), [""; 0], "{answer}");
    }
    let places =
        ["a wrong client secret", "an assertion", "a wrong refresh token", "a token to be revoked", "a password"];
    let [secret, assertion, refresh_token, token, password] = places.map(|place| planted.wrong(place));
    let parameters: [(&str, &[(&str, &str)]); 5] = [
        ("token", &[("grant_type", "client_credentials"), ("client_id", "zjc_x"), ("client_secret", &secret)]),
        (
            "token",
            &[
                ("grant_type", "client_credentials"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", &assertion),
            ],
        ),
        ("token", &[("grant_type", "refresh_token"), ("refresh_token", &refresh_token), COMMAND_LINE]),
        ("revoke", &[("token", &token), COMMAND_LINE]),
        ("token", &[("grant_type", "password"), ("password", &password), COMMAND_LINE]),
    ];
    for (endpoint, parameters) in parameters {
        let answer = form(stack, endpoint, parameters).await.to_string();
        assert_eq!(planted.found_in(&answer), [""; 0], "{answer}");
    }
    // A body that is refused, and one that cannot be read.
    let mut body = factor(91);
    body["payload"]["input"] = json!({"number": planted.wrong("an input that is no number")});
    assert_eq!(zama.posts(&body, &[]).await.status, 400);
    body["payload"]["algorithm"] = json!(planted.wrong("an algorithm that there is not"));
    assert_eq!(zama.posts(&body, &[]).await.status, 400);
    let half = format!(r#"{{"type":"compute","payload":"{}"#, planted.wrong("half a body"));
    let post = http.post(format!("{}/v1/jobs", stack.api)).bearer_auth(&zama.token).body(half);
    assert_eq!(post.header("content-type", "application/json").send().await.unwrap().status(), 400);
}

/// What the issuer answers; null what is no JSON.
async fn form(stack: &Stack, endpoint: &str, parameters: &[(&str, &str)]) -> Value {
    let body = url_encoded(parameters);
    let request = reqwest::Client::new().post(format!("{}/v1/oauth/{endpoint}", stack.api)).body(body);
    let answer = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default()
}

/// Nothing here needs escaping but the colons of URNs, which servers read either way.
fn url_encoded(parameters: &[(&str, &str)]) -> String {
    parameters.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The stack's files and what stands in them, but for the database's: that is read by its own words.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && name != "postgres" {
            found.extend(files(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    found
}

/// Every table with all of its rows.
async fn tables(stack: &Stack) -> Vec<(String, String)> {
    let names = "SELECT table_name::text FROM information_schema.tables
                  WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
    let mut tables = Vec::new();
    for name in stack.rows(sqlx::query(names)).await {
        let name: String = name.get(0);
        let rows = stack.rows(sqlx::query(AssertSqlSafe(format!("SELECT t::text FROM \"{name}\" t")))).await;
        tables.push((name, rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")));
    }
    tables
}

/// All payloads of a history, as an operator reads them: opened by the codec server where they are sealed.
async fn opened(stack: &Stack, events: &[Value]) -> String {
    let mut payloads = Vec::new();
    for event in events {
        collect(event, &mut payloads);
    }
    let request = reqwest::Client::new().post(format!("{}/decode", stack.codec())).json(&json!({"payloads": payloads}));
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let data = |payload: &Value| STANDARD.decode(payload["data"].as_str().unwrap_or_default()).unwrap();
    let opened = answer["payloads"].as_array().unwrap_or_else(|| panic!("{answer}")).iter().map(data);
    opened.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect::<Vec<_>>().join("\n")
}

/// A payload has metadata and data.
fn collect(value: &Value, payloads: &mut Vec<Value>) {
    match value {
        Value::Object(members) if members.contains_key("metadata") && members.contains_key("data") => {
            payloads.push(value.clone());
        }
        Value::Object(members) => members.values().for_each(|member| collect(member, payloads)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, payloads)),
        _ => {}
    }
}

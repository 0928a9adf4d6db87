//! Who comes in: operators make a tenant, its admin makes users and keys, a user proves its address.

use std::process::{Command, Output};

use jobs::{ApiKey, KeyMode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Stack, Zama, factor};

/// Who acts through the API with a credential of its own.
fn bearer<'a>(stack: &'a Stack, tenant: &str, token: &Value) -> Zama<'a> {
    Zama::new(stack, tenant.to_owned(), token.as_str().unwrap().to_owned())
}

/// `zama-jobs`, with the settings and the API of the stack.
fn cli(stack: &Stack, arguments: &[&str]) -> Output {
    let script = format!("set -a; . {}; unset ZAMA_TOKEN; exec \"$@\"", stack.place.path("dev.env").display());
    let program = env!("CARGO_BIN_EXE_zama-jobs");
    Command::new("sh").args(["-euc", &script, "sh", program]).args(arguments).output().unwrap()
}

fn cli_json(stack: &Stack, arguments: &[&str]) -> Value {
    let output = cli(stack, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn an_operator_makes_a_tenant_and_its_admin_the_rest() {
    let stack = Stack::shared();
    let made =
        cli_json(stack, &["tenants", "create", "acme-labs", "--plan", "development", "--admin", "amy", "--api-key"]);
    assert_eq!((&made["created"], &made["admin"]), (&json!(true), &json!("amy")));
    let again = cli_json(stack, &["tenants", "create", "acme-labs", "--admin", "amy"]);
    assert_eq!((&again["created"], &again["api_key"]), (&json!(false), &Value::Null));
    assert_eq!(cli_json(stack, &["tenants", "show", "acme-labs"])["plan"], "development");
    assert_eq!(cli_json(stack, &["policy", "set", "acme-labs", "--plan", "default"])["plan"], "default");
    assert_eq!(cli_json(stack, &["tenants", "show", "acme-labs"])["plan"], "default");
    let listed = cli_json(stack, &["tenants", "list"]);
    assert!(listed["data"].as_array().unwrap().iter().any(|tenant| tenant["id"] == "acme-labs"), "{listed}");
    for unknown in [&["tenants", "show", "nobody"][..], &["policy", "set", "nobody", "--plan", "default"]] {
        let refused = cli(stack, unknown);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no tenant nobody"));
    }
    assert!(!cli(stack, &["tenants", "create", "acme-labs--test"]).status.success(), "a sandbox is not made so");

    let amy = bearer(stack, "acme-labs", &made["api_key"]);
    let role = json!({"role": "developer"});
    let bob = amy.ask(Method::PUT, "/v1/users/ci-bot", &[], Some(&role)).await.unwrap();
    assert_eq!(bob.status, 201, "{bob:?}");
    let wish = json!({"name": "ci", "user": "ci-bot"});
    let key = amy.ask(Method::POST, "/v1/api-keys", &[], Some(&wish)).await.unwrap();
    let bot = bearer(stack, "acme-labs", &key.body["key"]);
    let refused = bot.posts(&factor(91), &[]).await;
    assert_eq!((refused.status, refused.code()), (409, "SUBMITTER_MISSING"), "nobody's job");
}

#[tokio::test]
async fn an_address_is_proved_on_the_command_line_and_an_api_key_runs_jobs_for_it() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let signer = retrieval::Signer::random();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("submitter.key");
    std::fs::write(&file, signer.to_bytes().to_string()).unwrap();
    let (file, token) = (file.to_str().unwrap(), zama.token.as_str());
    let registered = cli_json(stack, &["keys", "register", "--submitter-key", file, "--token", token]);
    assert_eq!(registered["submitter"], json!(signer.address()));
    let elsewhere = ["keys", "register", "--submitter-key", file, "--token", token, "--registry"];
    let refused = cli(stack, &[&elsewhere[..], &["0x00000000000000000000000000000000000000aa"]].concat());
    assert_eq!(refused.status.code(), Some(2), "what is for another registry is not signed: {refused:?}");

    let key = cli_json(stack, &["api-keys", "create", "ci", "--scopes", "jobs:submit,jobs:read", "--token", token]);
    let by_key = bearer(stack, &zama.tenant, &key["key"]);
    let job = by_key.submit(&factor(91)).await.completes().await;
    assert_eq!(job.submitter, signer.address());
    by_key.job(job.job_id).is_billed().await;

    let rotated =
        cli_json(stack, &["api-keys", "rotate", key["id"].as_str().unwrap(), "--overlap", "0", "--token", token]);
    assert_eq!(by_key.get("/v1/me").await.code(), "TOKEN_EXPIRED");
    let new = bearer(stack, &zama.tenant, &rotated["key"]);
    assert_eq!(new.get("/v1/me").await.body["api_key"], rotated["id"]);
    cli_json(stack, &["api-keys", "revoke", rotated["id"].as_str().unwrap(), "--token", token]);
    assert_eq!(new.get("/v1/me").await.code(), "INVALID_TOKEN");
    let listed = cli_json(stack, &["api-keys", "list", "--token", token]);
    let statuses: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|key| &key["status"]).collect();
    assert_eq!(statuses, ["revoked", "expired"]);
}

#[tokio::test]
async fn the_development_key_serves_and_outlives_a_token() {
    let stack = Stack::shared();
    let key = stack.place.env("ZAMA_API_KEY");
    assert_eq!(key.parse::<ApiKey>().unwrap().mode(), KeyMode::Live);
    let dev = bearer(stack, "dev", &json!(key));
    let me = dev.get("/v1/me").await.body;
    assert_eq!((&me["tenant"], &me["role"]), (&json!("dev"), &json!("admin")));
    // A token of less takes nothing from it.
    assert!(cli(stack, &["token", "--role", "developer"]).status.success());
    assert_eq!(dev.get("/v1/users").await.status, 200);
}

#[tokio::test]
async fn a_test_job_is_confirmed_and_never_billed() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let wish = json!({"name": "tests", "test_mode": true});
    let key = zama.ask(Method::POST, "/v1/api-keys", &[], Some(&wish)).await.unwrap();
    assert_eq!(key.status, 201, "{key:?}");
    let test = bearer(stack, &format!("{}--test", zama.tenant), &key.body["key"]);
    let (tested, live) = (test.submit(&factor(91)).await, zama.submit(&factor(91)).await);
    let done = tested.completes().await;
    assert!(done.test_mode && done.blockchain_confirmation.is_some(), "{done:#?}");
    assert_eq!(done.result.unwrap().value, live.completes().await.result.unwrap().value);
    tested.receipt().await;
    assert_eq!(zama.job(done.job_id).cancel().await.code(), "JOB_NOT_FOUND");
    assert_eq!(test.job(live.id).cancel().await.code(), "JOB_NOT_FOUND");

    // The live job's rows came later: those of the test were passed by, and its sandbox is no customer.
    live.is_billed().await;
    assert_eq!(tested.usage().await.len(), 4);
    assert!(tested.usage().await.iter().all(|row| row.delivered_at.is_none()));
    let customer = format!("{}/api/v1/customers/{}", stack.lago, test.tenant);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.get(customer).bearer_auth(&stack.lago_key).send().await.unwrap();
    assert_eq!(answer.status(), 404);
}

//! The audit log on the command line: listed, exported, verified; and what somebody with every right on the database did.

use std::process::{Command, Output};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::harness::{Stack, Zama, factor};

/// `zama-jobs audit …` as an admin.
fn audit(stack: &Stack, key: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zama-jobs"));
    command.env_clear().env("ZAMA_API", &stack.api).env("ZAMA_TOKEN", key).current_dir(stack.place.data_dir());
    command.arg("audit").args(arguments).output().unwrap()
}

fn said(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// A change of the token keys is in the log of every tenant: whoever needs one that stands still holds this.
static EVERYBODYS_LOG: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn a_log_is_whole_until_somebody_removes_something_of_it() {
    let _quiet = EVERYBODYS_LOG.lock().await;
    let stack = Stack::shared();
    let made = ["tenants", "create", "audited", "--plan", "development", "--admin", "amy", "--api-key", "--json"];
    let made = stack.runs(&made, &[]).document::<Value>();
    let key = made["api_key"].as_str().unwrap();
    let amy = Zama::new(stack, "audited".to_owned(), key.to_owned());
    for user in ["ada", "bob"] {
        let put = amy.ask(Method::PUT, &format!("/v1/users/{user}"), &[], Some(&json!({"role": "developer"}))).await;
        assert_eq!(put.unwrap().status, 201);
    }
    assert_eq!(amy.posts(&factor(91), &[]).await.code(), "SUBMITTER_MISSING", "which is no change");

    let listed = said(&audit(stack, key, &["list", "--oldest-first", "--json"]));
    let actions: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["tenants create", "tenants create", "tenants create", "put_user", "put_user"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.ndjson");
    let file = file.to_str().unwrap();
    let exported = said(&audit(stack, key, &["export", "-o", file, "--json"]));
    let kept = format!("5:{}", exported["head"]["hash"].as_str().unwrap());
    for verify in [&["verify"][..], &["verify", "--head", &kept], &["verify", "--file", file, "--head", &kept]] {
        let verified = audit(stack, key, &[verify, &["--json"]].concat());
        assert_eq!((verified.status.code(), &said(&verified)["verified"]), (Some(0), &json!(true)), "{verified:?}");
    }

    // The newest entry goes, by a hand that no trigger holds: the tables' owner's.
    let removal = "DO $$ BEGIN
        ALTER TABLE audit_log DISABLE TRIGGER USER;
        DELETE FROM audit_log WHERE tenant = 'audited' AND seq = 5;
        ALTER TABLE audit_log ENABLE TRIGGER USER;
    END $$";
    stack.execute(sqlx::query(removal)).await;
    let verified = audit(stack, key, &["verify"]);
    assert_eq!(verified.status.code(), Some(7), "{verified:?}");
    assert!(String::from_utf8_lossy(&verified.stdout).contains("the end is missing"), "{verified:?}");
    assert_eq!(audit(stack, key, &["verify", "--file", file]).status.code(), Some(0), "the export has it still");
    let developer = stack.tenant();
    assert_eq!(audit(stack, &developer.token, &["verify"]).status.code(), Some(3), "nobody else's to read");
}

/// What operators do to who comes in, and by which keys, stands in the log of everybody whom it concerns.
#[tokio::test]
async fn operators_commands_are_in_the_log() {
    let _writing = EVERYBODYS_LOG.lock().await;
    let stack = Stack::shared();
    let made = ["tenants", "create", "operated", "--plan", "development", "--admin", "amy", "--api-key", "--json"];
    let made = stack.runs(&made, &[]).document::<Value>();
    let key = made["api_key"].as_str().unwrap();
    let client = ["clients", "create", "--tenant", "operated", "--user", "amy", "--json"];
    let client = stack.runs(&client, &[]).document::<Value>();
    let id = client["client_id"].as_str().unwrap();
    let rotated = stack.runs(&["clients", "rotate", id, "--json"], &[]).document::<Value>();
    let _ = stack.runs(&["clients", "delete", id], &[]).ends(0);
    let code = stack.runs(&["login-code", "--tenant", "operated", "--user", "amy"], &[]).ends(0).stdout;
    // It signs in a year, and is gone before that.
    let added = stack.runs(&["token", "keys", "rotate", "--after", "365d", "--json"], &[]).document::<Value>();
    let kid = added["kid"].as_str().unwrap();
    let _ = stack.runs(&["token", "keys", "withdraw", kid], &[]).ends(0);

    let listed = said(&audit(stack, key, &["list", "--oldest-first", "--limit", "100", "--json"]));
    let entries = &listed["data"].as_array().unwrap()[3..];
    let of = |member: &str| entries.iter().map(|entry| entry[member].as_str().unwrap_or("-")).collect::<Vec<_>>();
    assert_eq!(
        of("action"),
        [
            "clients create",
            "clients rotate",
            "clients delete",
            "login-code",
            "token keys rotate",
            "token keys withdraw"
        ]
    );
    let (amy, keys) = ("/v1/users/amy", "/.well-known/jwks.json");
    assert_eq!(of("target"), [amy, amy, amy, amy, keys, keys]);
    assert!(entries.iter().all(|entry| entry["credential"] == "operator" && entry["user"].is_null()));
    assert!(entries[..3].iter().all(|entry| entry["detail"]["client"] == id), "{entries:?}");
    assert!(entries[4..].iter().all(|entry| entry["detail"]["kid"] == kid), "{entries:?}");
    let text = listed.to_string();
    for secret in [&client["client_secret"], &rotated["client_secret"]] {
        assert!(!text.contains(secret.as_str().unwrap()), "no secret ever");
    }
    assert!(!text.contains(code.trim()));
}

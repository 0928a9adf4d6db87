//! A job under a key of one's own, from the key's making to its end.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use jobs::JobStatus;
use jobs::wire::Job;
use serde_json::{Value, json};

use super::super::story::powers;
use super::Shell;
use crate::harness::Stack;

/// A minute of computing.
const LONG: usize = 200;

#[tokio::test]
async fn a_key_of_ones_own_is_made_uploaded_used_and_deleted() {
    let shell = Shell::of(Stack::encrypted(), "holder").await;
    let shown = shell.person(&["keys", "generate", "-o", "client.key"]);
    let id = shown.line("Key");
    assert_eq!(fs::metadata(shell.path("client.key")).unwrap().permissions().mode() & 0o777, 0o600);
    shell.refused(&["keys", "generate", "-o", "client.key"], 2, "client.key exists already");
    shell.refused(&["keys", "upload", "client.key"], 2, "is a secret key, which never leaves your machine");
    fs::write(shell.path("no.key"), "nonsense").unwrap();
    let refused = shell.runs(&["keys", "upload", "no.key"]).ends(3);
    assert_eq!(refused.line("Status"), "refused");

    let shown = shell.person(&["keys", "upload", "client.key.eval"]);
    assert_eq!((shown.line("Key"), shown.line("Status")), (id, "ready"), "{shown:?}");
    let again = shell.script(&["keys", "upload", "client.key.eval"]);
    assert_eq!((&again["key_id"], &again["status"]), (&json!(id), &json!("ready")));
    let shown = shell.person(&["keys", "list"]);
    assert!(shown.stdout.lines().any(|row| row.starts_with(&format!("{id}  client   ready "))), "{shown:?}");
    let listed = shell.script(&["keys", "list"]);
    assert!(listed["client"].as_array().unwrap().iter().any(|key| key["key_id"] == id), "{listed:#}");
    assert_eq!(listed["network"]["key_id"], json!(shell.owner.key.info().key_id));

    let uploaded = shell.script(&["encrypt", "--values", "u16:300,u16:4000", "--client-key", "client.key", "--upload"]);
    assert_eq!(uploaded["key"], json!({"mode": "client", "key_id": id}));
    let url = uploaded["url"].as_str().unwrap();
    let submit = ["submit", "--fhe", "encrypted_maximum", "--client-key", "client.key", "--blob", url];
    let run = shell.person(&[submit.as_slice(), &["--wait", "--json"]].concat());
    let job: Job = run.document();
    let job_id = job.job_id.to_string();
    assert_eq!(job.status, JobStatus::Completed);
    let next = format!("open its result with: zama-jobs decrypt {job_id} --client-key client.key\n");
    assert!(run.stderr.ends_with(&next), "{run:?}");

    let decrypt = ["decrypt", job_id.as_str(), "--client-key", "client.key"];
    assert_eq!(shell.person(&decrypt).stdout, "index  1\nprice  4000\n");
    let opened = shell.script(&decrypt);
    assert_eq!((&opened["result"], &opened["key_manager"]), (&json!({"index": 1, "price": 4000}), &Value::Null));
    let other = format!("0x{}", "77".repeat(32));
    shell.refused(&[decrypt.as_slice(), &["--key-id", &other]].concat(), 2, "the result is under key");
    stops_waiting(&shell);

    assert_eq!(shell.script(&["keys", "delete", id]), json!({"key_id": id, "deleted": true}));
    shell.refused(&["keys", "delete", id], 3, "(404 NOT_FOUND)");
    shell.refused(&submit, 3, "(400 JOB_VALIDATION_FAILED)");
    assert_eq!(shell.person(&decrypt).stdout, "index  1\nprice  4000\n", "what there is stays readable");
}

/// Exit codes 6 and 5: a wait that is too short, and one for a job that is cancelled.
fn stops_waiting(shell: &Shell<'_>) {
    fs::write(shell.path("long.json"), powers(LONG).to_string()).unwrap();
    let submit =
        ["submit", "--fhe", "program", "--client-key", "client.key", "--values", "u8:3", "--parameters", "@long.json"];
    let accepted = shell.person(&submit);
    let id = accepted.line("Job");
    let decrypt = ["decrypt", id, "--client-key", "client.key", "--wait"];
    let waited = shell.runs(&[decrypt.as_slice(), &["--max-wait", "1s"]].concat()).ends(6);
    assert_eq!(waited.line("Job"), id);
    shell.person(&["cancel", id]);
    let ended = shell.runs(&[decrypt.as_slice(), &["--json"]].concat()).ends(5);
    assert_eq!(ended.document::<Job>().status, JobStatus::Cancelled);
    shell.refused(&decrypt[..4], 3, "(409 JOB_CANCELLED)");
}

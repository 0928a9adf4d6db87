//! What operators' commands print for programs. Those that have tests of their own are asked there.

use serde_json::{Value, json};

use crate::harness::Stack;

fn told(arguments: &[&str]) -> Value {
    Stack::shared().runs(&[&["--json"], arguments].concat(), &[]).ends(0).document()
}

#[test]
fn a_command_that_prints_one_thing_prints_a_document_with_it() {
    let zama = Stack::shared().tenant();
    let who = ["--tenant", zama.tenant.as_str(), "--user", "developer"];

    let issued = told(&[&["token"], &who[..], &["--ttl", "90s"]].concat());
    let claims = issued["token"].as_str().unwrap().split('.').count();
    assert_eq!((claims, &issued["expires_in"]), (3, &json!(90)), "{issued}");
    assert_eq!((&issued["tenant"], &issued["user"]), (&json!(zama.tenant), &json!("developer")), "{issued}");

    let code = told(&[&["login-code"], &who[..]].concat());
    assert_eq!(code["login_code"].as_str().map(str::len), Some("ABCD-EFGH-2345-6789".len()), "{code}");
    assert!(code["expires_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{code}");

    assert_eq!(told(&["migrate"]), json!({"up_to_date": true}));
}

/// On the program as it is installed: the flags of all others are held to their commands beside the definition.
#[test]
fn a_server_refuses_what_it_would_not_heed() {
    let run = Stack::shared().runs(&["worker", "--token", "secret"], &[]).ends(2);
    assert!(run.stderr.contains("`zama-jobs worker` has no use for --token"), "{run:?}");
    assert!(run.stdout.is_empty() && !run.stderr.contains("secret"), "{run:?}");
    // The environment of a stack has a token for everything that runs in it.
    let help = Stack::shared().runs(&["worker", "--help"], &[]).ends(0);
    assert!(help.stdout.contains("--config") && !help.stdout.contains("--token"), "{help:?}");
}

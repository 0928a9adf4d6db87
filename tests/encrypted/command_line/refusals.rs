//! What is wrong with a command line, with the set-up, with inputs, or with whoever asks.

use std::fs;
use std::process::Command;

use jobs::JobId;
use serde_json::json;

use super::Shell;
use crate::harness::{Run, Stack};

/// Exit code 2: found on this machine, before anything is encrypted or asked.
#[tokio::test]
async fn what_is_wrong_on_this_side_is_told_at_once() {
    let shell = Shell::of(Stack::encrypted(), "shell").await;
    let encrypt =
        |values: &str| shell.refused(&["encrypt", "--type", "u8", "--values", values, "-o", "x"], 2, "--values");
    encrypt("1,256");
    encrypt("1,,2");
    encrypt("one");
    assert!(!shell.path("x").exists());
    let submit = |arguments: &[&str], reason| shell.refused(&[&["submit", "--fhe"], arguments].concat(), 2, reason);
    submit(&["encrypted_maximum"], "give the values");
    submit(&["encrypted_maximum", "--values", "bool:true"], "it holds bool");
    submit(&["encrypted_linear_score", "--type", "u8", "--values", "1,2", "--parameters", "[]"], "a JSON object");
    submit(&["encrypted_linear_score", "--type", "u8", "--values", "1,2"], "/parameters/weights");
    submit(&["encrypted_maximum", "--blob-file", "nothing.bin"], "cannot read nothing.bin");

    // Whose jobs are the caller's the API knows: inputs of another one would be refused once they have waited.
    fs::write(shell.path("other.key"), format!("0x{}", "11".repeat(32))).unwrap();
    let other = ["--type", "u8", "--values", "1,2", "--submitter-key", "other.key"];
    for command in [&["encrypt", "-o", "x"][..], &["submit", "--fhe", "encrypted_maximum"]] {
        shell.refused(&[command, &other[..]].concat(), 2, "your jobs belong to 0x");
    }
    assert!(!shell.path("x").exists());

    let id = JobId::generate().to_string();
    fs::write(shell.path("no.key"), "0x12").unwrap();
    shell.refused(&["decrypt", &id, "--submitter-key", "no.key"], 2, "no.key: ");
    shell.refused(&["decrypt", &id, "--sealing-key", "no.key"], 2, "no.key: ");
    shell.refused(&["decrypt", &id, "--receipt", "no.key"], 2, "no.key is not a receipt");
    shell.refused(&["decrypt", &id, "--client-key", "no.key"], 2, "give --key-id");
    let grantee = format!("0x{}", "11".repeat(20));
    shell.refused(&["grant", "--job", &id, "--grantee", &grantee, "--submitter-key", "no.key"], 2, "no.key: ");

    let without = |variable: &str, arguments: &[&str]| {
        let mut command: Command = shell.command(arguments);
        Run::of(command.env_remove(variable)).ends(2)
    };
    for (variable, arguments) in [
        ("ZAMA_RPC", &["keys", "network"][..]),
        ("ZAMA_REGISTRY", &["keys", "network"][..]),
        ("ZAMA_SUBMITTER_KEY", &["encrypt", "--values", "u8:1", "-o", "x"][..]),
        ("ZAMA_RPC", &["decrypt", &id][..]),
        ("ZAMA_RPC", &["revoke", "--job", &id, "--grantee", &grantee][..]),
    ] {
        let run = without(variable, arguments);
        assert!(run.stderr.contains(variable), "{arguments:?} without {variable}: {run:?}");
    }
    for wrong in [&["keys"][..], &["encrypt", "--values", "u8:1"], &["decrypt", "x"], &["grant", "--job", &id]] {
        let run = shell.runs(wrong).ends(2);
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{wrong:?}: {run:?}");
    }
}

/// Exit codes 3 and 4.
#[tokio::test]
async fn what_the_service_refuses_is_told_with_its_code() {
    let shell = Shell::of(Stack::encrypted(), "shell").await;
    let id = JobId::generate().to_string();
    let grantee = format!("0x{}", "11".repeat(20));
    shell.refused(&["decrypt", &id], 3, "(404 JOB_NOT_FOUND)");
    shell.refused(&["grant", "--job", &id, "--grantee", &grantee], 3, "(404 JOB_NOT_FOUND)");
    let unknown = format!("/v1/blobs/{}", "77".repeat(32));
    shell.refused(&["submit", "--fhe", "encrypted_maximum", "--blob", &unknown], 3, "(400 JOB_VALIDATION_FAILED)");

    fs::write(shell.path("garbage.bin"), "garbage").unwrap();
    let submit = ["submit", "--fhe", "encrypted_maximum", "--blob-file", "garbage.bin", "--wait"];
    let run = shell.runs(&submit).ends(4);
    assert_eq!(run.line("Status"), "FAILED");
    assert!(run.line("Error").starts_with("CIPHERTEXT_INVALID "), "{run:?}");
    let failed = run.line("Job").to_owned();
    shell.refused(&["decrypt", &failed], 3, "(422 CIPHERTEXT_INVALID)");
    let document = shell.runs(&["decrypt", &failed, "--wait", "--json"]).ends(4).document::<serde_json::Value>();
    assert_eq!(document["error"]["code"], json!("CIPHERTEXT_INVALID"));
}

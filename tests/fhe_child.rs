//! The computing process as it is started, looked at from within: it can reach nothing but its pipes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::process::{Command, Stdio};

use serde_json::Value;

#[test]
fn a_computing_process_can_reach_nothing_but_its_pipes() {
    let output = Command::new(env!("CARGO_BIN_EXE_zama-jobs"))
        .args(["fhe-child", "--memory-bytes", "2147483648", "--self-check"])
        .args(["--parent", &std::process::id().to_string()])
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let could = told["could"].as_object().unwrap();
    assert!(could.contains_key("read the worker's environment") && could.contains_key("connect"), "{told}");
    let reached: Vec<&String> = could.iter().filter(|(_, could)| **could != false).map(|(what, _)| what).collect();
    assert!(reached.is_empty(), "{reached:?}; {said}");
    assert_eq!(told["threads"], true, "it computes on several threads");
}

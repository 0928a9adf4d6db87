//! What an operator says of a tenant with `zama-jobs policy` counts within seconds, on a server that runs.

use serde_json::{Value, json};

use crate::harness::{Stack, Zama, until};

/// Runs the command, which prints this.
#[track_caller]
fn policy(stack: &Stack, arguments: &[&str]) -> String {
    let output = stack.policy(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the command, which says why not.
#[track_caller]
fn refused(stack: &Stack, arguments: &[&str], why: &str) {
    let output = stack.policy(arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains(why), "{arguments:?}: {output:?}");
}

async fn answered(zama: &Zama<'_>, with: &str) {
    until(&format!("it is answered with {with}"), async || {
        let answer = zama.get("/v1/me").await;
        let is = if answer.status == 200 { "200" } else { answer.code() };
        (is == with).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_an_operator_sets_counts_soon() {
    let stack = Stack::shared();
    let (zama, other) = (stack.tenant(), stack.tenant());
    let tenant = zama.tenant.as_str();
    assert_eq!(zama.get("/v1/me").await.status, 200);

    policy(stack, &["set", tenant, "--allow", "192.0.2.0/24, 2001:db8::/32"]);
    answered(&zama, "ADDRESS_NOT_ALLOWED").await;
    policy(stack, &["set", tenant, "--allow", "127.0.0.0/8"]);
    answered(&zama, "200").await;

    refused(stack, &["set", tenant, "--signature", "required"], "has no key");
    let key = policy(stack, &["new-key", tenant]);
    assert!(key.starts_with("zrk_") && key.trim().len() == 68, "{key}");
    policy(stack, &["set", tenant, "--signature", "required"]);
    answered(&zama, "REQUEST_SIGNATURE_INVALID").await;
    policy(stack, &["set", tenant, "--signature", "optional", "--allow", "anywhere"]);
    answered(&zama, "200").await;

    policy(stack, &["set", tenant, "--plan", "default", "--compute-ceiling", "50"]);
    until("the plan counts", async || {
        let limits = zama.get("/v1/limits").await;
        let ceiling = &limits.body["compute_units"]["ceiling"];
        (limits.body["plan"] == "default" && *ceiling == 50).then_some(())
    })
    .await;
    let shown: Value = serde_json::from_str(&policy(stack, &["show", tenant, "--json"])).unwrap();
    assert_eq!((&shown["plan"], &shown["compute_ceiling"]), (&json!("default"), &json!(50)));
    assert_eq!((&shown["allowed_networks"], &shown["signature"]), (&json!([]), &json!("optional")));

    refused(stack, &["set", tenant, "--plan", "gold"], "there is no plan gold");
    refused(stack, &["set", tenant, "--allow", "nowhere"], "nowhere");
    refused(stack, &["show", "nobody-here"], "there is no tenant");
    assert_eq!(other.get("/v1/me").await.status, 200, "nobody else was meant");
}

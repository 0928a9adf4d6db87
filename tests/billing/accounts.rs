//! Tenants that the billing system does not know yet, as `zama-jobs billing setup` finds them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{ACME, Stage};

const CHECK: [&str; 3] = ["billing", "setup", "--check"];
/// The oldest first.
const LACKING: [&str; 2] = ["globex", "abel"];

/// Whom Lago has as a customer, or a subscription for, by name.
async fn known(stage: &Stage, what: &str) -> Vec<String> {
    let found = stage.by_hand(Method::GET, what, Value::Null).await;
    let all = found[what].as_array().unwrap().iter();
    let mut names: Vec<String> = all.map(|one| one["external_id"].as_str().unwrap().to_owned()).collect();
    names.sort_unstable();
    names
}

impl Stage {
    /// These have both, and nobody else has one of them.
    async fn has_accounts_of(&self, tenants: &[&str]) {
        assert_eq!(known(self, "customers").await, tenants);
        assert_eq!(known(self, "subscriptions").await, tenants);
    }
}

/// The lines of a plan or report that are about accounts.
fn told(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("account ")).collect()
}

fn lines(change: &str) -> [String; 2] {
    LACKING.map(|tenant| format!("{:<17}{tenant:<23} {change}", "account"))
}

#[tokio::test]
async fn who_has_no_account_is_shown_and_asked_about_and_is_a_drift_until_it_is_made() {
    let stage = Stage::new().await;
    stage.runs(&["billing", "setup", "--yes"]).await.ends(0);
    stage.has_accounts_of(&[ACME]).await;
    let sound = stage.runs(&CHECK).await.ends(0);
    assert_eq!(told(&sound.stdout), [""; 0]);

    for tenant in [
        "INSERT INTO tenants (id, plan, created_at) VALUES ('globex', 'team', now() - interval '2 minutes')",
        "INSERT INTO tenants (id, plan, created_at) VALUES ('abel', 'team', now() - interval '1 minute')",
        "INSERT INTO tenants (id, plan, sandbox_of) VALUES ('globex--test', 'team', 'globex')",
        "INSERT INTO tenants (id, plan, closed_at) VALUES ('initech', 'team', now())",
    ] {
        stage.outbox.execute(tenant).await;
    }
    let lacking = lines("missing: to be created");
    let check = stage.runs(&CHECK).await.ends(9);
    assert_eq!(told(&check.stdout), lacking);
    stage.has_accounts_of(&[ACME]).await;

    let unasked = stage.runs(&["billing", "setup"]).await.ends(10);
    let declined = stage.runs_and_answers(&["billing", "setup"], "no").await.ends(10);
    for run in [unasked, declined] {
        assert_eq!(told(&run.stderr), lacking);
        assert!(run.stderr.contains("nothing was changed"), "{run:#?}");
        assert_eq!(run.stdout, "");
    }
    stage.has_accounts_of(&[ACME]).await;
    stage.runs(&CHECK).await.ends(9);

    let agreed = stage.runs_and_answers(&["billing", "setup"], "yes").await.ends(0);
    assert_eq!(told(&agreed.stderr), lacking);
    assert_eq!(told(&agreed.stdout), lines("created"));
    assert!(agreed.stderr.ends_with("3 tenants have a customer and a subscription\n"), "{agreed:#?}");
    // Neither the closed one nor the sandbox.
    stage.has_accounts_of(&["abel", ACME, "globex"]).await;
    stage.runs(&CHECK).await.ends(0);
    // There is nothing to ask for.
    let again = stage.runs(&["billing", "setup"]).await.ends(0);
    assert_eq!(told(&again.stdout), [""; 0]);
}

/// Lago bills a customer in one currency, and the price list is in euros.
#[tokio::test]
async fn an_account_that_lago_refuses_is_told_with_the_reason_and_holds_back_nobody_s() {
    let stage = Stage::new().await;
    stage.runs(&["billing", "setup", "--yes"]).await.ends(0);
    for tenant in [
        "INSERT INTO tenants (id, plan, created_at) VALUES ('globex', 'team', now() - interval '2 minutes')",
        "INSERT INTO tenants (id, plan, created_at) VALUES ('abel', 'team', now() - interval '1 minute')",
    ] {
        stage.outbox.execute(tenant).await;
    }
    let in_currency = async |currency: &str| {
        let customer = json!({ "external_id": "globex", "currency": currency });
        stage.by_hand(Method::POST, "customers", json!({ "customer": customer })).await;
    };
    in_currency("USD").await;

    let refused = stage.runs(&["billing", "setup", "--yes"]).await.ends(1);
    let [globex, abel]: [&str; 2] = told(&refused.stdout).try_into().unwrap();
    assert!(globex.starts_with("account          globex ") && globex.contains(" failed: Lago refused "), "{globex}");
    assert!(globex.contains("currencies_does_not_match"), "in Lago's own words: {globex}");
    assert_eq!(abel, format!("{:<17}{:<23} created", "account", "abel"), "it comes after the one that was refused");
    assert!(refused.stderr.ends_with("2 tenants have a customer and a subscription\n"), "{refused:#?}");
    assert_eq!(known(&stage, "subscriptions").await, ["abel", ACME]);

    let again = stage.runs(&["--json", "billing", "setup", "--yes"]).await.ends(1).json();
    let entries = again["entries"].as_array().unwrap().iter();
    let accounts: Vec<&Value> = entries.filter(|entry| entry["kind"] == "account").collect();
    assert_eq!((accounts.len(), &accounts[0]["code"]), (1, &json!("globex")));
    let change = &accounts[0]["change"];
    assert_eq!(change["outcome"], "failed");
    assert!(change["reason"].as_str().unwrap().contains("currencies_does_not_match"), "{change}");

    in_currency("EUR").await;
    stage.runs(&["billing", "setup", "--yes"]).await.ends(0);
    stage.has_accounts_of(&["abel", ACME, "globex"]).await;
}

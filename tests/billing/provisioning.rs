//! `zama-jobs billing setup`, and what somebody changed in Lago by hand.

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use super::program::{Run, WEBHOOK};
use crate::stage::{Stage, acme, this_month};

/// What Lago has of all that setup looks at.
async fn provisioned(stage: &Stage) -> Vec<Value> {
    let mut lists = Vec::new();
    for what in ["billable_metrics", "taxes", "plans", "webhook_endpoints"] {
        lists.push(stage.by_hand(Method::GET, what, Value::Null).await[what].clone());
    }
    lists
}

/// A price, a tax and the webhook endpoint become other ones.
async fn is_meddled_with(stage: &Stage) {
    let team = stage.by_hand(Method::GET, "plans/team", Value::Null).await["plan"].clone();
    let charge = |charge: &Value| {
        let mut said = json!({
            "id": charge["lago_id"], "billable_metric_id": charge["lago_billable_metric_id"],
            "charge_model": charge["charge_model"], "invoice_display_name": charge["invoice_display_name"],
            "properties": charge["properties"],
        });
        if charge["billable_metric_code"] == "storage_gb_hours" {
            said["properties"]["amount"] = json!("0.5");
        }
        said
    };
    let charges: Vec<Value> = team["charges"].as_array().unwrap().iter().map(charge).collect();
    stage.by_hand(Method::PUT, "plans/team", json!({ "plan": { "charges": charges } })).await;
    stage.by_hand(Method::PUT, "taxes/vat-standard", json!({ "tax": { "rate": 7.5 } })).await;
    let endpoints = stage.by_hand(Method::GET, "webhook_endpoints", Value::Null).await;
    let path = format!("webhook_endpoints/{}", endpoints["webhook_endpoints"][0]["lago_id"].as_str().unwrap());
    let fewer = json!({ "webhook_endpoint": { "event_types": ["invoice.created"] } });
    stage.by_hand(Method::PUT, &path, fewer).await;
}

/// What a run says of all that it did not find as it should be: kind, code, and what became of which fields.
fn told(run: &Run) -> Vec<[Value; 3]> {
    let report = run.json();
    let entries = report["entries"].as_array().unwrap().iter();
    let differing = entries.filter(|entry| entry["change"]["outcome"] != "unchanged");
    differing.map(|entry| ["kind", "code", "change"].map(|name| entry[name].clone())).collect()
}

/// The three things that were meddled with, of each what became of its fields.
fn meddled(outcome: &str) -> Vec<[Value; 3]> {
    let entry = |kind: &str, code: &str, field: &str| {
        [json!(kind), json!(code), json!({ "outcome": outcome, "fields": [field] })]
    };
    vec![
        entry("tax", "vat-standard", "rate"),
        entry("plan", "team", "charges.storage_gb_hours.properties"),
        entry("webhook_endpoint", WEBHOOK, "event_types"),
    ]
}

#[tokio::test]
async fn what_was_changed_by_hand_is_named_and_put_right_once_somebody_says_yes() {
    let stage = Stage::new().await;
    let first = stage.runs(&["--json", "billing", "setup", "--yes"]).await.ends(0);
    let created = |kind: &str, code: &str| [json!(kind), json!(code), json!({ "outcome": "created" })];
    assert_eq!(told(&first), [created("webhook_endpoint", WEBHOOK), created("account", "acme")]);
    assert_eq!(told(&stage.runs(&["--json", "billing", "setup", "--check"]).await.ends(0)), Vec::<[Value; 3]>::new());
    let sound = provisioned(&stage).await;

    is_meddled_with(&stage).await;
    let spoilt = provisioned(&stage).await;
    let check = stage.runs(&["--json", "billing", "setup", "--check"]).await.ends(9);
    assert_eq!(told(&check), meddled("differs"));
    let check = stage.runs(&["billing", "setup", "--check"]).await.ends(9);
    assert!(check.stdout.contains("differs: to be updated (charges.storage_gb_hours.properties)\n"), "{check:#?}");

    let documented = stage.runs(&["billing", "setup", "--help"]).await.ends(0);
    assert!(documented.stdout.contains("  10 nothing was changed"), "{documented:#?}");
    let unasked = stage.runs(&["billing", "setup"]).await.ends(10);
    assert!(unasked.stderr.contains("nobody is there to ask"), "{unasked:#?}");
    let declined = stage.runs_and_answers(&["billing", "setup"], "no").await.ends(10);
    for shown in ["(charges.storage_gb_hours.properties)\n", "provision? [y/N] ", "nothing was changed\n"] {
        assert!(declined.stderr.contains(shown), "{shown}: {declined:#?}");
    }
    assert_eq!(declined.stdout, "");
    assert_eq!(provisioned(&stage).await, spoilt, "it was asked, and said no");

    let agreed = stage.runs_and_answers(&["--json", "billing", "setup"], "yes").await.ends(0);
    assert_eq!(told(&agreed), meddled("updated"));
    assert_eq!(provisioned(&stage).await, sound, "the charges under their own ids");
    stage.runs(&["billing", "setup", "--check"]).await.ends(0);

    is_meddled_with(&stage).await;
    assert_eq!(told(&stage.runs(&["--json", "billing", "setup", "--yes"]).await.ends(0)), meddled("updated"));
    // There is nothing to ask for.
    let again = stage.runs(&["--json", "billing", "setup"]).await.ends(0);
    assert_eq!(told(&again), Vec::<[Value; 3]>::new());
    assert_eq!(provisioned(&stage).await, sound, "the second one changes nothing");
}

/// Lago would take events of a metric that it has not, and bill nothing for them; what it had of it goes with it.
#[tokio::test]
async fn a_metric_that_was_deleted_takes_nothing_until_setup_has_put_it_back() {
    let stage = Stage::new().await;
    stage.delivery().ensure_account("acme", &acme()).await.unwrap();
    stage.by_hand(Method::DELETE, "billable_metrics/compute_units", Value::Null).await;
    let meanwhile = stage.used("meanwhile", 3, Utc::now() - TimeDelta::seconds(2)).await;
    stage.delivers().await;
    let dead = stage.runs(&["--json", "billing", "dead-letters", "list"]).await.ends(0).json();
    assert_eq!((&dead["data"][0]["id"], dead["data"].as_array().map(Vec::len)), (&json!(meanwhile), Some(1)));
    assert_eq!(dead["data"][0]["reason"], "Lago has no metric compute_units: zama-jobs billing setup makes it");
    assert_eq!(stage.lago.get_event(&meanwhile).await.unwrap(), None, "it was not sent");

    stage.runs(&["billing", "reconcile"]).await.ends(9);
    let check = told(&stage.runs(&["--json", "billing", "setup", "--check"]).await.ends(9));
    assert_eq!(check[0], [json!("metric"), json!("compute_units"), json!({ "outcome": "missing" })]);
    assert!(
        check.iter().any(|[_, code, change]| code == "team" && change["fields"] == json!(["charges.compute_units"]))
    );

    stage.runs(&["billing", "setup", "--yes"]).await.ends(0);
    stage.runs(&["billing", "dead-letters", "retry", "--all"]).await.ends(0);
    stage.delivers().await;
    stage.runs(&["billing", "reconcile"]).await.ends(0);
    assert_eq!(stage.billed(this_month()).await, "3", "what came meanwhile is billed");

    stage.by_hand(Method::DELETE, "billable_metrics/compute_units", Value::Null).await;
    let drift = stage.runs(&["billing", "reconcile"]).await.ends(9);
    assert!(drift.stdout.contains("1 missing (meanwhile:compute_units:0 …)"), "{drift:#?}");
}

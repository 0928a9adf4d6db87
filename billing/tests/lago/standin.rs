//! The stand-in keeps what it answered, says what it is, and refuses what it cannot do.

use std::path::PathBuf;

use crate::harness::{Standin, acme, event};
use axum::Router;
use billing::{Delivery, LagoClient, Metric, Patience, standin};
use serde_json::json;
use tokio::net::TcpListener;

#[tokio::test]
async fn everything_that_was_answered_survives_a_crash() {
    let lago = Standin::with_acme("team").await;
    let sent = event("job:compute_units:0", Metric::ComputeUnits, "100000");
    lago.send(sent.clone()).await;
    let before = lago.client.current_usage(&acme()).await.unwrap();
    let lago = lago.crash_and_restart().await;
    assert_eq!(lago.client.current_usage(&acme()).await.unwrap(), before);
    assert_eq!(lago.client.send(&[sent]).await.unwrap(), [Delivery::Delivered]);
    assert_eq!(lago.usage_of(Metric::ComputeUnits).await, ("100000".to_owned(), 1, 800));
}

#[tokio::test]
async fn without_the_key_nothing_is_told_but_the_name_and_the_health() {
    let lago = Standin::start().await;
    let get = async |path: &str| reqwest::get(format!("http://{}{path}", lago.address)).await.unwrap();
    let refused = get("/api/v1/plans").await;
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()[standin::STAND_IN_HEADER], "zama-jobs");
    assert_eq!(refused.json::<serde_json::Value>().await.unwrap(), json!({ "status": 401, "error": "Unauthorized" }));
    assert_eq!(get("/health").await.status(), 200);
    assert!(get("/").await.text().await.unwrap().contains("This is not Lago"));
}

#[tokio::test]
async fn a_client_and_its_clones_know_it_by_any_answer() {
    let lago = Standin::start().await;
    let origin = format!("http://{}", lago.address);
    let refused = LagoClient::new(&origin, "wrong").unwrap();
    let clone = refused.patient(Patience::NONE);
    assert!(!refused.is_stand_in(), "nobody has answered");
    refused.get_event("x").await.unwrap_err();
    assert!(refused.is_stand_in() && clone.is_stand_in());
    let asked = LagoClient::new(&origin, "wrong").unwrap();
    asked.health().await.unwrap();
    assert!(asked.is_stand_in());
}

#[tokio::test]
async fn what_answers_without_the_name_is_not_taken_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = LagoClient::new(&format!("http://{}", listener.local_addr().unwrap()), "key").unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new()).await });
    assert_eq!(client.get_event("x").await.unwrap(), None, "it has nothing");
    assert!(client.health().await.is_err());
    assert!(!client.is_stand_in());
}

#[tokio::test]
async fn what_it_cannot_do_it_refuses_instead_of_guessing() {
    let lago = Standin::with_acme("team").await;
    let metric =
        lago.call("GET", "billable_metrics/compute_units", json!(null)).await.1["billable_metric"]["lago_id"].clone();
    let plan = |charge: serde_json::Value| json!({ "plan": { "name": "P", "code": "p", "interval": "monthly", "amount_cents": 0, "amount_currency": "EUR", "charges": [charge] } });
    let set = |body: &serde_json::Value, field: &str, value: serde_json::Value| {
        let mut body = body.clone();
        body[field] = value;
        body
    };
    let large = |value: &str| json!({ "transaction_id": format!("large-{value}"), "external_subscription_id": "acme", "code": "compute_units", "properties": { "value": value } });
    let cases = [
        ("GET", "coupons", json!(null)),
        // By which Lago would tell less, or something else.
        ("GET", "subscriptions?status[]=terminated", json!(null)),
        ("GET", "subscriptions?status[]=active&status[]=pending", json!(null)),
        ("GET", "invoices?status=voided", json!(null)),
        ("GET", "invoices?external_customer_id=acme&payment_status[]=failed&page=1&per_page=100", json!(null)),
        ("GET", "customers?search_term=acme", json!(null)),
        ("GET", "billable_metrics?recurring=true", json!(null)),
        ("GET", "plans?include_pending_deletion=true", json!(null)),
        ("GET", "taxes?search_term=vat", json!(null)),
        ("GET", "webhook_endpoints?name=x", json!(null)),
        ("GET", "events?external_subscription_id=acme&timestamp_from_started_at=true", json!(null)),
        ("GET", "wallets?external_customer_id=acme&status=active", json!(null)),
        ("GET", "customers/acme/current_usage?external_subscription_id=acme&charge_code=x", json!(null)),
        ("GET", "subscriptions/acme?subscription_status=terminated", json!(null)),
        ("DELETE", "subscriptions/acme?on_termination_invoice=skip", json!(null)),
        (
            "POST",
            "subscriptions",
            json!({ "subscription": { "external_customer_id": "b", "external_id": "b", "plan_code": "team", "ending_at": "2100-01-01T00:00:00Z" } }),
        ),
        (
            "POST",
            "wallets",
            json!({ "wallet": { "external_customer_id": "acme", "recurring_transaction_rules": [{ "trigger": "interval" }] } }),
        ),
        (
            "POST",
            "webhook_endpoints",
            json!({ "webhook_endpoint": { "webhook_url": "https://zama.example", "signature_algo": "hmac" } }),
        ),
        ("DELETE", "plans/team", json!(null)),
        (
            "POST",
            "plans",
            plan(json!({ "billable_metric_id": metric, "charge_model": "percentage", "properties": { "rate": "1" } })),
        ),
        (
            "POST",
            "plans",
            plan(
                json!({ "billable_metric_id": metric, "charge_model": "standard", "pay_in_advance": true, "properties": { "amount": "1" } }),
            ),
        ),
        (
            "POST",
            "billable_metrics",
            json!({ "billable_metric": { "name": "M", "code": "m", "aggregation_type": "latest_agg", "field_name": "x" } }),
        ),
        // Its subscription's usage could not be told in minor units of money for as long as it is there.
        ("POST", "events", json!({ "event": large("10000000000000001") })),
        ("POST", "events", json!({ "event": large("-99999999999999999999999999999999999999") })),
        ("POST", "events/batch", json!({ "events": [large("1"), large("99999999999999999999.5")] })),
        ("POST", "events", json!({ "event": large(&"9".repeat(61)) })),
        ("POST", "events", json!({ "event": set(&large("1"), "properties", json!({ "value": 1e20 })) })),
    ];
    for (method, path, body) in cases {
        let (status, answer) = lago.call(method, path, body).await;
        assert_eq!((status, &answer["code"]), (501, &json!("stand_in_not_implemented")), "{method} {path}");
    }
    assert_eq!(lago.call("GET", "subscriptions/b", json!(null)).await.0, 404, "what was refused was not made");
    assert_eq!(lago.call("GET", "events/large-1", json!(null)).await.0, 404, "nor a part of it");
    let largest = json!({ "event": large("10000000000000000") });
    assert_eq!(lago.call("POST", "events", largest).await.0, 200);
    let usage = "customers/acme/current_usage?external_subscription_id=acme";
    assert_eq!(lago.call("GET", usage, json!(null)).await.0, 200, "which can be told");
    assert_eq!(lago.call("GET", "subscriptions/acme", json!(null)).await.0, 200, "nor ended");
    let endless = json!({ "subscription": { "external_customer_id": "acme", "external_id": "acme", "plan_code": "team", "ending_at": null } });
    assert_eq!(lago.call("POST", "subscriptions", endless).await.0, 200, "no end is no question");
    // What would change a price is not passed over.
    let charge = json!({ "billable_metric_id": metric, "charge_model": "standard", "properties": { "amount": "1" } });
    let of_plan = [
        ("trial_period", json!(7.5)),
        ("bill_charges_monthly", json!(true)),
        ("minimum_commitment", json!({ "amount_cents": 100 })),
        ("usage_thresholds", json!([{ "amount_cents": 100 }])),
    ];
    let of_charge = [
        ("invoiceable", json!(false)),
        ("prorated", json!(true)),
        ("min_amount_cents", json!(1)),
        ("filters", json!([{ "values": { "region": ["eu"] }, "properties": { "amount": "2" } }])),
        ("applied_pricing_unit", json!({ "code": "credits", "conversion_rate": "0.5" })),
        ("properties", json!({ "amount": "1", "pricing_group_keys": ["region"] })),
    ];
    let plans = of_plan.map(|(field, value)| json!({ "plan": set(&plan(charge.clone())["plan"], field, value) }));
    let charges = of_charge.map(|(field, value)| plan(set(&charge, field, value)));
    for body in plans.into_iter().chain(charges) {
        let (status, answer) = lago.call("POST", "plans", body.clone()).await;
        assert_eq!((status, &answer["code"]), (501, &json!("stand_in_not_implemented")), "{body}");
    }
    // Said as it usually is, it is nothing.
    let usual = set(&plan(set(&charge, "invoiceable", json!(true)))["plan"], "trial_period", json!(0.0));
    assert_eq!(lago.call("POST", "plans", json!({ "plan": usual })).await.0, 200);
}

#[tokio::test]
async fn lagos_complaints_come_in_lagos_shape() {
    let lago = Standin::with_acme("team").await;
    let (status, body) = lago
        .call(
            "POST",
            "billable_metrics",
            json!({ "billable_metric": { "code": "compute_units", "aggregation_type": "sum_agg" } }),
        )
        .await;
    let details = json!({ "name": ["value_is_mandatory"], "code": ["value_already_exist"], "field_name": ["value_is_mandatory"] });
    assert_eq!((status, &body["error_details"]), (422, &details));
    assert_eq!(
        lago.call("GET", "plans/gold", json!(null)).await.1,
        json!({ "status": 404, "error": "Not Found", "code": "plan_not_found" })
    );
    assert_eq!(lago.call("POST", "events", json!({ "evt": {} })).await.0, 400);
    let (status, body) = lago
        .call(
            "POST",
            "subscriptions",
            json!({ "subscription": { "external_customer_id": "other", "external_id": "acme", "plan_code": "team" } }),
        )
        .await;
    assert_eq!((status, &body["error_details"]), (422, &json!({ "external_id": ["value_already_exist"] })));
}

#[tokio::test]
async fn what_needs_a_licence_is_forbidden() {
    let lago = Standin::with_acme("team").await;
    let subscription = json!({ "external_customer_id": "b", "external_id": "b", "plan_code": "team", "plan_overrides": { "amount_cents": 1 } });
    let (status, body) = lago.call("POST", "subscriptions", json!({ "subscription": subscription })).await;
    assert_eq!((status, &body["code"]), (403, &json!("feature_unavailable")));
}

#[tokio::test]
async fn it_serves_on_loopback_only() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused =
        standin::serve(listener, PathBuf::from("/nonexistent/lago.jsonl"), "key".to_owned(), std::future::pending())
            .await;
    assert!(refused.unwrap_err().to_string().contains("loopback only"));
}

//! Amounts of the open period against cases computed by hand from the price list.

use crate::harness::{Standin, acme, event, id, now, raw};
use billing::{LagoError, Metric};
use serde_json::json;

#[tokio::test]
async fn package_quotas_are_free_and_then_started_packages_are_billed() {
    let lago = Standin::with_acme("developer").await;
    lago.send(event("a", Metric::ComputeUnits, "10000")).await;
    assert_eq!(lago.usage_of(Metric::ComputeUnits).await, ("10000".to_owned(), 1, 0));
    lago.send(event("b", Metric::ComputeUnits, "0.5")).await;
    assert_eq!(lago.usage_of(Metric::ComputeUnits).await, ("10000.5".to_owned(), 2, 10));
    lago.send(event("c", Metric::ComputeUnits, "1000")).await;
    assert_eq!(lago.usage_of(Metric::ComputeUnits).await.2, 20);
}

#[tokio::test]
async fn graduated_and_volume_prices_and_the_tax_are_exact() {
    let lago = Standin::with_acme("team").await;
    // 100,000 x 0.00008 + 900,000 x 0.00006 + 500,000 x 0.00004 = 8 + 54 + 20
    lago.send(event("cu", Metric::ComputeUnits, "1500000")).await;
    assert_eq!(lago.usage_of(Metric::ComputeUnits).await.2, 8_200);
    // 10,000 x 0.004 + 2,345 x 0.003 = 40 + 7.035: half a cent goes up
    lago.send(event("fhe", Metric::FheComputeUnits, "12345")).await;
    assert_eq!(lago.usage_of(Metric::FheComputeUnits).await.2, 4_704);
    // All 10,001 at 0.00075 = 7.50075
    lago.send(event("jobs", Metric::JobsCompleted, "10001")).await;
    assert_eq!(lago.usage_of(Metric::JobsCompleted).await.2, 750);
    // 3 x 0.0015 = 0.0045: under half a cent goes down
    lago.send(event("chain", Metric::ChainConfirmations, "3")).await;
    assert_eq!(lago.usage_of(Metric::ChainConfirmations).await.2, 0);

    let usage = lago.client.current_usage(&acme()).await.unwrap();
    assert_eq!(usage.currency, "EUR");
    assert_eq!(usage.amount_cents, 8_200 + 4_704 + 750);
    // 20% of 136.54 is 27.308
    assert_eq!(usage.taxes_amount_cents, 2_731);
    assert_eq!(usage.total_amount_cents, 13_654 + 2_731);
    let names: Vec<_> = usage.lines.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "API calls",
            "Chain confirmations",
            "Compute units",
            "FHE compute units",
            "Jobs completed",
            "Jobs submitted",
            "Storage GB-hours"
        ]
    );
}

#[tokio::test]
async fn small_parts_add_up_without_a_float_between_them() {
    let lago = Standin::with_acme("team").await;
    let parts: Vec<_> = (0..100).map(|number| event(&format!("s{number}"), Metric::StorageGbHours, "0.1")).collect();
    lago.client.send(&parts).await.unwrap();
    assert_eq!(lago.usage_of(Metric::StorageGbHours).await.0, "10");
}

#[tokio::test]
async fn a_correction_takes_back_and_never_below_nothing() {
    let lago = Standin::with_acme("developer").await;
    lago.send(event("j", Metric::JobsCompleted, "3")).await;
    lago.send(event("j:correction", Metric::JobsCompleted, "-1")).await;
    assert_eq!(lago.usage_of(Metric::JobsCompleted).await.0, "2");
    lago.send(event("j:correction2", Metric::JobsCompleted, "-5")).await;
    assert_eq!(lago.usage_of(Metric::JobsCompleted).await, ("0".to_owned(), 3, 0));
}

#[tokio::test]
async fn only_events_within_the_subscriptions_time_count() {
    let lago = Standin::with_acme("developer").await;
    let second = now().timestamp();
    let batch = json!({ "events": [raw("before", json!(second - 3600)), raw("now", json!(second)), raw("float", json!(second as f64 + 0.25)), raw("text", json!(second.to_string()))] });
    assert_eq!(lago.call("POST", "events/batch", batch).await.0, 200);
    assert_eq!(lago.usage_of(Metric::ComputeUnits).await.0, "3");

    assert_eq!(lago.call("DELETE", "subscriptions/acme", json!(null)).await.1["subscription"]["status"], "terminated");
    let (status, body) =
        lago.call("GET", "customers/acme/current_usage?external_subscription_id=acme", json!(null)).await;
    assert_eq!((status, &body["code"]), (405, &json!("no_active_subscription")));
    assert_eq!(lago.client.subscription(&acme()).await.unwrap(), None);
    assert_eq!(lago.call("GET", "subscriptions/acme?status=terminated", json!(null)).await.0, 200);

    // A new subscription under the same id does not inherit what happened before it.
    billing::ensure_tenant(&lago.client, &acme(), &id("developer"), now() + chrono::Duration::seconds(2))
        .await
        .unwrap();
    assert_eq!(lago.usage_of(Metric::ComputeUnits).await.0, "0");
}

#[tokio::test]
async fn taxes_can_be_left_out_and_an_unknown_tenant_is_not_found() {
    let lago = Standin::with_acme("team").await;
    lago.send(event("cu", Metric::ComputeUnits, "100000")).await;
    let path = "customers/acme/current_usage?external_subscription_id=acme&apply_taxes=false";
    let usage = lago.call("GET", path, json!(null)).await.1;
    assert_eq!(
        (&usage["customer_usage"]["taxes_amount_cents"], &usage["customer_usage"]["total_amount_cents"]),
        (&json!(0), &json!(800))
    );
    assert!(matches!(lago.client.current_usage(&id("nobody")).await, Err(LagoError::Rejected { status: 404, .. })));
    assert_eq!(lago.client.invoices(&acme()).await.unwrap(), []);
}

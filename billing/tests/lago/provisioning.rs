//! `setup` and `ensure_tenant` bring Lago to what they say, and a second run changes nothing.

use crate::harness::{Standin, acme, event, id, now};
use billing::{Catalogue, Change, Kind, Metric, Price, ensure_tenant, plan, setup};
use chrono::{Duration, SubsecRound};
use serde_json::json;

fn with_webhook() -> Catalogue {
    Catalogue { webhook_url: Some("https://zama.example/hooks/lago".to_owned()), ..Catalogue::standard() }
}

#[tokio::test]
async fn the_first_setup_creates_everything_and_the_second_nothing() {
    let lago = Standin::start().await;
    let first = setup(&lago.client, &with_webhook()).await.unwrap();
    assert_eq!(first.entries.len(), 7 + 1 + 3 + 1);
    assert!(first.entries.iter().all(|entry| entry.change == Change::Created), "{first}");
    let file = std::fs::metadata(lago.data_file()).unwrap().len();
    let second = setup(&lago.client, &with_webhook()).await.unwrap();
    assert!(second.entries.iter().all(|entry| entry.change == Change::Unchanged), "{second}");
    assert_eq!(std::fs::metadata(lago.data_file()).unwrap().len(), file);
}

#[tokio::test]
async fn a_plan_tells_what_setup_would_do_and_does_nothing() {
    let lago = Standin::start().await;
    // Nothing is written before something happens.
    let size = || std::fs::metadata(lago.data_file()).map_or(0, |file| file.len());
    let empty = size();
    let missing = plan(&lago.client, &with_webhook()).await.unwrap();
    assert_eq!(missing.entries.len(), 7 + 1 + 3 + 1);
    assert!(missing.entries.iter().all(|entry| entry.change == Change::Missing), "{missing}");
    assert_eq!(size(), empty);
    setup(&lago.client, &with_webhook()).await.unwrap();
    assert!(plan(&lago.client, &with_webhook()).await.unwrap().is_unchanged());

    lago.call("PUT", "taxes/vat-standard", json!({ "tax": { "rate": 7.5 } })).await;
    let before = size();
    let drift = plan(&lago.client, &with_webhook()).await.unwrap();
    let differing: Vec<_> = drift.entries.iter().filter(|entry| entry.change != Change::Unchanged).collect();
    assert_eq!(differing.len(), 1, "{drift}");
    assert_eq!(
        (differing[0].code.as_str(), &differing[0].change),
        ("vat-standard", &Change::Differs(vec!["rate".to_owned()]))
    );
    assert!(!drift.is_unchanged() && size() == before);
}

#[tokio::test]
async fn drift_is_mended_and_named_and_charges_keep_their_ids() {
    let lago = Standin::with_acme("team").await;
    let charge_ids = |plan: &serde_json::Value| {
        plan["plan"]["charges"].as_array().unwrap().iter().map(|charge| charge["lago_id"].clone()).collect::<Vec<_>>()
    };
    let before = charge_ids(&lago.call("GET", "plans/team", json!(null)).await.1);

    lago.call("PUT", "billable_metrics/api_calls", json!({ "billable_metric": { "name": "Calls" } })).await;
    lago.call("PUT", "taxes/vat-standard", json!({ "tax": { "rate": 7.5 } })).await;
    let mut catalogue = Catalogue::standard();
    let team = catalogue.plans.iter_mut().find(|plan| plan.code == "team").unwrap();
    team.amount_cents = 5_900;
    let storage = team.charges.iter_mut().find(|charge| charge.metric == Metric::StorageGbHours).unwrap();
    storage.price = Price::Standard { amount: "0.5".parse().unwrap() };

    let report = setup(&lago.client, &catalogue).await.unwrap();
    let changed: Vec<_> = report
        .entries
        .iter()
        .filter(|entry| entry.change != Change::Unchanged)
        .map(|entry| (entry.kind, entry.code.as_str(), entry.change.clone()))
        .collect();
    let updated = |fields: &[&str]| Change::Updated(fields.iter().map(|field| (*field).to_owned()).collect());
    assert_eq!(
        changed,
        [
            (Kind::Metric, "api_calls", updated(&["name"])),
            (Kind::Tax, "vat-standard", updated(&["rate"])),
            (Kind::Plan, "team", updated(&["amount_cents", "charges.storage_gb_hours.properties"])),
        ]
    );
    assert!(report.is_settled());
    let after = lago.call("GET", "plans/team", json!(null)).await.1;
    assert_eq!(charge_ids(&after), before);
    assert_eq!(after["plan"]["amount_cents"], 5_900);
}

/// What setup says of the webhook endpoint, before and when it is run.
async fn endpoint_drift(lago: &Standin) -> [Change; 2] {
    let of = |report: billing::Report| {
        let drift = report.entries.into_iter().filter(|entry| entry.change != Change::Unchanged);
        let [entry]: [billing::Entry; 1] = drift.collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(entry.kind, Kind::WebhookEndpoint);
        entry.change
    };
    let told = of(plan(&lago.client, &with_webhook()).await.unwrap());
    let done = of(setup(&lago.client, &with_webhook()).await.unwrap());
    assert!(plan(&lago.client, &with_webhook()).await.unwrap().is_unchanged());
    [told, done]
}

#[tokio::test]
async fn an_endpoint_that_hears_less_hears_everything_again_under_its_own_id() {
    let lago = Standin::start().await;
    setup(&lago.client, &with_webhook()).await.unwrap();
    let endpoint = async || lago.call("GET", "webhook_endpoints", json!(null)).await.1["webhook_endpoints"].clone();
    let before = endpoint().await;
    let path = format!("webhook_endpoints/{}", before[0]["lago_id"].as_str().unwrap());
    let fewer = json!({ "webhook_endpoint": { "event_types": ["invoice.created"], "name": "finance's" } });
    assert_eq!(lago.call("PUT", &path, fewer).await.0, 200);
    let fields = vec!["event_types".to_owned()];
    assert_eq!(endpoint_drift(&lago).await, [Change::Differs(fields.clone()), Change::Updated(fields)]);
    let after = endpoint().await;
    let ids = |list: &serde_json::Value| {
        list.as_array().unwrap().iter().map(|one| one["lago_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&after), ids(&before), "no second one");
    assert_eq!((&after[0]["event_types"], &after[0]["name"]), (&json!(null), &json!("finance's")));
}

/// The stand-in signs by JWT alone: it is told as Lago would keep it, in its data.
#[tokio::test]
async fn an_endpoint_that_signs_otherwise_signs_again_as_is_believed() {
    let lago = Standin::start().await;
    setup(&lago.client, &with_webhook()).await.unwrap();
    let by_hmac = |bytes: &mut Vec<u8>| {
        let jwt = String::from_utf8(std::mem::take(bytes)).unwrap();
        *bytes = jwt.replace(r#""signature_algo":"jwt""#, r#""signature_algo":"hmac""#).into_bytes();
    };
    let lago = lago.restart_on(by_hmac).await;
    let fields = vec!["signature_algo".to_owned()];
    assert_eq!(endpoint_drift(&lago).await, [Change::Differs(fields.clone()), Change::Updated(fields)]);
    let listed = lago.call("GET", "webhook_endpoints", json!(null)).await.1;
    assert_eq!(listed["webhook_endpoints"][0]["signature_algo"], "jwt");
}

#[tokio::test]
async fn what_lago_keeps_because_a_subscription_depends_on_it_is_reported() {
    let lago = Standin::with_acme("team").await;
    let mut catalogue = Catalogue::standard();
    let team = catalogue.plans.iter_mut().find(|plan| plan.code == "team").unwrap();
    team.currency = "USD".to_owned();
    let report = setup(&lago.client, &catalogue).await.unwrap();
    assert!(!report.is_settled());
    assert!(report.to_string().contains("kept by Lago, still different (amount_currency)"), "{report}");
}

#[tokio::test]
async fn a_tenant_becomes_customer_and_subscription_once_and_stays_as_finance_left_it() {
    let lago = Standin::with_acme("team").await;
    lago.call("POST", "customers", json!({ "customer": { "external_id": "acme", "legal_name": "Acme SARL" } })).await;
    ensure_tenant(&lago.client, &acme(), &id("developer"), now()).await.unwrap();
    let customer = lago.call("GET", "customers/acme", json!(null)).await.1;
    assert_eq!(customer["customer"]["legal_name"], "Acme SARL");
    assert_eq!(lago.call("GET", "subscriptions", json!(null)).await.1["meta"]["total_count"], 1);
    assert_eq!(lago.client.subscription(&acme()).await.unwrap().unwrap().plan, "team");
}

#[tokio::test]
async fn what_happens_in_the_tenants_first_second_is_billed() {
    let lago = Standin::start().await;
    setup(&lago.client, &Catalogue::standard()).await.unwrap();
    let created_at = now().trunc_subsecs(0) + Duration::milliseconds(700);
    ensure_tenant(&lago.client, &acme(), &id("team"), created_at).await.unwrap();
    let mut first = event("job:compute_units:0", Metric::ComputeUnits, "5");
    first.timestamp = created_at.timestamp();
    lago.send(first).await;
    assert_eq!(lago.usage_of(Metric::ComputeUnits).await.0, "5");
}

#[tokio::test]
async fn an_unknown_plan_is_refused() {
    let lago = Standin::start().await;
    let error = ensure_tenant(&lago.client, &acme(), &id("gold"), now()).await.unwrap_err();
    assert!(matches!(error, billing::LagoError::Rejected { status: 404, .. }), "{error}");
}

#[tokio::test]
async fn every_active_subscription_is_named_on_however_many_pages() {
    let lago = Standin::with_acme("developer").await;
    let expected: Vec<String> = (100..201).map(|number| format!("tenant-{number}")).collect();
    for tenant in &expected {
        ensure_tenant(&lago.client, &id(tenant), &id("developer"), now()).await.unwrap();
    }
    billing::end_tenant(&lago.client, &acme()).await.unwrap();
    let mut named = lago.client.active_subscriptions().await.unwrap();
    named.sort();
    assert_eq!(named, expected);
}

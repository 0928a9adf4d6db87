//! Whatever changes an amount in Lago is found: each field that somebody may set there, by hand or by another program.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use billing::{Catalogue, Change, Kind, LagoClient, plan, setup};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{KEY, Standin};

/// Something else that stands in an answer.
#[derive(Clone)]
struct Altered {
    /// End of its path.
    of: &'static str,
    pointer: String,
    value: Value,
}

const LARGEST: usize = 1 << 20;
/// The stand-in lists charges as they were sent: this is the one of compute units.
const CHARGE: &str = "/plan/charges/2";

/// A Lago whose answers are the stand-in's but for one value, which it keeps; it remembers what was written.
#[derive(Clone)]
struct Hand {
    to: String,
    altered: Arc<Mutex<Option<Altered>>>,
    written: Arc<Mutex<Vec<Value>>>,
}

impl Hand {
    async fn before(lago: &Standin) -> (Self, LagoClient) {
        let hand = Self { to: format!("http://{}", lago.address), altered: Arc::default(), written: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(hand.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (hand, LagoClient::new(&origin, KEY).unwrap())
    }

    fn sets(&self, of: &'static str, pointer: &str, value: Value) {
        *self.altered.lock().unwrap() = Some(Altered { of, pointer: pointer.to_owned(), value });
    }
}

async fn pass(State(hand): State<Hand>, request: Request) -> impl IntoResponse {
    let (method, path) = (request.method().clone(), request.uri().to_string());
    let body: Bytes = axum::body::to_bytes(request.into_body(), LARGEST).await.unwrap();
    if method != Method::GET {
        hand.written.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    }
    let url = format!("{}{path}", hand.to);
    let answer = reqwest::Client::new().request(method, url).bearer_auth(KEY);
    let answer = answer.header(header::CONTENT_TYPE, "application/json").body(body).send().await.unwrap();
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    let mut told: Value = answer.json().await.unwrap();
    let altered = hand.altered.lock().unwrap().clone();
    if let Some(Altered { of, pointer, value }) = altered
        && path.ends_with(of)
    {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        told.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}: {path}"))[field] = value;
    }
    (status, axum::Json(told))
}

#[tokio::test]
async fn each_field_that_changes_an_amount_is_found_and_mended() {
    const METRIC: &str = "/billable_metrics/compute_units";
    const PLAN: &str = "/plans/team";
    let lago = Standin::start().await;
    setup(&lago.client, &Catalogue::standard()).await.unwrap();
    let (hand, client) = Hand::before(&lago).await;
    assert!(plan(&client, &Catalogue::standard()).await.unwrap().is_unchanged());

    let tax = json!([{ "code": "vat-standard", "name": "VAT", "rate": 20.0 }]);
    let of_metric = [
        ("aggregation_type", json!("max_agg"), json!("sum_agg")),
        ("aggregation_type", json!("custom_agg"), json!("sum_agg")),
        ("field_name", json!("units"), json!("value")),
        ("recurring", json!(true), json!(false)),
        ("rounding_function", json!("ceil"), json!(null)),
        ("expression", json!("event.properties.value * 2"), json!(null)),
        ("filters", json!([{ "key": "region", "values": ["eu"] }]), json!([])),
    ];
    let of_plan = [
        ("interval", json!("yearly"), json!("monthly")),
        ("amount_cents", json!(1), json!(4_900)),
        ("amount_currency", json!("USD"), json!("EUR")),
        ("pay_in_advance", json!(true), json!(false)),
        ("trial_period", json!(7.5), json!(0)),
        ("bill_charges_monthly", json!(true), json!(false)),
        ("minimum_commitment", json!({ "amount_cents": 100 }), json!(null)),
        ("usage_thresholds", json!([{ "amount_cents": 100 }]), json!([])),
        ("fixed_charges", json!([{ "code": "seat" }]), json!([])),
    ];
    let of_charge = [
        ("pay_in_advance", json!(true), json!(false)),
        ("invoiceable", json!(false), json!(true)),
        ("prorated", json!(true), json!(false)),
        ("min_amount_cents", json!(100), json!(0)),
        ("filters", json!([{ "values": { "region": ["eu"] }, "properties": { "amount": "2" } }]), json!([])),
        ("applied_pricing_unit", json!({ "code": "credits", "conversion_rate": "0.5" }), json!(null)),
        ("charge_model", json!("volume"), json!("graduated")),
    ];
    let mut cases: Vec<(Kind, &'static str, String, String, Value, Value)> = Vec::new();
    for (field, value, mended) in of_metric {
        let pointer = format!("/billable_metric/{field}");
        cases.push((Kind::Metric, METRIC, pointer, field.to_owned(), value, mended));
    }
    for (field, value, mended) in of_plan {
        cases.push((Kind::Plan, PLAN, format!("/plan/{field}"), field.to_owned(), value, mended));
    }
    for (field, value, mended) in of_charge {
        let told = format!("charges.compute_units.{field}");
        cases.push((Kind::Plan, PLAN, format!("{CHARGE}/{field}"), told, value, mended));
    }
    for (kind, path, pointer, told, value, mended) in cases {
        hand.sets(path, &pointer, value);
        let drift = plan(&client, &Catalogue::standard()).await.unwrap();
        let found: Vec<_> = drift.entries.iter().filter(|entry| entry.change != Change::Unchanged).collect();
        assert_eq!(found.len(), 1, "{pointer}: {drift}");
        assert_eq!((found[0].kind, &found[0].change), (kind, &Change::Differs(vec![told.clone()])), "{pointer}");

        // What is written would set it right, and what is kept all the same is told.
        hand.written.lock().unwrap().clear();
        let report = setup(&client, &Catalogue::standard()).await.unwrap();
        assert!(
            report.entries.iter().any(|entry| entry.change == Change::Kept(vec![told.clone()])),
            "{pointer}: {report}"
        );
        let written = hand.written.lock().unwrap().clone();
        assert_eq!(written.len(), 1, "{pointer}: {written:?}");
        assert_eq!(written[0].pointer(&pointer), Some(&mended), "{pointer}");
    }

    // A tax of a charge is written by another name than it is told.
    hand.sets(PLAN, "/plan/charges/2/taxes", tax);
    let drift = plan(&client, &Catalogue::standard()).await.unwrap();
    assert!(drift.to_string().contains("(charges.compute_units.taxes)"), "{drift}");
    hand.sets(PLAN, "/plan/taxes", json!([]));
    let drift = plan(&client, &Catalogue::standard()).await.unwrap();
    assert!(drift.to_string().contains("(taxes)"), "{drift}");
    hand.sets(PLAN, "/plan/charges/2/properties/pricing_group_keys", json!(["region"]));
    let drift = plan(&client, &Catalogue::standard()).await.unwrap();
    assert!(drift.to_string().contains("(charges.compute_units.properties)"), "{drift}");
}

/// What the stand-in itself computes with: found, mended, and told as such.
#[tokio::test]
async fn a_tax_of_a_charge_and_a_second_charge_are_found_and_removed() {
    let lago = Standin::start().await;
    setup(&lago.client, &Catalogue::standard()).await.unwrap();
    let tax = json!({ "tax": { "name": "Levy", "code": "levy", "rate": 50 } });
    assert_eq!(lago.call("POST", "taxes", tax).await.0, 200);
    let mut team = lago.call("GET", "plans/team", json!(null)).await.1["plan"].clone();
    let charges = team["charges"].as_array_mut().unwrap();
    for charge in charges.iter_mut() {
        charge["id"] = charge["lago_id"].clone();
        charge["billable_metric_id"] = charge["lago_billable_metric_id"].clone();
    }
    charges[2]["tax_codes"] = json!(["levy"]);
    let mut again = charges[2].clone();
    again["id"] = json!(null);
    again["tax_codes"] = json!([]);
    charges.push(again);
    let body = json!({ "plan": { "charges": charges } });
    assert_eq!(lago.call("PUT", "plans/team", body).await.0, 200);

    let changed = vec!["charges.compute_units.taxes".to_owned(), "charges.compute_units.count".to_owned()];
    let change = |report: billing::Report| {
        let team = report.entries.into_iter().find(|entry| entry.code == "team");
        team.unwrap().change
    };
    let looked = plan(&lago.client, &Catalogue::standard()).await.unwrap();
    assert_eq!(change(looked), Change::Differs(changed.clone()));
    let mended = setup(&lago.client, &Catalogue::standard()).await.unwrap();
    assert_eq!(change(mended), Change::Updated(changed));
    assert!(plan(&lago.client, &Catalogue::standard()).await.unwrap().is_unchanged());
    let team = lago.call("GET", "plans/team", json!(null)).await.1["plan"].clone();
    assert_eq!(team["charges"].as_array().unwrap().len(), 7);
}

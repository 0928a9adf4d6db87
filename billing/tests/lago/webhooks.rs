//! The stand-in tells by webhook, signed and again until it is heard, as Lago does.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::sync::{Arc, Mutex};

use crate::harness::{Standin, acme, event, raw, until};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use billing::{Catalogue, Change, Kind, Metric, NoticeKey, end_tenant, setup, standin};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What came, in its order.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(HeaderMap, Bytes)>>>);

struct Receiver {
    url: String,
    heard: Heard,
}

impl Receiver {
    /// One that answers the first notices with 500, as many as said.
    async fn refusing(first: usize) -> Self {
        let heard = Heard::default();
        let take = move |State(heard): State<Heard>, headers: HeaderMap, body: Bytes| async move {
            let mut all = heard.0.lock().unwrap();
            all.push((headers, body));
            if all.len() <= first { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::NO_CONTENT }
        };
        let router = Router::new().route("/v1/billing/lago-webhook", post(take)).with_state(heard.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/billing/lago-webhook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, heard }
    }

    async fn new() -> Self {
        Self::refusing(0).await
    }

    fn all(&self) -> Vec<(HeaderMap, Bytes)> {
        self.heard.0.lock().unwrap().clone()
    }

    fn kinds(&self) -> Vec<String> {
        let kind =
            |body: &Bytes| serde_json::from_slice::<Value>(body).unwrap()["webhook_type"].as_str().unwrap().to_owned();
        self.all().iter().map(|(_, body)| kind(body)).collect()
    }

    /// The first notice of a kind, once it came.
    async fn hears(&self, kind: &str) -> (HeaderMap, Bytes) {
        until(kind, async || {
            let place = self.kinds().iter().position(|heard| heard == kind)?;
            Some(self.all().swap_remove(place))
        })
        .await
    }
}

async fn told(lago: &Standin, receiver: &Receiver) {
    let catalogue = Catalogue { webhook_url: Some(receiver.url.clone()), ..Catalogue::standard() };
    let report = setup(&lago.client, &catalogue).await.unwrap();
    let endpoint = report.entries.iter().find(|entry| entry.kind == Kind::WebhookEndpoint).unwrap();
    assert_eq!(endpoint.change, Change::Created);
}

/// Whether the signature is Lago's over these bytes, checked without any code of the stand-in's.
fn is_signed(key: &NoticeKey, signature: &str, body: &[u8]) -> bool {
    let der: String = key.0.lines().filter(|line| !line.starts_with("-----")).collect();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, STANDARD.decode(der).unwrap());
    let (signed, mark) = signature.rsplit_once('.').unwrap();
    let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(mark).unwrap()).is_ok()
        && claims["data"].as_str().unwrap().as_bytes() == body
}

#[tokio::test]
async fn a_notice_is_signed_over_its_very_bytes_and_names_the_stand_in() {
    let lago = Standin::with_acme("team").await;
    let receiver = Receiver::new().await;
    told(&lago, &receiver).await;
    let wallet = lago.wallet().await;
    let (headers, body) = receiver.hears("wallet.created").await;
    let key = lago.client.notice_key().await.unwrap();
    assert_eq!(headers["x-lago-signature-algorithm"], "jwt");
    assert_eq!(headers[standin::STAND_IN_HEADER], "zama-jobs");
    let signature = headers["x-lago-signature"].to_str().unwrap();
    assert!(is_signed(&key, signature, &body));
    assert!(!is_signed(&key, signature, b"{}"));
    let notice: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&notice["object_type"], &notice["wallet"]["lago_id"]), (&json!("wallet"), &json!(wallet.id)));
}

#[tokio::test]
async fn what_lago_tells_of_a_tenants_life_and_credits_is_told() {
    let lago = Standin::with_acme("team").await;
    let receiver = Receiver::new().await;
    told(&lago, &receiver).await;
    lago.call("POST", "customers", json!({ "customer": { "external_id": "acme", "name": "Acme" } })).await;
    // More than the credits below: the wallet is used up as soon as Lago looks.
    lago.send(event("cu", Metric::ComputeUnits, "100000")).await;
    let wallet = lago.wallet().await;
    lago.grants(wallet.id, "1").await;
    lago.sells(wallet.id, "2").await;
    lago.call("POST", "events", json!({ "event": { "transaction_id": "stray", "code": "no_such_metric" } })).await;
    let mut nothing = raw("nothing", json!(crate::harness::now().timestamp()));
    nothing["properties"] = json!({});
    lago.call("POST", "events", json!({ "event": nothing })).await;
    end_tenant(&lago.client, &acme()).await.unwrap();
    lago.client.terminate_wallet(wallet.id).await.unwrap();
    let expected = [
        "customer.updated",
        "wallet.created",
        "wallet_transaction.created",
        "wallet.updated",
        "invoice.paid_credit_added",
        "invoice.generated",
        "invoice.payment_status_updated",
        "wallet_transaction.updated",
        "events.errors",
        "invoice.created",
        "subscription.terminated",
        "wallet.depleted_ongoing_balance",
        "wallet.terminated",
    ];
    for kind in expected {
        receiver.hears(kind).await;
    }
    let errors: Value = serde_json::from_slice(&receiver.hears("events.errors").await.1).unwrap();
    let ids = |field: &str| errors["events_errors"][field].as_array().unwrap().len();
    assert_eq!(ids("invalid_code") + ids("missing_aggregation_property"), 1, "each of its kind: {errors}");
    let unexpected: Vec<_> = receiver.kinds().into_iter().filter(|kind| !expected.contains(&kind.as_str())).collect();
    assert_eq!(unexpected, Vec::<String>::new(), "and an event that counts is no news");
    let mut keys: Vec<_> = receiver.all().iter().map(|(headers, _)| headers["x-lago-unique-key"].clone()).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count, "a key for each notice");
}

#[tokio::test]
async fn what_was_not_heard_is_sent_again_word_for_word_and_what_was_heard_is_not() {
    let lago = Standin::with_acme("team").await;
    let receiver = Receiver::refusing(1).await;
    told(&lago, &receiver).await;
    lago.wallet().await;
    until("the second attempt", async || (receiver.all().len() >= 2).then_some(())).await;
    let all = receiver.all();
    assert_eq!(all[0].1, all[1].1);
    assert_eq!(all[0].0["x-lago-unique-key"], all[1].0["x-lago-unique-key"]);
    // Whatever comes now comes after whatever would have been sent again.
    lago.call("POST", "customers", json!({ "customer": { "external_id": "late" } })).await;
    receiver.hears("customer.created").await;
    assert_eq!(receiver.all().len(), 3);
}

#[tokio::test]
async fn a_notice_that_was_not_heard_survives_a_crash() {
    let lago = Standin::with_acme("team").await;
    // Nobody listens there yet.
    let place = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let endpoint = json!({ "webhook_endpoint": { "webhook_url": format!("http://{address}/heard") } });
    assert_eq!(lago.call("POST", "webhook_endpoints", endpoint).await.0, 200);
    let wallet = lago.wallet().await;
    let data = lago.data_file();
    until("the first attempt is noted", async || {
        std::fs::read_to_string(&data).unwrap().contains("\"tries\":1").then_some(())
    })
    .await;
    let lago = lago.crash_and_restart().await;
    let heard = Heard::default();
    let take = |State(heard): State<Heard>, headers: HeaderMap, body: Bytes| async move {
        heard.0.lock().unwrap().push((headers, body));
        StatusCode::OK
    };
    let router = Router::new().route("/heard", post(take)).with_state(heard.clone());
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let body = until("it is heard", async || heard.0.lock().unwrap().first().map(|(_, body)| body.clone())).await;
    let notice: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&notice["webhook_type"], &notice["wallet"]["lago_id"]), (&json!("wallet.created"), &json!(wallet.id)));
    drop(lago);
}

#[tokio::test]
async fn an_endpoint_hears_what_it_asked_for_until_it_is_removed() {
    let lago = Standin::with_acme("team").await;
    let (few, all) = (Receiver::new().await, Receiver::new().await);
    let endpoint = json!({ "webhook_url": few.url, "event_types": ["wallet.updated"] });
    let (status, made) = lago.call("POST", "webhook_endpoints", json!({ "webhook_endpoint": endpoint })).await;
    assert_eq!((status, &made["webhook_endpoint"]["event_types"]), (200, &json!(["wallet.updated"])));
    told(&lago, &all).await;
    let wallet = lago.wallet().await;
    lago.grants(wallet.id, "1").await;
    few.hears("wallet.updated").await;
    all.hears("wallet.created").await;
    let path = format!("webhook_endpoints/{}", made["webhook_endpoint"]["lago_id"].as_str().unwrap());
    assert_eq!(lago.call("DELETE", &path, json!(null)).await.0, 200);
    assert_eq!(lago.call("GET", &path, json!(null)).await.0, 404);
    lago.grants(wallet.id, "1").await;
    until("the other hears it", async || {
        (all.kinds().iter().filter(|kind| *kind == "wallet.updated").count() == 2).then_some(())
    })
    .await;
    assert_eq!(few.kinds(), ["wallet.updated"]);
}

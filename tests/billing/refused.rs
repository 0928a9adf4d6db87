//! A row that Lago refuses for good: set aside with Lago's reason, until somebody has removed the cause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::program::Run;
use crate::stage::{Stage, this_month};
use crate::unreliable::{Forward, LARGEST, serve};

/// A Lago that refuses one event of a batch by its index, and with it the batch, until it is told to take it.
struct Picky {
    origin: String,
    refuses: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Way {
    forward: Forward,
    refused: String,
    refuses: Arc<AtomicBool>,
}

impl Picky {
    async fn before(origin: &str, refused: &str) -> Self {
        let refuses = Arc::new(AtomicBool::new(true));
        let way = Way { forward: Forward::to(origin), refused: refused.to_owned(), refuses: refuses.clone() };
        Self { origin: serve(Router::new().fallback(pass).with_state(way)).await, refuses }
    }

    fn takes_everything(&self) {
        self.refuses.store(false, Ordering::Relaxed);
    }
}

async fn pass(State(way): State<Way>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().to_string());
    let body = axum::body::to_bytes(request.into_body(), LARGEST).await.unwrap();
    if way.refuses.load(Ordering::Relaxed) && path == "/api/v1/events/batch" {
        let batch: Value = serde_json::from_slice(&body).unwrap();
        let mut events = batch["events"].as_array().unwrap().iter();
        if let Some(index) = events.position(|event| event["transaction_id"] == way.refused) {
            let details = json!({ index.to_string(): { "properties": ["value_is_out_of_range"] } });
            let refusal = json!({
                "status": 422, "error": "Unprocessable Entity", "code": "validation_errors", "error_details": details,
            });
            return (StatusCode::UNPROCESSABLE_ENTITY, Json(refusal)).into_response();
        }
    }
    way.forward.pass(method, &path, body).await
}

impl Stage {
    async fn lists_dead_letters(&self) -> Vec<Value> {
        let listed = self.runs(&["--json", "billing", "dead-letters", "list"]).await.ends(0);
        listed.json()["data"].as_array().unwrap().clone()
    }

    async fn retries(&self, row: &str) -> Run {
        self.runs(&["billing", "dead-letters", "retry", row]).await
    }
}

#[tokio::test]
async fn what_lago_refuses_for_good_is_listed_and_arrives_once_its_cause_is_removed() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for (name, units) in [("one", 3), ("two", 7), ("three", 11)] {
        ids.push(stage.used(name, units, Utc::now() - TimeDelta::seconds(2)).await);
    }
    let refused = ids[1].as_str();
    let lago = Picky::before(&stage.origin, refused).await;
    let delivery = stage.delivery_to(&lago.origin);
    let delivers = async || while stage.turn(&delivery).await {};
    delivers().await;
    assert_eq!(stage.event_sums().await["acme compute_units"], 14, "its neighbours arrived");

    let letters = stage.lists_dead_letters().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    let reason = r#"{"properties":["value_is_out_of_range"]}"#;
    assert_eq!((&letters[0]["id"], &letters[0]["tenant"]), (&json!(refused), &json!("acme")));
    assert_eq!((&letters[0]["units"], &letters[0]["reason"]), (&json!(7), &json!(reason)), "Lago's own words");
    let told = stage.runs(&["billing", "dead-letters", "list", "--tenant", "acme"]).await.ends(0);
    assert!(told.stdout.ends_with(&format!("  {refused}  {reason}\n")), "{told:#?}");
    stage.runs(&["billing", "reconcile"]).await.ends(9);

    // The cause is still there.
    stage.retries(refused).await.ends(0);
    delivers().await;
    assert_eq!(stage.lists_dead_letters().await, letters);

    lago.takes_everything();
    assert_eq!(stage.retries(refused).await.ends(0).stdout, "1 rows are due again\n");
    delivers().await;
    assert_eq!(stage.lists_dead_letters().await, Vec::<Value>::new());
    assert_eq!(stage.event_sums().await["acme compute_units"], 21);
    assert_eq!(stage.billed(this_month()).await, "21");
    stage.runs(&["billing", "reconcile"]).await.ends(0);
    let nothing = stage.retries(refused).await.ends(1);
    assert!(nothing.stderr.contains(&format!("no dead letters: {refused}")), "{nothing:#?}");
}

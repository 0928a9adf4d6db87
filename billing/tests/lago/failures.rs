//! A Lago that is away, overloaded, or refuses: each is told apart, nothing is repeated behind the caller's back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::harness::{Standin, acme, event};
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use billing::{Delivery, LagoClient, LagoError, Metric, Patience};
use tokio::net::TcpListener;

#[allow(clippy::unwrap_used)]
async fn lago_that(
    answers: impl Fn(usize) -> (StatusCode, HeaderMap, String) + Clone + Send + Sync + 'static,
) -> (LagoClient, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let subscription = r#"{"subscription":{"lago_id":"00000000-0000-0000-0000-000000000000","external_id":"acme","lago_customer_id":"00000000-0000-0000-0000-000000000000",
        "external_customer_id":"acme","billing_time":"calendar","plan_code":"team","status":"active","created_at":"2020-01-01T00:00:00Z",
        "started_at":"2020-01-01T00:00:00Z","subscription_at":"2020-01-01T00:00:00Z"}}"#;
    let router = Router::new().route("/api/v1/subscriptions/acme", get(move || async move { subscription })).route(
        "/api/v1/events/batch",
        post(move || async move { answers(counter.fetch_add(1, Ordering::SeqCst)).into_response() }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (LagoClient::new(&origin, "key").unwrap(), calls)
}

fn events(count: usize) -> Vec<billing::UsageEvent> {
    (0..count).map(|number| event(&format!("job{number}"), Metric::ApiCalls, "1")).collect()
}

#[tokio::test]
async fn a_closed_port_is_unavailability() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = LagoClient::new(&origin, "key").unwrap();
    for error in [
        client.send(&events(1)).await.unwrap_err(),
        client.get_event("x").await.unwrap_err(),
        client.current_usage(&acme()).await.unwrap_err(),
    ] {
        assert!(matches!(error, LagoError::Unavailable { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_unauthorized_on_both_kinds_of_calls() {
    let lago = Standin::with_acme("developer").await;
    let client = LagoClient::new(&format!("http://{}", lago.address), "wrong").unwrap();
    assert!(matches!(client.get_event("x").await, Err(LagoError::Unauthorized)));
    assert!(matches!(client.current_usage(&acme()).await, Err(LagoError::Unauthorized)));
}

#[tokio::test]
async fn too_many_requests_says_how_long_to_wait() {
    let (client, calls) = lago_that(|_| {
        let headers = HeaderMap::from_iter([("retry-after".parse().unwrap(), "7".parse().unwrap())]);
        (StatusCode::TOO_MANY_REQUESTS, headers, String::new())
    })
    .await;
    let error = client.send(&events(1)).await.unwrap_err();
    assert!(
        matches!(error, LagoError::Unavailable { retry_after: Some(wait), .. } if wait == Duration::from_secs(7)),
        "{error:?}"
    );
    assert_eq!(calls.load(Ordering::SeqCst), 1, "the caller decides on a repeat");
}

/// A Lago that is out of time for so many calls, and then has nothing.
async fn lago_that_is_busy_for(calls: usize) -> (LagoClient, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let answer = move || async move {
        let headers: HeaderMap = HeaderMap::from_iter([("retry-after".parse().unwrap(), "0".parse().unwrap())]);
        let status = if counter.fetch_add(1, Ordering::SeqCst) < calls {
            StatusCode::TOO_MANY_REQUESTS
        } else {
            StatusCode::NOT_FOUND
        };
        (status, headers)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    (LagoClient::new(&origin, "key").unwrap(), asked)
}

/// For as long as Lago asks, which is no time here; the own pause would be an hour.
const PATIENCE: Patience =
    Patience { repeats: 3, pause: Duration::from_secs(3600), longest: Duration::from_secs(3600) };

#[tokio::test]
async fn whoever_has_patience_reads_again_when_lago_says_so_and_not_for_ever() {
    let (client, asked) = lago_that_is_busy_for(3).await;
    assert_eq!(client.patient(PATIENCE).get_event("x").await.unwrap(), None);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    let (client, asked) = lago_that_is_busy_for(4).await;
    assert!(client.patient(PATIENCE).current_usage(&acme()).await.unwrap_err().is_retryable());
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    assert!(client.get_event("x").await.unwrap().is_none(), "the other one has not changed");
    assert_eq!(asked.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn what_is_sent_is_not_repeated_whatever_the_patience() {
    let (client, calls) = lago_that(|_| {
        let headers = HeaderMap::from_iter([("retry-after".parse().unwrap(), "0".parse().unwrap())]);
        (StatusCode::TOO_MANY_REQUESTS, headers, String::new())
    })
    .await;
    assert!(client.patient(PATIENCE).send(&events(1)).await.unwrap_err().is_retryable());
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_refusal_that_names_nobody_is_narrowed_down_to_single_events() {
    let (client, calls) = lago_that(|_| {
        (StatusCode::UNPROCESSABLE_ENTITY, HeaderMap::new(), r#"{"error_details":{"base":["odd"]}}"#.to_owned())
    })
    .await;
    let outcomes = client.send(&events(8)).await.unwrap();
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Delivery::DeadLetter { reason } if reason.contains("odd")))
    );
    assert_eq!(calls.load(Ordering::SeqCst), 15, "each half once");
}

#[tokio::test]
async fn a_refusal_of_the_address_blames_no_event() {
    let (client, _) = lago_that(|_| (StatusCode::NOT_FOUND, HeaderMap::new(), "no such page".to_owned())).await;
    assert!(matches!(client.send(&events(2)).await, Err(LagoError::Rejected { status: 404, .. })));
}

#[tokio::test]
async fn a_server_error_in_the_middle_is_unavailability_and_the_repeat_delivers() {
    let (client, _) = lago_that(|call| {
        let status = if call == 1 { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
        (status, HeaderMap::new(), r#"{"events":[]}"#.to_owned())
    })
    .await;
    let error = client.send(&events(150)).await.unwrap_err();
    assert!(matches!(error, LagoError::Unavailable { .. }), "{error}");
    assert_eq!(client.send(&events(150)).await.unwrap(), vec![Delivery::Delivered; 150]);
}

#[tokio::test]
async fn an_origin_with_a_path_and_an_empty_key_are_refused_at_once() {
    assert!(matches!(LagoClient::new("http://127.0.0.1:1/api/v1", "key"), Err(LagoError::Invalid(_))));
    assert!(matches!(LagoClient::new("http://127.0.0.1:1", ""), Err(LagoError::Invalid(_))));
}

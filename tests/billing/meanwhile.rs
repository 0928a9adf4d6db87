//! What is delivered, and who gets an account, while the books are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use activities::billing_delivery::BillingDelivery;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use store::{PgPool, usage};

use super::faults::used_by_jobs;
use super::unread::ABEL;
use crate::stage::{ACME, Stage, this_month};
use crate::unreliable::{Forward, LARGEST, serve};

/// A way on which the first answer with events arrives after everything that is due was delivered.
#[derive(Clone)]
struct Slow {
    forward: Forward,
    pool: PgPool,
    delivery: Arc<BillingDelivery>,
    is_over: Arc<AtomicBool>,
}

/// From now on everything goes this way; tells whether it has delivered.
async fn slowed(stage: &mut Stage) -> Arc<AtomicBool> {
    let slow = Slow {
        forward: Forward::to(&stage.origin),
        pool: stage.pool().clone(),
        delivery: Arc::new(stage.delivery()),
        is_over: Arc::default(),
    };
    let is_over = slow.is_over.clone();
    stage.origin = serve(Router::new().fallback(pass).with_state(slow)).await;
    is_over
}

async fn pass(State(slow): State<Slow>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().to_string());
    let body = axum::body::to_bytes(request.into_body(), LARGEST).await.unwrap();
    let answer = slow.forward.pass(method, &path, body).await;
    if path.starts_with("/api/v1/events?") && !slow.is_over.swap(true, Ordering::Relaxed) {
        loop {
            let due = usage::overdue(&slow.pool, 0.0, 1000).await.unwrap();
            if due.is_empty() {
                break;
            }
            slow.delivery.deliver(due).await.unwrap();
        }
    }
    answer
}

/// More than a page, and more than anybody would ask for one by one.
#[tokio::test]
async fn rows_that_are_delivered_during_a_reading_are_on_their_way() {
    let mut stage = Stage::new().await;
    used_by_jobs(&stage, &[ACME], 1..=10).await;
    stage.delivers().await;
    used_by_jobs(&stage, &[ACME], 11..=310).await;
    let is_over = slowed(&mut stage).await;
    let report = stage.report(this_month()).await;
    assert!(is_over.load(Ordering::Relaxed) && !report.has_drifted(), "{report:#?}");
    assert_eq!(report.waiting, 300 * 4, "nothing proves yet that they are there");
    let submitted = report.lines.iter().find(|line| line.metric == "jobs_submitted").expect("a line");
    assert_eq!((submitted.ledger.to_string(), submitted.waiting.to_string()), ("310".to_owned(), "300".to_owned()));

    let report = stage.report(this_month()).await;
    assert!(!report.has_drifted() && report.lines.iter().all(|line| line.waiting.is_zero()), "{report:#?}");
    assert_eq!(report.waiting, 0);
}

/// Tenants are listed once, and read one after the other.
#[tokio::test]
async fn an_account_that_is_made_during_a_reading_is_read() {
    let mut stage = Stage::new().await;
    stage.has_abel().await;
    used_by_jobs(&stage, &[ACME], 1..=5).await;
    let is_over = slowed(&mut stage).await;
    let reports = stage.reconciler().all(this_month(), None).await.unwrap();
    assert!(is_over.load(Ordering::Relaxed), "abel is read first");
    assert_eq!(reports.iter().map(|report| report.tenant.as_str()).collect::<Vec<_>>(), [ABEL, ACME]);
    assert!(reports.iter().all(|report| report.has_account && !report.has_drifted()), "{reports:#?}");
}

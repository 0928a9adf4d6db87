//! The recorded cases against the stand-in: the same table that any Lago can be held to.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use crate::harness::{KEY, Standin, acme};
use axum::Router;
use axum::http::Uri;
use axum::response::IntoResponse;
use billing::conformance::{Outcome, Report, Table, Target, run};
use billing::{ExternalId, LagoError, Origin};
use tokio::net::TcpListener;

async fn held(origin: &str, only: &[&str]) -> Report {
    let table = Table::recorded().unwrap();
    let only: Vec<String> = only.iter().map(|wish| (*wish).to_owned()).collect();
    let target = Target { origin: Origin::parse(origin).unwrap(), api_key: KEY.to_owned() };
    run(&target, &table.selected(&only).unwrap(), &mut |_| ()).await.unwrap()
}

#[tokio::test]
async fn the_stand_in_answers_every_case_as_recorded() {
    let lago = Standin::with_acme("team").await;
    let before = lago.client.current_usage(&acme()).await.unwrap();
    let report = held(&format!("http://{}", lago.address), &[]).await;
    let trouble: Vec<_> = report.cases.iter().filter(|case| case.outcome != Outcome::Same).collect();
    assert!(trouble.is_empty(), "{trouble:#?}");
    assert!(report.is_conformant() && report.is_stand_in);
    // It says what stays, and the rest is gone or over.
    let stays: Vec<_> = report.leftovers.iter().map(|left| left.what.as_str()).collect();
    assert!(stays.contains(&"events") && stays.contains(&"subscriptions"), "{stays:?}");
    assert!(!stays.iter().any(|what| what.contains("wallets/") || what.contains("webhook_endpoints/")), "{stays:?}");
    let made = ExternalId::parse(&format!("{}-customer", report.prefix)).unwrap();
    assert!(lago.client.wallets(&made).await.unwrap().iter().all(|wallet| wallet.terminated_at.is_some()));
    assert_eq!(lago.client.current_usage(&acme()).await.unwrap(), before, "others notice nothing");
}

#[tokio::test]
async fn it_runs_twice_against_the_same_lago() {
    let lago = Standin::with_acme("team").await;
    let origin = format!("http://{}", lago.address);
    for _ in 0..2 {
        let report = held(&origin, &["metrics", "current usage"]).await;
        assert!(report.is_conformant(), "{report:#?}");
    }
}

/// A Lago that is none: what it answers is never what is recorded.
#[tokio::test]
async fn what_differs_is_found_and_what_cannot_be_asked_is_said() {
    let anything = |uri: Uri| async move {
        match uri.path() {
            "/health" => "ok".into_response(),
            _ => axum::Json(serde_json::json!({ "billable_metric": { "lago_id": 1 } })).into_response(),
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(anything)).await });
    let report = held(&origin, &["keys", "metrics", "plans: an unknown", "webhooks: show"]).await;
    assert!(!report.is_stand_in && !report.is_conformant());
    for case in &report.cases {
        assert_ne!(case.outcome, Outcome::Same, "{}", case.name);
    }
    let of = |name: &str| report.cases.iter().find(|case| case.name == name).unwrap().outcome.clone();
    let Outcome::Differs(differing) = of("metrics: create a sum") else { panic!("{report:#?}") };
    assert!(differing.iter().any(|what| what.starts_with("/billable_metric/lago_id: expected uuid")), "{differing:?}");
    assert_eq!(of("webhooks: show"), Outcome::Skipped("nothing was captured as endpoint".to_owned()));
}

#[tokio::test]
async fn nobody_there_is_an_error_and_no_report() {
    let table = Table::recorded().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let target = Target { origin, api_key: KEY.to_owned() };
    let nobody = run(&target, &table.selected(&[]).unwrap(), &mut |_| ()).await.unwrap_err();
    assert!(matches!(nobody, LagoError::Unavailable { .. }), "{nobody}");
}

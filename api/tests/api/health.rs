//! Probes, health and metrics.

use std::collections::BTreeMap;

use api::health::{PartName, Sight};
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::app::{Call, TestApp};

#[tokio::test]
async fn a_sound_service_says_so() {
    let app = TestApp::new().await;
    assert_eq!(app.send(Call::get("/livez")).await.expect(200), json!({"status": "alive"}));
    assert_eq!(app.send(Call::get("/readyz")).await.expect(200), json!({"status": "ready"}));
    let health = app.send(Call::get("/v1/health")).await.expect(200);
    assert_eq!(health["status"], "ok");
    let told: BTreeMap<&str, &str> = parts(&health);
    let expected = BTreeMap::from([
        ("database", "ok"),
        ("workflows", "ok"),
        ("worker_jobs", "ok"),
        ("worker_compute", "ok"),
        ("worker_fhe", "off"),
        ("chain", "ok"),
        ("billing", "ok"),
        ("key_manager", "off"),
    ]);
    assert_eq!(told, expected);
    for part in health["parts"].as_object().unwrap().values() {
        assert!(part["since"].as_str().unwrap().ends_with('Z') && part["detail"].is_null(), "{part}");
        assert_eq!(part.as_object().unwrap().len(), 3);
    }
    assert!(health["version"].is_string() && health["time"].as_str().unwrap().ends_with('Z'));
}

fn parts(health: &Value) -> BTreeMap<&str, &str> {
    let parts = health["parts"].as_object().unwrap();
    parts.iter().map(|(name, part)| (name.as_str(), part["status"].as_str().unwrap())).collect()
}

/// Only what an API needs to accept jobs makes it unready.
#[tokio::test]
async fn a_part_that_is_away_is_named_and_does_not_make_the_service_unready() {
    for (part, name) in [
        (PartName::Workflows, "workflows"),
        (PartName::WorkerJobs, "worker_jobs"),
        (PartName::WorkerCompute, "worker_compute"),
        (PartName::Chain, "chain"),
        (PartName::Billing, "billing"),
    ] {
        let app = TestApp::new().await;
        app.parts.are(part, Sight::unavailable("It is away."));
        app.health.look().await;
        let health = app.send(Call::get("/v1/health")).await.expect(200);
        assert_eq!(health["status"], "degraded", "{name}");
        assert_eq!(health["parts"][name]["status"], "unavailable");
        assert_eq!(health["parts"][name]["detail"], "It is away.");
        let away: Vec<_> = parts(&health).into_iter().filter(|(_, status)| *status == "unavailable").collect();
        assert_eq!(away, [(name, "unavailable")]);
        assert_eq!(app.send(Call::get("/readyz")).await.status, 200, "{name}");
        app.parts.are(part, Sight::Ok);
        app.health.look().await;
        assert_eq!(app.send(Call::get("/v1/health")).await.expect(200)["status"], "ok", "{name} is back");
    }
}

#[tokio::test]
async fn what_cannot_be_told_is_not_well() {
    let app = TestApp::new().await;
    app.parts.are(PartName::WorkerJobs, Sight::unknown("Temporal does not answer."));
    app.health.look().await;
    let health = app.send(Call::get("/v1/health")).await.expect(200);
    assert_eq!((&health["status"], &health["parts"]["worker_jobs"]["status"]), (&json!("degraded"), &json!("unknown")));
}

#[tokio::test]
async fn asking_costs_the_parts_nothing() {
    let app = TestApp::new().await;
    let looks = app.parts.looks();
    for _ in 0..20 {
        for path in ["/v1/health", "/readyz"] {
            assert_eq!(app.send(Call::get(path)).await.status, 200);
        }
    }
    assert_eq!(app.parts.looks(), looks);
}

/// A database without a free connection, which is back afterwards.
#[tokio::test]
async fn a_database_that_goes_away_makes_the_service_unready_until_it_is_back() {
    let app = TestApp::new().await;
    assert_eq!(app.send(Call::get("/readyz")).await.status, 200);
    let all = app.pool.options().get_max_connections();
    let held: Vec<_> = stream::iter(0..all).then(async |_| app.pool.acquire().await.unwrap()).collect().await;
    app.health.look().await;
    app.send(Call::get("/readyz")).await.problem("SERVICE_UNAVAILABLE");
    drop(held);
    app.health.look().await;
    assert_eq!(app.send(Call::get("/readyz")).await.status, 200);
}

#[tokio::test]
async fn metrics_name_routes_and_never_ids() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    app.job(&ada, &id).await;
    app.send(Call::get("/scanner/was/here")).await;
    app.send(Call::new("BREW", "/v1/jobs")).await;
    let answer = app.send(Call::get("/metrics")).await;
    assert!(answer.header("content-type").starts_with("text/plain"));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let has = |labels: &[&str]| {
        text.lines()
            .any(|line| line.starts_with("zama_http_requests_total{") && labels.iter().all(|l| line.contains(l)))
    };
    assert!(has(&["route=\"/v1/jobs/{id}\"", "method=\"GET\"", "status=\"200\""]), "{text}");
    assert!(has(&["route=\"/v1/jobs\"", "method=\"POST\"", "status=\"202\""]));
    assert!(has(&["route=\"unmatched\"", "status=\"404\""]));
    assert!(has(&["method=\"other\"", "status=\"405\""]));
    assert!(text.contains("zama_http_request_duration_seconds_bucket"));
    for secret in [id.as_str(), "scanner", "BREW", "acme", ada.token.as_str()] {
        assert!(!text.contains(secret), "{secret}");
    }
}

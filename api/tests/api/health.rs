//! Probes, health and metrics.

use serde_json::json;

use crate::app::{Call, TestApp};

#[tokio::test]
async fn a_sound_service_says_so() {
    let app = TestApp::new().await;
    assert_eq!(app.send(Call::get("/livez")).await.expect(200), json!({"status": "alive"}));
    assert_eq!(app.send(Call::get("/readyz")).await.expect(200), json!({"status": "ready"}));
    let health = app.send(Call::get("/v1/health")).await.expect(200);
    assert_eq!(health["status"], "ok");
    assert_eq!(health["parts"], json!({"database": "ok", "workflows": "ok"}));
    assert!(health["version"].is_string() && health["time"].as_str().unwrap().ends_with('Z'));
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

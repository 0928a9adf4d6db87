//! Which calls are metered, and what the database is told of them.

use api::token::Role;
use serde_json::json;

use crate::app::{Call, TestApp, by_operator};

/// Calls by tenant, as the database knows them.
async fn counted(app: &TestApp) -> Vec<(String, i64)> {
    app.calls.tell(&app.pool).await.unwrap();
    let sums = "SELECT tenant, sum(calls)::bigint FROM api_call_counts GROUP BY tenant ORDER BY tenant";
    sqlx::query_as(sums).fetch_all(&app.pool).await.unwrap()
}

#[tokio::test]
async fn a_call_counts_for_the_tenant_whose_caller_was_let_in() {
    let app = TestApp::new().await;
    let (ada, eve) = (app.developer("ada").await, app.user("other", "eve", Role::Developer).await);
    app.accepted(&ada).await;
    app.get(&ada, "/v1/jobs").await.expect(200);
    app.get(&ada, "/v1/jobs?limit=0").await.problem("INVALID_REQUEST");
    app.get(&eve, &format!("/v1/jobs/{}", jobs::JobId::generate())).await.problem("JOB_NOT_FOUND");
    // Nobody's: without a token, with a wrong one, without a lock, without a route.
    app.send(Call::get("/v1/jobs")).await.problem("INVALID_TOKEN");
    app.send(Call::get("/v1/jobs").token("garbage")).await.problem("INVALID_TOKEN");
    app.send(Call::get("/v1/health")).await.expect(200);
    app.get(&ada, "/v1/nowhere").await.problem("NOT_FOUND");
    let expected = [("acme".to_owned(), 3), ("other".to_owned(), 1)];
    assert_eq!(counted(&app).await, expected);
    assert_eq!(counted(&app).await, expected, "told twice");
    app.get(&eve, "/v1/me").await.expect(200);
    assert_eq!(counted(&app).await, [("acme".to_owned(), 3), ("other".to_owned(), 2)]);
}

#[tokio::test]
async fn processes_count_beside_each_other() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.get(&ada, "/v1/me").await.expect(200);
    let other = api::CallMeter::default();
    for _ in 0..5 {
        other.count(&"acme".parse().unwrap(), chrono::Utc::now());
    }
    other.tell(&app.pool).await.unwrap();
    assert_eq!(counted(&app).await, [("acme".to_owned(), 6)]);
}

#[tokio::test]
async fn a_call_that_the_rate_refuses_costs_nothing() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.plan("default").await;
    let mut answered = 0;
    while app.get(&ada, "/v1/me").await.status == 200 {
        answered += 1;
        assert!(answered < 1000, "the plan has a rate");
    }
    assert_eq!(counted(&app).await, [("acme".to_owned(), answered)]);
}

#[tokio::test]
async fn a_closed_tenant_lets_nobody_in() {
    let app = TestApp::new().await;
    let (ada, eve) = (app.developer("ada").await, app.user("other", "eve", Role::Developer).await);
    app.get(&ada, "/v1/me").await.expect(200);
    let acme = "acme".parse().unwrap();
    store::accounts::close(&app.pool, &acme, &by_operator(&acme)).await.unwrap();
    app.gate.look(&app.pool).await;
    let refused = app.get(&ada, "/v1/me").await;
    assert_eq!(refused.problem("INVALID_TOKEN")["detail"], json!("The tenant is closed."));
    app.get(&eve, "/v1/me").await.expect(200);
    assert_eq!(counted(&app).await, [("acme".to_owned(), 1), ("other".to_owned(), 1)], "and costs nothing");
}

//! Rates of a plan: what is let through, what every answer tells, and what a refusal is good for.

use std::time::Duration;

use api::token::Role;
use api::{Gate, Meters};

use crate::app::{Call, TestApp, policy};
use crate::every_operation::concrete;

#[tokio::test]
async fn who_asks_too_often_is_refused_and_who_waits_as_told_is_not() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.plan("default").await;
    for left in ["3", "2", "1", "0"] {
        let answer = app.get(&ada, "/v1/jobs").await;
        answer.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), r#""minute";q=60;w=60, "hour";q=1000;w=3600"#);
        assert_eq!((answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")), ("60", left));
    }
    let refused = app.get(&ada, "/v1/jobs").await;
    let problem = refused.problem("RATE_LIMIT_EXCEEDED");
    assert!(problem["detail"].as_str().unwrap().contains("60 requests a minute"), "{problem}");
    assert_eq!(refused.header("ratelimit"), r#""minute";r=0;t=4, "hour";r=996;t=15"#);
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    let reset: i64 = refused.header("x-ratelimit-reset").parse().unwrap();
    assert!((reset - chrono::Utc::now().timestamp()).abs() <= 5, "{reset}");

    for _ in 0..10 {
        let wait = app.get(&ada, "/v1/jobs").await.header("retry-after").parse().unwrap();
        app.hands.go(Duration::from_secs(wait));
        app.get(&ada, "/v1/jobs").await.expect(200);
        app.get(&ada, "/v1/jobs").await.problem("RATE_LIMIT_EXCEEDED");
    }
}

#[tokio::test]
async fn a_refused_submission_did_nothing() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.plan("default").await;
    for _ in 0..4 {
        app.get(&ada, "/v1/me").await.expect(200);
    }
    app.submit_with_key(&ada, "k", &crate::app::job(6)).await.problem("RATE_LIMIT_EXCEEDED");
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0);
    app.hands.go(Duration::from_secs(1));
    let accepted = app.submit_with_key(&ada, "k", &crate::app::job(6)).await;
    accepted.expect(202);
    assert!(!accepted.headers.contains_key("idempotency-replayed"));
}

/// Whatever is asked with a credential is metered, and what is refused of it too: a new route is, as soon as it has a lock.
#[tokio::test]
async fn every_route_with_a_lock_is_metered_and_no_other() {
    let app = TestApp::new().await;
    let ada = app.user("acme", "ada", Role::Admin).await;
    app.plan("default").await;
    let document = serde_json::to_value(api::openapi()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(operation) = operation.as_object().filter(|operation| operation.contains_key("responses")) else {
                continue;
            };
            app.hands.go(Duration::from_secs(3600));
            let answer = app.send(Call::new(&method.to_uppercase(), &concrete(path)).by(&ada)).await;
            let metered = answer.headers.contains_key("ratelimit");
            // Some ask for nothing but are locked by other means than a token.
            let locked = operation.get("security").is_some_and(|lock| lock.to_string().contains("bearer"));
            assert_eq!(metered, locked, "{method} {path}: {answer:?}");
            assert!(!locked || answer.header("x-ratelimit-remaining") == "3", "{method} {path} is metered once");
        }
    }
}

#[tokio::test]
async fn a_plan_without_rates_tells_of_none() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    for _ in 0..10 {
        let answer = app.get(&ada, "/v1/me").await;
        answer.expect(200);
        let told = answer.headers.keys().any(|name| name.as_str().contains("ratelimit"));
        assert!(!told, "{answer:?}");
    }
}

#[tokio::test]
async fn a_tenant_nobody_registered_has_the_default_plan() {
    let app = TestApp::new().await;
    let token = app.token("nobody", "ada", Role::Developer, Role::Developer.scopes());
    for _ in 0..4 {
        app.send(Call::get("/v1/me").token(&token)).await.expect(200);
    }
    app.send(Call::get("/v1/me").token(&token)).await.problem("RATE_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn nodes_share_a_rate_and_a_dead_ones_share_is_the_others() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.plan("default").await;
    let other = Gate::new(policy(), Meters::default());
    let passes = async || {
        let mut count = 0;
        while app.get(&ada, "/v1/me").await.status == 200 {
            count += 1;
        }
        app.hands.go(Duration::from_secs(3600));
        count
    };
    assert_eq!(passes().await, 4);
    other.look(&app.pool).await;
    app.gate.look(&app.pool).await;
    assert_eq!(passes().await, 2);
    // It has told nothing for five seconds.
    app.execute("UPDATE api_nodes SET seen_at = seen_at - interval '6 seconds'").await;
    app.gate.look(&app.pool).await;
    assert_eq!(passes().await, 4);
    app.execute("UPDATE api_nodes SET seen_at = seen_at - interval '1 hour'").await;
    app.gate.look(&app.pool).await;
    assert_eq!(app.count("SELECT count(*) FROM api_nodes").await, 1, "the dead are forgotten");
}

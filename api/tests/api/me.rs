//! GET /v1/me

use api::token::{Role, Scope, Scopes};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::app::{Call, TestApp};

#[tokio::test]
async fn a_caller_learns_who_it_is_and_whose_its_jobs_will_be() {
    let app = TestApp::new().await;
    let lea = app.user("acme", "lea", Role::TeamLead).await;
    let me = app.get(&lea, "/v1/me").await.expect(200);
    let expires_at: DateTime<Utc> = me["expires_at"].as_str().unwrap().parse().unwrap();
    let left = (expires_at - Utc::now()).num_seconds();
    assert!((0..=600).contains(&left), "the token's own expiry: {left}");
    let submitter = format!("0x{}", hex::encode(lea.address));
    let expected = json!({
        "tenant": "acme", "user": "lea", "role": "team_lead", "submitter": submitter, "test_mode": false,
        "scopes": ["jobs:submit", "jobs:read", "jobs:read:team"], "expires_at": me["expires_at"],
        "api_key": null
    });
    assert_eq!(me, expected);
    let id = app.accepted(&lea).await;
    assert_eq!(app.job(&lea, &id).await["submitter"], submitter, "as it was told");
}

#[tokio::test]
async fn any_token_may_ask_and_nobody_else() {
    let app = TestApp::new().await;
    app.developer("ada").await;
    for scopes in [vec![], vec![Scope::JobsSubmit]] {
        let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let token = app.token("acme", "ada", Role::Developer, Scopes::from_iter(scopes.clone()));
        let me = app.send(Call::get("/v1/me").token(&token)).await.expect(200);
        assert_eq!((&me["scopes"], &me["user"]), (&json!(names), &json!("ada")));
    }
    for (tenant, user) in [("acme", "ghost"), ("globex", "ada")] {
        let token = app.token(tenant, user, Role::Developer, Role::Developer.scopes());
        let me = app.send(Call::get("/v1/me").token(&token)).await.expect(200);
        assert_eq!((&me["tenant"], &me["submitter"]), (&json!(tenant), &Value::Null), "nobody of that name here");
    }
    app.send(Call::get("/v1/me")).await.problem("INVALID_TOKEN");
}

//! Test keys: the same interface on a sandbox of their own, free, and out of everybody's sight.

use api::token::Role;
use serde_json::json;

use crate::app::{Call, Key, TestApp, User, job};

async fn test_key(app: &TestApp, user: &User) -> Key {
    app.key(user, json!({"test_mode": true})).await
}

#[tokio::test]
async fn a_test_job_is_marked_and_runs_like_any_other() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let test = test_key(&app, &ada).await;
    assert!(test.bearer.token.starts_with("zj_test_"));
    let me = app.get(&test.bearer, "/v1/me").await.expect(200);
    assert_eq!((&me["tenant"], &me["user"], &me["test_mode"]), (&json!("acme--test"), &json!("ada"), &json!(true)));
    assert_eq!(me["submitter"], format!("0x{}", hex::encode(ada.address)), "the user's own");
    let tenant = app.get(&test.bearer, "/v1/tenants/current").await.expect(200);
    assert_eq!((&tenant["test_mode"], &tenant["plan"]), (&json!(true), &json!("development")));

    let id = app.accepted(&test.bearer).await;
    app.complete(&id).await;
    let done = app.job(&test.bearer, &id).await;
    assert_eq!((&done["status"], &done["test_mode"]), (&json!("COMPLETED"), &json!(true)));
    assert_eq!(done["submitter"], me["submitter"]);
    app.get(&test.bearer, &format!("/v1/jobs/{id}/receipt")).await.expect(200);
    let live = app.accepted(&ada).await;
    assert_eq!(app.job(&ada, &live).await["test_mode"], false);
}

#[tokio::test]
async fn neither_side_sees_the_other() {
    let app = TestApp::new().await;
    let (ada, amy) = (app.developer("ada").await, app.user("acme", "amy", Role::Admin).await);
    let test = test_key(&app, &ada).await;
    let live_key = app.key(&ada, json!({})).await;
    let (tested, live) = (app.accepted(&test.bearer).await, app.accepted(&ada).await);
    for (user, seen, hidden) in [
        (&test.bearer, &tested, &live),
        (&ada, &live, &tested),
        (&live_key.bearer, &live, &tested),
        (&amy, &live, &tested),
    ] {
        app.job(user, seen).await;
        for (method, rest) in [("GET", ""), ("GET", "/result"), ("GET", "/receipt"), ("POST", "/cancel")] {
            let call = Call::new(method, &format!("/v1/jobs/{hidden}{rest}")).by(user);
            app.send(call).await.problem("JOB_NOT_FOUND");
        }
        let list = app.get(user, "/v1/jobs").await.expect(200);
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
        let usage = app.get(user, "/v1/usage").await.expect(200);
        assert_eq!(usage["totals"], json!({"jobs_submitted": 1}));
    }
    // A colleague's test key sees what a colleague may see.
    let lea = app.user("acme", "lea", Role::TeamLead).await;
    let leads = test_key(&app, &lea).await;
    app.job(&leads.bearer, &tested).await;
    let bob = app.developer("bob").await;
    let bobs = test_key(&app, &bob).await;
    app.get(&bobs.bearer, &format!("/v1/jobs/{tested}")).await.problem("JOB_NOT_FOUND");
}

#[tokio::test]
async fn one_idempotency_key_is_two_jobs_in_two_modes() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let test = test_key(&app, &ada).await;
    let live = app.submit_with_key(&ada, "k", &job(6)).await.expect(202);
    let tested = app.submit_with_key(&test.bearer, "k", &job(15)).await;
    assert!(!tested.headers.contains_key("idempotency-replayed"));
    assert_ne!(tested.expect(202)["job_id"], live["job_id"]);
}

#[tokio::test]
async fn nothing_of_a_test_is_ever_due() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let test = test_key(&app, &ada).await;
    let (tested, live) = (app.accepted(&test.bearer).await, app.accepted(&ada).await);
    app.complete(&tested).await;
    app.complete(&live).await;
    let rows = app.get(&test.bearer, "/v1/usage").await.expect(200);
    assert_eq!(rows["totals"], app.get(&ada, "/v1/usage").await.expect(200)["totals"], "what it would have cost");
    for row in rows["data"].as_array().unwrap() {
        assert_eq!((&row["test_mode"], &row["delivered_at"]), (&json!(true), &serde_json::Value::Null));
        assert_eq!(row["state"], "test_mode");
    }
    assert!(store::usage::due_for_job(&app.pool, tested.parse().unwrap()).await.unwrap().is_empty());
    assert_eq!(store::usage::due_for_job(&app.pool, live.parse().unwrap()).await.unwrap().len(), 4);
    let overdue = store::usage::overdue(&app.pool, -1.0, 100).await.unwrap();
    assert!(overdue.len() == 4 && overdue.iter().all(|row| row.tenant == "acme"), "{overdue:?}");
    let tenants = store::tenants::list(&app.pool).await.unwrap();
    assert_eq!(tenants.iter().map(|tenant| tenant.id.as_str()).collect::<Vec<_>>(), ["acme"], "billing asks for these");
}

#[tokio::test]
async fn a_test_key_administers_nothing() {
    let app = TestApp::new().await;
    let amy = app.user("acme", "amy", Role::Admin).await;
    let test = test_key(&app, &amy).await;
    let scopes = app.get(&test.bearer, "/v1/me").await.expect(200)["scopes"].clone();
    assert_eq!(scopes, json!(["jobs:submit", "jobs:read", "jobs:read:team"]));
    app.get(&test.bearer, "/v1/users").await.problem("INSUFFICIENT_SCOPE");
    app.json("PUT", &test.bearer, "/v1/users/bob", &json!({"role": "admin"})).await.problem("INSUFFICIENT_SCOPE");
    app.creates_key(&test.bearer, &json!({"name": "n"})).await.problem("INSUFFICIENT_SCOPE");
    let change = json!({"settings": {"confirm_failed": true}});
    app.json("PATCH", &test.bearer, "/v1/tenants/current", &change).await.problem("INSUFFICIENT_SCOPE");
    assert_eq!(app.get(&test.bearer, "/v1/api-keys").await.expect(200)["data"], json!([]), "no live keys");
    app.get(&test.bearer, &test.path()).await.problem("NOT_FOUND");
    // Even if somebody writes the scope into its row.
    app.execute("UPDATE api_keys SET scopes = 'jobs:admin jobs:read'").await;
    app.get(&test.bearer, "/v1/users").await.problem("INSUFFICIENT_SCOPE");
}

#[tokio::test]
async fn a_sandbox_is_entered_with_a_test_key_alone() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let test = test_key(&app, &ada).await;
    let token = app.token("acme--test", "ada", Role::Developer, Role::Developer.scopes());
    app.send(Call::get("/v1/jobs").token(&token)).await.problem("INVALID_TOKEN");
    app.get(&test.bearer, "/v1/jobs").await.expect(200);
}

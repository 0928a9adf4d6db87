//! Who sees whose jobs within a tenant: a developer its own, a team lead the tenant's.

use api::token::{Role, Scope, Scopes};
use serde_json::Value;

use crate::app::{Call, TestApp, job};

fn ids(list: &Value) -> Vec<String> {
    let jobs = list["data"].as_array().unwrap();
    jobs.iter().map(|job| job["job_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_developer_sees_its_own_and_a_lead_the_tenants() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let bob = app.developer("bob").await;
    let lea = app.user("acme", "lea", Role::TeamLead).await;
    let (adas, bobs) = (app.accepted(&ada).await, app.accepted(&bob).await);
    app.complete(&bobs).await;

    assert_eq!(ids(&app.get(&ada, "/v1/jobs").await.expect(200)), *std::slice::from_ref(&adas));
    assert_eq!(ids(&app.get(&lea, "/v1/jobs").await.expect(200)), [bobs.clone(), adas.clone()]);
    for path in ["", "/result", "/receipt"] {
        let path = format!("/v1/jobs/{bobs}{path}");
        app.get(&ada, &path).await.problem("JOB_NOT_FOUND");
        assert_eq!(app.get(&lea, &path).await.status, 200, "{path}");
        assert_eq!(app.get(&bob, &path).await.status, 200, "{path}");
    }
    assert_eq!(app.get(&ada, "/v1/usage").await.expect(200)["totals"], serde_json::json!({"jobs_submitted": 1}));
    assert_eq!(app.get(&lea, "/v1/usage").await.expect(200)["totals"]["jobs_submitted"], 2);
    app.post(&bob, &format!("/v1/jobs/{adas}/cancel")).await.problem("JOB_NOT_FOUND");
}

/// Reading is not acting: who sees a colleague's job may not end it, and is told which scope may.
#[tokio::test]
async fn only_an_admin_cancels_for_others() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let lea = app.user("acme", "lea", Role::TeamLead).await;
    let amy = app.user("acme", "amy", Role::Admin).await;
    let eve = app.user("globex", "eve", Role::Admin).await;
    let id = app.accepted(&ada).await;
    let path = format!("/v1/jobs/{id}/cancel");
    let refused = app.post(&lea, &path).await;
    refused.problem("INSUFFICIENT_SCOPE");
    assert!(refused.header("www-authenticate").contains("scope=\"jobs:admin\""));
    app.post(&eve, &path).await.problem("JOB_NOT_FOUND");
    assert_eq!(app.job(&ada, &id).await["status"], "PENDING", "nothing was done");
    let own = app.accepted(&lea).await;
    assert_eq!(app.post(&lea, &format!("/v1/jobs/{own}/cancel")).await.expect(200)["status"], "CANCELLED");
    assert_eq!(app.post(&amy, &path).await.expect(200)["status"], "CANCELLED");
}

const SUMMARY: [&str; 5] = ["created_at", "estimated_completion", "job_id", "links", "status"];

/// What submits reads nothing: no result, neither by a cancel nor by waiting.
#[tokio::test]
async fn a_token_that_only_submits_learns_no_more_than_that_it_did() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let (done, open) = (app.accepted(&ada).await, app.accepted(&ada).await);
    app.complete(&done).await;
    let token = app.token("acme", "ada", Role::Developer, [Scope::JobsSubmit].into_iter().collect());
    for (id, status) in [(&done, "COMPLETED"), (&open, "CANCELLED")] {
        let answer = app.send(Call::new("POST", &format!("/v1/jobs/{id}/cancel")).token(&token)).await;
        let body = answer.expect(200);
        assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), SUMMARY, "{body}");
        assert_eq!((&body["job_id"], &body["status"]), (&id.as_str().into(), &status.into()));
    }
    // The key's job has ended, so that whoever waits would have it at once.
    let submit = || Call::submit(job(6).to_string()).key("k").header("prefer", "wait=30");
    let ended = app.submit_with_key(&ada, "k", &job(6)).await.expect(202)["job_id"].as_str().unwrap().to_owned();
    app.complete(&ended).await;
    let answer = app.send(submit().token(&token)).await;
    assert_eq!(answer.expect(202).as_object().unwrap().keys().collect::<Vec<_>>(), SUMMARY);
    assert!(!answer.headers.contains_key("preference-applied"), "it was not heeded");
    assert_eq!(app.send(submit().by(&ada)).await.expect(200)["result"]["value"]["number"], "104729");
}

#[tokio::test]
async fn an_admin_who_does_not_read_the_team_learns_no_more_either() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.user("acme", "amy", Role::Admin).await;
    let id = app.accepted(&ada).await;
    app.complete(&id).await;
    let scopes = [Scope::JobsSubmit, Scope::JobsRead, Scope::JobsAdmin];
    let token = app.token("acme", "amy", Role::Admin, scopes.into_iter().collect());
    let body = app.send(Call::new("POST", &format!("/v1/jobs/{id}/cancel")).token(&token)).await.expect(200);
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), SUMMARY);
}

#[tokio::test]
async fn each_request_needs_its_scope() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    let requests = [
        ("POST", "/v1/jobs".to_owned(), "jobs:submit"),
        ("POST", format!("/v1/jobs/{id}/cancel"), "jobs:submit"),
        ("GET", "/v1/jobs".to_owned(), "jobs:read"),
        ("GET", format!("/v1/jobs/{id}"), "jobs:read"),
        ("GET", format!("/v1/jobs/{id}/result"), "jobs:read"),
        ("GET", format!("/v1/jobs/{id}/receipt"), "jobs:read"),
        ("GET", "/v1/usage".to_owned(), "jobs:read"),
    ];
    for (method, path, scope) in requests {
        let others: Scopes =
            [Scope::JobsSubmit, Scope::JobsRead].into_iter().filter(|other| other.as_str() != scope).collect();
        for scopes in [Scopes::default(), others] {
            let token = app.token("acme", "ada", Role::Developer, scopes);
            let answer = app.send(Call::new(method, &path).token(&token)).await;
            answer.problem("INSUFFICIENT_SCOPE");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"insufficient_scope\""));
            assert!(challenge.contains(&format!("scope=\"{scope}\"")), "{challenge}");
        }
    }
}

#[tokio::test]
async fn a_token_of_an_unregistered_user_submits_nothing() {
    let app = TestApp::new().await;
    app.developer("ada").await;
    for (tenant, user) in [("acme", "ghost"), ("nowhere", "ada")] {
        let token = app.token(tenant, user, Role::Developer, Role::Developer.scopes());
        let answer = app.send(Call::submit(job(6).to_string()).token(&token)).await;
        answer.problem("INVALID_TOKEN");
        let list = app.send(Call::get("/v1/jobs").token(&token)).await.expect(200);
        assert_eq!(list["data"], serde_json::json!([]));
    }
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0);
}

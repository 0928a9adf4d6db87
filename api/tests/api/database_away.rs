//! The database is away: 503 with Retry-After, and the process lives.

use api::token::Role;

use crate::app::{Call, TestApp, job};

#[tokio::test]
async fn requests_are_told_to_come_back() {
    let app = TestApp::without_database();
    let token = app.token("acme", "ada", Role::Developer, Role::Developer.scopes());
    let id = jobs::JobId::generate();
    let calls = [
        Call::submit(job(6).to_string()),
        Call::submit(job(6).to_string()).header("prefer", "wait=2"),
        Call::get(&format!("/v1/jobs/{id}")),
        Call::get("/v1/jobs"),
        Call::new("POST", &format!("/v1/jobs/{id}/cancel")),
        Call::get(&format!("/v1/jobs/{id}/result")),
        Call::get(&format!("/v1/jobs/{id}/receipt")),
        Call::get("/v1/usage"),
        Call::get("/readyz"),
    ];
    for call in calls {
        let answer = app.send(call.token(&token)).await;
        let problem = answer.problem("SERVICE_UNAVAILABLE");
        assert!((1..=30).contains(&answer.header("retry-after").parse::<u32>().unwrap()));
        assert!(!problem.to_string().contains("127.0.0.1"), "nothing of the inside is told");
    }
}

#[tokio::test]
async fn what_cannot_be_a_token_is_refused_without_it() {
    let app = TestApp::without_database();
    app.send(Call::submit("{}")).await.problem("INVALID_TOKEN");
    app.send(Call::submit("{}").token("garbage")).await.problem("INVALID_TOKEN");
}

/// Whether a token was revoked stands in the database: as long as nobody knows, it opens nothing.
#[tokio::test]
async fn no_token_is_believed_whose_revocation_nobody_can_look_up() {
    let app = TestApp::without_database();
    let token = app.token("acme", "ada", Role::Developer, Role::Developer.scopes());
    app.send(Call::submit(job(-1).to_string()).token(&token)).await.problem("SERVICE_UNAVAILABLE");
    app.send(Call::get("/v1/fhe/keys").token(&token)).await.problem("SERVICE_UNAVAILABLE");
}

#[tokio::test]
async fn the_process_is_alive_and_honest() {
    let app = TestApp::without_database();
    assert_eq!(app.send(Call::get("/livez")).await.expect(200)["status"], "alive");
    app.health.look().await;
    let health = app.send(Call::get("/v1/health")).await.expect(200);
    assert_eq!(health["status"], "unavailable");
    assert_eq!(health["parts"]["database"]["status"], "unavailable");
    assert_eq!(health["parts"]["workflows"]["status"], "ok");
    assert!(!health.to_string().contains("127.0.0.1"), "nothing of the inside is told");
}

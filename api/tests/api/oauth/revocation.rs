//! Revocation: at once where it was asked for, within a minute everywhere.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use api::token::Role;
use serde_json::json;

use super::{COMMAND_LINE, Program, access_token, form, refresh_token};
use crate::answer::Answer;
use crate::app::TestApp;

impl TestApp {
    async fn revokes(&self, program: &Program, token: &str) -> Answer {
        self.send(form("/v1/oauth/revoke", &[("token", token)]).header("authorization", program.basic())).await
    }
}

#[tokio::test]
async fn a_revoked_token_is_refused_here_at_once_and_soon_everywhere() {
    let app = TestApp::new().await;
    let second = app.beside();
    let program = app.program("robot").await;
    let (token, other) = (app.token_of(&program).await, app.token_of(&program).await);
    second.whoami(&token).await.expect(200);

    let revoked = app.revokes(&program, &token).await;
    assert_eq!((revoked.status.as_u16(), revoked.body.len()), (200, 0));
    revoked.is_not_stored();
    let refused = app.whoami(&token).await;
    assert_eq!(refused.problem("INVALID_TOKEN")["detail"], "The access token was revoked.");
    assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""));
    app.whoami(&other).await.expect(200);

    // The other process watches the database, as it does in a server.
    let stop = CancellationToken::new();
    let (watching, watcher) = (stop.clone(), second.tokens.clone());
    let watch = tokio::spawn(async move { watcher.watch(watching).await });
    let began = Instant::now();
    while second.whoami(&token).await.status == 200 {
        assert!(began.elapsed() < Duration::from_secs(60), "within a minute");
        tokio::task::yield_now().await;
    }
    second.whoami(&other).await.expect(200);
    stop.cancel();
    watch.await.unwrap();
}

/// Many use a token at both processes while it is revoked: each is served until it is refused, and never again.
#[tokio::test]
async fn a_token_that_is_revoked_while_it_is_used_falls_once() {
    let app = TestApp::new().await;
    let second = app.beside();
    let program = app.program("robot").await;
    let token = app.token_of(&program).await;
    let stop = CancellationToken::new();
    let (watching, watcher) = (stop.clone(), second.tokens.clone());
    let watch = tokio::spawn(async move { watcher.watch(watching).await });
    let uses = async |node: &TestApp| {
        let began = Instant::now();
        while node.whoami(&token).await.status == 200 {
            assert!(began.elapsed() < Duration::from_secs(60), "within a minute");
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            node.whoami(&token).await.problem("INVALID_TOKEN");
        }
    };
    let revocation = async {
        for node in [&app, &second] {
            node.whoami(&token).await.expect(200);
        }
        app.revokes(&program, &token).await
    };
    let (revoked, ..) = tokio::join!(revocation, uses(&app), uses(&app), uses(&second), uses(&second));
    assert_eq!(revoked.status, 200);
    stop.cancel();
    watch.await.unwrap();
}

#[tokio::test]
async fn a_deleted_users_tokens_are_refused_here_at_once_and_soon_everywhere() {
    let app = TestApp::new().await;
    let second = app.beside();
    let amy = app.user("acme", "amy", Role::Admin).await;
    let (program, other) = (app.program("robot").await, app.program("android").await);
    let (tokens, person) = (app.token_of(&program).await, app.logged_in("robot").await);
    let (others, robots) = (app.token_of(&other).await, [tokens, access_token(&person)]);
    for token in &robots {
        second.whoami(token).await.expect(200);
    }
    assert_eq!(app.delete(&amy, "/v1/users/robot").await.status, 204);
    second.tokens.look().await.unwrap();
    for node in [&app, &second] {
        for token in &robots {
            node.whoami(token).await.problem("INVALID_TOKEN");
        }
        node.whoami(&others).await.expect(200);
    }
    app.refresh(&refresh_token(&person)).await.refused("invalid_grant");

    // Who is made again under its name has new tokens, and the old ones stay out.
    app.json("PUT", &amy, "/v1/users/robot", &json!({"role": "developer"})).await.expect(201);
    app.tokens.look().await.unwrap();
    for token in &robots {
        app.whoami(token).await.problem("INVALID_TOKEN");
    }
    app.sql("UPDATE oauth_revocations SET revoked_at = revoked_at - interval '1 minute'").await;
    let next = app.program("robot").await;
    let next = app.token_of(&next).await;
    for node in [&app, &second] {
        node.tokens.look().await.unwrap();
        node.whoami(&next).await.expect(200);
    }
}

/// A look that began before a revocation must not undo it here.
#[tokio::test]
async fn a_revocation_is_not_lost_to_a_look_at_the_same_time() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    for _ in 0..20 {
        let token = app.token_of(&program).await;
        let (looked, revoked) = tokio::join!(app.tokens.look(), app.revokes(&program, &token));
        looked.unwrap();
        assert_eq!(revoked.status, 200);
        app.whoami(&token).await.problem("INVALID_TOKEN");
    }
}

#[tokio::test]
async fn a_refresh_token_is_revoked_with_its_session() {
    let app = TestApp::new().await;
    let (tokens, elsewhere) = (app.logged_in("ada").await, app.logged_in("ada").await);
    let parameters = [("token", refresh_token(&tokens)), ("token_type_hint", "refresh_token".to_owned())];
    let parameters = parameters.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = app.send(form("/v1/oauth/revoke", &[&parameters[..], &[COMMAND_LINE]].concat())).await;
    assert_eq!(answer.status, 200);
    app.refresh(&refresh_token(&tokens)).await.refused("invalid_grant");
    app.whoami(&access_token(&tokens)).await.problem("INVALID_TOKEN");
    app.whoami(&access_token(&elsewhere)).await.expect(200);

    // A person's access token alone: the session goes on.
    let token = access_token(&elsewhere);
    assert_eq!(app.send(form("/v1/oauth/revoke", &[("token", &token), COMMAND_LINE])).await.status, 200);
    app.whoami(&token).await.problem("INVALID_TOKEN");
    let next = app.refresh(&refresh_token(&elsewhere)).await.expect(200);
    app.whoami(&access_token(&next)).await.expect(200);
}

#[tokio::test]
async fn a_client_revokes_its_own_tokens_alone() {
    let app = TestApp::new().await;
    let (program, other) = (app.program("robot").await, app.program("android").await);
    let token = app.token_of(&program).await;
    let tokens = app.logged_in("ada").await;
    app.revokes(&other, &token).await.refused("invalid_grant");
    app.revokes(&other, &refresh_token(&tokens)).await.refused("invalid_grant");
    app.send(form("/v1/oauth/revoke", &[("token", &token), COMMAND_LINE])).await.refused("invalid_grant");
    app.whoami(&token).await.expect(200);
    app.refresh(&refresh_token(&tokens)).await.expect(200);

    app.send(form("/v1/oauth/revoke", &[("token", &token)])).await.refused("invalid_client");
    let wrong = Program { secret: "wrong".to_owned(), ..program.clone() };
    app.revokes(&wrong, &token).await.refused("invalid_client");
    app.whoami(&token).await.expect(200);
    app.send(form("/v1/oauth/revoke", &[]).header("authorization", program.basic())).await.refused("invalid_request");
}

#[tokio::test]
async fn what_is_no_token_is_as_good_as_revoked() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let token = app.token_of(&program).await;
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    for nothing in ["garbage", "zjr_nothing", &forged, "a.b.c"] {
        assert_eq!(app.revokes(&program, nothing).await.status, 200, "{nothing} (RFC 7009 2.2)");
    }
    app.whoami(&token).await.expect(200);
    assert_eq!(app.revokes(&program, &token).await.status, 200);
    assert_eq!(app.revokes(&program, &token).await.status, 200, "a second time changes nothing");
}

#[tokio::test]
async fn rows_are_removed_once_nothing_can_ask_for_them() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let token = app.token_of(&program).await;
    app.revokes(&program, &token).await;
    app.logged_in("ada").await;
    let count = async || {
        let rows = "SELECT (SELECT count(*) FROM oauth_revocations) + (SELECT count(*) FROM refresh_tokens)
                         + (SELECT count(*) FROM oauth_sessions) + (SELECT count(*) FROM device_logins)
                         + (SELECT count(*) FROM login_codes)";
        sqlx::query_scalar::<_, i64>(rows).fetch_one(&app.pool).await.unwrap()
    };
    assert_eq!(store::oauth::sweep(&app.pool).await.unwrap(), 0);
    assert_eq!(count().await, 5);
    app.sql("UPDATE oauth_revocations SET expires_at = now() - interval '2 minutes'").await;
    app.sql("UPDATE refresh_tokens SET expires_at = now() - interval '2 minutes'").await;
    app.sql("UPDATE oauth_sessions SET created_at = now() - interval '2 hours'").await;
    app.sql("UPDATE device_logins SET expires_at = now() - interval '2 hours'").await;
    app.sql("UPDATE login_codes SET expires_at = now() - interval '2 minutes'").await;
    assert_eq!(store::oauth::sweep(&app.pool).await.unwrap(), 5);
    assert_eq!(count().await, 0);
}

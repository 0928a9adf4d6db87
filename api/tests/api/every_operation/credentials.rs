//! Without a credential, and with every kind of one that is not valid, no lock opens.

use api::token::Role;
use serde_json::json;

use super::document::concrete;
use super::table::{Lock, Row, TABLE};
use crate::app::{Call, TestApp};
use crate::authentication::Forger;
use crate::oauth::{COMMAND_LINE, access_token, form, refresh_token};

fn call(row: &Row) -> Call {
    Call::new(row.method, &concrete(row.path))
}

fn at(row: &Row) -> String {
    format!("{} {}", row.method, row.path)
}

#[tokio::test]
async fn those_with_a_lock_open_to_nobody_without_the_key() {
    let app = TestApp::new().await;
    for row in TABLE {
        let at = at(row);
        match row.lock {
            Lock::Open => {
                let answer = app.send(call(row)).await;
                assert!(answer.status.is_success(), "{at}: {answer:?}");
            }
            Lock::Own => {
                let basic = call(row).header("authorization", "Basic YTpi");
                for call in [call(row), call(row).token("garbage"), basic] {
                    assert_eq!(app.send(call).await.status, 400, "{at}: nothing is asked for");
                }
            }
            Lock::Credential(_) => {
                let answer = app.send(call(row)).await;
                assert_eq!(answer.problem("INVALID_TOKEN")["instance"], concrete(row.path), "{at}");
                app.send(call(row).token("garbage")).await.problem("INVALID_TOKEN");
                app.send(call(row).header("authorization", "Basic YTpi")).await.problem("INVALID_TOKEN");
            }
        }
    }
}

/// Forged in every way, revoked, of a session or key that has ended, of another kind: what is not valid opens nothing, and
/// says no more than that it is not.
#[tokio::test]
async fn none_opens_to_a_credential_that_is_not_valid() {
    let (app, other) = (TestApp::new().await, TestApp::without_database());
    let ada = app.developer("ada").await;
    let forger = Forger::of(&app, &other, &ada.token);
    let mut invalid: Vec<(&str, String)> = forger.forged(&ada.token);
    invalid.extend(ended(&app).await);
    let expired = [forger.expired(), expired_key(&app).await];
    for row in TABLE.iter().filter(|row| matches!(row.lock, Lock::Credential(_))) {
        for (name, token) in &invalid {
            let answer = app.send(call(row).token(token)).await;
            assert_eq!(answer.json()["code"], "INVALID_TOKEN", "{}: {name}", at(row));
            answer.problem("INVALID_TOKEN");
        }
        for token in &expired {
            app.send(call(row).token(token)).await.problem("TOKEN_EXPIRED");
        }
    }
}

/// Credentials that were good once, or that are of another kind.
async fn ended(app: &TestApp) -> Vec<(&'static str, String)> {
    let program = app.program("robot").await;
    let revoked = app.token_of(&program).await;
    let (_, id) = app.tokens.identify(&revoked).await.unwrap();
    app.tokens.revoke(&id).await.unwrap();

    let session = app.logged_in("lou").await;
    let refresh = refresh_token(&session);
    let over = [("token", refresh.as_str()), COMMAND_LINE];
    assert_eq!(app.send(form("/v1/oauth/revoke", &over)).await.status, 200);

    let amy = app.user("acme", "amy", Role::Admin).await;
    let key = app.key(&amy, json!({})).await;
    let (head, _) = key.bearer.token.rsplit_once('_').unwrap();
    let secret = jobs::ApiKey::generate(jobs::KeyMode::Live);
    let (_, foreign) = secret.as_str().rsplit_once('_').unwrap();
    let swapped = format!("{head}_{foreign}");
    let ended = app.key(&amy, json!({})).await;
    assert_eq!(app.delete(&amy, &ended.path()).await.status, 204);
    let gone = app.user("acme", "gil", Role::Developer).await;
    let orphan = app.key(&gone, json!({})).await;
    assert_eq!(app.delete(&amy, "/v1/users/gil").await.status, 204);
    let sandboxed = app.token("acme--test", "ada", Role::Developer, Role::Developer.scopes());
    vec![
        ("revoked", revoked),
        ("of a session that ended", access_token(&session)),
        ("a refresh token", refresh_token(&session)),
        ("a client's secret", program.secret),
        ("a revoked API key", ended.bearer.token),
        ("an API key of a user who is gone", orphan.bearer.token),
        ("an API key with another one's secret", swapped),
        ("an API key that nobody made", secret.as_str().to_owned()),
        ("a token of a sandbox", sandboxed),
    ]
}

async fn expired_key(app: &TestApp) -> String {
    let ada = app.developer("ada").await;
    let key = app.key(&ada, json!({})).await;
    sqlx::query("UPDATE api_keys SET expires_at = now() - interval '1 minute' WHERE id = $1")
        .bind(&key.id)
        .execute(&app.pool)
        .await
        .unwrap();
    key.bearer.token
}

//! Sessions of people: refresh tokens are used once.

use futures::future::join_all;
use serde_json::Value;

use super::{COMMAND_LINE, access_token, refresh_token};
use crate::app::TestApp;

#[tokio::test]
async fn each_refresh_token_is_used_once_and_brings_the_next() {
    let app = TestApp::new().await;
    let mut tokens = app.logged_in("ada").await;
    for _ in 0..3 {
        let answer = app.refresh(&refresh_token(&tokens)).await;
        answer.is_not_stored();
        let next = answer.expect(200);
        assert_ne!(refresh_token(&next), refresh_token(&tokens));
        let me = app.whoami(&access_token(&next)).await.expect(200);
        assert_eq!((me["user"].as_str(), &next["scope"]), (Some("ada"), &tokens["scope"]));
        app.whoami(&access_token(&tokens)).await.expect(200);
        tokens = next;
    }
}

#[tokio::test]
async fn one_that_comes_again_ends_the_session_with_all_its_tokens() {
    let app = TestApp::new().await;
    let second = app.beside();
    let (stolen, elsewhere) = (app.logged_in("ada").await, app.logged_in("ada").await);
    let owners = app.refresh(&refresh_token(&stolen)).await.expect(200);
    second.whoami(&access_token(&owners)).await.expect(200);
    app.sql("UPDATE refresh_tokens SET used_at = used_at - interval '1 minute'").await;

    app.refresh(&refresh_token(&stolen)).await.refused("invalid_grant");
    app.refresh(&refresh_token(&owners)).await.refused("invalid_grant");
    for tokens in [&stolen, &owners] {
        let refused = app.whoami(&access_token(tokens)).await.problem("INVALID_TOKEN");
        assert_eq!(refused["detail"], "The access token was revoked.");
    }
    second.tokens.look().await.unwrap();
    second.whoami(&access_token(&owners)).await.problem("INVALID_TOKEN");
    // Another session of the same person goes on.
    app.whoami(&access_token(&elsewhere)).await.expect(200);
    app.refresh(&refresh_token(&elsewhere)).await.expect(200);
}

#[tokio::test]
async fn of_many_at_once_one_wins_and_the_session_goes_on() {
    let app = TestApp::new().await;
    let second = app.beside();
    let tokens = app.logged_in("ada").await;
    let token = refresh_token(&tokens);
    let answers =
        join_all((0..12).map(|at| if at % 2 == 0 { app.refresh(&token) } else { second.refresh(&token) })).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "{answers:?}");
    for answer in lost {
        let told = answer.refused("invalid_grant");
        assert!(told.contains("a moment ago"), "the loser reads what the winner got: {told}");
    }
    let winner: Value = won[0].json();
    app.whoami(&access_token(&winner)).await.expect(200);
    app.whoami(&access_token(&tokens)).await.expect(200);
    app.refresh(&refresh_token(&winner)).await.expect(200);
}

#[tokio::test]
async fn a_scope_is_narrowed_for_one_token_and_a_refusal_costs_nothing() {
    let app = TestApp::new().await;
    let tokens = app.logged_in("ada").await;
    let token = refresh_token(&tokens);
    let ask = async |token: &str, scope: &str| {
        let parameters = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope), COMMAND_LINE];
        app.token_request(&parameters).await
    };
    ask(&token, "jobs:admin").await.refused("invalid_scope");
    let narrow = ask(&token, "jobs:read").await.expect(200);
    assert_eq!(narrow["scope"], "jobs:read");
    let wide = app.refresh(&refresh_token(&narrow)).await.expect(200);
    assert_eq!(wide["scope"], "jobs:submit jobs:read", "what was granted stays granted (RFC 6749 6)");

    app.sql("UPDATE users SET role = 'admin' WHERE id = 'ada'").await;
    let raised = app.refresh(&refresh_token(&wide)).await.expect(200);
    assert_eq!(raised["scope"], "jobs:submit jobs:read", "and no more than that");
}

#[tokio::test]
async fn what_is_over_or_foreign_is_refused() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let tokens = app.logged_in("ada").await;
    let token = refresh_token(&tokens);
    let foreign = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &token),
        ("client_id", &program.id),
        ("client_secret", &program.secret),
    ];
    app.token_request(&foreign).await.refused("invalid_grant");
    for nothing in ["zjr_nothing", "garbage", &access_token(&tokens)] {
        app.refresh(nothing).await.refused("invalid_grant");
    }
    app.token_request(&[("grant_type", "refresh_token"), COMMAND_LINE]).await.refused("invalid_request");
    app.sql("UPDATE refresh_tokens SET expires_at = now()").await;
    app.refresh(&token).await.refused("invalid_grant");

    let again = app.logged_in("ada").await;
    let lifetime =
        "SELECT bool_and(expires_at - created_at = interval '30 days') FROM refresh_tokens WHERE used_at IS NULL
                       AND expires_at > now()";
    assert!(sqlx::query_scalar::<_, bool>(lifetime).fetch_one(&app.pool).await.unwrap());
    app.sql("DELETE FROM users WHERE id = 'ada'").await;
    app.refresh(&refresh_token(&again)).await.refused("invalid_grant");
}

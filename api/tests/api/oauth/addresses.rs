//! How often one address may ask for tokens.

use std::time::Duration;

use api::{Networks, Rate, TrustedProxies};

use super::{COMMAND_LINE, form};
use crate::app::{Call, TestApp, policy};

const RATE: Rate = Rate { name: "minute", quota: 60, window: Duration::from_secs(60), burst: 3 };

async fn app() -> TestApp {
    let mut gate = policy();
    gate.token_requests = Some(RATE);
    gate.proxies = TrustedProxies(Networks::read(["10.0.0.0/8"]).unwrap());
    Box::pin(TestApp::with_policy(gate)).await
}

/// A guess at a secret.
fn guess() -> Call {
    form("/v1/oauth/token", &[("grant_type", "client_credentials"), ("client_id", "x"), ("client_secret", "y")])
}

/// A guess at a person's login code.
fn decision() -> Call {
    let guess = [("user_code", "BBBB-BBBB"), ("login_code", "AAAA-AAAA-AAAA-AAAA"), ("decision", "approve")];
    form("/v1/oauth/device/decision", &guess)
}

/// A guess at a secret, by way of a token that is not wanted any more.
fn revocation() -> Call {
    form("/v1/oauth/revoke", &[("token", "nothing"), ("client_id", "x"), ("client_secret", "y")])
}

fn login() -> Call {
    form("/v1/oauth/device_authorization", &[COMMAND_LINE])
}

#[tokio::test]
async fn who_asks_too_often_is_refused_and_who_waits_as_told_is_not() {
    let app = app().await;
    for left in ["2", "1"] {
        let answer = app.send(guess().from("192.0.2.7")).await;
        answer.refused("invalid_client");
        assert_eq!(answer.header("x-ratelimit-remaining"), left);
    }
    // All endpoints where a guess may let somebody in are one limit.
    app.send(login().from("192.0.2.7")).await.expect(200);
    for call in [guess(), login(), decision(), revocation()] {
        let refused = app.send(call.from("192.0.2.7")).await;
        let problem = refused.problem("RATE_LIMIT_EXCEEDED");
        assert_eq!(problem["detail"], "An address has 60 requests a minute, 3 at once.");
        assert_eq!(refused.header("ratelimit-policy"), r#""minute";q=60;w=60"#);
    }
    for _ in 0..5 {
        let wait = app.send(guess().from("192.0.2.7")).await.header("retry-after").parse().unwrap();
        app.hands.go(Duration::from_secs(wait));
        app.send(login().from("192.0.2.7")).await.expect(200);
        app.send(login().from("192.0.2.7")).await.problem("RATE_LIMIT_EXCEEDED");
    }
    assert_eq!(app.count("SELECT count(*) FROM device_logins").await, 6, "what is refused does nothing");
}

#[tokio::test]
async fn an_address_does_not_use_up_anothers_and_cannot_choose_its_own() {
    let app = app().await;
    let passes = async |from: &str, forwarded: Option<&str>| {
        let call = login().from(from);
        let call = if let Some(text) = forwarded { call.header("x-forwarded-for", text) } else { call };
        app.send(call).await.status == 200
    };
    for _ in 0..3 {
        assert!(passes("192.0.2.7", None).await);
    }
    assert!(!passes("192.0.2.7", Some("192.0.2.99")).await, "what a client writes is nothing");
    assert!(passes("192.0.2.8", None).await);
    assert!(passes("10.0.0.1", Some("192.0.2.9")).await, "a trusted proxy says who it is");
    assert!(!passes("10.0.0.1", Some("203.0.113.1, 192.0.2.7")).await, "and is read from the right");
    // Whoever cannot be told apart shares one limit.
    for left in [true, true, true, false] {
        assert_eq!(passes("10.0.0.1", Some("garbage")).await, left);
    }
}

/// What tries a client's secret is a guess, whatever it asks for.
#[tokio::test]
async fn a_revocation_counts_as_a_request_for_a_token() {
    let app = app().await;
    for left in ["2", "1", "0"] {
        let answer = app.send(revocation().from("192.0.2.7")).await;
        answer.refused("invalid_client");
        assert_eq!(answer.header("x-ratelimit-remaining"), left);
    }
    app.send(guess().from("192.0.2.7")).await.problem("RATE_LIMIT_EXCEEDED");
    let own = form("/v1/oauth/revoke", &[("token", "nothing"), COMMAND_LINE]);
    assert_eq!(app.send(own.from("192.0.2.8")).await.status, 200, "another address");
}

#[tokio::test]
async fn nothing_else_of_the_issuer_is_limited_by_address() {
    let app = app().await;
    for _ in 0..5 {
        app.send(Call::get("/.well-known/jwks.json").from("192.0.2.7")).await.expect(200);
        app.send(Call::get("/.well-known/oauth-authorization-server").from("192.0.2.7")).await.expect(200);
    }
    app.send(login().from("192.0.2.7")).await.expect(200);
}

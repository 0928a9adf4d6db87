//! Pages of other origins: none may call the API from a browser, unless the configuration names them.

use api::CorsPolicy;

use crate::app::{Call, TestApp, policy};

fn asks(origin: &str) -> Call {
    Call::new("OPTIONS", "/v1/jobs").header("origin", origin).header("access-control-request-method", "POST")
}

#[tokio::test]
async fn no_page_may_by_default() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.send(asks("https://app.example.com")).await.problem("ORIGIN_NOT_ALLOWED");
    let answer = app.send(Call::get("/v1/me").by(&ada).header("origin", "https://app.example.com")).await;
    answer.expect(200);
    let told = answer.headers.keys().any(|name| name.as_str().starts_with("access-control"));
    assert!(!told && !answer.headers.contains_key("vary"), "{answer:?}");
    // Nothing of CORS: an ordinary request with a method that is not allowed.
    app.send(Call::new("OPTIONS", "/v1/jobs")).await.problem("METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_page_of_a_named_origin_may() {
    let mut gate = policy();
    gate.cors = CorsPolicy::read("https://app.example.com").unwrap();
    let app = TestApp::with_policy(gate).await;
    let ada = app.developer("ada").await;
    let before = app.send(asks("https://app.example.com")).await;
    assert_eq!(before.status, 204);
    assert_eq!(before.header("access-control-allow-origin"), "https://app.example.com");
    assert!(before.header("access-control-allow-methods").contains("POST"));
    assert!(before.header("access-control-allow-headers").contains("authorization"));
    assert!(!before.headers.contains_key("access-control-allow-credentials"), "tokens are no cookies");

    let from = |origin: &str| Call::get("/v1/jobs/none").by(&ada).header("origin", origin);
    let refused = app.send(from("https://app.example.com")).await;
    refused.problem("JOB_NOT_FOUND");
    assert_eq!(refused.header("access-control-allow-origin"), "https://app.example.com", "a page reads refusals too");
    assert!(refused.header("access-control-expose-headers").contains("x-request-id"));
    assert_eq!(refused.header("vary"), "origin");
    for other in ["https://evil.example.com", "http://app.example.com", "null"] {
        let answer = app.send(from(other)).await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{other}");
        assert_eq!(answer.header("vary"), "origin");
        app.send(asks(other)).await.problem("ORIGIN_NOT_ALLOWED");
    }
}

//! One walk over every operation of the OpenAPI document: without a token, with a wrong one, with a wrong method. A new
//! operation is walked as soon as it is documented, and the router documents all it serves.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::app::{Call, TestApp};
use crate::authentication::Forger;

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

/// Operations that need no token. Whoever adds one says so here.
const PUBLIC: [&str; 15] = [
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/docs",
    "/docs/errors",
    "/docs/errors/{code}",
    "/docs/page.css",
    "/docs/page.js",
    "/docs/receipt.schema.json",
    "/livez",
    "/metrics",
    "/openapi.json",
    "/openapi.yml",
    "/readyz",
    "/v1/health",
    "/v1/oauth/device",
];

/// Operations of the issuer, where clients and people prove themselves in their own ways: `oauth` has their refusals.
const BY_OWN_RULES: [&str; 5] = [
    "/v1/billing/lago-webhook",
    "/v1/oauth/device/decision",
    "/v1/oauth/device_authorization",
    "/v1/oauth/revoke",
    "/v1/oauth/token",
];

struct Operation {
    path: String,
    method: String,
    document: Value,
}

fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(api::openapi()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| METHODS.contains(&name.as_str()))
        {
            all.push(Operation { path: path.clone(), method: method.clone(), document: operation.clone() });
        }
    }
    assert!(all.len() > 22, "{}", all.len());
    all
}

pub fn concrete(path: &str) -> String {
    let hash = format!("0x{}", "7c".repeat(32));
    path.replace("{id}", "019cebab-804e-7c41-9b5e-3f2a8d6c1e07")
        .replace("/lines/{code}", "/lines/compute_units")
        .replace("{code}", "JOB_NOT_FOUND")
        .replace("{sha256}", &hash)
        .replace("{key_id}", &hash)
        .replace("{part}", "crs")
}

#[tokio::test]
async fn those_with_a_lock_open_to_nobody_without_the_key() {
    let app = TestApp::new().await;
    for Operation { path, method, document } in operations() {
        let call = || Call::new(&method.to_uppercase(), &concrete(&path));
        if BY_OWN_RULES.contains(&path.as_str()) {
            for call in [call(), call().token("garbage"), call().header("authorization", "Basic YTpi")] {
                assert_eq!(app.send(call).await.status, 400, "{method} {path}: nothing is asked for");
            }
            continue;
        }
        let is_public = PUBLIC.contains(&path.as_str());
        assert_eq!(document.get("security").is_none(), is_public, "{method} {path}: what the document says");
        if is_public {
            let answer = app.send(call()).await;
            assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
            continue;
        }
        let answer = app.send(call()).await;
        assert_eq!(answer.problem("INVALID_TOKEN")["instance"], concrete(&path));
        app.send(call().token("garbage")).await.problem("INVALID_TOKEN");
        app.send(call().header("authorization", "Basic YTpi")).await.problem("INVALID_TOKEN");
        let documented = document["responses"].as_object().unwrap();
        for status in ["401", "500", "503"] {
            assert!(documented.contains_key(status), "{method} {path} documents {status}");
        }
        let scopes = document["security"][0]["bearer"].as_array().unwrap();
        let forbidden = &documented["403"]["content"]["application/problem+json"]["examples"];
        let lacks = forbidden.get("INSUFFICIENT_SCOPE").is_some();
        // API keys may lack a right that needs no scope of its own.
        assert!(lacks || scopes.is_empty(), "{method} {path}: a scope can be lacking");
        assert!(documented.contains_key("429"), "{method} {path} is metered");
    }
}

/// Expired, forged in every way, revoked, of a session that ended: a credential that is not valid opens nothing.
#[tokio::test]
async fn none_opens_to_a_token_that_is_not_valid() {
    let (app, other) = (TestApp::new().await, TestApp::without_database());
    let ada = app.developer("ada").await;
    let forger = Forger::of(&app, &other, &ada.token);
    let mut invalid: Vec<(&str, String)> = forger.forged(&ada.token);
    let program = app.program("robot").await;
    let revoked = app.token_of(&program).await;
    let (_, id) = app.tokens.identify(&revoked).await.unwrap();
    app.tokens.revoke(&id).await.unwrap();
    invalid.push(("revoked", revoked));
    for Operation { path, method, .. } in operations() {
        let is_protected = ![&PUBLIC[..], &BY_OWN_RULES].concat().contains(&path.as_str());
        for (name, token) in invalid.iter().filter(|_| is_protected) {
            let answer = app.send(Call::new(&method.to_uppercase(), &concrete(&path)).token(token)).await;
            assert_eq!(answer.json()["code"], "INVALID_TOKEN", "{method} {path}: {name}");
            answer.problem("INVALID_TOKEN");
        }
        if is_protected {
            let expired = Call::new(&method.to_uppercase(), &concrete(&path)).token(&forger.expired());
            app.send(expired).await.problem("TOKEN_EXPIRED");
        }
    }
}

#[tokio::test]
async fn another_method_is_refused_with_those_that_are_allowed() {
    let app = TestApp::new().await;
    let operations = operations();
    let paths: BTreeSet<&String> = operations.iter().map(|operation| &operation.path).collect();
    for path in paths {
        let documented: BTreeSet<String> = operations
            .iter()
            .filter(|operation| operation.path == *path)
            .map(|operation| operation.method.to_uppercase())
            .collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE"] {
            if documented.contains(method) {
                continue;
            }
            let answer = app.send(Call::new(method, &concrete(path)).header("x-request-id", "walk")).await;
            answer.problem("METHOD_NOT_ALLOWED");
            let allowed: BTreeSet<String> =
                answer.header("allow").split(',').map(|name| name.trim().to_owned()).collect();
            let mut expected = documented.clone();
            if expected.contains("GET") {
                expected.insert("HEAD".to_owned());
            }
            assert_eq!(allowed, expected, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn each_says_what_it_is_and_what_can_go_wrong() {
    let mut names = BTreeSet::new();
    for Operation { path, method, document } in operations() {
        let at = format!("{method} {path}");
        assert!(names.insert(document["operationId"].as_str().expect(&at).to_owned()), "{at}: an id of its own");
        assert!(document["summary"].as_str().is_some_and(|text| !text.is_empty()), "{at}");
        for (status, response) in document["responses"].as_object().unwrap() {
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{at} {status}");
            if status.as_str() >= "400" {
                // The issuer's refusals are those of its RFCs.
                let by_rfc = BY_OWN_RULES.contains(&path.as_str()) && ["400", "401"].contains(&status.as_str());
                let media_type = match by_rfc {
                    true if path.ends_with("/decision") => "text/html",
                    true => "application/json",
                    false => "application/problem+json",
                };
                assert!(response["content"][media_type].is_object(), "{at} {status}");
            }
        }
    }
}

//! Two versions from one server, and what is about to go.

use api::{Retirement, Retirements};
use serde_json::{Value, json};

use crate::app::{Call, PUBLIC_URL, TestApp};

#[tokio::test]
async fn a_job_is_the_same_in_both_versions() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    app.complete(&id).await;
    let (first, path) = (app.job(&ada, &id).await, format!("/v2/jobs/{id}"));
    let answer = app.get(&ada, &path).await;
    let second = answer.expect(200);
    for (old, new) in [
        ("/job_id", "/id"),
        ("/status", "/state/status"),
        ("/progress", "/state/progress"),
        ("/error", "/state/error"),
        ("/created_at", "/times/created"),
        ("/completed_at", "/times/completed"),
        ("/result", "/result"),
        ("/blockchain_confirmation", "/confirmation"),
        ("/usage", "/usage"),
        ("/links/receipt", "/links/receipt"),
    ] {
        assert_eq!(first.pointer(old), second.pointer(new), "{old} is {new}");
        assert!(second.pointer(new).is_some(), "{new}");
    }
    assert_eq!(
        (&second["state"]["is_final"], &second["links"]["self"]),
        (&json!(true), &json!(format!("{PUBLIC_URL}{path}")))
    );
    assert_eq!(answer.header("link"), format!("<{PUBLIC_URL}/v1/jobs/{id}>; rel=\"predecessor-version\""));
    let again = Call::get(&path).by(&ada).header("if-none-match", answer.header("etag"));
    assert_eq!(app.send(again).await.status, 304);
    let bob = app.developer("bob").await;
    app.get(&bob, &path).await.problem("JOB_NOT_FOUND");
}

fn retirement(deprecated: &str, sunset: Option<&str>) -> Retirement {
    Retirement {
        deprecated_at: deprecated.parse().unwrap(),
        sunset_at: sunset.map(|text| text.parse().unwrap()),
        link: sunset.map(|_| "https://docs.example.com/v2".to_owned()),
    }
}

#[tokio::test]
async fn what_is_about_to_go_says_so_in_every_answer_and_in_the_document() {
    let retired = [
        ("v1".to_owned(), retirement("2026-01-31T00:00:00Z", Some("2027-01-31T00:00:00Z"))),
        ("get_usage".to_owned(), retirement("2025-12-31T00:00:00Z", None)),
    ];
    let app = TestApp::with_retirements(Retirements::new(retired.into()).unwrap()).await;
    let ada = app.developer("ada").await;
    let refused = Call::get("/v1/jobs/019cebab-804e-7c41-9b5e-3f2a8d6c1e07");
    for call in [
        Call::get("/v1/jobs").by(&ada),
        Call::get("/v1/jobs"),
        refused.by(&ada),
        Call::new("HEAD", "/v1/jobs").by(&ada),
    ] {
        let answer = app.send(call).await;
        assert_eq!(answer.header("deprecation"), "@1769817600", "{answer:?}");
        assert_eq!(answer.header("sunset"), "Sun, 31 Jan 2027 00:00:00 GMT");
        let links: Vec<_> = answer.headers.get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
        let link = "<https://docs.example.com/v2>; rel=";
        assert_eq!(
            links,
            [format!("{link}\"deprecation\"; type=\"text/html\""), format!("{link}\"sunset\"; type=\"text/html\"")]
        );
    }
    let usage = app.get(&ada, "/v1/usage").await;
    assert_eq!(usage.header("deprecation"), "@1767139200", "an operation's own word goes first");
    assert!(!usage.headers.contains_key("sunset") && !usage.headers.contains_key("link"));
    for path in ["/livez", "/v2/jobs/019cebab-804e-7c41-9b5e-3f2a8d6c1e07", "/nowhere"] {
        assert!(!app.get(&ada, path).await.headers.contains_key("deprecation"), "{path}");
    }

    let document = app.send(Call::get("/openapi.json")).await.expect(200);
    let yaml = app.send(Call::get("/openapi.yml")).await;
    let shown = &document["paths"]["/v1/jobs"]["get"];
    assert_eq!(shown["deprecated"], true);
    let told = "Deprecated since 2026-01-31, and may be gone from 2027-01-31 on: https://docs.example.com/v2.";
    assert!(shown["description"].as_str().unwrap().ends_with(told), "{shown}");
    assert!(String::from_utf8_lossy(&yaml.body).contains(told));
    for header in ["Deprecation", "Sunset", "Link"] {
        assert!(shown["responses"]["200"]["headers"][header].is_object(), "{header}");
    }
    assert_eq!(document["paths"]["/v2/jobs/{id}"]["get"]["deprecated"], Value::Null);
}

#[tokio::test]
async fn nothing_is_about_to_go_unless_it_is_set() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let answer = app.get(&ada, "/v1/jobs").await;
    assert!(["deprecation", "sunset", "link"].iter().all(|name| !answer.headers.contains_key(*name)));
}

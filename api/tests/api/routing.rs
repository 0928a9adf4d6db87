//! Where there is no route; HEAD and OPTIONS.

use crate::app::{Call, TestApp};

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    let long = format!("/{}", "x".repeat(30_000));
    let event = format!("/v1/jobs/{id}/nothing");
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/jobs",
        "/v1/jobs/",
        "/v1//jobs",
        "/V1/jobs",
        "/v1/jobs%2f",
        "/%ff%00",
        "/.env",
        &event,
        &long,
    ] {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            let answer = app.send(Call::new(method, path).by(&ada)).await;
            let problem = answer.problem("NOT_FOUND");
            assert_eq!(problem["instance"], path);
            assert!(problem["detail"].as_str().unwrap().len() < 300);
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    app.complete(&id).await;
    let paths = ["", "/result", "/receipt"].map(|part| format!("/v1/jobs/{id}{part}"));
    let others =
        ["/v1/jobs", "/v1/usage", "/livez", "/openapi.yml", "/docs", "/v1/jobs/unknown", "/nowhere"].map(str::to_owned);
    for path in paths.into_iter().chain(others) {
        let get = app.get(&ada, &path).await;
        let head = app.send(Call::new("HEAD", &path).by(&ada)).await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        let names = |answer: &crate::answer::Answer| {
            let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
            names.retain(|name| name != "content-length");
            names.sort();
            names
        };
        assert_eq!(names(&head), names(&get), "{path}");
        // A problem tells its time, with as many digits as it needs.
        if let (200, Some(length)) = (get.status.as_u16(), head.headers.get("content-length")) {
            assert_eq!(length.to_str().unwrap().parse(), Ok(get.body.len()), "{path}");
        }
    }
}

#[tokio::test]
async fn options_tells_what_is_allowed() {
    let app = TestApp::new().await;
    for (path, allowed) in [("/v1/jobs", ["GET", "HEAD", "POST"].as_slice()), ("/livez", &["GET", "HEAD"])] {
        let answer = app.send(Call::new("OPTIONS", path)).await;
        answer.problem("METHOD_NOT_ALLOWED");
        let mut told: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        told.sort_unstable();
        assert_eq!(told, allowed, "{path}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "no browser of another site is let in");
    }
}

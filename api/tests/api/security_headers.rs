//! Security headers stand on every answer, whatever it is.

use crate::app::{Call, TestApp};

#[tokio::test]
async fn they_stand_on_every_answer() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    let job = format!("/v1/jobs/{id}");
    let tag = app.get(&ada, &job).await.header("etag").to_owned();
    let calls = [
        Call::get("/v1/jobs").by(&ada),
        Call::get(&job).by(&ada).header("if-none-match", tag),
        Call::submit(crate::app::job(6).to_string()).by(&ada),
        Call::submit("garbage").by(&ada),
        Call::get("/v1/jobs"),
        Call::get("/nowhere"),
        Call::new("PUT", "/v1/jobs"),
        Call::new("HEAD", "/livez"),
        Call::get("/metrics"),
        Call::get("/openapi.yml"),
        Call::get("/docs"),
    ];
    for call in calls {
        let answer = app.send(call).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(answer.header("strict-transport-security").starts_with("max-age="));
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert!(!answer.headers.contains_key("server"));
    }
}

#[tokio::test]
async fn what_belongs_to_a_tenant_is_in_no_shared_cache() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    app.complete(&id).await;
    for path in ["", "/result"] {
        let answer = app.get(&ada, &format!("/v1/jobs/{id}{path}")).await;
        assert!(answer.header("cache-control").starts_with("private"), "{path}");
    }
}

//! Security headers stand on every answer, whatever it is.

use api::{Networks, TrustedProxies};

use crate::app::{Call, TestApp, policy};

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
        assert!(!answer.headers.contains_key("strict-transport-security"), "nothing is told over plain HTTP");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert!(!answer.headers.contains_key("server"));
    }
}

#[tokio::test]
async fn https_alone_is_asked_for_over_https_alone() {
    let mut gate = policy();
    gate.proxies = TrustedProxies(Networks::read(["10.0.0.0/8"]).unwrap());
    let app = TestApp::with_policy(gate).await;
    let told = async |call: Call| {
        let answer = app.send(call).await;
        answer
            .headers
            .contains_key("strict-transport-security")
            .then(|| answer.header("strict-transport-security").to_owned())
    };
    let through = |address: &str, proto: &str| Call::get("/livez").from(address).header("x-forwarded-proto", proto);
    assert_eq!(told(through("10.1.2.3", "https")).await.as_deref(), Some("max-age=31536000; includeSubDomains"));
    assert_eq!(told(through("10.1.2.3", "http")).await, None);
    assert_eq!(told(through("192.0.2.1", "https")).await, None, "anybody can write that");
    assert_eq!(told(Call::get("/livez").from("10.1.2.3")).await, None);
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

//! Networks that a tenant's requests may come from, and proxies that say where they come from.

use api::{Networks, TrustedProxies};
use store::limits::rules::Change;

use crate::app::{Call, TestApp, policy};

fn only(networks: &[&str]) -> Change {
    let networks = networks.iter().map(|network| (*network).to_owned()).collect();
    Change { allowed_networks: Some(networks), ..Change::default() }
}

#[tokio::test]
async fn requests_come_from_the_tenants_networks_or_are_refused() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let eve = app.user("globex", "eve", api::token::Role::Developer).await;
    app.rules(only(&["192.0.2.0/24", "2001:db8::/32"])).await;
    for allowed in ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"] {
        app.send(Call::get("/v1/me").by(&ada).from(allowed)).await.expect(200);
    }
    for refused in ["192.0.3.7", "2001:db9::7", "127.0.0.1"] {
        let problem = app.send(Call::get("/v1/me").by(&ada).from(refused)).await.problem("ADDRESS_NOT_ALLOWED");
        assert!(problem["detail"].as_str().unwrap().contains(refused), "{problem}");
        app.send(Call::get("/v1/me").by(&eve).from(refused)).await.expect(200);
    }
    // No proxy is trusted: what a client writes is nothing.
    let lie = Call::get("/v1/me").by(&ada).from("192.0.3.7").header("x-forwarded-for", "192.0.2.7");
    app.send(lie).await.problem("ADDRESS_NOT_ALLOWED");
    app.send(Call::get("/v1/me").by(&ada)).await.problem("ADDRESS_NOT_ALLOWED");
    app.rules(only(&[])).await;
    app.send(Call::get("/v1/me").by(&ada).from("192.0.3.7")).await.expect(200);
}

#[tokio::test]
async fn a_trusted_proxy_says_where_requests_come_from() {
    let mut gate = policy();
    gate.proxies = TrustedProxies(Networks::read(["10.0.0.0/8"]).unwrap());
    let app = TestApp::with_policy(gate).await;
    let ada = app.developer("ada").await;
    app.rules(only(&["192.0.2.0/24"])).await;
    let through = |forwarded: &str| Call::get("/v1/me").by(&ada).from("10.0.0.1").header("x-forwarded-for", forwarded);
    app.send(through("192.0.2.7")).await.expect(200);
    app.send(through("garbage, 192.0.2.7, 10.9.9.9")).await.expect(200);
    for refused in ["192.0.2.7, 203.0.113.1", "192.0.2.7, unknown", "192.0.2.7,"] {
        app.send(through(refused)).await.problem("ADDRESS_NOT_ALLOWED");
    }
    app.send(Call::get("/v1/me").by(&ada).from("10.0.0.1")).await.problem("ADDRESS_NOT_ALLOWED");
}

/// Over a real connection: the server itself sees where it comes from.
#[tokio::test]
async fn the_other_end_of_a_connection_is_seen() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let server = app.listen().await;
    let request = format!(
        "GET /v1/me HTTP/1.1\r\nhost: zama\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
        ada.token
    );
    app.rules(only(&["127.0.0.0/8"])).await;
    assert!(server.exchange(&request).await.starts_with("HTTP/1.1 200 "));
    app.rules(only(&["192.0.2.0/24"])).await;
    let refused = server.exchange(&request).await;
    assert!(refused.starts_with("HTTP/1.1 403 ") && refused.contains("127.0.0.1"), "{refused}");
}

//! The device grant: a device waits, a person decides.

use std::collections::BTreeSet;

use super::{COMMAND_LINE, access_token, form, refresh_token};
use crate::app::{Call, PUBLIC_URL, TestApp};

#[tokio::test]
async fn a_person_lets_a_device_in() {
    let app = TestApp::new().await;
    app.developer("ada").await;
    let device = app.device(&[]).await;
    let members: BTreeSet<_> = device.as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["device_code", "expires_in", "interval", "user_code", "verification_uri", "verification_uri_complete"];
    assert_eq!(members, BTreeSet::from(expected));
    assert_eq!(device["verification_uri"], format!("{PUBLIC_URL}/v1/oauth/device"));
    app.poll(&device).await.refused("authorization_pending");

    let page = device["verification_uri_complete"].as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap();
    let page = app.send(Call::get(page)).await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").contains("form-action 'self'"));
    assert!(String::from_utf8_lossy(&page.body).contains(device["user_code"].as_str().unwrap()));

    let code = app.login_code("ada").await;
    let typed = code.to_lowercase().replace('-', " ");
    assert_eq!(app.decide(&device, &typed, "approve").await.status, 200);
    let answer = app.poll(&device).await;
    answer.is_not_stored();
    let tokens = answer.expect(200);
    assert_eq!((tokens["expires_in"].as_i64(), tokens["scope"].as_str()), (Some(900), Some("jobs:submit jobs:read")));
    let me = app.whoami(&access_token(&tokens)).await.expect(200);
    assert_eq!((me["tenant"].as_str(), me["user"].as_str()), (Some("acme"), Some("ada")));
    app.refresh(&refresh_token(&tokens)).await.expect(200);

    app.poll(&device).await.refused("invalid_grant");
    let other = app.device(&[]).await;
    assert_eq!(app.decide(&other, &code, "approve").await.status, 400, "a login code is used once");
    app.poll(&other).await.refused("authorization_pending");
}

#[tokio::test]
async fn a_device_that_asks_too_often_is_slowed_down_and_let_in_all_the_same() {
    let app = TestApp::new().await;
    app.developer("ada").await;
    let device = app.device(&[]).await;
    app.poll(&device).await.refused("authorization_pending");
    app.poll(&device).await.refused("slow_down");
    app.poll(&device).await.refused("slow_down");
    let interval = "SELECT interval_seconds FROM device_logins";
    assert_eq!(sqlx::query_scalar::<_, i32>(interval).fetch_one(&app.pool).await.unwrap(), 15, "five more each time");
    app.sql("UPDATE device_logins SET polled_at = now() - interval '15 seconds'").await;
    app.poll(&device).await.refused("authorization_pending");
    let code = app.login_code("ada").await;
    app.decide(&device, &code, "approve").await;
    app.poll(&device).await.expect(200);
}

#[tokio::test]
async fn a_person_refuses_a_device() {
    let app = TestApp::new().await;
    app.developer("ada").await;
    let device = app.device(&[]).await;
    let code = app.login_code("ada").await;
    assert_eq!(app.decide(&device, &code, "deny").await.status, 200);
    app.poll(&device).await.refused("access_denied");
    let again = app.login_code("ada").await;
    assert_eq!(app.decide(&device, &again, "approve").await.status, 400, "it is decided");
}

#[tokio::test]
async fn what_takes_too_long_is_over() {
    let app = TestApp::new().await;
    app.developer("ada").await;
    let (waiting, approved) = (app.device(&[]).await, app.device(&[]).await);
    let (code, late) = (app.login_code("ada").await, app.login_code("ada").await);
    app.decide(&approved, &code, "approve").await;
    app.sql("UPDATE device_logins SET expires_at = now()").await;
    app.poll(&waiting).await.refused("expired_token");
    app.poll(&approved).await.refused("expired_token");
    assert_eq!(app.decide(&waiting, &late, "approve").await.status, 400);

    let fresh = app.device(&[]).await;
    app.sql("UPDATE login_codes SET expires_at = now()").await;
    assert_eq!(app.decide(&fresh, &late, "approve").await.status, 400);
    app.poll(&fresh).await.refused("authorization_pending");
}

#[tokio::test]
async fn codes_cannot_be_guessed_with_one_login_code() {
    let app = TestApp::new().await;
    app.developer("ada").await;
    let device = app.device(&[]).await;
    let code = app.login_code("ada").await;
    let nobodys = serde_json::json!({"user_code": "BBBB-BBBB"});
    for _ in 0..5 {
        assert_eq!(app.decide(&nobodys, &code, "approve").await.status, 400);
    }
    assert_eq!(app.decide(&device, &code, "approve").await.status, 400, "used up by guessing");
    for (wrong, decision) in [("", "approve"), ("AAAA-AAAA-AAAA-AAAA", "approve"), (code.as_str(), "perhaps")] {
        assert_eq!(app.decide(&device, wrong, decision).await.status, 400);
    }
    app.poll(&device).await.refused("authorization_pending");
}

#[tokio::test]
async fn a_device_gets_what_it_asked_for_and_the_person_may() {
    let app = TestApp::new().await;
    app.developer("ada").await;
    let let_in = async |scope: &'static str| {
        let device = app.device(&[("scope", scope)]).await;
        let code = app.login_code("ada").await;
        app.decide(&device, &code, "approve").await;
        app.poll(&device).await
    };
    assert_eq!(let_in("jobs:read jobs:admin").await.expect(200)["scope"], "jobs:read");
    let_in("jobs:admin").await.refused("access_denied");
    let unknown = form("/v1/oauth/device_authorization", &[COMMAND_LINE, ("scope", "jobs:all")]);
    app.send(unknown).await.refused("invalid_scope");
}

#[tokio::test]
async fn the_grant_is_for_people_and_for_who_began() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let credentials = [("client_id", program.id.as_str()), ("client_secret", program.secret.as_str())];
    app.send(form("/v1/oauth/device_authorization", &credentials)).await.refused("unauthorized_client");
    app.send(form("/v1/oauth/device_authorization", &[])).await.refused("invalid_client");
    let device = app.device(&[]).await;
    let code = ("device_code", device["device_code"].as_str().unwrap());
    let foreign = [&[("grant_type", super::DEVICE_GRANT), code], credentials.as_slice()].concat();
    app.token_request(&foreign).await.refused("invalid_grant");
    app.poll(&serde_json::json!({"device_code": "zjd_nothing"})).await.refused("invalid_grant");
}

#[tokio::test]
async fn nothing_of_the_address_reaches_the_page_but_a_code() {
    let app = TestApp::new().await;
    let answer = app.send(Call::get("/v1/oauth/device?user_code=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")).await;
    let page = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(!page.contains("<script") && !page.contains("alert("), "{page}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

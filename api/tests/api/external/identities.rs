//! Who somebody of another issuer is here: user, role, tenant, and what a second factor is needed for.

use serde_json::{Value, json};

use super::{ONCE, config, corp, issuers};
use crate::app::{Call, TestApp, job};
use api::token::Role;

/// What `GET /v1/me` tells whoever holds the token.
async fn me(app: &TestApp, token: &str) -> Value {
    app.whoami(token).await.expect(200)
}

#[tokio::test]
async fn whoever_is_seen_for_the_first_time_is_made_a_user_without_an_address() {
    let (corp, app) = corp(ONCE).await;
    let amy = app.user("acme", "amy", Role::Admin).await;
    let token = corp.token(&json!({}));
    let ada = me(&app, &token).await;
    assert_eq!((&ada["tenant"], &ada["role"], &ada["submitter"]), (&json!("acme"), &json!("developer"), &Value::Null));
    assert_eq!(ada["scopes"], json!(["jobs:submit", "jobs:read"]));
    let name = ada["user"].as_str().unwrap();
    assert!(name.starts_with("corp-"), "{name}");
    app.send(Call::submit(job(6).to_string()).token(&token)).await.problem("SUBMITTER_MISSING");
    assert_eq!(app.get(&amy, &format!("/v1/users/{name}")).await.expect(200)["role"], "developer");

    // Again, by another token: the same. Somebody else: another one, whatever name its issuer gives it.
    assert_eq!(me(&app, &corp.token(&json!({"jti": "2"}))).await["user"], name);
    let other = me(&app, &corp.token(&json!({"sub": "amy", "preferred_username": "amy"}))).await;
    assert!(other["user"] != "amy" && other["user"] != name, "{other}");
    assert_eq!(app.count("SELECT count(*) FROM users").await, 3);

    // It proves an address as any user does.
    let challenge = Call::new("POST", "/v1/me/submitter/challenge").header("content-type", "application/json");
    let body = json!({"submitter": "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"}).to_string();
    assert!(app.send(challenge.body(body).token(&token)).await.status.is_success());
}

#[tokio::test]
async fn of_many_first_requests_at_once_one_makes_the_user() {
    let (corp, app) = corp(ONCE).await;
    let token = corp.token(&json!({}));
    let answers = futures::future::join_all((0..12).map(|_| app.whoami(&token))).await;
    let names: std::collections::BTreeSet<String> =
        answers.iter().map(|answer| answer.expect(200)["user"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 1);
    assert_eq!(app.count("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn who_means_nobody_here_is_refused_as_that() {
    let (corp, app) = corp(ONCE).await;
    for (changes, why) in [
        (json!({"realm_access": {"roles": ["offline_access"]}}), "roles"),
        (json!({"realm_access": null}), "roles"),
        (json!({"org": "Initech"}), "no tenant"),
        (json!({"org": null}), "no tenant"),
        (json!({"org": ["Acme Inc.", "Globex"]}), "no tenant"),
        (json!({"org": "Globex"}), "not registered"),
    ] {
        let refused = app.whoami(&corp.token(&changes)).await.problem("IDENTITY_NOT_MAPPED");
        assert!(refused["detail"].as_str().unwrap().contains(why), "{changes}: {refused}");
    }
    assert_eq!(app.count("SELECT count(*) FROM users").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM external_identities").await, 0);
}

#[tokio::test]
async fn a_tenant_may_be_the_issuers_own() {
    let provider = super::Provider::start().await;
    let mut config = config("corp", &provider);
    (config.tenant, config.tenant_claim, config.tenants) = ("globex".to_owned(), String::new(), String::new());
    let app = TestApp::with_issuers(issuers(&[config], ONCE)).await;
    store::tenants::ensure_tenant(&app.pool, &"globex".parse().unwrap(), "development").await.unwrap();
    assert_eq!(me(&app, &provider.token(&json!({"org": "Acme Inc."}))).await["tenant"], "globex");
}

#[tokio::test]
async fn a_role_is_what_the_issuer_says_now() {
    let (corp, app) = corp(ONCE).await;
    let lead = json!({"realm_access": {"roles": ["zama-developer", "zama-lead"]}});
    assert_eq!(me(&app, &corp.token(&lead)).await["role"], "team_lead");
    assert_eq!(app.count("SELECT count(*) FROM users WHERE role = 'team_lead'").await, 1);
    let lowered = me(&app, &corp.token(&json!({}))).await;
    assert_eq!(lowered["scopes"], json!(["jobs:submit", "jobs:read"]));
    // What speaks for the user otherwise follows: its API keys bring no more than that.
    assert_eq!(app.count("SELECT count(*) FROM users WHERE role = 'developer'").await, 1);
    let narrow = me(&app, &corp.token(&json!({"scope": "openid jobs:read"}))).await;
    assert_eq!(narrow["scopes"], json!(["jobs:read"]));
}

/// No operation makes such a user, and none raises it: a token does, in whatever request it comes.
#[tokio::test]
async fn what_an_issuers_token_makes_of_its_user_is_in_the_audit_log() {
    let (corp, app) = corp(ONCE).await;
    let admin = corp.admin(&json!({"amr": ["otp"]}));
    let name = me(&app, &admin).await["user"].as_str().unwrap().to_owned();
    me(&app, &admin).await;
    let lowered = Call::get("/v1/me").token(&corp.token(&json!({"sub": "root"}))).header("x-request-id", "theirs");
    app.send(lowered).await.expect(200);
    let entries = app.audit("acme", "&action=follow_issuer").await;
    let path = |user: &str| format!("/v1/users/{user}");
    let other = entries.iter().find(|entry| entry["request_id"] == "theirs").expect("another user");
    assert_ne!(other["target"], path(&name), "{other}");
    assert_eq!(other["detail"]["role"], "developer");
    let of_amy: Vec<_> = entries.iter().filter(|entry| entry["target"] == path(&name)).collect();
    assert_eq!(of_amy.len(), 1, "nothing changed the second time: {entries:?}");
    assert_eq!((&of_amy[0]["user"], &of_amy[0]["credential"]), (&json!(name), &json!("external_token")));
    assert_eq!(of_amy[0]["detail"], json!({"role": "admin", "issuer": corp.issuer}));
}

#[tokio::test]
async fn whom_an_admin_deleted_stays_out_until_it_is_made_again() {
    let (corp, app) = corp(ONCE).await;
    let second = app.beside_with(issuers(&[config("corp", &corp)], ONCE));
    let amy = app.user("acme", "amy", Role::Admin).await;
    let token = corp.token(&json!({}));
    let name = me(&app, &token).await["user"].as_str().unwrap().to_owned();
    assert_eq!(app.delete(&amy, &format!("/v1/users/{name}")).await.status, 204);
    for node in [&app, &second] {
        let refused = node.whoami(&token).await.problem("INVALID_TOKEN");
        assert_eq!(refused["detail"], "The token's user was deleted.");
        node.whoami(&corp.token(&json!({"jti": "new"}))).await.problem("INVALID_TOKEN");
    }
    assert_eq!(app.count("SELECT count(*) FROM users").await, 1);
    app.json("PUT", &amy, &format!("/v1/users/{name}"), &json!({"role": "team_lead"})).await.expect(201);
    assert_eq!(me(&second, &token).await["role"], "developer", "what it is, its issuer says");
}

#[tokio::test]
async fn administration_needs_a_second_factor_and_says_how_to_get_it() {
    let (corp, app) = corp(ONCE).await;
    let ada = app.developer("ada").await;
    let job = app.accepted(&ada).await;
    let weak = corp.admin(&json!({"amr": ["pwd"], "acr": "1"}));
    let seen = me(&app, &weak).await;
    assert_eq!(
        (&seen["role"], &seen["scopes"]),
        (&json!("admin"), &json!(["jobs:submit", "jobs:read", "jobs:read:team"]))
    );
    let cancel = || Call::new("POST", &format!("/v1/jobs/{job}/cancel"));
    for call in [Call::get("/v1/users"), Call::new("DELETE", "/v1/users/ada"), cancel()] {
        let refused = app.send(call.token(&weak)).await;
        refused.problem("MFA_REQUIRED");
        let challenge = refused.header("www-authenticate");
        assert!(challenge.starts_with("Bearer realm="), "{challenge}");
        assert!(challenge.contains(r#"error="insufficient_user_authentication""#), "{challenge}");
        assert!(challenge.contains(r#"acr_values="gold""#), "{challenge}");
    }
    // A key that it makes is no way around.
    let wish = Call::new("POST", "/v1/api-keys").header("content-type", "application/json").token(&weak);
    let key = app.send(wish.body(json!({"name": "n"}).to_string())).await.expect(201);
    assert_eq!(key["scopes"], json!(["jobs:submit", "jobs:read", "jobs:read:team"]));

    for strong in [json!({"amr": ["pwd", "otp"]}), json!({"acr": "gold"})] {
        app.send(Call::get("/v1/users").token(&corp.admin(&strong))).await.expect(200);
    }
    let strong = corp.admin(&json!({"amr": ["otp"]}));
    assert_eq!(app.send(cancel().token(&strong)).await.expect(200)["status"], "CANCELLED");
    // Who asked for less has less, and no login mends that.
    let narrow = corp.admin(&json!({"amr": ["pwd"], "scope": "jobs:read"}));
    app.send(Call::get("/v1/users").token(&narrow)).await.problem("INSUFFICIENT_SCOPE");
}

//! Programs with a secret.

use api::token::REVOKED_FOR;
use api::token::secret::{SecretKind, hash, new_secret};
use serde_json::json;
use store::oauth::clients::{self, NewProof, ProofRotation};

use super::{COMMAND_LINE, Program, access_token, form};
use crate::app::{Call, TestApp, draft_by_operator};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn a_program_gets_a_token_that_opens_the_api() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let basic = app.send(form("/v1/oauth/token", &[GRANT]).header("authorization", program.basic())).await;
    basic.is_not_stored();
    let given = basic.expect(200);
    assert_eq!((&given["token_type"], &given["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(given["scope"], "jobs:submit jobs:read");
    assert!(given.get("refresh_token").is_none(), "none for a program (RFC 6749 4.4.3)");
    let me = app.whoami(&access_token(&given)).await.expect(200);
    assert_eq!((&me["tenant"], &me["user"]), (&json!("acme"), &json!("robot")));

    let post = [GRANT, ("client_id", &program.id), ("client_secret", &program.secret)];
    let posted = app.token_request(&post).await.expect(200);
    app.whoami(&access_token(&posted)).await.expect(200);

    let claims: serde_json::Value =
        jsonwebtoken::dangerous::insecure_decode(access_token(&given)).map(|token| token.claims).unwrap();
    assert_eq!((&claims["client_id"], &claims["sub"]), (&json!(program.id), &json!("robot")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    for required in ["iss", "aud", "nbf", "jti"] {
        assert!(!claims[required].is_null(), "{required} (RFC 9068 2.2)");
    }
}

#[tokio::test]
async fn scopes_are_narrowed_and_never_widened() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let ask = async |scope: &str| {
        app.token_request(&[GRANT, ("client_id", &program.id), ("client_secret", &program.secret), ("scope", scope)])
            .await
    };
    let narrow = ask("jobs:read").await.expect(200);
    assert_eq!(narrow["scope"], "jobs:read");
    app.send(Call::submit("{}").token(&access_token(&narrow))).await.problem("INSUFFICIENT_SCOPE");
    for scope in ["jobs:admin", "jobs:read jobs:admin", "jobs:all", "jobs:read,jobs:submit"] {
        ask(scope).await.refused("invalid_scope");
    }
    assert_eq!(ask("").await.expect(200)["scope"], "jobs:submit jobs:read", "an empty parameter is none");

    // The role that counts is that of now.
    app.sql("UPDATE users SET role = 'admin' WHERE id = 'robot'").await;
    assert_eq!(ask("jobs:admin").await.expect(200)["scope"], "jobs:admin");
    app.sql("UPDATE oauth_clients SET scope = 'jobs:read'").await;
    ask("jobs:admin").await.refused("invalid_scope");
}

#[tokio::test]
async fn whoever_does_not_prove_itself_learns_nothing() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let (id, secret) = (program.id.as_str(), program.secret.as_str());
    let mut said = Vec::new();
    for parameters in [
        vec![("client_id", id), ("client_secret", "zjs_wrong")],
        vec![("client_id", "zjc_unknown"), ("client_secret", secret)],
        vec![("client_id", "zama-jobs-cli"), ("client_secret", secret)],
        vec![("client_id", id)],
        vec![],
    ] {
        said.push(app.token_request(&[&[GRANT], parameters.as_slice()].concat()).await.refused("invalid_client"));
    }
    let wrong = Program { secret: "wrong".to_owned(), ..program.clone() };
    for header in [wrong.basic(), "Basic !!!".to_owned(), "Bearer abc".to_owned(), "Basic".to_owned()] {
        let call = form("/v1/oauth/token", &[GRANT]).header("authorization", header);
        said.push(app.send(call).await.refused("invalid_client"));
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");

    let both = form("/v1/oauth/token", &[GRANT, ("client_id", id), ("client_secret", secret)]);
    app.send(both.header("authorization", program.basic())).await.refused("invalid_request");
    let two = form("/v1/oauth/token", &[GRANT, ("client_id", "zjc_another")]);
    app.send(two.header("authorization", program.basic())).await.refused("invalid_request");
    app.token_request(&[GRANT, COMMAND_LINE]).await.refused("unauthorized_client");
}

#[tokio::test]
async fn requests_are_read_as_the_rfc_says() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let credentials = [("client_id", program.id.as_str()), ("client_secret", program.secret.as_str())];
    let with = |parameters: &[(&'static str, &'static str)]| [parameters, &credentials].concat();
    app.token_request(&credentials).await.refused("invalid_request");
    app.token_request(&with(&[("grant_type", "password")])).await.refused("unsupported_grant_type");
    app.token_request(&with(&[("grant_type", "")])).await.refused("invalid_request");
    app.token_request(&with(&[GRANT, GRANT])).await.refused("invalid_request");
    app.token_request(&with(&[GRANT, ("unknown", "is ignored")])).await.expect(200);

    let json = Call::new("POST", "/v1/oauth/token").header("content-type", "application/json");
    app.send(json.body(json!({"grant_type": "client_credentials"}).to_string())).await.refused("invalid_request");
    app.send(form("/v1/oauth/token", &[]).body(vec![b'a'; 70_000])).await.problem("PAYLOAD_TOO_LARGE");
    app.send(form("/v1/oauth/token", &[]).body("grant_type=%ff%00")).await.refused("invalid_request");
    let query = format!("/v1/oauth/token?grant_type=client_credentials&client_id={}", program.id);
    app.send(form(&query, &[])).await.refused("invalid_request");
    app.send(Call::get("/v1/oauth/token")).await.problem("METHOD_NOT_ALLOWED");
}

/// Texts that no database takes, or that nobody could be called by, are refused before anybody is looked for.
#[tokio::test]
async fn what_cannot_be_a_name_is_the_name_of_nobody() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    for id in ["a%00b", "%00", "zjc_%F0%9F%94%91", "a%20b", &"z".repeat(10_000)] {
        let named = Program { id: id.to_owned(), secret: program.secret.clone() };
        for path in ["/v1/oauth/token", "/v1/oauth/revoke", "/v1/oauth/device_authorization"] {
            let call = form(path, &[GRANT, ("token", "x")]).header("authorization", named.basic());
            app.send(call).await.refused("invalid_client");
        }
    }
}

#[tokio::test]
async fn an_old_secret_counts_while_it_overlaps() {
    let app = TestApp::new().await;
    let before = app.program("robot").await;
    let ask =
        async |secret: &str| app.token_request(&[GRANT, ("client_id", &before.id), ("client_secret", secret)]).await;
    let rotated = async |overlap: f64| {
        let secret = new_secret(SecretKind::ClientSecret);
        let proof = NewProof::Secret(hash(&secret));
        let rotation = ProofRotation { id: &before.id, proof: &proof, overlap_seconds: overlap };
        assert!(clients::rotate(&app.pool, &rotation, &draft_by_operator()).await.unwrap());
        secret
    };
    let second = rotated(3600.0).await;
    ask(&before.secret).await.expect(200);
    ask(&second).await.expect(200);
    app.sql("UPDATE oauth_clients SET previous_secret_until = now()").await;
    ask(&before.secret).await.refused("invalid_client");
    let third = rotated(0.0).await;
    ask(&second).await.refused("invalid_client");
    ask(&third).await.expect(200);
}

#[tokio::test]
async fn a_removed_program_is_out_with_its_tokens() {
    let app = TestApp::new().await;
    let (program, other) = (app.program("robot").await, app.program("android").await);
    let (token, others) = (app.token_of(&program).await, app.token_of(&other).await);
    let lifetime = REVOKED_FOR.as_secs_f64();
    assert!(clients::delete(&app.pool, &program.id, lifetime, &draft_by_operator()).await.unwrap());
    app.tokens.look().await.unwrap();
    app.whoami(&token).await.problem("INVALID_TOKEN");
    app.whoami(&others).await.expect(200);
    let parameters = [GRANT, ("client_id", &program.id), ("client_secret", &program.secret)];
    app.token_request(&parameters).await.refused("invalid_client");
}

#[tokio::test]
async fn no_secret_stands_in_the_database() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let token = app.token_of(&program).await;
    let tokens = app.logged_in("ada").await;
    let device = app.device(&[]).await;
    let code = app.login_code("ada").await;
    let mut rows = String::new();
    for query in [
        "SELECT t::text FROM token_keys t",
        "SELECT t::text FROM oauth_clients t",
        "SELECT t::text FROM oauth_sessions t",
        "SELECT t::text FROM refresh_tokens t",
        "SELECT t::text FROM login_codes t",
        "SELECT t::text FROM device_logins t",
    ] {
        let found: Vec<String> = sqlx::query_scalar(query).fetch_all(&app.pool).await.unwrap();
        assert!(!found.is_empty(), "{query}");
        rows.extend(found);
    }
    let refresh = tokens["refresh_token"].as_str().unwrap();
    for secret in [program.secret.as_str(), &token, refresh, device["device_code"].as_str().unwrap(), &code] {
        assert!(!rows.contains(secret) && !rows.contains(&hex::encode(secret)), "{secret}");
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_told_as_everywhere() {
    let app = TestApp::without_database();
    let parameters = [GRANT, ("client_id", "zjc_any"), ("client_secret", "zjs_any")];
    let answer = app.token_request(&parameters).await;
    answer.problem("SERVICE_UNAVAILABLE");
    assert!(answer.headers.contains_key("retry-after"));
}

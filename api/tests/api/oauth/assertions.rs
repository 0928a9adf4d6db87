//! Programs with a key of their own (`private_key_jwt`).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use store::oauth::clients::NewProof;

use super::{Program, access_token, form};
use crate::answer::Answer;
use crate::app::{ISSUER, PUBLIC_URL, TestApp};
use api::token::Role;

const TYPE: (&str, &str) = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
const GRANT: (&str, &str) = ("grant_type", "client_credentials");

struct Signer {
    pkcs8: Vec<u8>,
    point: Vec<u8>,
}

impl Signer {
    fn new() -> Self {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
        Self { pkcs8: document.as_ref().to_vec(), point: pair.public_key().as_ref().to_vec() }
    }

    fn jwk(&self) -> Value {
        let [x, y] = [&self.point[1..33], &self.point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "one", "use": "sig"})
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("one".to_owned());
        encode(&header, claims, &EncodingKey::from_ec_der(&self.pkcs8)).unwrap()
    }
}

/// What a program says of itself, each time with another id.
fn claims(client: &str, changes: &Value) -> Value {
    let now = Utc::now().timestamp();
    let mut claims = json!({
        "iss": client, "sub": client, "aud": ISSUER, "iat": now, "exp": now + 60,
        "jti": uuid::Uuid::new_v4().to_string()
    });
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

async fn registered(app: &TestApp, signer: &Signer) -> String {
    app.developer("robot").await;
    let keys = api::public_keys(&signer.jwk().to_string()).unwrap();
    app.program_with("robot", NewProof::Keys(keys), Role::Developer.scopes()).await
}

async fn ask(app: &TestApp, assertion: &str) -> Answer {
    app.token_request(&[GRANT, TYPE, ("client_assertion", assertion)]).await
}

#[tokio::test]
async fn a_program_signs_for_itself() {
    let (app, signer) = (TestApp::new().await, Signer::new());
    let client = registered(&app, &signer).await;
    let endpoint = format!("{PUBLIC_URL}/v1/oauth/token");
    for audience in [json!(ISSUER), json!(endpoint), json!([ISSUER, "https://other.test"])] {
        let answer = ask(&app, &signer.sign(&claims(&client, &json!({ "aud": audience })))).await;
        let tokens = answer.expect(200);
        app.whoami(&access_token(&tokens)).await.expect(200);
        assert!(tokens.get("refresh_token").is_none());
    }
    // A NumericDate may have parts of seconds.
    let exact = signer.sign(&claims(&client, &json!({"exp": Utc::now().timestamp() as f64 + 30.5})));
    ask(&app, &exact).await.expect(200);
    let named = [GRANT, TYPE, ("client_id", &client), ("client_assertion", &signer.sign(&claims(&client, &json!({}))))];
    let token = access_token(&app.token_request(&named).await.expect(200));
    let assertion = signer.sign(&claims(&client, &json!({})));
    let revoked =
        app.send(form("/v1/oauth/revoke", &[TYPE, ("client_assertion", &assertion), ("token", &token)])).await;
    assert_eq!(revoked.status, 200);
    app.whoami(&token).await.problem("INVALID_TOKEN");
}

#[tokio::test]
async fn an_assertion_is_accepted_once_in_all_processes() {
    let (app, signer) = (TestApp::new().await, Signer::new());
    let second = app.beside();
    let client = registered(&app, &signer).await;
    let assertion = signer.sign(&claims(&client, &json!({})));
    let answers =
        futures::future::join_all([&app, &second, &app, &second].into_iter().map(|node| ask(node, &assertion))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    ask(&app, &assertion).await.refused("invalid_client");
}

#[tokio::test]
async fn whatever_is_wrong_with_it_it_is_refused_alike() {
    let (app, signer, stranger) = (TestApp::new().await, Signer::new(), Signer::new());
    let client = registered(&app, &signer).await;
    let other = registered(&app, &stranger).await;
    let now = Utc::now().timestamp();
    let signed = |changes: Value| signer.sign(&claims(&client, &changes));
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims(&client, &json!({}))));
    let confused =
        encode(&Header::new(Algorithm::HS256), &claims(&client, &json!({})), &EncodingKey::from_secret(&signer.point))
            .unwrap();
    let mut said = Vec::new();
    for (name, assertion) in [
        ("expired", signed(json!({"exp": now - 60}))),
        ("no end", signed(json!({"exp": null}))),
        ("valid for a day", signed(json!({"exp": now + 86_400}))),
        ("valid tomorrow", signed(json!({"nbf": now + 86_400}))),
        ("for somebody else", signed(json!({"aud": "https://other.test"}))),
        ("for nobody", signed(json!({"aud": null}))),
        ("no id", signed(json!({"jti": null}))),
        ("an empty id", signed(json!({"jti": ""}))),
        ("an endless id", signed(json!({"jti": "x".repeat(300)}))),
        ("an id that no database takes", signed(json!({"jti": "a\u{0}b"}))),
        ("a name that no database takes", signed(json!({"iss": "a\u{0}", "sub": "a\u{0}"}))),
        ("an end that is no time", signed(json!({"exp": 1e30}))),
        ("another issuer", signed(json!({"iss": other}))),
        ("issuers", signed(json!({"iss": [client, other]}))),
        ("another program's name", signed(json!({"iss": other, "sub": other}))),
        ("an unknown name", signed(json!({"iss": "zjc_x", "sub": "zjc_x"}))),
        ("another key", stranger.sign(&claims(&client, &json!({})))),
        ("alg none", unsigned),
        ("HS256 with the public key", confused),
        ("garbage", "garbage".to_owned()),
    ] {
        let answer = ask(&app, &assertion).await;
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
        said.push(answer.refused("invalid_client"));
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");

    let assertion = signed(json!({}));
    app.token_request(&[GRANT, ("client_assertion", &assertion)]).await.refused("invalid_request");
    app.token_request(&[GRANT, ("client_assertion_type", "saml"), ("client_assertion", &assertion)])
        .await
        .refused("invalid_request");
    let twice = Program { id: client.clone(), secret: "x".to_owned() };
    let both = form("/v1/oauth/token", &[GRANT, TYPE, ("client_assertion", &assertion)]);
    app.send(both.header("authorization", twice.basic())).await.refused("invalid_request");
    let secret = [GRANT, ("client_id", &client), ("client_secret", "zjs_guess")];
    app.token_request(&secret).await.refused("invalid_client");
    ask(&app, &assertion).await.expect(200);
}

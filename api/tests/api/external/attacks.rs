//! What somebody could try who has no key of the issuer's, or keys of another one.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use futures::future::join_all;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{ALWAYS, ONCE, Provider, ProviderKey, config, corp, issuers};
use crate::app::{AUDIENCE, ISSUER, TestApp};

/// The DER of a P-256 key up to its point (RFC 5480).
const SPKI_PREFIX: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

/// A token without a signature.
fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(header), part(claims))
}

/// A public key in every form that it is passed around in.
fn forms(jwk: &Value) -> Vec<Vec<u8>> {
    let half = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let point = [vec![4], half("x"), half("y")].concat();
    let der = [hex::decode(SPKI_PREFIX).unwrap(), point.clone()].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
    vec![point, der, pem.into_bytes(), jwk.to_string().into_bytes(), Vec::new()]
}

/// Refused, and without a hint at which check failed.
async fn refused(app: &TestApp, token: &str, what: &str) {
    let answer = app.whoami(token).await;
    assert_eq!(answer.json()["code"], "INVALID_TOKEN", "{what}: {answer:?}");
    let problem = answer.problem("INVALID_TOKEN");
    assert_eq!(problem["detail"], "The access token is not valid.", "{what}");
    assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{what}");
}

#[tokio::test]
async fn no_algorithm_but_the_keys_own_is_believed() {
    let (corp, app) = corp(ALWAYS).await;
    let (key, claims) = (corp.key(), corp.claims(&json!({})));
    app.whoami(&key.sign(&claims)).await.expect(200);
    let with = |algorithm: Algorithm| Header { alg: algorithm, ..key.header() };
    for secret in forms(&key.jwk()) {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let forged = encode(&with(algorithm), &claims, &EncodingKey::from_secret(&secret)).unwrap();
            refused(&app, &forged, "the public key as a secret").await;
        }
    }
    for algorithm in ["none", "None", "NONE", "ES256", "RS256", "HS256", ""] {
        let header = json!({"alg": algorithm, "kid": key.id, "typ": "JWT"});
        refused(&app, &unsigned(&header, &claims), algorithm).await;
    }
    // The key's own bytes, under the name of another algorithm that the issuer may use.
    let good = key.sign(&claims);
    let (_, rest) = good.split_once('.').unwrap();
    let renamed = json!({"alg": "RS256", "kid": key.id, "typ": "JWT"}).to_string();
    refused(&app, &format!("{}.{rest}", URL_SAFE_NO_PAD.encode(renamed)), "ES256 as RS256").await;
    // A shared secret among the issuer's keys is none that we know.
    let shared = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(b"secret"), "kid": "shared", "alg": "HS256"});
    corp.publishes_too(shared);
    let header = Header { kid: Some("shared".to_owned()), ..with(Algorithm::HS256) };
    refused(&app, &encode(&header, &claims, &EncodingKey::from_secret(b"secret")).unwrap(), "a shared secret").await;
}

#[tokio::test]
async fn no_key_but_the_issuers_own_is_believed() {
    let (corp, app) = corp(ALWAYS).await;
    let (key, claims) = (corp.key(), corp.claims(&json!({})));
    let stranger = ProviderKey::new(&key.id);
    refused(&app, &stranger.sign(&claims), "a stranger's key under the issuer's id").await;
    refused(&app, &ProviderKey::new("unknown").sign(&claims), "a stranger's key").await;
    let own = Jwk::from_encoding_key(&stranger.private, Algorithm::ES256).unwrap();
    let with = |header: Header| encode(&header, &claims, &stranger.private).unwrap();
    refused(&app, &with(Header { jwk: Some(own), ..key.header() }), "a key that came along").await;
    let elsewhere = Header { jku: Some("https://evil.test/keys".to_owned()), ..key.header() };
    refused(&app, &with(elsewhere), "a key elsewhere").await;
    let with = |header: Header| encode(&header, &claims, &key.private).unwrap();
    refused(&app, &with(Header { kid: None, ..key.header() }), "no key id").await;
    refused(&app, &with(Header { crit: Some(vec!["exp".to_owned()]), ..key.header() }), "crit").await;
    refused(&app, &with(Header { typ: Some("dpop+jwt".to_owned()), ..key.header() }), "another kind of token").await;
    let good = key.sign(&claims);
    refused(&app, &good[..good.len() - 8], "cut off").await;
    refused(&app, good.rsplit_once('.').unwrap().0, "two parts").await;
    app.whoami(&with(Header { typ: Some("at+jwt".to_owned()), ..key.header() })).await.expect(200);
}

/// Our own issuer, another one, and a third: each signs in the others' names.
#[tokio::test]
async fn no_issuer_speaks_for_another_one() {
    let (corp, other) = (Provider::start().await, Provider::start().await);
    let configs = [config("corp", &corp), config("other", &other)];
    let app = TestApp::with_issuers(issuers(&configs, ALWAYS)).await;
    let ada = app.developer("ada").await;
    let ours = EncodingKey::from_ec_pem(&std::fs::read(&app.key_file).unwrap()).unwrap();
    let our_kid = jsonwebtoken::decode_header(&ada.token).unwrap().kid.unwrap();
    // The other one may even publish a key under the id of ours.
    let named_as_ours = ProviderKey::new(&our_kid);
    corp.publishes(&[&corp.key(), &named_as_ours]);
    app.whoami(&corp.token(&json!({}))).await.expect(200);

    let now = Utc::now().timestamp();
    let our_claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "tenant": "acme", "role": "admin",
                            "scope": "jobs:read jobs:admin", "iat": now, "nbf": now, "exp": now + 600, "jti": "1"});
    let header =
        |kid: &str| Header { typ: Some("at+jwt".into()), kid: Some(kid.into()), ..Header::new(Algorithm::ES256) };
    let theirs = encode(&header(&our_kid), &our_claims, &named_as_ours.private).unwrap();
    refused(&app, &theirs, "our name, another's key").await;
    for kid in [our_kid.as_str(), "first"] {
        let as_theirs = encode(&header(kid), &corp.claims(&json!({})), &ours).unwrap();
        refused(&app, &as_theirs, "another's name, our key").await;
    }
    refused(&app, &other.key().sign(&corp.claims(&json!({}))), "another's name, a third one's key").await;
    let both = corp.claims(&json!({"iss": [corp.issuer, ISSUER]}));
    refused(&app, &corp.key().sign(&both), "two issuers").await;
    refused(&app, &corp.token(&json!({"iss": format!("{}/", corp.issuer)})), "almost the issuer").await;
    refused(&app, &corp.token(&json!({"iss": "https://nobody.test"})), "an issuer that nobody knows").await;
    app.whoami(
        &encode(
            &header(&our_kid),
            &json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "tenant": "acme",
        "role": "developer", "scope": "jobs:read", "iat": now, "nbf": now, "exp": now + 600, "jti": "1"}),
            &ours,
        )
        .unwrap(),
    )
    .await
    .expect(200);
}

#[tokio::test]
async fn keys_that_nobody_knows_are_looked_for_once() {
    let (corp, app) = corp(ONCE).await;
    let good = corp.token(&json!({}));
    app.whoami(&good).await.expect(200);
    assert_eq!(corp.reads(), 1);
    let stranger = ProviderKey::new("stranger");
    let claims = corp.claims(&json!({}));
    let flood = (0..200).map(|at| {
        let header = Header { kid: Some(format!("made-up-{at}")), ..stranger.header() };
        encode(&header, &claims, &stranger.private).unwrap()
    });
    let flood: Vec<String> = flood.collect();
    let answers = join_all(flood.iter().map(|token| app.whoami(token))).await;
    assert!(answers.iter().all(|answer| answer.json()["code"] == "INVALID_TOKEN"));
    assert_eq!(corp.reads(), 1, "a read in the pause after the last one is none");
    app.whoami(&good).await.expect(200);
}

#[tokio::test]
async fn what_is_not_for_us_or_not_for_now_is_refused() {
    let (corp, app) = corp(ONCE).await;
    let now = Utc::now().timestamp();
    for changes in [
        json!({"aud": "another-api"}),
        json!({"aud": ["another-api"]}),
        json!({"aud": null}),
        json!({"azp": "another-client"}),
        json!({"azp": null}),
        json!({"exp": null}),
        json!({"exp": "never"}),
        json!({"nbf": now + 120}),
        json!({"nbf": "tomorrow"}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"typ": "ID"}),
        json!({"typ": "Refresh"}),
        json!({"typ": null, "nonce": "n", "at_hash": "h"}),
    ] {
        refused(&app, &corp.token(&changes), &changes.to_string()).await;
    }
    app.whoami(&corp.token(&json!({"exp": now - 60}))).await.problem("TOKEN_EXPIRED");
    let forged = ProviderKey::new("first").sign(&corp.claims(&json!({"exp": now - 60})));
    refused(&app, &forged, "an expired token of somebody else's").await;
    for changes in [
        json!({"exp": now - 10}),
        json!({"nbf": now + 10}),
        json!({"aud": ["account", super::API]}),
        json!({"azp": null, "client_id": super::CLIENT}),
    ] {
        app.whoami(&corp.token(&changes)).await.expect(200);
    }
}

//! Tokens that anyone else made, and headers that hold none: refused everywhere with a challenge.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::app::{AUDIENCE, Call, ISSUER, TestApp};

/// The DER of a P-256 key up to its point (RFC 5480).
const SPKI_PREFIX: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

/// What a thief of nothing but public things could make, and a good token to compare with.
pub struct Forger {
    key: EncodingKey,
    other_key: EncodingKey,
    point: Vec<u8>,
    kid: String,
    claims: Value,
}

impl Forger {
    pub fn of(app: &TestApp, other: &TestApp, good: &str) -> Self {
        let pem = std::fs::read_to_string(&app.key_file).unwrap();
        let der = STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).unwrap();
        let now = Utc::now().timestamp();
        Self {
            key: EncodingKey::from_ec_pem(pem.as_bytes()).unwrap(),
            other_key: EncodingKey::from_ec_pem(&std::fs::read(&other.key_file).unwrap()).unwrap(),
            point: pair.public_key().as_ref().to_vec(),
            kid: jsonwebtoken::decode_header(good).unwrap().kid.unwrap(),
            claims: json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "tenant": "acme", "role": "developer",
                           "scope": "jobs:submit jobs:read", "iat": now, "nbf": now, "exp": now + 600, "jti": "1"}),
        }
    }

    fn header(&self, algorithm: Algorithm) -> Header {
        Header { kid: Some(self.kid.clone()), typ: Some("at+jwt".to_owned()), ..Header::new(algorithm) }
    }

    fn sign(&self, changes: &Value) -> String {
        let mut claims = self.claims.clone();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        encode(&self.header(Algorithm::ES256), &claims, &self.key).unwrap()
    }

    fn unsigned(&self, algorithm: &str) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&json!({"alg": algorithm, "kid": self.kid, "typ": "at+jwt"})), part(&self.claims))
    }

    /// The public key in every form that it is passed around in, as the secret of an HMAC.
    fn confused(&self) -> Vec<String> {
        let der = [hex::decode(SPKI_PREFIX).unwrap(), self.point.clone()].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
        let secrets = [self.point.clone(), der, pem.clone().into_bytes(), pem.trim().as_bytes().to_vec(), Vec::new()];
        let sign = |secret: &Vec<u8>| {
            encode(&self.header(Algorithm::HS256), &self.claims, &EncodingKey::from_secret(secret)).unwrap()
        };
        secrets.iter().map(sign).collect()
    }

    /// An expired token of ours.
    pub fn expired(&self) -> String {
        let now = Utc::now().timestamp();
        self.sign(&json!({"nbf": now - 900, "exp": now - 60}))
    }

    /// What anybody could try, each with its name; `good` is a valid token.
    pub fn forged(&self, good: &str) -> Vec<(&'static str, String)> {
        let now = Utc::now().timestamp();
        let with = |header: Header, key: &EncodingKey| encode(&header, &self.claims, key).unwrap();
        let ours = || self.header(Algorithm::ES256);
        let named = |kid: &str| Header { kid: Some(kid.to_owned()), ..ours() };
        let own_jwk = Jwk::from_encoding_key(&self.other_key, Algorithm::ES256).unwrap();
        let mut forged = vec![
            ("alg none", self.unsigned("none")),
            ("alg None", self.unsigned("None")),
            ("alg ES256 without signature", self.unsigned("ES256")),
            ("another issuer", self.sign(&json!({"iss": "https://evil.test"}))),
            ("issuers", self.sign(&json!({"iss": [ISSUER, "https://evil.test"]}))),
            ("no issuer", self.sign(&json!({"iss": null}))),
            ("another audience", self.sign(&json!({"aud": "other"}))),
            ("valid tomorrow", self.sign(&json!({"nbf": now + 86_400}))),
            ("a tenant that is none", self.sign(&json!({"tenant": "acme/../globex"}))),
            ("no tenant", self.sign(&json!({"tenant": null}))),
            ("scopes beyond the role", self.sign(&json!({"scope": "jobs:read jobs:admin"}))),
            ("an unknown role", self.sign(&json!({"role": "root"}))),
            ("an end that is no time", self.sign(&json!({"exp": "never"}))),
            ("no end", self.sign(&json!({"exp": null}))),
            ("another key, our key id", with(ours(), &self.other_key)),
            ("another key", with(Header { kid: None, ..ours() }, &self.other_key)),
            ("another key that came along", with(Header { jwk: Some(own_jwk), ..ours() }, &self.other_key)),
            ("a key elsewhere", with(Header { jku: Some("https://evil.test/jwks".into()), ..ours() }, &self.other_key)),
            ("no key id", with(Header { kid: None, ..ours() }, &self.key)),
            ("a key id that is a path", with(named("../../../dev/null"), &self.key)),
            ("a key id that is SQL", with(named("' OR '1'='1"), &self.key)),
            ("an empty key id", with(named(""), &self.key)),
            ("no type", with(Header { typ: None, ..ours() }, &self.key)),
            ("the type of any token", with(Header { typ: Some("JWT".into()), ..ours() }, &self.key)),
            ("another kind of token", with(Header { typ: Some("dpop+jwt".into()), ..ours() }, &self.key)),
            ("what must be understood", with(Header { crit: Some(vec!["exp".into()]), ..ours() }, &self.key)),
            ("a changed signature", format!("{}AAAA", &good[..good.len() - 4])),
            ("cut off", good[..good.len() - 20].to_owned()),
            ("two parts", good.rsplit_once('.').unwrap().0.to_owned()),
            ("garbage", "garbage".to_owned()),
            ("dots", "...".to_owned()),
            ("endless", "x".repeat(50_000)),
        ];
        forged.extend(self.confused().into_iter().map(|token| ("HS256 with the public key", token)));
        forged
    }
}

#[tokio::test]
async fn no_forged_token_is_believed() {
    let (app, other) = (TestApp::new().await, TestApp::without_database());
    let ada = app.developer("ada").await;
    let forger = Forger::of(&app, &other, &ada.token);
    app.send(Call::get("/v1/jobs").token(&forger.sign(&json!({})))).await.expect(200);

    let forged = forger.forged(&ada.token);
    for (name, token) in forged {
        for call in [Call::get("/v1/jobs"), Call::submit("{}")] {
            let answer = app.send(call.token(&token)).await;
            let problem = answer.problem("INVALID_TOKEN");
            assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{name}");
            assert_eq!(problem["detail"], "The access token is not valid.", "{name}: no hint at which check failed");
        }
    }
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let (app, other) = (TestApp::new().await, TestApp::without_database());
    let ada = app.developer("ada").await;
    let forger = Forger::of(&app, &other, &ada.token);
    let now = Utc::now().timestamp();
    let answer = app.send(Call::get("/v1/jobs").token(&forger.expired())).await;
    answer.problem("TOKEN_EXPIRED");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer realm=") && challenge.contains("error=\"invalid_token\""), "{challenge}");

    // An expired token of another's making is not told to be expired.
    let mut claims = forger.claims.clone();
    claims["exp"] = json!(now - 60);
    let foreign = encode(&forger.header(Algorithm::ES256), &claims, &forger.other_key).unwrap();
    app.send(Call::get("/v1/jobs").token(&foreign)).await.problem("INVALID_TOKEN");
}

#[tokio::test]
async fn only_one_bearer_token_is_a_credential() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let basic = format!("Basic {}", STANDARD.encode("ada:secret"));
    for value in [basic.as_bytes(), b"Bearer", b"Bearer\xff x", ada.token.as_bytes(), b"Token x", b"Digest a=b"] {
        let answer = app.send(Call::get("/v1/jobs").header("authorization", value)).await;
        answer.problem("INVALID_TOKEN");
        assert!(answer.header("www-authenticate").starts_with("Bearer "));
    }
    let twice = Call::get("/v1/jobs").by(&ada).by(&ada);
    app.send(twice).await.problem("INVALID_TOKEN");
    let none = app.send(Call::get("/v1/jobs")).await;
    none.problem("INVALID_TOKEN");
    assert!(
        !none.header("www-authenticate").contains("error="),
        "no error code where there was no token (RFC 6750 3.1)"
    );
    app.send(Call::get(&format!("/v1/jobs?access_token={}", ada.token))).await.problem("INVALID_TOKEN");
    for scheme in ["bearer", "BEARER"] {
        let call = Call::get("/v1/jobs").header("authorization", format!("{scheme} {}", ada.token));
        app.send(call).await.expect(200);
    }
}

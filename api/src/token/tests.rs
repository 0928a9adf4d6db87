//! A token that anyone else made is refused, whatever it looks like.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::key::SigningKey;
use super::*;

const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "zama-jobs";
const MINUTE: Duration = Duration::from_secs(60);

struct KeyFile(PathBuf);

impl KeyFile {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("zama-token-{}/key.pem", uuid::Uuid::new_v4())))
    }

    fn issuer(&self) -> TokenIssuer {
        TokenIssuer::from_file_or_create(&self.0, ISSUER, AUDIENCE).expect("a key is made")
    }

    fn key(&self) -> SigningKey {
        SigningKey::from_file_or_create(&self.0).expect("the key is read")
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0.parent().expect("a folder of its own"));
    }
}

fn developer() -> Principal {
    Principal {
        tenant: "acme".parse().unwrap(),
        user: "ada".parse().unwrap(),
        role: Role::Developer,
        scopes: Role::Developer.scopes(),
        credential: Credential::AccessToken,
    }
}

fn claims() -> Value {
    let now = chrono::Utc::now().timestamp();
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "tenant": "acme", "role": "developer",
           "scope": "jobs:submit jobs:read", "iat": now, "nbf": now, "exp": now + 60, "jti": "1"})
}

fn header(algorithm: Algorithm) -> Header {
    Header { typ: Some("at+jwt".to_owned()), ..Header::new(algorithm) }
}

/// A token with the right key and these claims.
fn sign(key: &SigningKey, claims: &Value) -> String {
    let mut header = header(Algorithm::ES256);
    header.kid = Some(key.public.thumbprint());
    encode(&header, claims, &EncodingKey::from_ec_der(&key.pkcs8)).expect("it is signed")
}

#[test]
fn a_token_comes_back_as_its_principal() {
    let file = KeyFile::new();
    let token = file.issuer().issue(&developer(), MINUTE).expect("it is issued");
    assert_eq!(file.issuer().verifier().verify(&token).unwrap().principal, developer());
    let by_file = TokenVerifier::from_file(&file.0, ISSUER, AUDIENCE).expect("the key is read");
    assert_eq!(by_file.verify(&token).unwrap().principal, developer());
}

#[test]
fn the_key_file_is_private() {
    let file = KeyFile::new();
    file.issuer();
    let mode = std::fs::metadata(&file.0).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn scopes_beyond_the_role_are_not_issued_and_not_believed() {
    let file = KeyFile::new();
    let greedy = Principal { scopes: Role::Admin.scopes(), ..developer() };
    assert!(file.issuer().issue(&greedy, MINUTE).is_err());
    let mut greedy = claims();
    greedy["scope"] = json!("jobs:read jobs:admin");
    assert_eq!(file.issuer().verifier().verify(&sign(&file.key(), &greedy)), Err(Rejection::Invalid));
}

#[test]
fn every_claim_counts() {
    let file = KeyFile::new();
    let (key, verifier) = (file.key(), file.issuer().verifier());
    assert!(verifier.verify(&sign(&key, &claims())).is_ok());
    let now = chrono::Utc::now().timestamp();
    let wrong = [
        ("iss", json!("https://other.test")),
        ("aud", json!("other")),
        ("sub", json!("Not A Slug")),
        ("tenant", json!("../etc")),
        ("role", json!("root")),
        ("nbf", json!(now + 300)),
        ("exp", json!("soon")),
        ("jti", json!("")),
    ];
    for (name, value) in wrong {
        let mut changed = claims();
        changed[name] = value;
        assert_eq!(verifier.verify(&sign(&key, &changed)), Err(Rejection::Invalid), "{name}");
        let mut missing = claims();
        missing.as_object_mut().unwrap().remove(name);
        assert_eq!(verifier.verify(&sign(&key, &missing)), Err(Rejection::Invalid), "without {name}");
    }
}

#[test]
fn expiry_is_told_with_its_time_and_has_a_leeway() {
    let file = KeyFile::new();
    let (key, verifier) = (file.key(), file.issuer().verifier());
    let expired = |ago: i64| {
        let mut old = claims();
        old["exp"] = json!(chrono::Utc::now().timestamp() - ago);
        verifier.verify(&sign(&key, &old))
    };
    assert!(expired(10).is_ok());
    assert!(matches!(expired(60), Err(Rejection::Expired(Some(_)))));
}

#[test]
fn another_key_is_refused_under_its_own_id_and_under_ours() {
    let (ours, theirs) = (KeyFile::new(), KeyFile::new());
    let verifier = ours.issuer().verifier();
    assert_eq!(verifier.verify(&sign(&theirs.key(), &claims())), Err(Rejection::Invalid));
    let mut header = header(Algorithm::ES256);
    header.kid = Some(ours.key().public.thumbprint());
    let forged = encode(&header, &claims(), &EncodingKey::from_ec_der(&theirs.key().pkcs8)).unwrap();
    assert_eq!(verifier.verify(&forged), Err(Rejection::Invalid));
}

#[test]
fn the_algorithm_is_pinned() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let file = KeyFile::new();
    let key = file.key();
    let verifier = file.issuer().verifier();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let kid = key.public.thumbprint();
    for alg in ["none", "None", "ES256"] {
        let unsigned = format!("{}.{}.", part(&json!({"alg": alg, "kid": kid, "typ": "at+jwt"})), part(&claims()));
        assert_eq!(verifier.verify(&unsigned), Err(Rejection::Invalid), "{alg}");
    }
    // The public key as an HMAC secret: the classic confusion of algorithms.
    let mut header = header(Algorithm::HS256);
    header.kid = Some(kid);
    let confused = encode(&header, &claims(), &EncodingKey::from_secret(key.public.point())).unwrap();
    assert_eq!(verifier.verify(&confused), Err(Rejection::Invalid));
    for garbage in ["", ".", "..", "a.b.c", "é.é.é", &"x".repeat(100_000)] {
        assert_eq!(verifier.verify(garbage), Err(Rejection::Invalid));
    }
}

//! What OAuth libraries find out by themselves: metadata and keys.

use jsonwebtoken::jwk::{JwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use crate::app::{AUDIENCE, Call, ISSUER, PUBLIC_URL, TestApp};

#[tokio::test]
async fn the_metadata_lead_to_every_endpoint() {
    let app = TestApp::new().await;
    let answer = app.send(Call::get("/.well-known/oauth-authorization-server")).await;
    assert!(answer.header("cache-control").contains("max-age="));
    let metadata = answer.expect(200);
    assert_eq!(metadata["issuer"], ISSUER);
    assert_eq!(metadata["response_types_supported"], json!([]), "required (RFC 8414 2)");
    for (name, method) in [
        ("token_endpoint", "POST"),
        ("revocation_endpoint", "POST"),
        ("device_authorization_endpoint", "POST"),
        ("jwks_uri", "GET"),
    ] {
        let path = metadata[name].as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap();
        let status = app.send(Call::new(method, path)).await.status.as_u16();
        assert!([200, 400].contains(&status), "{name}: {status}");
    }
    for grant in ["client_credentials", "refresh_token", super::DEVICE_GRANT] {
        assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(grant)), "{grant}");
    }
}

/// A resource server elsewhere, with nothing but the published keys.
#[tokio::test]
async fn a_token_is_verified_with_the_published_keys_alone() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let token = app.token_of(&program).await;
    let answer = app.send(Call::get("/.well-known/jwks.json")).await;
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let document = answer.expect(200);
    let set: JwkSet = serde_json::from_value(document.clone()).unwrap();
    for (key, shown) in set.keys.iter().zip(document["keys"].as_array().unwrap()) {
        assert_eq!(key.common.key_id.as_deref(), Some(key.thumbprint(ThumbprintHash::SHA256).unwrap().as_str()));
        assert!(shown.get("d").is_none(), "no private half");
        assert_eq!((&shown["use"], &shown["alg"]), (&json!("sig"), &json!("ES256")));
    }
    let header = decode_header(&token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    let key = set.find(&header.kid.unwrap()).expect("the key is published");
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    let claims = decode::<Value>(&token, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap().claims;
    assert_eq!(claims["client_id"], program.id);
}

#[tokio::test]
async fn the_keys_are_told_for_as_long_as_somebody_knows_them() {
    let away = TestApp::without_database();
    away.send(Call::get("/.well-known/jwks.json")).await.problem("SERVICE_UNAVAILABLE");
    away.send(Call::get("/.well-known/oauth-authorization-server")).await.expect(200);
    let app = TestApp::new().await;
    let before = app.send(Call::get("/.well-known/jwks.json")).await.expect(200);
    app.pool.close().await;
    assert_eq!(app.send(Call::get("/.well-known/jwks.json")).await.expect(200), before);
}

//! `private_key_jwt` (RFC 7523): a client proves itself with a short-lived token that it signed. None is accepted twice.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous, decode, decode_header};
use serde::Deserialize;
use store::oauth::clients::{self, Client, Proof};

use super::refusal::Refusal;
use super::token;
use crate::ApiState;

/// The only type of assertions here.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How clients may sign.
pub const ALGORITHMS: [&str; 4] = ["ES256", "EdDSA", "RS256", "PS256"];

/// The longest time for which an assertion may be valid: it is remembered as long.
const MAX_LIFETIME: TimeDelta = TimeDelta::minutes(10);
const LEEWAY_SECONDS: u64 = 30;
/// Longest `jti`, in bytes.
const MAX_JTI: usize = 255;
/// Most keys of one client.
const MAX_KEYS: usize = 16;
/// Shortest modulus of an RSA key, in bytes (RFC 7518 section 3.3).
const MIN_RSA_BYTES: usize = 256;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    /// Seconds since 1970, parts of them too (RFC 7519 section 2).
    exp: f64,
    jti: String,
}

/// The client that an assertion names, which has yet to prove it.
pub fn claimed(assertion: &str) -> Option<String> {
    Some(dangerous::insecure_decode::<Claims>(assertion).ok()?.claims.sub)
}

/// Whether a client proves itself by an assertion.
///
/// # Errors
/// The database is away.
pub async fn proves(state: &Arc<ApiState>, assertion: &str, client: &Client) -> Result<bool, Refusal> {
    let Proof::Keys(jwks) = &client.proof else { return Ok(false) };
    let audiences = [state.tokens.issuer().to_owned(), format!("{}{}", state.public_url, token::PATH)];
    let Some(claims) = verified(assertion, jwks, &client.id, &audiences) else { return Ok(false) };
    let leeway = TimeDelta::seconds(LEEWAY_SECONDS.cast_signed());
    let Some(expires_at) = DateTime::from_timestamp(claims.exp as i64, 0) else { return Ok(false) };
    let is_name = (1..=MAX_JTI).contains(&claims.jti.len()) && !claims.jti.contains(char::is_control);
    if !is_name || expires_at > Utc::now() + MAX_LIFETIME + leeway {
        return Ok(false);
    }
    let is_first = clients::accept_assertion(&state.pool, &client.id, &claims.jti, expires_at + leeway).await?;
    if !is_first {
        tracing::warn!(client.id = client.id, "an assertion came a second time");
    }
    Ok(is_first)
}

fn verified(assertion: &str, jwks: &str, client: &str, audiences: &[String]) -> Option<Claims> {
    let header = decode_header(assertion).ok().filter(|header| header.crit.is_none())?;
    let keys: JwkSet = serde_json::from_str(jwks).ok()?;
    let named = |key: &&Jwk| header.kid.is_none() || key.common.key_id == header.kid;
    let fits = |key: &&Jwk| algorithms(key).contains(&header.alg);
    keys.keys.iter().filter(named).filter(fits).find_map(|key| {
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[client]);
        validation.set_audience(audiences);
        validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
        validation.sub = Some(client.to_owned());
        let key = DecodingKey::from_jwk(key).ok()?;
        decode::<Claims>(assertion, &key, &validation)
            .ok()
            .map(|token| token.claims)
            .filter(|claims| claims.iss == client)
    })
}

/// What a key may sign with; nothing for one that is no public key of ours.
fn algorithms(key: &Jwk) -> &'static [Algorithm] {
    let all: &'static [Algorithm] = match &key.algorithm {
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => &[Algorithm::ES256],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
        AlgorithmParameters::RSA(_) => &[Algorithm::RS256, Algorithm::PS256],
        _ => &[],
    };
    match key.common.key_algorithm {
        None => all,
        Some(KeyAlgorithm::PS256) if all.len() == 2 => &all[1..],
        Some(KeyAlgorithm::RS256) if all.len() == 2 => &all[..1],
        Some(only) if all.len() == 1 && KeyAlgorithm::from(all[0]) == only => all,
        Some(_) => &[],
    }
}

/// The keys of a client, as they are stored: a JWK set (or one JWK) with public keys that can be used, and nothing else.
///
/// # Errors
/// What is wrong with them.
pub fn public_keys(text: &str) -> Result<String> {
    let value: serde_json::Value = serde_json::from_str(text).context("it is not JSON")?;
    let value = if value.get("keys").is_some() { value } else { serde_json::json!({ "keys": [value] }) };
    let private = ["d", "p", "q", "k"];
    let each = value["keys"].as_array().context("keys is no array")?;
    if each.iter().any(|key| private.iter().any(|name| key.get(name).is_some())) {
        bail!("it holds a private key, which must stay with the client");
    }
    let set: JwkSet = serde_json::from_value(value).context("it is not a JWK set (RFC 7517)")?;
    if set.keys.is_empty() || set.keys.len() > MAX_KEYS {
        bail!("it must hold 1 to {MAX_KEYS} keys");
    }
    for key in &set.keys {
        if algorithms(key).is_empty() {
            bail!("a key is for none of {}", ALGORITHMS.join(", "));
        }
        if let AlgorithmParameters::RSA(rsa) = &key.algorithm
            && rsa.n.len() * 3 / 4 < MIN_RSA_BYTES
        {
            bail!("an RSA key has fewer than {} bits", MIN_RSA_BYTES * 8);
        }
        DecodingKey::from_jwk(key).context("a key cannot be read")?;
    }
    serde_json::to_string(&set).context("the keys cannot be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    #[test]
    fn only_public_keys_that_sign_are_taken() {
        let key = format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}","kid":"1"}}"#);
        assert!(public_keys(&key).is_ok());
        let set = public_keys(&format!(r#"{{"keys":[{key}]}}"#)).unwrap();
        assert!(set.contains(X) && set.contains(r#""kid":"1""#), "{set}");
        for bad in [
            r#"{"keys":[]}"#.to_owned(),
            "rubbish".to_owned(),
            key.replace("\"kid\"", "\"d\""),
            key.replace("P-256", "P-384"),
            r#"{"kty":"oct","k":"c2VjcmV0"}"#.to_owned(),
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
            key.replace("\"kid\":\"1\"", "\"alg\":\"HS256\""),
        ] {
            assert!(public_keys(&bad).is_err(), "{bad}");
        }
    }
}

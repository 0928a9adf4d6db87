//! The keys that another issuer publishes (RFC 7517): those among them that can have signed a token.

use std::collections::HashMap;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Most keys of one issuer that are kept.
const MAX_KEYS: usize = 64;

/// Shortest modulus of an RSA key, in characters of base64url: 2048 bits (RFC 7518 section 3.3).
const MIN_RSA_CHARACTERS: usize = 342;

const RSA: &[Algorithm] =
    &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];

/// A JWK set. What cannot be read of it is no key for us, and spoils none of the others.
#[derive(Debug, Deserialize)]
pub(super) struct KeySet {
    keys: Vec<Value>,
}

/// A public key that signs tokens.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub decoding: DecodingKey,
    algorithms: Vec<Algorithm>,
}

impl Key {
    /// Whether it may have signed in this way: what a token says of itself chooses no algorithm that its key is not for.
    pub(super) fn signs(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    fn read(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let is_for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        let fit: &[Algorithm] = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) if rsa.n.len() >= MIN_RSA_CHARACTERS => RSA,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => &[Algorithm::ES256],
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => &[Algorithm::ES384],
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
            _ => &[],
        };
        let only = common.key_algorithm;
        let algorithms: Vec<Algorithm> =
            fit.iter().copied().filter(|algorithm| only.is_none_or(|only| only == (*algorithm).into())).collect();
        if !is_for_signatures || algorithms.is_empty() {
            return None;
        }
        Some(Self { decoding: DecodingKey::from_jwk(jwk).ok()?, algorithms })
    }
}

impl KeySet {
    /// The keys that sign, by their ids; of two with one id the first.
    pub(super) fn signing(self) -> HashMap<String, Key> {
        let mut keys = HashMap::new();
        for value in self.keys.into_iter().take(MAX_KEYS) {
            let Ok(jwk) = serde_json::from_value::<Jwk>(value) else { continue };
            if let (Some(id), Some(key)) = (jwk.common.key_id.clone(), Key::read(&jwk)) {
                keys.entry(id).or_insert(key);
            }
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    fn set(keys: Value) -> HashMap<String, Key> {
        serde_json::from_value::<KeySet>(json!({"keys": keys})).unwrap().signing()
    }

    fn p256(changes: Value) -> Value {
        let mut key = json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y, "kid": "1"});
        key.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        key
    }

    #[test]
    fn only_public_keys_that_sign_are_kept() {
        for good in [json!({}), json!({"use": "sig", "alg": "ES256"}), json!({"key_ops": ["verify"]})] {
            assert!(set(json!([p256(good.clone())])).contains_key("1"), "{good}");
        }
        for bad in [
            p256(json!({"use": "enc"})),
            p256(json!({"key_ops": ["sign"]})),
            p256(json!({"alg": "HS256"})),
            p256(json!({"alg": "RS256"})),
            p256(json!({"kid": null})),
            p256(json!({"crv": "P-521"})),
            json!({"kty": "oct", "k": "c2VjcmV0", "kid": "1", "alg": "HS256"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "1"}),
            json!({"kty": "none", "kid": "1"}),
            json!("rubbish"),
        ] {
            assert!(set(json!([bad.clone()])).is_empty(), "{bad}");
            assert_eq!(set(json!([bad.clone(), p256(json!({"kid": "2"}))])).len(), 1, "{bad} spoils no other");
        }
    }

    #[test]
    fn a_key_signs_as_it_is_made_to() {
        let keys = set(json!([
            p256(json!({})),
            {"kty": "RSA", "n": "A".repeat(342), "e": "AQAB", "kid": "any"},
            {"kty": "RSA", "n": "A".repeat(342), "e": "AQAB", "kid": "one", "alg": "PS256"},
        ]));
        assert!(keys["1"].signs(Algorithm::ES256) && !keys["1"].signs(Algorithm::HS256));
        assert!(keys["any"].signs(Algorithm::RS512) && !keys["any"].signs(Algorithm::ES256));
        assert!(keys["one"].signs(Algorithm::PS256) && !keys["one"].signs(Algorithm::RS256));
    }
}

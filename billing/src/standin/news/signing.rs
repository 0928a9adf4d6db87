//! `SigningKey`: the RSA key under which notices are signed, and the JWT that is the signature.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::standin::answer::Refusal;

/// Characters in a line of PEM.
const PEM_LINE: usize = 64;
/// Characters in a line of what Ruby's `encode64` makes, which Lago answers with.
const RUBY_LINE: usize = 60;

/// A key of the stand-in's own, made when it is needed first.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::standin) struct SigningKey {
    /// PKCS #8 in base64.
    private: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

fn broken(what: impl fmt::Display) -> Refusal {
    Refusal::Broken(format!("the key of webhooks: {what}"))
}

impl SigningKey {
    pub(in crate::standin) fn generate() -> Result<Self, Refusal> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(broken)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(broken)?;
        Ok(Self { private: STANDARD.encode(der.as_ref()) })
    }

    fn pair(&self) -> Result<KeyPair, Refusal> {
        let der = STANDARD.decode(&self.private).map_err(broken)?;
        KeyPair::from_pkcs8(&der).map_err(broken)
    }

    /// The public key in PEM, which is in base64 once more.
    pub(in crate::standin) fn public(&self) -> Result<String, Refusal> {
        let pair = self.pair()?;
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(broken)?;
        let body = in_lines(&STANDARD.encode(der.as_ref()), PEM_LINE);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----\n");
        Ok(in_lines(&STANDARD.encode(pem), RUBY_LINE))
    }

    /// A JWT (RS256) whose `data` is the notice, word for word.
    pub(super) fn sign(&self, notice: &str, issuer: &str) -> Result<String, Refusal> {
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed =
            format!("{}.{}", part(&json!({ "alg": "RS256" })), part(&json!({ "data": notice, "iss": issuer })));
        let pair = self.pair()?;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).map_err(broken)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn in_lines(text: &str, width: usize) -> String {
    let lines = text.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
    lines.collect()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_signature_is_checked_with_the_public_key_alone() {
        let key = SigningKey::generate().unwrap();
        let token = key.sign(r#"{"webhook_type":"invoice.created"}"#, "http://127.0.0.1:1").unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["data"], r#"{"webhook_type":"invoice.created"}"#);

        let told = key.public().unwrap();
        let pem = String::from_utf8(STANDARD.decode(told.replace('\n', "")).unwrap()).unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, STANDARD.decode(body).unwrap());
        assert!(public.verify(signed.as_bytes(), &signature).is_ok());
        assert!(public.verify(b"another notice", &signature).is_err());
        assert!(!format!("{key:?}").contains(&key.private));
    }
}

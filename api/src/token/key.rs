//! A P-256 key that signs tokens: as a PEM file, as PKCS#8, and its public half as a JWK.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// The DER of a SubjectPublicKeyInfo for P-256 up to the point itself (RFC 5480 section 2).
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A public key that signs tokens (RFC 7517).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Jwk {
    #[schema(value_type = String, example = "EC")]
    pub kty: &'static str,
    #[schema(value_type = String, example = "P-256")]
    pub crv: &'static str,
    pub x: String,
    pub y: String,
    #[serde(rename = "use")]
    #[schema(value_type = String, example = "sig")]
    pub usage: &'static str,
    #[schema(value_type = String, example = "ES256")]
    pub alg: &'static str,
    /// The key's thumbprint (RFC 7638), as in the header of its tokens.
    pub kid: String,
}

/// An uncompressed point of P-256: 0x04, x, y.
#[derive(Clone)]
pub(super) struct PublicKey([u8; 65]);

impl PublicKey {
    pub(super) fn point(&self) -> &[u8] {
        &self.0
    }

    fn coordinates(&self) -> [String; 2] {
        [&self.0[1..33], &self.0[33..]].map(|half| URL_SAFE_NO_PAD.encode(half))
    }

    /// The key as a JWK (RFC 7517).
    pub(super) fn jwk(&self) -> Jwk {
        let [x, y] = self.coordinates();
        Jwk { kty: "EC", crv: "P-256", x, y, usage: "sig", alg: "ES256", kid: self.thumbprint() }
    }

    /// JWK thumbprint (RFC 7638): the key's id.
    pub(super) fn thumbprint(&self) -> String {
        let [x, y] = self.coordinates();
        let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        URL_SAFE_NO_PAD.encode(Sha256::digest(jwk))
    }
}

/// A private key and its public half.
pub(super) struct SigningKey {
    pub(super) pkcs8: Vec<u8>,
    pub(super) public: PublicKey,
}

impl SigningKey {
    /// Reads the key from a file, which is made with a new key if there is none, readable by its owner alone.
    pub(super) fn from_file_or_create(path: &Path) -> Result<Self> {
        if !path.exists() {
            create(path).with_context(|| format!("Failed to create the token signing key {}", path.display()))?;
        }
        let (label, der) = read_pem(path)?;
        if label != PRIVATE {
            bail!("{} holds no private key", path.display());
        }
        Self::from_pkcs8(der).with_context(|| format!("{} is not a PKCS#8 P-256 key", path.display()))
    }

    /// A new key.
    pub(super) fn generate() -> Result<Self> {
        Self::from_pkcs8(new_pkcs8()?)
    }

    pub(super) fn from_pkcs8(pkcs8: Vec<u8>) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .map_err(|_| anyhow!("the key cannot be read"))?;
        let point = pair.public_key().as_ref().try_into().context("the key's point is not uncompressed")?;
        Ok(Self { pkcs8, public: PublicKey(point) })
    }
}

/// Reads the public half from a file that holds the private key, or only the public one.
pub(super) fn read_public(path: &Path) -> Result<PublicKey> {
    let (label, der) = read_pem(path)?;
    if label == PRIVATE {
        return Ok(SigningKey::from_pkcs8(der).with_context(|| format!("{} is not valid", path.display()))?.public);
    }
    let point = der.strip_prefix(&SPKI_PREFIX).filter(|point| label == PUBLIC && point.first() == Some(&4));
    let point = point.and_then(|point| point.try_into().ok());
    point.map(PublicKey).with_context(|| format!("{} is not a P-256 key", path.display()))
}

fn new_pkcs8() -> Result<Vec<u8>> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    Ok(document.map_err(|_| anyhow!("no key could be generated"))?.as_ref().to_vec())
}

fn create(path: &Path) -> Result<()> {
    let document = new_pkcs8()?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Written aside and linked into place, so that two processes that start at once end up with one whole key.
    let aside = path.with_extension(format!("{}.new", uuid::Uuid::new_v4()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    file.write_all(to_pem(&document).as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&aside, path);
    fs::remove_file(&aside)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

fn to_pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN {PRIVATE}-----\n{}\n-----END {PRIVATE}-----\n", lines.join("\n"))
}

/// The label and content of the first PEM block.
fn read_pem(path: &Path) -> Result<(String, Vec<u8>)> {
    let text = fs::read_to_string(path).with_context(|| format!("Failed to read {}", path.display()))?;
    let block = text.split_once("-----BEGIN ").and_then(|(_, rest)| {
        let (label, rest) = rest.split_once("-----")?;
        let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
        Some((label.to_owned(), body.split_whitespace().collect::<String>()))
    });
    let (label, body) = block.with_context(|| format!("{} is not a PEM file", path.display()))?;
    let der = STANDARD.decode(body).with_context(|| format!("{} is not a PEM file", path.display()))?;
    Ok((label, der))
}

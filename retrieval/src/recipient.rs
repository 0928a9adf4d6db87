//! The P-256 key that a result is sealed to: read from PEM, named by the hash of its DER.

use std::fmt;

use alloy::primitives::B256;
use jobs::fhe::{ClientPublicKey, InvalidPublicKey};
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

/// A text that is no key that can be sealed to, or no private key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidKey {
    #[error("the public key is not PEM with the label PUBLIC KEY")]
    NotPem,
    #[error("the public key is not a SubjectPublicKeyInfo of P-256 with an uncompressed point")]
    NotP256,
    #[error("the private key is not PKCS#8 PEM of P-256")]
    NotPrivate,
}

impl From<InvalidPublicKey> for InvalidKey {
    fn from(error: InvalidPublicKey) -> Self {
        match error {
            InvalidPublicKey::NotPem => Self::NotPem,
            InvalidPublicKey::NotP256 => Self::NotP256,
        }
    }
}

/// A public key on P-256: a [`ClientPublicKey`] whose point is on the curve.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    point: p256::PublicKey,
    text: ClientPublicKey,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in PEM. Line breaks may stand anywhere in the body.
    ///
    /// # Errors
    /// Another label, another curve, a point that is not on it, or another encoding than the usual one of 91 bytes:
    /// one key has one hash.
    pub fn from_pem(pem: &str) -> Result<Self, InvalidKey> {
        pem.parse::<ClientPublicKey>()?.try_into()
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// As [`PublicKey::from_pem`].
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidKey> {
        ClientPublicKey::from_der(der)?.try_into()
    }

    fn of(point: p256::PublicKey) -> Result<Self, InvalidKey> {
        let der = point.to_public_key_der().map_err(|_| InvalidKey::NotP256)?;
        Ok(Self { point, text: ClientPublicKey::from_der(der.as_bytes())? })
    }

    /// SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        self.text.der()
    }

    /// SubjectPublicKeyInfo in PEM, 64 characters a line.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.text.to_pem()
    }

    /// SHA-256 of the DER: what a retrieval names.
    #[must_use]
    pub fn hash(&self) -> B256 {
        B256::from_slice(&Sha256::digest(self.as_der()))
    }

    /// The uncompressed point, 65 bytes.
    pub(crate) fn to_sec1(&self) -> Vec<u8> {
        self.point.to_sec1_bytes().into_vec()
    }
}

impl TryFrom<ClientPublicKey> for PublicKey {
    type Error = InvalidKey;

    fn try_from(text: ClientPublicKey) -> Result<Self, InvalidKey> {
        let point = p256::PublicKey::from_public_key_der(text.der()).map_err(|_| InvalidKey::NotP256)?;
        Ok(Self { point, text })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.hash())
    }
}

/// The private half, which stays with whoever opens.
#[derive(Clone)]
pub struct RecipientKey(p256::SecretKey);

impl RecipientKey {
    /// A new random key.
    #[must_use]
    pub fn generate() -> Self {
        loop {
            let mut bytes = Zeroizing::new([0_u8; 32]);
            rand::fill(bytes.as_mut_slice());
            // All but one of 2^32 draws are a scalar of the curve.
            if let Ok(secret) = p256::SecretKey::from_slice(bytes.as_slice()) {
                return Self(secret);
            }
        }
    }

    /// The key with this scalar.
    #[cfg(test)]
    pub(crate) fn from_scalar(bytes: &[u8]) -> Option<Self> {
        p256::SecretKey::from_slice(bytes).ok().map(Self)
    }

    /// Reads PKCS#8 in PEM.
    ///
    /// # Errors
    /// A text that is none, or of another curve.
    pub fn from_pem(pem: &str) -> Result<Self, InvalidKey> {
        p256::SecretKey::from_pkcs8_pem(pem).map(Self).map_err(|_| InvalidKey::NotPrivate)
    }

    /// PKCS#8 in PEM; wiped when it is dropped.
    ///
    /// # Errors
    /// None for a key that exists; the encoder's signature has one.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, InvalidKey> {
        self.0.to_pkcs8_pem(LineEnding::LF).map_err(|_| InvalidKey::NotPrivate)
    }

    /// The half to give away.
    ///
    /// # Errors
    /// None for a key that exists; the encoder's signature has one.
    pub fn public_key(&self) -> Result<PublicKey, InvalidKey> {
        PublicKey::of(self.0.public_key())
    }

    /// The scalar, 32 bytes big-endian.
    pub(crate) fn to_scalar(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.to_bytes().to_vec())
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecipientKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    /// Made with `openssl ecparam -name prime256v1 -genkey` and `openssl ec -pubout`; hash by `openssl dgst -sha256`
    /// over `-outform DER`.
    const OPENSSL: &str = include_str!("testdata/p256.pub.pem");
    const OPENSSL_HASH: &str = include_str!("testdata/p256.pub.sha256");

    #[test]
    fn openssl_s_key_has_openssl_s_hash() {
        let key = PublicKey::from_pem(OPENSSL).unwrap();
        assert_eq!(hex::encode(key.hash()), OPENSSL_HASH.trim());
        assert_eq!(key.to_pem(), OPENSSL);
        let (windows, one_line) = (OPENSSL.replace('\n', "\r\n"), OPENSSL.replace('\n', ""));
        assert_eq!(PublicKey::from_pem(&windows).unwrap(), key);
        assert_eq!(PublicKey::from_pem(&one_line).unwrap(), key);
    }

    #[test]
    fn other_keys_and_other_encodings_are_refused() {
        let key = PublicKey::from_pem(OPENSSL).unwrap();
        let (begin, end) = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----");
        let pem = |der: &[u8]| format!("{begin}\n{}\n{end}", BASE64_STANDARD.encode(der));
        assert_eq!(PublicKey::from_pem("").unwrap_err(), InvalidKey::NotPem);
        assert_eq!(PublicKey::from_pem(&OPENSSL.replace("PUBLIC", "EC PUBLIC")).unwrap_err(), InvalidKey::NotPem);
        assert_eq!(PublicKey::from_pem(&format!("{OPENSSL}{OPENSSL}")).unwrap_err(), InvalidKey::NotPem);
        assert_eq!(PublicKey::from_pem(&"A".repeat(2_000)).unwrap_err(), InvalidKey::NotPem);
        // secp256k1, as openssl writes it.
        let k1 = include_str!("testdata/secp256k1.pub.pem");
        assert_eq!(PublicKey::from_pem(k1).unwrap_err(), InvalidKey::NotP256);
        // The same point, compressed: another text for the same key.
        let compressed = include_str!("testdata/p256.compressed.pub.pem");
        assert_eq!(PublicKey::from_pem(compressed).unwrap_err(), InvalidKey::NotP256);
        let mut off_the_curve = key.as_der().to_vec();
        *off_the_curve.last_mut().unwrap() ^= 1;
        assert_eq!(PublicKey::from_pem(&pem(&off_the_curve)).unwrap_err(), InvalidKey::NotP256);
        let trailing = [key.as_der(), &[0]].concat();
        assert_eq!(PublicKey::from_pem(&pem(&trailing)).unwrap_err(), InvalidKey::NotP256);
    }

    #[test]
    fn a_private_key_survives_its_pem_and_never_shows_itself() {
        let key = RecipientKey::generate();
        let again = RecipientKey::from_pem(&key.to_pem().unwrap()).unwrap();
        assert_eq!(again.public_key().unwrap(), key.public_key().unwrap());
        assert_eq!(format!("{key:?}"), "RecipientKey(..)");
        assert_eq!(RecipientKey::from_pem(OPENSSL).unwrap_err(), InvalidKey::NotPrivate);
    }
}

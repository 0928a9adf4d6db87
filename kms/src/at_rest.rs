//! Secrets on disk: AES-256-GCM under a key derived (HKDF-SHA256) from the storage secret, for one purpose each.
//!
//! ```text
//! "zama-jobs/kms/1" | salt (32) | nonce (12) | ciphertext and tag;  the first two and the purpose are authenticated
//! ```

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

const MAGIC: &[u8] = b"zama-jobs/kms/1";
const SALT: usize = 32;
const NONCE: usize = 12;

/// What a sealed file holds; the bytes of one cannot be passed off as another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// tfhe's client key.
    ClientKey,
    /// The secp256k1 key that signs sealed results.
    Signer,
}

impl Purpose {
    fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::ClientKey => b"client-key",
            Self::Signer => b"signer",
        }
    }
}

/// The text that everything on disk is encrypted under. Its strength is the files' strength: nothing slows a guess down.
#[derive(Clone)]
pub struct StorageSecret(Zeroizing<String>);

impl StorageSecret {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    fn cipher(&self, purpose: Purpose, salt: &[u8]) -> Option<Aes256Gcm> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(salt), self.0.as_bytes()).expand(purpose.as_bytes(), key.as_mut_slice()).ok()?;
        Some(Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key)))
    }
}

impl fmt::Debug for StorageSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorageSecret(..)")
    }
}

/// The storage secret is another one, or the bytes are not what was written.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the file cannot be decrypted: kms.storage_secret is not the one that it was written with, or it was changed")]
pub struct AtRestError;

/// The bytes to write for a secret.
///
/// # Errors
/// The secret is beyond AES-GCM's 64 GiB.
pub fn seal(secret: &StorageSecret, purpose: Purpose, plaintext: &[u8]) -> Result<Vec<u8>, AtRestError> {
    let mut header = MAGIC.to_vec();
    header.extend(rand::random::<[u8; SALT]>());
    let nonce: [u8; NONCE] = rand::random();
    let cipher = secret.cipher(purpose, &header[MAGIC.len()..]).ok_or(AtRestError)?;
    let payload = Payload { msg: plaintext, aad: &header };
    let sealed = cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| AtRestError)?;
    Ok([header.as_slice(), &nonce, &sealed].concat())
}

/// The secret in bytes that [`seal`] made.
///
/// # Errors
/// Another secret, another purpose, or other bytes.
pub fn open(secret: &StorageSecret, purpose: Purpose, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, AtRestError> {
    let (header, rest) = bytes.split_at_checked(MAGIC.len() + SALT).ok_or(AtRestError)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(AtRestError)?;
    let salt = header.strip_prefix(MAGIC).ok_or(AtRestError)?;
    let cipher = secret.cipher(purpose, salt).ok_or(AtRestError)?;
    let payload = Payload { msg: sealed, aad: header };
    cipher.decrypt(&Nonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| AtRestError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> StorageSecret {
        StorageSecret::new(text.to_owned())
    }

    #[test]
    fn only_the_same_secret_and_purpose_open() {
        let sealed = seal(&secret("one"), Purpose::Signer, b"key").unwrap();
        assert_eq!(open(&secret("one"), Purpose::Signer, &sealed).unwrap().as_slice(), b"key");
        assert_eq!(open(&secret("two"), Purpose::Signer, &sealed), Err(AtRestError));
        assert_eq!(open(&secret("one"), Purpose::ClientKey, &sealed), Err(AtRestError));
        assert_ne!(seal(&secret("one"), Purpose::Signer, b"key").unwrap(), sealed);
    }

    #[test]
    fn no_byte_can_be_changed_or_cut_off() {
        let sealed = seal(&secret("one"), Purpose::Signer, b"key").unwrap();
        for position in 0..sealed.len() {
            let mut other = sealed.clone();
            other[position] ^= 1;
            assert_eq!(open(&secret("one"), Purpose::Signer, &other), Err(AtRestError), "byte {position}");
            assert_eq!(open(&secret("one"), Purpose::Signer, &sealed[..position]), Err(AtRestError));
        }
    }
}

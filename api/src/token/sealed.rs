//! Private keys in the database: AES-256-GCM under a key derived (HKDF-SHA256) from `auth.keys_secret`.
//!
//! ```text
//! nonce (12) | ciphertext and tag;  the key's id is authenticated
//! ```
//!
//! A key that does not open is none of ours: whoever writes to the database cannot add one.

use std::fmt;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use anyhow::{Context, Result, anyhow, bail};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::key::SigningKey;

const PURPOSE: &[u8] = b"zama-jobs/token-keys/1";
const NONCE: usize = 12;

/// The text that signing keys are encrypted under. Its strength is theirs: nothing slows a guess down.
#[derive(Clone)]
pub struct KeysSecret(Zeroizing<String>);

impl KeysSecret {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    fn cipher(&self) -> Result<Aes256Gcm> {
        let mut key = Zeroizing::new([0; 32]);
        let derived = Hkdf::<Sha256>::new(None, self.0.as_bytes()).expand(PURPOSE, key.as_mut_slice());
        derived.map_err(|_| anyhow!("no key could be derived"))?;
        Ok(Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key)))
    }

    /// The bytes to store for a key.
    pub(super) fn seal(&self, key: &SigningKey) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE] = rand::random();
        let kid = key.public.thumbprint();
        let payload = Payload { msg: &key.pkcs8, aad: kid.as_bytes() };
        let sealed = self.cipher()?.encrypt(&Nonce::from(nonce), payload).map_err(|_| anyhow!("it is too long"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// The key with this id.
    pub(super) fn open(&self, kid: &str, stored: &[u8]) -> Result<SigningKey> {
        let (nonce, sealed) = stored.split_first_chunk::<NONCE>().context("the stored key is cut off")?;
        let payload = Payload { msg: sealed, aad: kid.as_bytes() };
        let opened = self.cipher()?.decrypt(&Nonce::from(*nonce), payload);
        let pkcs8 = opened.map_err(|_| anyhow!("auth.keys_secret is not the one that it was stored under"))?;
        let key = SigningKey::from_pkcs8(pkcs8)?;
        if key.public.thumbprint() != kid {
            bail!("the stored key is another one");
        }
        Ok(key)
    }
}

impl fmt::Debug for KeysSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeysSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_under_its_secret_and_its_id_alone() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let secret = KeysSecret::new("one".to_owned());
        let (kid, stored) = (key.public.thumbprint(), secret.seal(&key).unwrap());
        assert_eq!(secret.open(&kid, &stored).unwrap().pkcs8, key.pkcs8);
        assert!(!stored.windows(32).any(|window| key.pkcs8.windows(32).any(|part| part == window)));
        assert!(KeysSecret::new("two".to_owned()).open(&kid, &stored).is_err());
        assert!(secret.open(&other.public.thumbprint(), &stored).is_err());
        for at in 0..stored.len() {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            assert!(secret.open(&kid, &changed).is_err(), "byte {at}");
        }
        assert!(secret.open(&kid, &stored[..5]).is_err());
    }
}

//! The payload codec: AES-256-GCM around every payload that reaches Temporal, the key's id in its metadata.

use std::collections::HashMap;
use std::sync::Arc;

use aes_gcm::aead::{Aead, KeyInit, Payload as AeadPayload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use anyhow::{Context, Result, bail};
use futures::future::{BoxFuture, FutureExt, ready};
use prost::Message;
use temporalio_common::data_converters::{PayloadCodec, PayloadConversionError, SerializationContextData};
use temporalio_common::protos::temporal::api::common::v1::Payload;

const ENCODING: &str = "encoding";
const ENCRYPTED: &[u8] = b"binary/encrypted";
const KEY_ID: &str = "encryption-key-id";
const NONCE_BYTES: usize = 12;

/// Keys by id; the first encrypts, all decrypt, so that a key can be rotated without losing a history.
#[derive(Clone)]
pub struct KeyRing {
    current: String,
    ciphers: Arc<HashMap<String, Aes256Gcm>>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("current", &self.current).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// Reads `id:hex,id:hex` with 32-byte keys.
    ///
    /// # Errors
    /// No key, a key that is not 32 bytes of hex, or an id given twice.
    pub fn parse(text: &str) -> Result<Self> {
        let mut ciphers = HashMap::new();
        let mut current = None;
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (id, key) = part.split_once(':').context("a codec key is written id:hex")?;
            let bytes = hex::decode(key).ok().filter(|bytes| bytes.len() == 32);
            let bytes = bytes.with_context(|| format!("codec key {id} is not 32 bytes of hex"))?;
            let key = Key::<Aes256Gcm>::try_from(bytes.as_slice()).context("a key of 32 bytes")?;
            if ciphers.insert(id.to_owned(), Aes256Gcm::new(&key)).is_some() {
                bail!("codec key {id} is given twice");
            }
            current.get_or_insert_with(|| id.to_owned());
        }
        let current = current.context("there is no codec key")?;
        Ok(Self { current, ciphers: Arc::new(ciphers) })
    }

    /// Encrypts one payload. The key id is authenticated with it.
    ///
    /// # Errors
    /// Only a payload too long for AES-GCM.
    pub fn seal(&self, payload: &Payload) -> Result<Payload> {
        let cipher = &self.ciphers[&self.current];
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let message = payload.encode_to_vec();
        let plain = AeadPayload { msg: &message, aad: self.current.as_bytes() };
        let Ok(sealed) = cipher.encrypt(&Nonce::from(nonce), plain) else { bail!("the payload is too long") };
        let metadata = [(ENCODING, ENCRYPTED), (KEY_ID, self.current.as_bytes())]
            .map(|(name, value)| (name.to_owned(), value.to_vec()));
        Ok(Payload { metadata: metadata.into(), data: [&nonce[..], &sealed].concat(), ..Payload::default() })
    }

    /// Decrypts one payload; one that is not encrypted passes as it is.
    ///
    /// # Errors
    /// An unknown key, or bytes that were changed.
    pub fn open(&self, payload: &Payload) -> Result<Payload> {
        if payload.metadata.get(ENCODING).map(Vec::as_slice) != Some(ENCRYPTED) {
            return Ok(payload.clone());
        }
        let id = payload.metadata.get(KEY_ID).map(|id| String::from_utf8_lossy(id).into_owned()).unwrap_or_default();
        let cipher = self.ciphers.get(&id).with_context(|| format!("there is no codec key {id}"))?;
        let (nonce, sealed) = payload.data.split_first_chunk::<NONCE_BYTES>().context("the payload is cut short")?;
        let sealed = AeadPayload { msg: sealed, aad: id.as_bytes() };
        let Ok(plain) = cipher.decrypt(&Nonce::from(*nonce), sealed) else { bail!("the payload was changed") };
        Payload::decode(plain.as_slice()).context("the payload has no meaning")
    }
}

/// [`KeyRing`] as the SDK wants it.
#[derive(Clone, Debug)]
pub struct EncryptingCodec {
    keys: KeyRing,
}

impl EncryptingCodec {
    #[must_use]
    pub fn new(keys: KeyRing) -> Self {
        Self { keys }
    }

    fn each(&self, payloads: &[Payload], work: fn(&KeyRing, &Payload) -> Result<Payload>) -> Converted {
        let done = payloads.iter().map(|payload| work(&self.keys, payload)).collect::<Result<Vec<_>>>();
        ready(done.map_err(|error| PayloadConversionError::EncodingError(error.into()))).boxed()
    }
}

type Converted = BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>>;

impl PayloadCodec for EncryptingCodec {
    fn encode(&self, _context: &SerializationContextData, payloads: Vec<Payload>) -> Converted {
        self.each(&payloads, KeyRing::seal)
    }

    fn decode(&self, _context: &SerializationContextData, payloads: Vec<Payload>) -> Converted {
        self.each(&payloads, KeyRing::open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(ids: &[(&str, u8)]) -> KeyRing {
        let text: Vec<_> = ids.iter().map(|(id, byte)| format!("{id}:{}", hex::encode([*byte; 32]))).collect();
        KeyRing::parse(&text.join(",")).expect("a valid ring")
    }

    fn payload() -> Payload {
        let metadata = HashMap::from([(ENCODING.to_owned(), b"json/plain".to_vec())]);
        Payload { metadata, data: br#"{"job_id":"x"}"#.to_vec(), ..Payload::default() }
    }

    #[test]
    fn a_payload_comes_back_and_hides_meanwhile() {
        let ring = ring(&[("a", 1)]);
        let sealed = ring.seal(&payload()).unwrap();
        assert!(!sealed.data.windows(6).any(|window| window == b"job_id"));
        assert_eq!(sealed.metadata[KEY_ID], b"a");
        assert_eq!(ring.open(&sealed).unwrap(), payload());
        assert_ne!(ring.seal(&payload()).unwrap().data, sealed.data, "a nonce is never used twice");
    }

    #[test]
    fn an_old_key_still_decrypts() {
        let sealed = ring(&[("a", 1)]).seal(&payload()).unwrap();
        let rotated = ring(&[("b", 2), ("a", 1)]);
        assert_eq!(rotated.open(&sealed).unwrap(), payload());
        assert_eq!(rotated.seal(&payload()).unwrap().metadata[KEY_ID], b"b");
        assert!(ring(&[("b", 2)]).open(&sealed).is_err());
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let ring = ring(&[("a", 1), ("b", 1)]);
        let sealed = ring.seal(&payload()).unwrap();
        for index in 0..sealed.data.len() {
            let mut changed = sealed.clone();
            changed.data[index] ^= 1;
            assert!(ring.open(&changed).is_err(), "byte {index}");
        }
        let mut other_key = sealed;
        other_key.metadata.insert(KEY_ID.to_owned(), b"b".to_vec());
        assert!(ring.open(&other_key).is_err(), "the key id is authenticated");
    }

    #[test]
    fn a_plain_payload_passes() {
        assert_eq!(ring(&[("a", 1)]).open(&payload()).unwrap(), payload());
    }

    #[test]
    fn rings_are_checked() {
        for bad in ["", "a", "a:00", "a:zz", &format!("a:{0},a:{0}", "00".repeat(32))] {
            assert!(KeyRing::parse(bad).is_err(), "{bad}");
        }
    }
}

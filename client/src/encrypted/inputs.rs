//! Ciphertexts that are ready for upload, and the key that they are under.

use alloy::primitives::B256;
use bytes::Bytes;
pub use jobs::fhe::KeyMode;
use serde_json::{Value, json};

/// Inputs of one job, encrypted.
#[derive(Clone, Debug)]
pub struct EncryptedInputs {
    bytes: Bytes,
    key: JobKey,
}

impl EncryptedInputs {
    /// Bytes that were encrypted earlier under this key.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>, key: JobKey) -> Self {
        Self { bytes: bytes.into(), key }
    }

    /// What a blob holds.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    #[must_use]
    pub fn key(&self) -> JobKey {
        self.key
    }
}

/// The key that a job's inputs are encrypted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobKey {
    pub mode: KeyMode,
    pub key_id: B256,
}

impl JobKey {
    /// The network's key of this id.
    #[must_use]
    pub fn network(key_id: B256) -> Self {
        Self { mode: KeyMode::Network, key_id }
    }

    /// The client's own key of this id.
    #[must_use]
    pub fn client(key_id: B256) -> Self {
        Self { mode: KeyMode::Client, key_id }
    }

    /// `payload.key` of a submission.
    #[must_use]
    pub fn to_json(self) -> Value {
        json!({ "mode": self.mode.as_str(), "key_id": self.key_id })
    }
}

//! The keys that an API knows: the network's, and the tenant's own evaluation keys.

use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes};
use chrono::{DateTime, Utc};
pub use jobs::fhe::KeyStatus;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{OnBytes, Upload};
use crate::error::ClientError;
use crate::transport::{Client, read_json};

/// Pause between two looks at a key that is being checked.
const KEY_PAUSE: Duration = Duration::from_secs(1);

/// The keys that a tenant can encrypt under.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Keys {
    /// The key manager's; null where there is none, or where it has not been reached yet.
    pub network: Option<NetworkKeyInfo>,
    /// The tenant's own evaluation keys, the newest first.
    pub client: Vec<UploadedKey>,
}

/// The key that the key manager holds, as the API names it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct NetworkKeyInfo {
    /// SHA-256(SHA-256(evaluation key) | SHA-256(public key) | SHA-256(CRS)).
    pub key_id: B256,
    /// Name of the parameter set.
    pub parameters: String,
    /// The part that only workers need.
    pub evaluation_key: KeyDigest,
    pub public_key: KeyPart,
    /// Common reference string of the proofs.
    pub crs: KeyPart,
    /// Address whose signature stands under each sealed result. The registry's word counts, not this one.
    pub signer: Address,
    /// 65 bytes: the key manager's signature over key id and parameters, for the registry below on the chain below.
    pub signature: Bytes,
    pub chain_id: u64,
    pub registry: Address,
}

/// Bytes of a key that can be fetched.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct KeyPart {
    pub url: String,
    /// Length in bytes.
    pub size: u64,
    pub sha256: B256,
}

/// Bytes of a key that are not given out.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct KeyDigest {
    /// Length in bytes.
    pub size: u64,
    pub sha256: B256,
}

/// An evaluation key that a client uploaded.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct UploadedKey {
    /// SHA-256 of the evaluation key.
    pub key_id: B256,
    pub status: KeyStatus,
    /// Why the key is refused.
    pub detail: Option<String>,
    /// Length in bytes.
    pub size: u64,
    pub created_at: DateTime<Utc>,
}

impl Client {
    /// Reads which keys there are.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn keys(&self) -> Result<Keys, ClientError> {
        read_json(self.send(|| self.get("/v1/fhe/keys")).await?).await
    }

    /// Reads how far the check of an uploaded key is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn uploaded_key(&self, key_id: B256) -> Result<UploadedKey, ClientError> {
        let path = format!("/v1/fhe/keys/{key_id}");
        read_json(self.send(|| self.get(&path)).await?).await
    }

    /// Uploads an evaluation key. With it the service computes; it reads nothing.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn upload_evaluation_key(&self, key: &Upload, progress: &OnBytes) -> Result<UploadedKey, ClientError> {
        read_json(self.upload("/v1/fhe/keys", key, progress).await?).await
    }

    /// Deletes an uploaded key, unless an open job computes under it.
    ///
    /// # Errors
    /// [`ClientError`], with NOT_FOUND and STILL_IN_USE among the codes.
    pub async fn delete_key(&self, key_id: B256) -> Result<(), ClientError> {
        let path = format!("/v1/fhe/keys/{key_id}");
        self.send(|| self.request(Method::DELETE, &path)).await.map(drop)
    }

    /// Waits until an uploaded key is checked, or until the time is up; either way returns it as it is then.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn wait_for_key(&self, key_id: B256, max_wait: Option<Duration>) -> Result<UploadedKey, ClientError> {
        let end = max_wait.map(|time| Instant::now() + time);
        loop {
            let key = self.uploaded_key(key_id).await?;
            if key.status != KeyStatus::Pending || end.is_some_and(|end| Instant::now() >= end) {
                return Ok(key);
            }
            tokio::time::sleep(KEY_PAUSE).await;
        }
    }
}

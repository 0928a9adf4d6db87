//! Ciphertexts, keys, and the results of encrypted jobs.

use std::time::Duration;

use alloy::primitives::{Address, B256};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use jobs::JobId;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use retrieval::Answer;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::ClientError;
use crate::transport::{Client, read_json};

/// Longest time for bytes to travel: 64 MiB of inputs, 256 MiB of a key.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(900);
const OCTETS: &str = "application/octet-stream";

/// A stored blob.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Blob {
    pub sha256: B256,
    /// Length in bytes.
    pub size: u64,
    /// What a job names as its `encrypted_data_url`.
    pub url: String,
}

/// The keys that the tenant can encrypt under.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// The key manager's; `None` where there is no key manager.
    pub network: Option<NetworkKey>,
    /// The tenant's own evaluation keys, the newest first.
    pub client: Vec<ClientKey>,
}

/// The key that the key manager holds.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct NetworkKey {
    pub key_id: B256,
    /// Name of the parameter set.
    pub parameters: String,
    pub public_key: KeyPart,
    /// Common reference string of the proofs.
    pub crs: KeyPart,
    /// Address whose signature stands under each sealed result; believe the one that the registry pins.
    pub signer: Address,
}

/// Bytes of a key.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct KeyPart {
    pub url: String,
    /// Length in bytes.
    pub size: u64,
    pub sha256: B256,
}

/// Whether jobs may use a key.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyStatus {
    /// It is being checked.
    Pending,
    Ready,
    Refused,
}

/// An evaluation key that the tenant uploaded.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ClientKey {
    /// SHA-256 of the compressed evaluation key.
    pub key_id: B256,
    pub status: KeyStatus,
    /// Why it is refused.
    pub detail: Option<String>,
    /// Length in bytes.
    pub size: u64,
    pub created_at: DateTime<Utc>,
}

/// A signed request for a result.
#[derive(Clone, Debug, Serialize)]
pub struct SignedRetrieval {
    /// 65 bytes over the EIP-712 digest of [`retrieval::Retrieval`], 0x-hex.
    pub client_signature: String,
    pub retrieval_nonce: B256,
    /// PEM of the key to seal to; the job's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_public_key: Option<String>,
    /// Unix seconds; signed as 0 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u64>,
}

impl Client {
    /// Uploads a blob; the same bytes again are the same blob.
    ///
    /// # Errors
    /// [`ClientError`], with PAYLOAD_TOO_LARGE beyond 64 MiB.
    pub async fn upload_blob(&self, bytes: Bytes) -> Result<Blob, ClientError> {
        self.upload("/v1/blobs", bytes).await
    }

    /// Downloads a blob of the tenant and checks its hash.
    ///
    /// # Errors
    /// [`ClientError`], with NOT_FOUND also for another tenant's, and [`ClientError::ResultHash`].
    pub async fn blob(&self, sha256: B256) -> Result<Vec<u8>, ClientError> {
        self.download(&format!("/v1/blobs/{sha256}"), sha256).await
    }

    /// Uploads a compressed evaluation key. It is `pending` until a worker has checked it.
    ///
    /// # Errors
    /// [`ClientError`], with PAYLOAD_TOO_LARGE beyond 256 MiB.
    pub async fn upload_key(&self, bytes: Bytes) -> Result<ClientKey, ClientError> {
        self.upload("/v1/fhe/keys", bytes).await
    }

    /// Reads the keys that the tenant can encrypt under.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn keys(&self) -> Result<Keys, ClientError> {
        read_json(self.send(|| self.get("/v1/fhe/keys")).await?).await
    }

    /// Reads the state of a key that the tenant uploaded.
    ///
    /// # Errors
    /// [`ClientError`], with NOT_FOUND also for another tenant's.
    pub async fn client_key(&self, key_id: B256) -> Result<ClientKey, ClientError> {
        read_json(self.send(|| self.get(&format!("/v1/fhe/keys/{key_id}"))).await?).await
    }

    /// Downloads the network's compact public key and checks its hash.
    ///
    /// # Errors
    /// [`ClientError`], and [`ClientError::ResultHash`].
    pub async fn network_public_key(&self, key: &NetworkKey) -> Result<Vec<u8>, ClientError> {
        self.download("/v1/fhe/keys/network/public-key", key.public_key.sha256).await
    }

    /// Downloads the proofs' common reference string and checks its hash.
    ///
    /// # Errors
    /// [`ClientError`], and [`ClientError::ResultHash`].
    pub async fn network_crs(&self, key: &NetworkKey) -> Result<Vec<u8>, ClientError> {
        self.download("/v1/fhe/keys/network/crs", key.crs.sha256).await
    }

    /// Fetches an encrypted job's result. [`retrieval::verify_and_open`] checks and opens a sealed one.
    ///
    /// # Errors
    /// [`ClientError`], with RESULT_NOT_READY until the job is confirmed, SIGNATURE_INVALID, NONCE_REPLAYED.
    pub async fn fhe_result(&self, id: JobId, signed: &SignedRetrieval) -> Result<Answer, ClientError> {
        let path = format!("/v1/jobs/{id}/fhe-result");
        read_json(self.send(|| self.request(Method::POST, &path).timeout(TRANSFER_TIMEOUT).json(signed)).await?).await
    }

    /// The promised hash makes the service refuse a body that was changed on its way.
    async fn upload<T: serde::de::DeserializeOwned>(&self, path: &str, bytes: Bytes) -> Result<T, ClientError> {
        let sha256 = B256::from_slice(&Sha256::digest(&bytes)).to_string();
        let build = || {
            let request = self.request(Method::POST, path).timeout(TRANSFER_TIMEOUT);
            request.header(CONTENT_TYPE, OCTETS).header("X-Content-SHA256", &sha256).body(bytes.clone())
        };
        read_json(self.send(build).await?).await
    }

    async fn download(&self, path: &str, expected: B256) -> Result<Vec<u8>, ClientError> {
        let response = self.send(|| self.get(path).timeout(TRANSFER_TIMEOUT)).await?;
        let bytes = response.bytes().await.map_err(|error| ClientError::transport(&error))?.to_vec();
        let actual = B256::from_slice(&Sha256::digest(&bytes));
        if actual != expected {
            return Err(ClientError::ResultHash { stated: Some(expected), actual });
        }
        Ok(bytes)
    }
}

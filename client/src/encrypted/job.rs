//! Uploading inputs and submitting the job that computes on them.

use std::time::Duration;

use alloy::primitives::B256;
use jobs::IdempotencyKey;
use reqwest::Method;
use retrieval::PublicKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{EncryptedInputs, JobKey, OnBytes, Upload, unwatched};
use crate::error::ClientError;
use crate::submit::Submitted;
use crate::transport::{Client, read_json};

/// Longest time for the 64 MiB of a blob to come.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// A stored blob.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Blob {
    /// SHA-256 of the bytes.
    pub sha256: B256,
    /// Length in bytes.
    pub size: u64,
    /// What a job names as its `encrypted_data_url`.
    pub url: String,
}

/// What to compute on encrypted inputs.
#[derive(Clone, Debug)]
pub struct EncryptedJob {
    algorithm: String,
    parameters: Option<Value>,
    recipient: Option<String>,
    rest: serde_json::Map<String, Value>,
}

impl EncryptedJob {
    /// A job of this algorithm, with nothing but defaults.
    #[must_use]
    pub fn new(algorithm: impl Into<String>) -> Self {
        Self { algorithm: algorithm.into(), parameters: None, recipient: None, rest: serde_json::Map::new() }
    }

    /// With `payload.parameters`: the algorithm's own, `timeout`, `value_type` and `count`.
    #[must_use]
    pub fn with_parameters(mut self, parameters: Value) -> Self {
        self.parameters = Some(parameters);
        self
    }

    /// With the key that the result is sealed to unless a retrieval names another (network key only).
    #[must_use]
    pub fn sealed_to(mut self, recipient: &PublicKey) -> Self {
        self.recipient = Some(recipient.to_pem());
        self
    }

    /// With another field of the body, such as `priority` or `deadline`.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.rest.insert(field.to_owned(), value.into());
        self
    }

    /// The body of `POST /v1/jobs` for inputs at `url`. Without a key the network's current one is meant.
    #[must_use]
    pub fn body(&self, url: &str, key: Option<JobKey>) -> Value {
        let mut payload = json!({ "algorithm": self.algorithm, "encrypted_data_url": url });
        if let Some(parameters) = &self.parameters {
            payload["parameters"] = parameters.clone();
        }
        if let Some(key) = key {
            payload["key"] = key.to_json();
        }
        if let Some(recipient) = &self.recipient {
            payload["client_public_key"] = json!(recipient);
        }
        let mut body = json!({ "type": "fhe_compute", "payload": payload, "use_fhe": true });
        for (field, value) in &self.rest {
            body[field] = value.clone();
        }
        body
    }
}

impl Client {
    /// Uploads a job's inputs, 64 MiB at most. The same bytes again are the same blob.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn upload_blob(&self, blob: &Upload, progress: &OnBytes) -> Result<Blob, ClientError> {
        let stored: Blob = read_json(self.upload("/v1/blobs", blob, progress).await?).await?;
        if stored.sha256 == blob.sha256() {
            return Ok(stored);
        }
        let body = format!("it stored {}, not {}", stored.sha256, blob.sha256());
        Err(ClientError::Unexpected { status: 200, body })
    }

    /// Downloads a blob of the tenant and checks its hash.
    ///
    /// # Errors
    /// [`ClientError`], with NOT_FOUND also for another tenant's, and [`ClientError::ResultHash`].
    pub async fn blob(&self, sha256: B256) -> Result<Vec<u8>, ClientError> {
        let path = format!("/v1/blobs/{sha256}");
        let response = self.send(|| self.get(&path).timeout(DOWNLOAD_TIMEOUT)).await?;
        let bytes = response.bytes().await.map_err(|error| ClientError::transport(&error))?.to_vec();
        match B256::from_slice(&Sha256::digest(&bytes)) {
            actual if actual == sha256 => Ok(bytes),
            actual => Err(ClientError::ResultHash { stated: Some(sha256), actual }),
        }
    }

    /// Deletes a blob of the tenant, unless an open job needs it.
    ///
    /// # Errors
    /// [`ClientError`], with NOT_FOUND and STILL_IN_USE among the codes.
    pub async fn delete_blob(&self, sha256: B256) -> Result<(), ClientError> {
        let path = format!("/v1/blobs/{sha256}");
        self.send(|| self.request(Method::DELETE, &path)).await.map(drop)
    }

    /// Uploads inputs and submits the job on them. To repeat it under the same idempotency key, use the same inputs:
    /// encrypting anew makes other bytes, and so another job.
    ///
    /// # Errors
    /// [`ClientError`]. After [`ClientError::Transport`] the job may exist.
    pub async fn submit_encrypted(
        &self,
        job: &EncryptedJob,
        inputs: EncryptedInputs,
        key: Option<IdempotencyKey>,
    ) -> Result<Submitted, ClientError> {
        let blob = self.upload_blob(&Upload::of_bytes(inputs.bytes().clone()), &unwatched()).await?;
        self.submit(&job.body(&blob.url, Some(inputs.key())), key, None).await
    }
}

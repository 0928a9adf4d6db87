//! Fetching a result, and checking that the bytes are the ones whose hash the API names.

use std::time::Duration;

use alloy::primitives::B256;
use jobs::JobId;
use reqwest::header::CONTENT_TYPE;
use sha2::{Digest, Sha256};

use crate::error::ClientError;
use crate::transport::Client;

/// Longest time for a result to arrive: those of encrypted jobs are megabytes.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// A result as the job left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultBytes {
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes: equal to `result.hash` of the job and to the hash on chain.
    pub hash: B256,
    pub media_type: String,
}

impl Client {
    /// Fetches a job's result and checks its hash.
    ///
    /// # Errors
    /// [`ClientError`], with RESULT_NOT_READY until the job has one, and [`ClientError::ResultHash`].
    pub async fn result(&self, id: JobId) -> Result<ResultBytes, ClientError> {
        let path = format!("/v1/jobs/{id}/result");
        let response = self.send(|| self.get(&path).timeout(DOWNLOAD_TIMEOUT)).await?;
        let text = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(|value| value.trim().to_owned())
        };
        let stated = text("X-Result-Hash").and_then(|value| value.parse::<B256>().ok());
        let media_type = text(CONTENT_TYPE.as_str()).unwrap_or_else(|| "application/octet-stream".to_owned());
        let bytes = response.bytes().await.map_err(|error| ClientError::transport(&error))?.to_vec();
        let hash = B256::from_slice(&Sha256::digest(&bytes));
        if stated != Some(hash) {
            return Err(ClientError::ResultHash { stated, actual: hash });
        }
        Ok(ResultBytes { bytes, hash, media_type })
    }
}

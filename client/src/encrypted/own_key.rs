//! A key that its client holds: the service computes under it and reads nothing.

use std::sync::Arc;

use alloy::primitives::B256;
use fhe::clear::ClearValue;
use fhe::encrypt::for_client;
use fhe::keys::{ClientKeys, KeyId, SecretKey};
use zeroize::Zeroizing;

use super::EncryptedError;
use super::inputs::{EncryptedInputs, JobKey};
use super::opened::Opened;

/// New keys, each as its bytes.
pub struct OwnKeyFiles {
    /// Decrypts everything: stays with the client. Wiped when it is dropped.
    pub secret_key: Zeroizing<Vec<u8>>,
    /// What is uploaded, 30 MB.
    pub evaluation_key: Vec<u8>,
    /// SHA-256 of the evaluation key.
    pub key_id: B256,
}

impl OwnKeyFiles {
    /// Makes new keys, in about a second.
    ///
    /// # Errors
    /// The thread died.
    pub async fn generate() -> Result<Self, EncryptedError> {
        let keys = tokio::task::spawn_blocking(ClientKeys::generate).await?;
        let key_id = B256::from(keys.id().0);
        Ok(Self { secret_key: keys.secret_key, evaluation_key: keys.evaluation_key, key_id })
    }
}

/// A client's secret key and its id. Cheap to clone; has no `Debug`.
#[derive(Clone)]
pub struct OwnKey {
    secret: Arc<SecretKey>,
    id: B256,
}

impl OwnKey {
    /// The key in these bytes, whose evaluation key has the id `id`.
    ///
    /// # Errors
    /// Bytes that are no secret key of these parameters.
    pub fn from_bytes(secret_key: &[u8], id: B256) -> Result<Self, EncryptedError> {
        Ok(Self { secret: Arc::new(SecretKey::from_bytes(secret_key)?), id })
    }

    /// Whether bytes are a secret key: what must never be uploaded.
    #[must_use]
    pub fn is_secret(bytes: &[u8]) -> bool {
        SecretKey::from_bytes(bytes).is_ok()
    }

    /// The id of an evaluation key.
    #[must_use]
    pub fn id_of(evaluation_key: &[u8]) -> B256 {
        KeyId::client(evaluation_key).0.into()
    }

    /// Id of the evaluation key that belongs to this one.
    #[must_use]
    pub fn id(&self) -> B256 {
        self.id
    }

    /// Encrypts values under this key.
    ///
    /// # Errors
    /// No values, or more than [`fhe::inputs::MAX_VALUES`].
    pub async fn encrypt(&self, values: Vec<ClearValue>) -> Result<EncryptedInputs, EncryptedError> {
        let secret = Arc::clone(&self.secret);
        let bytes = tokio::task::spawn_blocking(move || for_client(&values, &secret)).await??;
        Ok(EncryptedInputs::new(bytes, JobKey::client(self.id)))
    }

    /// Decrypts the bytes of a result.
    ///
    /// # Errors
    /// Bytes that are no result, or are under another key.
    pub(super) async fn decrypt(&self, result: Vec<u8>) -> Result<String, EncryptedError> {
        let secret = Arc::clone(&self.secret);
        let clear = tokio::task::spawn_blocking(move || fhe::decrypt::decrypt(&result, &secret)).await??;
        Ok(clear.to_json())
    }
}

impl crate::Client {
    /// Fetches the result of a job under the client's own key, checks it as `trust` says, and decrypts it.
    ///
    /// # Errors
    /// [`EncryptedError`], with RESULT_NOT_READY until there is a result.
    pub async fn decrypt(&self, id: jobs::JobId, key: &OwnKey, trust: &super::Trust) -> Result<Opened, EncryptedError> {
        let result = self.result(id).await?;
        let confirmed = self.confirmed(id, trust, std::time::Duration::ZERO).await?;
        if confirmed.result_hash != result.hash {
            return Err(EncryptedError::Unconfirmed { confirmed: confirmed.result_hash, actual: result.hash });
        }
        if let Some(of_result) = confirmed.key_id.filter(|of_result| *of_result != key.id) {
            return Err(EncryptedError::OtherKey { of_result, own: key.id });
        }
        Opened::new(id, key.decrypt(result.bytes).await?, confirmed, None)
    }
}

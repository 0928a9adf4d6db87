//! The network's key as a client needs it: fetched, checked, and encrypted under.

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::B256;
use fhe::clear::ClearValue;
use fhe::encrypt::for_network;
use fhe::inputs::Origin;
use fhe::keys::{BoundParts, KeyId, NetworkPublicKey};
use futures::TryStreamExt;
use sha2::{Digest, Sha256};

use super::inputs::{EncryptedInputs, JobKey};
use super::{EncryptedError, KeyCache, KeyPart, NetworkKeyInfo, OnBytes, Trust, VerifiedKey};
use crate::error::ClientError;
use crate::transport::Client;

/// Longest time for the 4.6 MB of a reference string to come.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(300);
/// Largest part that is fetched, in bytes: a reference string has 4.6 MB.
const MAX_PART: u64 = jobs::fhe::MAX_CRS_BYTES as u64;

/// The network's key, which the key manager or the caller vouches for. Cheap to clone.
#[derive(Clone)]
pub struct NetworkKey {
    info: NetworkKeyInfo,
    key: Arc<NetworkPublicKey>,
}

impl NetworkKey {
    /// The key's description.
    #[must_use]
    pub fn info(&self) -> &NetworkKeyInfo {
        &self.info
    }

    /// Encrypts values with a proof of knowledge that binds `origin`, the tenant and submitter of the job: in anybody
    /// else's job the ciphertexts are refused. About a second for 512 bits on two cores.
    ///
    /// # Errors
    /// No values, or more than [`fhe::inputs::MAX_VALUES`].
    pub async fn encrypt(&self, values: Vec<ClearValue>, origin: Origin) -> Result<EncryptedInputs, EncryptedError> {
        let key = Arc::clone(&self.key);
        let bytes = tokio::task::spawn_blocking(move || for_network(&values, &key, &origin)).await??;
        Ok(EncryptedInputs::new(bytes, JobKey::network(self.info.key_id)))
    }
}

impl Client {
    /// Fetches the network's key, or takes its parts from the cache, once [`UnverifiedKey::verify`](super::UnverifiedKey)
    /// believes it, and checks each hash. A key that the cache has not seen is checked point by point besides, for some
    /// seconds. `progress` is told the bytes of both parts together.
    ///
    /// # Errors
    /// [`EncryptedError`]: no network key, one that the key manager has not signed, bytes of another hash, a call that
    /// failed.
    pub async fn network_key(
        &self,
        trust: &Trust,
        cache: Option<&KeyCache>,
        progress: &OnBytes,
    ) -> Result<NetworkKey, EncryptedError> {
        let key = Box::pin(self.network_key_described().await?.verify(trust)).await?;
        self.network_key_of(key, cache, progress).await
    }

    /// As [`Client::network_key`], for a key that is believed already.
    ///
    /// # Errors
    /// As [`Client::network_key`].
    pub async fn network_key_of(
        &self,
        key: VerifiedKey,
        cache: Option<&KeyCache>,
        progress: &OnBytes,
    ) -> Result<NetworkKey, EncryptedError> {
        let info = key.into_info();
        let public_key = self.part(Part::PublicKey, &info.public_key, cache, progress).await?;
        let before = info.public_key.size;
        let outer = Arc::clone(progress);
        let progress: OnBytes = Arc::new(move |bytes| outer(before + bytes));
        let crs = self.part(Part::Crs, &info.crs, cache, &progress).await?;
        let checked = match cache {
            Some(cache) => cache.has_checked(info.key_id).await,
            None => false,
        };
        let (id, evaluation_key) = (KeyId(info.key_id.0), info.evaluation_key.sha256.0);
        let read = move || {
            let parts = BoundParts::new(id, evaluation_key, &public_key, &crs)?;
            match checked {
                true => NetworkPublicKey::from_checked(parts),
                false => NetworkPublicKey::from_bytes(&public_key, &crs),
            }
        };
        let key = tokio::task::spawn_blocking(read).await??;
        if let Some(cache) = cache.filter(|_| !checked) {
            cache.note_checked(info.key_id).await?;
        }
        Ok(NetworkKey { info, key: Arc::new(key) })
    }

    async fn part(
        &self,
        which: Part,
        part: &KeyPart,
        cache: Option<&KeyCache>,
        progress: &OnBytes,
    ) -> Result<Vec<u8>, EncryptedError> {
        if let Some(cache) = cache
            && let Some(bytes) = cache.find(part.sha256).await
        {
            progress(part.size);
            return Ok(bytes);
        }
        let bytes = self.fetch(which, part, progress).await?;
        let actual = B256::from_slice(&Sha256::digest(&bytes));
        if actual != part.sha256 {
            return Err(EncryptedError::KeyPart { part: which.name(), expected: part.sha256, actual });
        }
        if let Some(cache) = cache {
            cache.keep(part.sha256, &bytes).await?;
        }
        Ok(bytes)
    }

    /// From this API's own address: the token goes nowhere else, whatever the description's URL says.
    async fn fetch(&self, which: Part, part: &KeyPart, progress: &OnBytes) -> Result<Vec<u8>, EncryptedError> {
        let response = self.send(|| self.get(which.path()).timeout(DOWNLOAD_TIMEOUT)).await?;
        let status = response.status().as_u16();
        let limit = part.size.min(MAX_PART);
        let mut bytes = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.try_next().await.map_err(|error| ClientError::transport(&error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > limit {
                let body = format!("more than the {limit} bytes that the {} has", which.name());
                return Err(ClientError::Unexpected { status, body }.into());
            }
            progress(bytes.len() as u64);
        }
        Ok(bytes)
    }
}

pub(super) fn check_id(info: &NetworkKeyInfo) -> Result<(), EncryptedError> {
    let parts = [info.evaluation_key.sha256, info.public_key.sha256, info.crs.sha256];
    match B256::from(KeyId::of_digests(parts.map(|part| part.0)).0) {
        actual if actual == info.key_id => Ok(()),
        actual => Err(EncryptedError::KeyId { stated: info.key_id, actual }),
    }
}

#[derive(Clone, Copy)]
enum Part {
    PublicKey,
    Crs,
}

impl Part {
    fn path(self) -> &'static str {
        match self {
            Self::PublicKey => "/v1/fhe/keys/network/public-key",
            Self::Crs => "/v1/fhe/keys/network/crs",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::PublicKey => "public key",
            Self::Crs => "common reference string",
        }
    }
}

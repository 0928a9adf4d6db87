//! The network key's public parts, kept in memory by their hash: the key manager is asked seldom, and not needed for
//! what is known.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alloy::primitives::B256;
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::key_manager::{KeyManager, KeyManagerError, NetworkKey};

/// How long a manifest is believed without asking again.
const FRESH: Duration = Duration::from_secs(30);

/// Which of the key's parts that clients need.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = NetworkKeyPart)]
pub enum Part {
    PublicKey,
    Crs,
}

/// One for the whole server.
pub struct NetworkKeys {
    manager: Arc<dyn KeyManager>,
    manifest: Mutex<Option<(Instant, NetworkKey)>>,
    public_key: Mutex<Option<(B256, Bytes)>>,
    crs: Mutex<Option<(B256, Bytes)>>,
}

impl NetworkKeys {
    #[must_use]
    pub fn new(manager: Arc<dyn KeyManager>) -> Self {
        Self { manager, manifest: Mutex::default(), public_key: Mutex::default(), crs: Mutex::default() }
    }

    pub(crate) fn manager(&self) -> &dyn KeyManager {
        &*self.manager
    }

    /// Which key there is. While the key manager is away, the one that was known.
    pub(crate) async fn manifest(&self) -> Result<NetworkKey, KeyManagerError> {
        let mut known = self.manifest.lock().await;
        if let Some((at, key)) = &*known
            && at.elapsed() < FRESH
        {
            return Ok(key.clone());
        }
        match (self.manager.manifest().await, &*known) {
            (Ok(key), _) => {
                *known = Some((Instant::now(), key.clone()));
                Ok(key)
            }
            (Err(error), Some((_, key))) => {
                tracing::debug!(%error, "the manifest is the one that was known");
                Ok(key.clone())
            }
            (Err(error), None) => Err(error),
        }
    }

    /// The bytes of a part of `key`.
    pub(crate) async fn part(&self, part: Part, key: &NetworkKey) -> Result<Bytes, KeyManagerError> {
        let (slot, expected) = match part {
            Part::PublicKey => (&self.public_key, key.public_key.sha256),
            Part::Crs => (&self.crs, key.crs.sha256),
        };
        // Held while asking, so that a crowd asks once.
        let mut known = slot.lock().await;
        if let Some((sha256, bytes)) = &*known
            && *sha256 == expected
        {
            return Ok(bytes.clone());
        }
        let bytes = match part {
            Part::PublicKey => self.manager.public_key().await?,
            Part::Crs => self.manager.crs().await?,
        };
        if blobs::BlobHash::of(&bytes).0 != expected.0 {
            return Err(KeyManagerError::Unavailable("its key is not the one of its manifest".to_owned()));
        }
        *known = Some((expected, bytes.clone()));
        Ok(bytes)
    }
}

//! The network's keys as the key manager serves them: fetched once, kept in a folder, verified whenever they are read.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use fhe::child::protocol::{Blob, KeyMode, LoadKey};
use fhe::keys::KeyId;
use kms::{KeyFile, Manifest};
use sha2::{Digest, Sha256};
use tokio::fs;

/// The keys by reference; 80 MB that are needed only when a child starts.
#[derive(Clone)]
pub struct NetworkKey {
    client: kms::Client,
    manifest: Manifest,
    folder: PathBuf,
}

impl NetworkKey {
    /// Asks the key manager which keys there are, and fetches those that the folder lacks.
    ///
    /// # Errors
    /// The key manager is away or refuses us, a manifest whose key id is not made of its hashes, or a folder that cannot
    /// be written.
    pub async fn fetch(client: &kms::Client, folder: &Path) -> Result<Self> {
        let manifest = client.manifest().await?;
        ensure!(
            manifest.key_id == key_id(&manifest),
            "the key manager's manifest names another key id than its hashes"
        );
        fs::create_dir_all(folder).await.with_context(|| format!("Failed to make {}", folder.display()))?;
        let key = Self { client: client.clone(), manifest, folder: folder.to_owned() };
        key.load().await?;
        Ok(key)
    }

    /// What everything that is computed under the keys is bound to.
    #[must_use]
    pub fn key_id(&self) -> [u8; 32] {
        self.manifest.key_id.0
    }

    /// Reads the keys for a child; a file that is gone or was changed is fetched anew.
    ///
    /// # Errors
    /// Such a file, while the key manager is away.
    pub async fn load(&self) -> Result<LoadKey> {
        let (client, manifest) = (&self.client, &self.manifest);
        let evaluation_key = match self.read(manifest.evaluation_key).await {
            Ok(bytes) => bytes,
            Err(_) => self.keep(manifest.evaluation_key, client.evaluation_key(manifest).await?).await?,
        };
        let public_key = match self.read(manifest.public_key).await {
            Ok(bytes) => bytes,
            Err(_) => self.keep(manifest.public_key, client.public_key(manifest).await?).await?,
        };
        let crs = match self.read(manifest.crs).await {
            Ok(bytes) => bytes,
            Err(_) => self.keep(manifest.crs, client.crs(manifest).await?).await?,
        };
        Ok(LoadKey {
            mode: KeyMode::Network,
            key_id: self.key_id(),
            evaluation_key: Blob(evaluation_key),
            public_key: Some(Blob(public_key)),
            crs: Some(Blob(crs)),
        })
    }

    fn path(&self, file: KeyFile) -> PathBuf {
        self.folder.join(alloy::primitives::hex::encode(file.sha256))
    }

    async fn read(&self, file: KeyFile) -> Result<Vec<u8>> {
        let path = self.path(file);
        let bytes = fs::read(&path).await.with_context(|| format!("Failed to read {}", path.display()))?;
        ensure!(Sha256::digest(&bytes).as_slice() == file.sha256.as_slice(), "{} was changed", path.display());
        Ok(bytes)
    }

    /// Whole or not at all: workers may share the folder.
    async fn keep(&self, file: KeyFile, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let path = self.path(file);
        // Containers that share a folder have the same process ids.
        let fresh = path.with_extension(format!("{}.new", uuid::Uuid::new_v4().simple()));
        let kept = async {
            fs::write(&fresh, &bytes).await?;
            fs::rename(&fresh, &path).await
        };
        kept.await.with_context(|| format!("Failed to write {}", path.display()))?;
        Ok(bytes)
    }
}

fn key_id(manifest: &Manifest) -> alloy::primitives::B256 {
    let parts = [manifest.evaluation_key, manifest.public_key, manifest.crs];
    alloy::primitives::B256::from(KeyId::of_digests(parts.map(|file| file.sha256.0)).0)
}

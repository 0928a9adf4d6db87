//! Parts of network keys on disk, each under its hash: what is there and has that hash need not be fetched again. And
//! the ids of the keys whose parts were checked point by point, which takes seconds and is done once.

use std::path::{Path, PathBuf};

use alloy::primitives::B256;
use fhe::profile::TFHE_VERSION;
use sha2::{Digest, Sha256};

use super::EncryptedError;

/// A folder of key parts. Several processes may share it.
#[derive(Clone, Debug)]
pub struct KeyCache {
    folder: PathBuf,
}

impl KeyCache {
    /// A cache in this folder, which is made when it is first needed.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The user's own: `zama-jobs/keys` below `XDG_CACHE_HOME`, else below `~/.cache`.
    #[must_use]
    pub fn of_user() -> Option<Self> {
        let given = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = given("XDG_CACHE_HOME").or_else(|| given("HOME").map(|home| home.join(".cache")))?;
        Some(Self::at(caches.join("zama-jobs/keys")))
    }

    /// Where the parts lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The bytes with this hash; what has another one is as good as missing.
    pub(super) async fn find(&self, sha256: B256) -> Option<Vec<u8>> {
        let bytes = tokio::fs::read(self.file(sha256)).await.ok()?;
        (Sha256::digest(&bytes).as_slice() == sha256.as_slice()).then_some(bytes)
    }

    /// Keeps bytes under their hash.
    pub(super) async fn keep(&self, sha256: B256, bytes: &[u8]) -> Result<(), EncryptedError> {
        self.write(&self.file(sha256), bytes).await
    }

    /// Whether this build's tfhe has checked the parts of the key.
    pub(super) async fn has_checked(&self, key_id: B256) -> bool {
        tokio::fs::read(self.mark(key_id)).await.is_ok_and(|noted| noted == TFHE_VERSION.as_bytes())
    }

    /// Notes that the parts of the key were checked.
    pub(super) async fn note_checked(&self, key_id: B256) -> Result<(), EncryptedError> {
        self.write(&self.mark(key_id), TFHE_VERSION.as_bytes()).await
    }

    /// A reader sees the whole file or none.
    async fn write(&self, file: &Path, bytes: &[u8]) -> Result<(), EncryptedError> {
        let partial = file.with_extension(format!("{:016x}.partial", rand::random::<u64>()));
        let written = async {
            tokio::fs::create_dir_all(&self.folder).await?;
            tokio::fs::write(&partial, bytes).await?;
            tokio::fs::rename(&partial, file).await
        };
        written.await.map_err(|source| EncryptedError::File {
            doing: "write",
            file: file.display().to_string(),
            source,
        })
    }

    fn mark(&self, key_id: B256) -> PathBuf {
        self.folder.join(format!("{key_id:x}.checked"))
    }

    fn file(&self, sha256: B256) -> PathBuf {
        self.folder.join(format!("{sha256:x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_has_its_hash_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let cache = KeyCache::at(folder.path().join("deep/keys"));
        let sha256 = B256::from_slice(&Sha256::digest(b"key"));
        assert_eq!(cache.find(sha256).await, None);
        cache.keep(sha256, b"key").await.unwrap();
        assert_eq!(cache.find(sha256).await.as_deref(), Some(b"key".as_slice()));
        std::fs::write(cache.file(sha256), b"kex").unwrap();
        assert_eq!(cache.find(sha256).await, None, "a damaged file is fetched again");
    }

    #[tokio::test]
    async fn many_may_keep_the_same_part_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = KeyCache::at(folder.path());
        let bytes = vec![7; 200_000];
        let sha256 = B256::from_slice(&Sha256::digest(&bytes));
        let kept = futures::future::join_all((0..16).map(|_| cache.keep(sha256, &bytes))).await;
        assert!(kept.iter().all(Result::is_ok), "{kept:?}");
        assert_eq!(cache.find(sha256).await, Some(bytes));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file is left");
    }

    #[tokio::test]
    async fn a_check_is_remembered_for_its_key_and_its_tfhe() {
        let folder = tempfile::tempdir().unwrap();
        let cache = KeyCache::at(folder.path().join("keys"));
        let (key, other) = (B256::repeat_byte(1), B256::repeat_byte(2));
        assert!(!cache.has_checked(key).await);
        cache.note_checked(key).await.unwrap();
        assert!(cache.has_checked(key).await && !cache.has_checked(other).await);
        std::fs::write(cache.mark(key), b"1.0.0").unwrap();
        assert!(!cache.has_checked(key).await, "another version may check more");
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), b"").unwrap();
        let cache = KeyCache::at(folder.path().join("file/keys"));
        let error = cache.keep(B256::ZERO, b"").await.unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains("file/keys"), "{error}");
    }
}

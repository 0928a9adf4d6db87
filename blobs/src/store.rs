//! The store of blobs: put, read, delete, by (tenant, SHA-256).

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use jobs::TenantId;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::incoming::{self, Staged, Terms};
use crate::verified::verified;
use crate::{BlobError, BlobHash, Config, PutError, keys, location, unlinked};

/// A stored blob of a tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BlobRef {
    pub sha256: BlobHash,
    /// Length in bytes.
    pub size: u64,
}

/// What is known of an object without reading it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// Length in bytes.
    pub size: u64,
}

/// The bytes of an object, verified on the way: the stream fails before its last chunk if they were changed.
pub struct BlobStream {
    /// Length in bytes.
    pub size: u64,
    pub bytes: BoxStream<'static, Result<Bytes, BlobError>>,
}

/// Cheap to clone; one for the whole process.
#[derive(Clone, Debug)]
pub struct BlobStore {
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// Of a local store.
    pub(crate) folder: Option<PathBuf>,
}

impl BlobStore {
    /// Opens a store without touching it: one that is away is noticed when it is used.
    ///
    /// # Errors
    /// [`BlobError::Location`]: the settings name no store.
    pub fn open(config: &Config) -> Result<Self, BlobError> {
        let location::Opened { objects, folder } = location::open(config)?;
        Ok(Self { objects, folder })
    }

    /// A store in a local folder, which is made when it is first used.
    ///
    /// # Errors
    /// [`BlobError::Location`]: the folder's name cannot be used.
    pub fn in_folder(folder: &FilePath) -> Result<Self, BlobError> {
        Self::open(&Config { url: format!("file://{}", folder.display()), ..Config::default() })
    }

    /// Takes a stream in without giving it a name: [`BlobStore::keep`] does, or [`BlobStore::discard`] forgets it.
    ///
    /// # Errors
    /// The stream breaks the terms or fails itself, or the store is away: nothing is left of it then.
    pub async fn stage_stream<S, E>(&self, terms: Terms, stream: S) -> Result<Staged, PutError<E>>
    where
        S: Stream<Item = Result<Bytes, E>>,
    {
        incoming::receive(&*self.objects, terms, stream).await
    }

    /// The same with bytes that are at hand.
    ///
    /// # Errors
    /// The store is away.
    pub async fn stage(&self, bytes: Bytes) -> Result<Staged, BlobError> {
        let (place, blob) = (keys::incoming(), BlobRef { sha256: BlobHash::of(&bytes), size: bytes.len() as u64 });
        self.objects.put(&place, bytes.into()).await.map_err(BlobError::Unavailable)?;
        Ok(Staged { place, blob })
    }

    /// Gives staged bytes their name, in place of the same bytes if they are there.
    ///
    /// # Errors
    /// The store is away: the bytes stay where they were staged.
    pub async fn keep(&self, tenant: &TenantId, staged: &Staged) -> Result<(), BlobError> {
        Ok(self.objects.rename(&staged.place, &keys::of_tenant(tenant, staged.blob.sha256)).await?)
    }

    /// Removes staged bytes that nobody wants.
    ///
    /// # Errors
    /// The store is away.
    pub async fn discard(&self, staged: &Staged) -> Result<(), BlobError> {
        self.remove(&staged.place).await
    }

    /// Stores a stream under its hash. Putting the same bytes again changes nothing.
    ///
    /// # Errors
    /// The stream breaks the terms or fails itself, or the store is away: nothing of it is visible then.
    pub async fn put_stream<S, E>(&self, tenant: &TenantId, terms: Terms, stream: S) -> Result<BlobRef, PutError<E>>
    where
        S: Stream<Item = Result<Bytes, E>>,
    {
        let staged = self.stage_stream(terms, stream).await?;
        self.keep(tenant, &staged).await?;
        Ok(staged.blob)
    }

    /// Stores bytes under their hash.
    ///
    /// # Errors
    /// The store is away.
    pub async fn put(&self, tenant: &TenantId, bytes: Bytes) -> Result<BlobRef, BlobError> {
        let blob = BlobRef { sha256: BlobHash::of(&bytes), size: bytes.len() as u64 };
        self.put_whole(&keys::of_tenant(tenant, blob.sha256), bytes).await?;
        Ok(blob)
    }

    /// Reads a tenant's blob whole, at most `limit` bytes of it, and verifies it.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], also for another tenant's; [`BlobError::Changed`]; [`BlobError::TooLarge`]; the store
    /// is away.
    pub async fn get(&self, tenant: &TenantId, sha256: BlobHash, limit: u64) -> Result<Bytes, BlobError> {
        self.read_whole(&keys::of_tenant(tenant, sha256), sha256, limit).await
    }

    /// Opens a tenant's blob for reading.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], also for another tenant's; the store is away.
    pub async fn stream(&self, tenant: &TenantId, sha256: BlobHash) -> Result<BlobStream, BlobError> {
        self.read_stream(&keys::of_tenant(tenant, sha256), sha256).await
    }

    /// Looks for a tenant's blob.
    ///
    /// # Errors
    /// [`BlobError::NotFound`]; the store is away.
    pub async fn head(&self, tenant: &TenantId, sha256: BlobHash) -> Result<Head, BlobError> {
        let meta = self.objects.head(&keys::of_tenant(tenant, sha256)).await?;
        Ok(Head { size: meta.size })
    }

    /// Deletes a tenant's blob; one that is not there is deleted already.
    ///
    /// # Errors
    /// The store is away.
    pub async fn delete(&self, tenant: &TenantId, sha256: BlobHash) -> Result<(), BlobError> {
        self.remove(&keys::of_tenant(tenant, sha256)).await
    }

    /// Removes what uploads that broke off more than `age` ago have left, and returns how many there were.
    ///
    /// # Errors
    /// The store is away.
    pub async fn sweep(&self, age: Duration) -> Result<usize, BlobError> {
        match &self.folder {
            Some(folder) => {
                let folder = folder.clone();
                let swept = tokio::task::spawn_blocking(move || {
                    unlinked::look(&folder, &Path::from(keys::INCOMING))?;
                    sweep_folder(&folder.join(keys::INCOMING), age)
                })
                .await;
                swept.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(BlobError::Folder)
            }
            None => self.sweep_bucket(age).await,
        }
    }

    async fn sweep_bucket(&self, age: Duration) -> Result<usize, BlobError> {
        let oldest = chrono::Utc::now() - age;
        let incoming: Vec<_> = self.objects.list(Some(&Path::from(keys::INCOMING))).try_collect().await?;
        let stale: Vec<Path> =
            incoming.into_iter().filter(|object| object.last_modified < oldest).map(|object| object.location).collect();
        for object in &stale {
            self.remove(object).await?;
        }
        Ok(stale.len())
    }

    pub(crate) async fn put_whole(&self, place: &Path, bytes: Bytes) -> Result<(), BlobError> {
        // By way of a temporary object, so that a crash leaves nothing where only the sweep would not look.
        let staged = self.stage(bytes).await?;
        Ok(self.objects.rename(&staged.place, place).await?)
    }

    pub(crate) async fn read_whole(&self, place: &Path, sha256: BlobHash, limit: u64) -> Result<Bytes, BlobError> {
        let object = self.objects.get(place).await?;
        let size = object.meta.size;
        if size > limit {
            return Err(BlobError::TooLarge { size, limit });
        }
        let bytes = object.bytes().await?;
        if BlobHash::of(&bytes) != sha256 {
            return Err(BlobError::Changed { expected: sha256 });
        }
        Ok(bytes)
    }

    pub(crate) async fn read_stream(&self, place: &Path, sha256: BlobHash) -> Result<BlobStream, BlobError> {
        let object = self.objects.get(place).await?;
        let size = object.meta.size;
        Ok(BlobStream { size, bytes: verified(object.into_stream().boxed(), sha256) })
    }

    pub(crate) async fn remove(&self, place: &Path) -> Result<(), BlobError> {
        match self.objects.delete(place).await.map_err(BlobError::from) {
            Ok(()) | Err(BlobError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// A local store keeps parts in files that it does not list, so the folder itself is read.
fn sweep_folder(folder: &FilePath, age: Duration) -> std::io::Result<usize> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let now = SystemTime::now();
    let mut swept = 0;
    for entry in entries {
        let entry = entry?;
        let modified = entry.metadata().and_then(|meta| meta.modified());
        let stale = modified.is_ok_and(|at| now.duration_since(at).is_ok_and(|passed| passed >= age));
        if stale && std::fs::remove_file(entry.path()).is_ok() {
            swept += 1;
        }
    }
    Ok(swept)
}

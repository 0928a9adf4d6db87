//! The service's own objects: results and checkpoints.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use bytes::Bytes;
use futures::TryStreamExt as _;
use jobs::JobId;
use object_store::ObjectStore as _;
use object_store::path::Path;

use crate::keys::{all_checkpoints, checkpoints};
use crate::{BlobError, BlobHash, BlobStore, BlobStream, SystemKey, unlinked};

impl BlobStore {
    /// Stores an object, in place of one that has the key already.
    ///
    /// # Errors
    /// The store is away.
    pub async fn put_system(&self, key: &SystemKey, bytes: Bytes) -> Result<(), BlobError> {
        self.put_whole(&key.0, bytes).await
    }

    /// Reads an object that must have this hash.
    ///
    /// # Errors
    /// [`BlobError::NotFound`]; [`BlobError::TooLarge`] beyond `limit` bytes; [`BlobError::Changed`]; the store is away.
    pub async fn get_system_verified(&self, key: &SystemKey, sha256: BlobHash, limit: u64) -> Result<Bytes, BlobError> {
        self.read_whole(&key.0, sha256, limit).await
    }

    /// Opens an object that must have this hash.
    ///
    /// # Errors
    /// [`BlobError::NotFound`]; the store is away. Changed bytes end the stream with an error.
    pub async fn stream_system(&self, key: &SystemKey, sha256: BlobHash) -> Result<BlobStream, BlobError> {
        self.read_stream(&key.0, sha256).await
    }

    /// Deletes an object; one that is not there is deleted already.
    ///
    /// # Errors
    /// The store is away.
    pub async fn delete_system(&self, key: &SystemKey) -> Result<(), BlobError> {
        self.remove(&key.0).await
    }

    /// The steps of a job's checkpoints, ascending.
    ///
    /// # Errors
    /// The store is away.
    pub async fn checkpoints(&self, job: JobId) -> Result<Vec<u32>, BlobError> {
        let found: Vec<_> = self.objects.list(Some(&checkpoints(job))).try_collect().await?;
        let mut steps: Vec<u32> = found.iter().filter_map(|object| SystemKey::step(&object.location)).collect();
        steps.sort_unstable();
        Ok(steps)
    }

    /// The jobs that have checkpoints.
    ///
    /// # Errors
    /// The store is away.
    pub async fn jobs_with_checkpoints(&self) -> Result<Vec<JobId>, BlobError> {
        // By its objects: a local store keeps the folders of those that are gone.
        let jobs = self.objects.list(Some(&all_checkpoints())).map_ok(|object| SystemKey::job(&object.location));
        let jobs: BTreeSet<JobId> = jobs.try_filter_map(async |job| Ok(job)).try_collect().await?;
        Ok(jobs.into_iter().collect())
    }

    /// Deletes all checkpoints of a job.
    ///
    /// # Errors
    /// The store is away.
    pub async fn delete_checkpoints(&self, job: JobId) -> Result<(), BlobError> {
        for step in self.checkpoints(job).await? {
            self.delete_system(&SystemKey::checkpoint(job, step)).await?;
        }
        self.remove_if_empty(vec![checkpoints(job)]).await
    }

    /// Removes the folders of checkpoints that hold none; a bucket has no folders.
    ///
    /// # Errors
    /// The store is away.
    pub async fn remove_empty_checkpoint_folders(&self) -> Result<(), BlobError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let all = all_checkpoints();
        unlinked::look(folder, &all).map_err(BlobError::Folder)?;
        let entries = match std::fs::read_dir(folder.join(all.as_ref() as &str)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(BlobError::Folder(error)),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        self.remove_if_empty(names.map(|name| all_checkpoints().join(name)).collect()).await
    }

    /// Whoever puts something there meanwhile makes the folder again.
    async fn remove_if_empty(&self, places: Vec<Path>) -> Result<(), BlobError> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let removed = tokio::task::spawn_blocking(move || {
            places.iter().try_for_each(|place| match std::fs::remove_dir(folder.join(place.as_ref() as &str)) {
                Err(error) if !is_no_empty_folder(error.kind()) => Err(error),
                _ => Ok(()),
            })
        });
        removed.await.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(BlobError::Folder)
    }
}

fn is_no_empty_folder(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory)
}

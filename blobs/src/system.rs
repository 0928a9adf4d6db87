//! The service's own objects: results and checkpoints.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::TryStreamExt as _;
use jobs::JobId;
use object_store::ObjectStore as _;

use crate::keys::{all_checkpoints, checkpoints};
use crate::{BlobError, BlobHash, BlobStore, BlobStream, SystemKey};

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
        Ok(())
    }
}

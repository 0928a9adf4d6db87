//! Checkpoints: the values in the blob store, a row with our MAC in the database. Neither is believed without it.

use std::sync::Arc;

use anyhow::Result;
use blobs::{BlobError, BlobHash, BlobStore, SystemKey};
use bytes::Bytes;
use fhe::child::protocol::{Blob, Checkpoint};
use jobs::JobId;
use store::PgPool;
use store::fhe::checkpoints::{self as stored, CheckpointRow};

use super::attester::{Attester, CheckpointClaim};

/// Largest checkpoint that is read, in bytes.
const MAX_BYTES: u64 = 256 << 20;

/// Cheap to clone.
#[derive(Clone)]
pub struct Checkpoints {
    pub pool: PgPool,
    pub blobs: BlobStore,
    pub attester: Arc<Attester>,
}

impl Checkpoints {
    /// Keeps a checkpoint in place of the one before.
    ///
    /// # Errors
    /// Database or blob store are away: the one before stands.
    pub async fn save(&self, job: JobId, checkpoint: Checkpoint) -> Result<()> {
        let values = checkpoint.values.0;
        let (sha256, size) = (BlobHash::of(&values).0, values.len() as u64);
        let mut row = CheckpointRow {
            step: checkpoint.step,
            program_hash: checkpoint.program_hash,
            inputs_hash: checkpoint.inputs_hash,
            sha256,
            size,
            mac: [0; 32],
        };
        row.mac = self.attester.mac(&claim(job, &row));
        self.blobs.put_system(&SystemKey::checkpoint(job, row.step), Bytes::from(values)).await?;
        let replaced = stored::save(&self.pool, job, &row).await?;
        if let Some(step) = replaced.filter(|step| *step != row.step) {
            self.blobs.delete_system(&SystemKey::checkpoint(job, step)).await?;
        }
        Ok(())
    }

    /// The newest checkpoint, if we made it and its values are those that we stored.
    ///
    /// # Errors
    /// Database or blob store are away.
    pub async fn find(&self, job: JobId) -> Result<Option<Checkpoint>> {
        let Some(row) = stored::find(&self.pool, job).await? else { return Ok(None) };
        if !self.attester.made(&claim(job, &row), &row.mac) {
            tracing::error!(job.id = %job, "a checkpoint that no worker of ours made; beginning anew");
            metrics::counter!("zama_fhe_checkpoints_rejected_total").increment(1);
            return Ok(None);
        }
        let key = SystemKey::checkpoint(job, row.step);
        let values = match self.blobs.get_system_verified(&key, BlobHash(row.sha256), MAX_BYTES).await {
            Ok(values) => values,
            Err(BlobError::NotFound | BlobError::Changed { .. } | BlobError::TooLarge { .. }) => {
                tracing::error!(job.id = %job, "a checkpoint's values are gone or changed; beginning anew");
                metrics::counter!("zama_fhe_checkpoints_rejected_total").increment(1);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Checkpoint {
            program_hash: row.program_hash,
            inputs_hash: row.inputs_hash,
            step: row.step,
            values: Blob(values.into()),
        }))
    }

    /// Forgets a job's checkpoints.
    ///
    /// # Errors
    /// Database or blob store are away.
    pub async fn forget(&self, job: JobId) -> Result<()> {
        self.blobs.delete_checkpoints(job).await?;
        Ok(stored::forget(&self.pool, job).await?)
    }
}

fn claim(job_id: JobId, row: &CheckpointRow) -> CheckpointClaim {
    CheckpointClaim {
        job_id,
        program_hash: row.program_hash,
        inputs_hash: row.inputs_hash,
        step: row.step,
        sha256: row.sha256,
    }
}

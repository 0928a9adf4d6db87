//! Checkpoints: the values in the blob store, a row with our MAC in the database. Neither is believed without it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use blobs::{BlobError, BlobHash, BlobStore, SystemKey};
use bytes::Bytes;
use fhe::child::protocol::{Blob, Checkpoint, MAX_CHECKPOINT};
use jobs::JobId;
use store::PgPool;
use store::fhe::checkpoints::{self as stored, CheckpointRow, Saved};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::attester::{Attester, CheckpointClaim};

/// Pause between two sweeps.
const SWEEP: Duration = Duration::from_secs(60);

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
        let obsolete = match stored::save(&self.pool, job, &row).await? {
            Saved::Stands { replaced } => replaced,
            // Another attempt is further: ours was given up, and does not know it yet.
            Saved::Outrun { by } => (by != row.step).then_some(row.step),
        };
        if let Some(step) = obsolete {
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
            // Else its step would stand before those that are made now.
            self.forget(job).await?;
            return Ok(None);
        }
        let key = SystemKey::checkpoint(job, row.step);
        let values = match self.blobs.get_system_verified(&key, BlobHash(row.sha256), MAX_CHECKPOINT as u64).await {
            Ok(values) => values,
            Err(BlobError::NotFound | BlobError::Changed { .. } | BlobError::TooLarge { .. }) => {
                tracing::error!(job.id = %job, "a checkpoint's values are gone or changed; beginning anew");
                metrics::counter!("zama_fhe_checkpoints_rejected_total").increment(1);
                self.forget(job).await?;
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

    /// Forgets the checkpoints of all jobs that are over, wherever their rows or values were left behind, and tells how
    /// many jobs these were.
    ///
    /// # Errors
    /// Database or blob store are away.
    pub async fn sweep(&self) -> Result<usize> {
        let over = stored::over(&self.pool, &self.blobs.jobs_with_checkpoints().await?).await?;
        for job in &over {
            self.forget(*job).await?;
        }
        self.blobs.remove_empty_checkpoint_folders().await?;
        Ok(over.len())
    }

    /// Sweeps again and again.
    pub async fn keep_swept(self, stop: CancellationToken) {
        let mut turn = interval(SWEEP);
        while stop.run_until_cancelled(turn.tick()).await.is_some() {
            match self.sweep().await {
                Ok(0) => {}
                Ok(jobs) => tracing::info!(jobs, "checkpoints of jobs that are over were deleted"),
                Err(error) => tracing::warn!(error = format!("{error:#}"), "checkpoints stay behind"),
            }
        }
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
        // Children are this very program, on this machine.
        profile_hash: fhe::profile::pin().hash(),
        step: row.step,
        sha256: row.sha256,
    }
}

//! What is done to the FHE worker and its computing process, and what they leave in the database.

use std::fs;
use std::path::PathBuf;

use sqlx::Row;

use super::job::JobHandle;
use super::patience::until;
use super::process::{Process, descendants};
use super::stack::Stack;

/// More than one checkpoint a second, so that another attempt begins in the middle.
pub const CHECKPOINTS_OFTEN: (&str, &str) = ("ZAMA__FHE__CHECKPOINT_PBS", "60");

pub const WORKER: &str = "worker-fhe";

/// A row of `fhe_checkpoints` and the values that it speaks of.
#[derive(Debug)]
pub struct Checkpoint {
    step: i64,
    program_hash: Vec<u8>,
    sha256: Vec<u8>,
    size: i64,
    mac: Vec<u8>,
    values: Vec<u8>,
}

/// One attempt at a computation.
#[derive(Debug)]
pub struct Attempt {
    pub outcome: Option<String>,
    pub pbs: Option<i64>,
    pub pbs_done: i64,
}

impl Stack {
    /// The process that computes, if there is one: another one waits with its keys loaded.
    pub fn computing_process(&self) -> Option<Process> {
        let worker = self.place.part(WORKER).pid?;
        let computing = |process: &Process| process.arguments().iter().any(|it| it == "fhe-child");
        descendants(worker).into_iter().filter(computing).max_by_key(Process::processor_time)
    }

    /// Waits until a job's computation can go on from its middle.
    pub async fn has_a_checkpoint(&self, job: JobHandle<'_>) {
        let what = format!("job {} has a checkpoint", job.id);
        until(&what, async || {
            let status = job.now().await.status;
            assert!(!status.is_terminal(), "{status}");
            self.checkpoint(job).await.map(drop)
        })
        .await;
    }

    /// Copies a running job's checkpoint while its worker stands still.
    pub async fn steals_a_checkpoint(&self, job: JobHandle<'_>) -> Checkpoint {
        until(&format!("a checkpoint of job {} is stolen", job.id), async || {
            self.has_a_checkpoint(job).await;
            let _still = self.stops(WORKER);
            self.checkpoint(job).await
        })
        .await
    }

    async fn checkpoint(&self, job: JobHandle<'_>) -> Option<Checkpoint> {
        let query = "SELECT step, program_hash, sha256, size, mac FROM fhe_checkpoints WHERE job_id = $1";
        let rows = self.rows(sqlx::query(query).bind(job.id.0)).await;
        let row = rows.first()?;
        let step = row.get(0);
        // A worker may have been about to put another in its place.
        let values = fs::read(self.checkpoint_file(job, step)).ok()?;
        let (program_hash, sha256, size, mac) = (row.get(1), row.get(2), row.get(3), row.get(4));
        Some(Checkpoint { step, program_hash, sha256, size, mac, values })
    }

    /// What somebody with database and blob store does: another job's checkpoint under this job's name.
    pub async fn plants(&self, stolen: &Checkpoint, job: JobHandle<'_>, inputs_hash: &[u8]) {
        let file = self.checkpoint_file(job, stolen.step);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, &stolen.values).unwrap();
        let plant = "INSERT INTO fhe_checkpoints (job_id, step, program_hash, inputs_hash, sha256, size, mac)
                     VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let plant = sqlx::query(plant)
            .bind(job.id.0)
            .bind(stolen.step)
            .bind(stolen.program_hash.clone())
            .bind(inputs_hash.to_vec())
            .bind(stolen.sha256.clone())
            .bind(stolen.size)
            .bind(stolen.mac.clone());
        assert_eq!(self.execute(plant).await, 1);
    }

    /// How the database names what a job with a result was computed on.
    pub async fn inputs_hash(&self, job: JobHandle<'_>) -> Vec<u8> {
        self.rows(sqlx::query("SELECT inputs_hash FROM fhe_handles WHERE job_id = $1").bind(job.id.0)).await[0].get(0)
    }

    /// The attempts at a job, in their order.
    pub async fn attempts(&self, job: JobHandle<'_>) -> Vec<Attempt> {
        let query = "SELECT outcome, pbs, pbs_done FROM fhe_attempts WHERE job_id = $1 ORDER BY attempt";
        let rows = self.rows(sqlx::query(query).bind(job.id.0)).await;
        rows.iter().map(|row| Attempt { outcome: row.get(0), pbs: row.get(1), pbs_done: row.get(2) }).collect()
    }

    fn checkpoint_file(&self, job: JobHandle<'_>, step: i64) -> PathBuf {
        self.place.data_dir().join(format!("blobs/system/checkpoints/{}/{step:010}", job.id))
    }
}

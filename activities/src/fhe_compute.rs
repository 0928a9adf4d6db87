//! `fhe_compute`: has a program computed on ciphertexts by a child process, with heartbeats, progress, cancellation and
//! resume; then attests the result and leaves PROCESSING with it.

mod attempts;
mod board;
mod finish;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use blobs::BlobStore;
use jobs::fhe::{EncryptedDataUrl, EncryptedRequest};
use jobs::{ErrorCode, JobId, JobStatus};
use store::PgPool;
use store::fhe::EncryptedJob;
use store::fhe::attempts::{self as stored_attempts, Outcome};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use workflows::activities::{JobRef, Step};

use crate::failure::of_the_job;
use crate::fhe::{Attester, Checkpoints, Children, Inputs, NetworkKey, read_request};
use attempts::Verdict;
use board::Board;

/// How often a running computation heartbeats; the SDK throttles what reaches the server.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// How often progress is written where clients see it.
const PROGRESS: Duration = Duration::from_secs(1);

pub struct FheCompute {
    pub pool: PgPool,
    pub blobs: BlobStore,
    pub inputs: Inputs,
    pub network_key: NetworkKey,
    pub children: Children,
    pub attester: Arc<Attester>,
    pub checkpoints: Checkpoints,
    /// A checkpoint is made after as many bootstrappings.
    pub checkpoint_pbs: u64,
    /// Origin under which clients reach the API: URLs of our own blobs begin with it.
    pub public_url: String,
    /// Set when the worker stops: running computations are given back.
    pub stopping: CancellationToken,
}

/// A job and what it asks for.
struct Task {
    id: JobId,
    job: EncryptedJob,
    request: EncryptedRequest,
    url: EncryptedDataUrl,
}

/// Why the work was asked to stop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Cancelled,
    TimedOut,
}

/// How the wait for a computation ended.
enum Ended {
    Verdict(Verdict),
    Wish(Wish),
    Stopping,
}

#[activities]
impl FheCompute {
    #[activity(name = "fhe_compute")]
    pub async fn fhe_compute(self: Arc<Self>, ctx: ActivityContext, reference: JobRef) -> Result<Step, ActivityError> {
        let job = store::fhe::load(&self.pool, reference.job_id).await?;
        match job.status {
            JobStatus::Processing if job.cancel_requested => return Err(ActivityError::cancelled()),
            JobStatus::Processing => {}
            JobStatus::Confirming => return Ok(Step::Confirm),
            ended if ended.is_terminal() => return Ok(Step::Ended(ended)),
            other => return Err(anyhow::anyhow!("job {} is {other}", reference.job_id).into()),
        }
        let Some(task) = self.read(reference.job_id, job) else {
            return Err(of_the_job(ErrorCode::InternalError, "the stored payload cannot be read"));
        };
        let ended = Box::pin(self.watch(&ctx, &task)).await?;
        if !matches!(ended, Ended::Stopping | Ended::Verdict(Verdict::Computed(_))) {
            self.forget_checkpoints(task.id).await;
        }
        match ended {
            Ended::Verdict(Verdict::Computed(computed)) => {
                Ok(Box::pin(beating(&ctx, self.finish(&task, *computed))).await??)
            }
            Ended::Verdict(Verdict::Refused { code, detail }) => Err(of_the_job(code, detail)),
            Ended::Verdict(Verdict::Stopped) | Ended::Wish(Wish::Cancelled) => Err(ActivityError::cancelled()),
            Ended::Wish(Wish::TimedOut) => {
                let detail = format!("The computation took longer than {} seconds.", task.job.timeout_seconds);
                Err(of_the_job(ErrorCode::ComputeTimeout, detail))
            }
            Ended::Stopping => Err(anyhow::anyhow!("the worker stops; another goes on").into()),
        }
    }

    /// What a stored payload asks for; admission has checked it.
    fn read(&self, id: JobId, job: EncryptedJob) -> Option<Task> {
        let request = read_request(&job.payload)?;
        let url = request.data(&self.public_url).ok()?;
        Some(Task { id, job, request, url })
    }

    /// Works, and meanwhile heartbeats, tells progress, and hears of cancellation and time.
    async fn watch(&self, ctx: &ActivityContext, task: &Task) -> Result<Ended, ActivityError> {
        let board = Board::new();
        let stop = CancellationToken::new();
        let mut work = pin!(self.work(task, &board, &stop));
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut progress = interval(PROGRESS);
        progress.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let timeout = Duration::from_secs(task.job.timeout_seconds.unsigned_abs().into());
        let mut wish = None;
        loop {
            tokio::select! {
                verdict = &mut work => return Ok(match (verdict?, wish) {
                    (Verdict::Stopped, Some(wish)) => Ended::Wish(wish),
                    (verdict, _) => Ended::Verdict(verdict),
                }),
                () = self.stopping.cancelled() => break,
                () = ctx.cancelled(), if wish.is_none() => {
                    if self.stopping.is_cancelled() {
                        break;
                    }
                    wish = Some(Wish::Cancelled);
                    stop.cancel();
                }
                _ = heartbeat.tick() => {
                    ctx.record_heartbeat(board.to_wire()).await?;
                    if wish.is_none() && board.running() > timeout {
                        wish = Some(Wish::TimedOut);
                        stop.cancel();
                    }
                }
                _ = progress.tick() => self.tell(task, &board).await,
            }
        }
        if let Some((attempt, pbs)) = board.done() {
            stored_attempts::end(&self.pool, attempt, Outcome::GivenBack, pbs).await?;
        }
        Ok(Ended::Stopping)
    }

    /// The job is over: nothing goes on from its checkpoints.
    async fn forget_checkpoints(&self, job: JobId) {
        if let Err(error) = self.checkpoints.forget(job).await {
            tracing::warn!(job.id = %job, error = format!("{error:#}"), "checkpoints stay behind");
        }
    }

    /// Progress is a courtesy: a database that is away for a moment must not stop a computation.
    async fn tell(&self, task: &Task, board: &Board) {
        let progress = store::compute::progress(&self.pool, task.id, &board.to_wire()).await;
        let counted = match board.done() {
            Some((attempt, pbs)) => stored_attempts::progress(&self.pool, attempt, pbs).await,
            None => Ok(()),
        };
        if let Err(error) = progress.and(counted) {
            tracing::debug!(job.id = %task.id, %error, "progress was not written");
        }
    }
}

/// Heartbeats while something is stored.
async fn beating<T>(ctx: &ActivityContext, work: impl Future<Output = T>) -> Result<T, ActivityError> {
    let mut work = pin!(work);
    let mut heartbeat = interval(HEARTBEAT);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            _ = heartbeat.tick() => ctx.record_heartbeat("storing").await?,
        }
    }
}

//! `fhe_compute`: has a program computed on ciphertexts by a child process, with heartbeats, progress, cancellation and
//! resume; then attests the result and leaves PROCESSING with it.

mod agreement;
mod attempts;
mod board;
mod finish;
mod trouble;

use std::convert::Infallible;
use std::fmt::Display;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use blobs::BlobStore;
use jobs::fhe::{EncryptedDataUrl, EncryptedRequest};
use jobs::{ErrorCode, JobId, JobStatus};
use store::PgPool;
use store::fhe::EncryptedJob;
use store::fhe::attempts::{self as stored_attempts, Outcome};
use store::transition::Ending;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use workflows::activities::{JobRef, Step};

use crate::conclude::end;
use crate::failure::{of_the_job, took_too_long};
use crate::fhe::{Attester, Checkpoints, Children, Inputs, NetworkKey, read_request};
use crate::patience::{Away, HEARTBEAT, beating, insist};
use attempts::Verdict;
use board::Board;
use trouble::Halt;

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
        let board = Board::new();
        match Box::pin(self.step(&ctx, reference.job_id, &board)).await {
            Ok(step) => Ok(step),
            Err(Halt::Final(ending)) => Err(ending),
            Err(Halt::Stopping) => Err(anyhow::anyhow!("the worker stops; another goes on").into()),
            Err(Halt::Trouble(error)) => Err(self.trouble(reference.job_id, error).await),
        }
    }
}

impl FheCompute {
    async fn step(&self, ctx: &ActivityContext, id: JobId, board: &Board) -> Result<Step, Halt> {
        let job = self.outlast(ctx, board, || store::fhe::load(&self.pool, id)).await?;
        match job.status {
            // Temporal may not have been told yet, and takes an unexpected cancellation for no answer at all.
            JobStatus::Processing if job.cancel_requested => {
                self.forget_checkpoints(id).await;
                let end = || end(&self.pool, id, &Ending::Cancelled);
                return Ok(self.outlast(ctx, board, end).await?);
            }
            JobStatus::Processing => {}
            JobStatus::Confirming => return Ok(Step::Confirm),
            ended if ended.is_terminal() => return Ok(Step::Ended(ended)),
            other => return Err(anyhow::anyhow!("the job is {other}").into()),
        }
        let Some(task) = self.read(id, job) else {
            let detail = "the stored payload cannot be read";
            return Err(Halt::Final(of_the_job(ErrorCode::InternalError, detail)));
        };
        match Box::pin(self.watch(ctx, &task, board)).await? {
            Ended::Verdict(Verdict::Computed(computed)) => {
                let step = self.outlast(ctx, board, || Box::pin(self.finish(&task, &computed))).await?;
                self.forget_checkpoints(id).await;
                Ok(step)
            }
            // Whether the job is over is for the database to say: this attempt may be one that was given up for
            // another, which needs the checkpoints. The sweep finds those of jobs that ended.
            Ended::Verdict(Verdict::Refused { code, detail }) => Err(Halt::Final(of_the_job(code, detail))),
            Ended::Verdict(Verdict::Stopped) | Ended::Wish(Wish::Cancelled) => {
                Err(Halt::Final(ActivityError::cancelled()))
            }
            Ended::Wish(Wish::TimedOut) => Err(Halt::Final(took_too_long(task.job.timeout_seconds))),
            Ended::Stopping => Err(Halt::Stopping),
        }
    }

    /// What a stored payload asks for; admission has checked it.
    fn read(&self, id: JobId, job: EncryptedJob) -> Option<Task> {
        let request = read_request(&job.payload)?;
        let url = request.data(&self.public_url).ok()?;
        Some(Task { id, job, request, url })
    }

    /// Works, and meanwhile heartbeats, tells progress, and hears of cancellation and time.
    async fn watch(&self, ctx: &ActivityContext, task: &Task, board: &Board) -> Result<Ended> {
        let stop = CancellationToken::new();
        let mut work = pin!(self.work(task, board, &stop));
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut telling = pin!(self.tell_on_and_on(task, board));
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
                    if wish.is_none() && board.computing_for() > timeout {
                        wish = Some(Wish::TimedOut);
                        stop.cancel();
                    }
                }
                never = &mut telling => match never {},
            }
        }
        if let Some((attempt, done)) = board.done() {
            stored_attempts::end(&self.pool, attempt, Outcome::GivenBack, done).await?;
        }
        Ok(Ended::Stopping)
    }

    /// Asks until there is an answer, with heartbeats: an outage costs neither an attempt nor work that is done.
    async fn outlast<T, E, Answer>(&self, ctx: &ActivityContext, board: &Board, ask: impl Fn() -> Answer) -> Result<T>
    where
        E: Away + Display,
        anyhow::Error: From<E>,
        Answer: Future<Output = Result<T, E>>,
    {
        let is_futile = || self.stopping.is_cancelled() || ctx.is_cancelled();
        Ok(Box::pin(beating(ctx, || board.to_wire(), insist(is_futile, ask))).await??)
    }

    /// The job is over: nothing goes on from its checkpoints.
    async fn forget_checkpoints(&self, job: JobId) {
        if let Err(error) = self.checkpoints.forget(job).await {
            tracing::warn!(job.id = %job, error = format!("{error:#}"), "checkpoints stay behind");
        }
    }

    /// Beside the work and its heartbeats: a database that is away must hold up neither.
    async fn tell_on_and_on(&self, task: &Task, board: &Board) -> Infallible {
        let mut progress = interval(PROGRESS);
        progress.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            progress.tick().await;
            self.tell(task, board).await;
        }
    }

    /// Progress is a courtesy: a database that is away for a moment must not stop a computation.
    async fn tell(&self, task: &Task, board: &Board) {
        let progress = store::compute::progress(&self.pool, task.id, &board.to_wire()).await;
        let counted = match board.done() {
            Some((attempt, done)) => stored_attempts::progress(&self.pool, attempt, done).await,
            None => Ok(()),
        };
        if let Err(error) = progress.and(counted) {
            tracing::debug!(job.id = %task.id, %error, "progress was not written");
        }
    }
}

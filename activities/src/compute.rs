//! `compute`: runs a plain algorithm on a thread of its own, with heartbeats, progress, cancellation and resume.

mod control;
mod thread;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use algorithms::{Output, RunError};
use jobs::algorithm::{Input, payload_units};
use jobs::usage::{Excess, Units};
use jobs::{ErrorCode, JobStatus};
use sha2::{Digest, Sha256};
use store::compute::{self as stored, ComputeJob, Computed};
use store::transition::Ending;
use store::{PgPool, StoreError};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use workflows::activities::{JobRef, Step};

use crate::conclude::{end, read_input};
use crate::failure::{of_the_job, took_too_long};
use crate::patience::{HEARTBEAT, beating, insist};
use control::{Board, Snapshot};

pub(crate) use thread::STOP_GRACE;
pub use thread::{Pace, PauseAt};

/// How often progress is written where clients see it.
const PROGRESS: Duration = Duration::from_secs(1);
const MEDIA_TYPE: &str = "application/json";

pub struct Compute {
    pub pool: PgPool,
    pub pace: Pace,
    /// Set when the worker stops: running computations are given back.
    pub stopping: CancellationToken,
}

/// Why the wait for a computation ended.
enum Ended {
    Done(Result<Output, RunError>),
    Cancelled,
    Stopping,
    TimedOut,
}

#[activities]
impl Compute {
    #[activity(name = "compute")]
    pub async fn compute(self: Arc<Self>, ctx: ActivityContext, reference: JobRef) -> Result<Step, ActivityError> {
        let lost = Snapshot::of_a_lost_attempt(ctx.heartbeat_details().deserialize(), reference.job_id);
        let board = Arc::new(Board::new(lost));
        let job = self.outlast(&ctx, &board, || stored::load(&self.pool, reference.job_id)).await?;
        match job.status {
            // Temporal may not have been told yet, and takes an unexpected cancellation for no answer at all.
            JobStatus::Processing if job.cancel_requested => {
                let end = || end(&self.pool, reference.job_id, &Ending::Cancelled);
                return self.outlast(&ctx, &board, end).await;
            }
            JobStatus::Processing => {}
            JobStatus::Confirming => return Ok(Step::Confirm),
            ended if ended.is_terminal() => return Ok(Step::Ended(ended)),
            other => return Err(anyhow::anyhow!("job {} is {other}", reference.job_id).into()),
        }
        let Some(input) = read_input(&job.payload) else {
            return Err(of_the_job(ErrorCode::InternalError, "the stored payload cannot be read"));
        };
        if let Some(excess) = excess(&job, &input) {
            return Err(of_the_job(ErrorCode::CostCeilingExceeded, excess.to_string()));
        }
        match self.run(&ctx, reference, &job, &input, &board).await? {
            Ended::Done(Ok(output)) => {
                let bytes = serde_json::to_vec(&output)?;
                let computed = computed(&job, &input, &bytes);
                let finish = || stored::finish(&self.pool, reference.job_id, &computed);
                self.outlast(&ctx, &board, finish).await
            }
            Ended::Done(Err(RunError::Stopped)) | Ended::Cancelled => Err(ActivityError::cancelled()),
            Ended::Done(Err(error)) => Err(of_the_job(ErrorCode::ComputeFailed, error.to_string())),
            Ended::TimedOut => Err(took_too_long(job.timeout_seconds)),
            Ended::Stopping => Err(anyhow::anyhow!("the worker stops; another goes on").into()),
        }
    }

    async fn run(
        &self,
        ctx: &ActivityContext,
        reference: JobRef,
        job: &ComputeJob,
        input: &Input,
        board: &Arc<Board>,
    ) -> Result<Ended, ActivityError> {
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let timeout = Duration::from_secs(job.timeout_seconds.unsigned_abs().into());
        let deadline = Instant::now() + timeout;
        // Whatever ends the wait, the thread must not go on without it.
        let stop = board.stop_on_drop();
        let mut thread = thread::spawn(reference.job_id, input.clone(), board.clone(), self.pace);
        let ended = {
            let mut telling = pin!(self.tell_on_and_on(reference, board));
            loop {
                tokio::select! {
                    done = &mut thread => return done.map(Ended::Done).map_err(thread::died),
                    () = ctx.cancelled() => {
                        break if self.stopping.is_cancelled() { Ended::Stopping } else { Ended::Cancelled };
                    }
                    () = self.stopping.cancelled() => break Ended::Stopping,
                    () = sleep_until(deadline) => break Ended::TimedOut,
                    _ = heartbeat.tick() => ctx.record_heartbeat(board.snapshot()).await?,
                    never = &mut telling => match never {},
                }
            }
        };
        drop(stop);
        thread::ends(reference.job_id, thread).await;
        Ok(ended)
    }

    /// Tells progress beside the heartbeats: a database that is away must not hold them up.
    async fn tell_on_and_on(&self, reference: JobRef, board: &Board) -> Infallible {
        let mut progress = interval(PROGRESS);
        progress.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut told = Snapshot::default();
        loop {
            progress.tick().await;
            let now = board.snapshot();
            if now.percent != told.percent || now.stage != told.stage {
                // Progress is a courtesy: a database that is away for a moment must not stop a computation.
                if let Err(error) = stored::progress(&self.pool, reference.job_id, &now.to_wire()).await {
                    tracing::debug!(job.id = %reference.job_id, %error, "progress was not written");
                }
                told = now;
            }
        }
    }

    /// Asks until the database answers, with heartbeats: an outage costs neither an attempt nor work that is done.
    async fn outlast<T, Answer: Future<Output = Result<T, StoreError>>>(
        &self,
        ctx: &ActivityContext,
        board: &Board,
        ask: impl Fn() -> Answer,
    ) -> Result<T, ActivityError> {
        let is_futile = || self.stopping.is_cancelled() || ctx.is_cancelled();
        Ok(Box::pin(beating(ctx, || board.snapshot(), insist(is_futile, ask))).await??)
    }
}

/// What the computation costs, all of which is known before it.
fn cost(job: &ComputeJob, input: &Input) -> Units {
    Units::plain(payload_units(job.payload.len()) + input.execution_units())
}

/// Where the computation would cost more than the job may: nothing of it is done then.
fn excess(job: &ComputeJob, input: &Input) -> Option<Excess> {
    job.ceiling.and_then(|ceiling| cost(job, input).excess(ceiling))
}

fn computed<'a>(job: &ComputeJob, input: &Input, bytes: &'a [u8]) -> Computed<'a> {
    Computed {
        hash: Sha256::digest(bytes).into(),
        bytes,
        media_type: MEDIA_TYPE,
        compute_units: cost(job, input).compute,
        salt: rand::random(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_costs_more_than_it_may_is_not_computed() {
        let mut job = crate::conclude::tests::job(0.0);
        let input = read_input(&job.payload).unwrap();
        assert_eq!(excess(&job, &input), None, "it has no ceiling");
        job.ceiling = Some(Units::plain(65));
        assert_eq!(excess(&job, &input), None, "as much as it may");
        job.ceiling = Some(Units::plain(64));
        let told = excess(&job, &input).map(|excess| excess.to_string());
        assert_eq!(told.as_deref(), Some("The job costs 65 compute units; its ceiling allows 64."));
    }
}

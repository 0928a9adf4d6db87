//! Telling workflows of cancellations: at once, and again until the cancellation took effect.

use std::time::Duration;

use futures::stream::{self, StreamExt};
use store::PgPool;
use store::cancel::{self, WorkflowRun};
use temporal::Engine;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// A cancellation that took no effect for this long is told again.
const PATIENCE_SECONDS: f64 = 2.0;
/// Runs read in one go.
const ROUND: i64 = 100;
/// Runs told at once.
const CONCURRENCY: usize = 16;

pub(super) async fn run(
    pool: PgPool,
    engine: Engine,
    sweep: Duration,
    cancels: mpsc::Receiver<WorkflowRun>,
    stop: CancellationToken,
) {
    // Apart, so that a long sweep does not keep a client waiting who cancels now.
    tokio::join!(at_once(&engine, cancels, &stop), again(&pool, &engine, sweep, &stop));
}

async fn at_once(engine: &Engine, mut cancels: mpsc::Receiver<WorkflowRun>, stop: &CancellationToken) {
    let asked = stream::poll_fn(|context| cancels.poll_recv(context));
    asked.take_until(stop.cancelled()).for_each_concurrent(CONCURRENCY, async |run| tell(engine, &run).await).await;
}

async fn again(pool: &PgPool, engine: &Engine, sweep: Duration, stop: &CancellationToken) {
    let mut sweep = interval(sweep);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = sweep.tick() => {}
        }
        let mut after = None;
        while !stop.is_cancelled() {
            let unheard = match cancel::unheard(pool, after, PATIENCE_SECONDS, ROUND).await {
                Ok(unheard) => unheard,
                Err(error) => {
                    tracing::debug!(%error, "cancellations could not be read");
                    break;
                }
            };
            // Those that take no effect must not stand before the others: each sweep goes through all of them.
            after = unheard.last().map(|last| last.job_id);
            if after.is_none() {
                break;
            }
            stream::iter(unheard)
                .take_until(stop.cancelled())
                .for_each_concurrent(CONCURRENCY, async |unheard| tell(engine, &unheard.run).await)
                .await;
        }
    }
}

async fn tell(engine: &Engine, run: &WorkflowRun) {
    if let Err(error) = engine.cancel(run).await {
        tracing::warn!(workflow.id = run.workflow_id, %error, "the cancellation is told again later");
    }
}

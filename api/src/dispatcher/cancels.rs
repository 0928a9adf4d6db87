//! Telling workflows of cancellations: at once, and again until the cancellation took effect.

use std::time::Duration;

use store::PgPool;
use store::cancel::{self, WorkflowRun};
use temporal::Engine;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// A cancellation that took no effect for this long is told again.
const PATIENCE_SECONDS: f64 = 2.0;
const ROUND: i64 = 100;

pub(super) async fn run(
    pool: PgPool,
    engine: Engine,
    sweep: Duration,
    mut cancels: mpsc::Receiver<WorkflowRun>,
    stop: CancellationToken,
) {
    let mut sweep = interval(sweep);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            run = cancels.recv() => match run {
                Some(run) => tell(&engine, &run).await,
                None => return,
            },
            _ = sweep.tick() => match cancel::unheard(&pool, PATIENCE_SECONDS, ROUND).await {
                Ok(runs) => for run in runs {
                    tell(&engine, &run).await;
                },
                Err(error) => tracing::debug!(%error, "cancellations could not be read"),
            },
        }
    }
}

async fn tell(engine: &Engine, run: &WorkflowRun) {
    if let Err(error) = engine.cancel(run).await {
        tracing::warn!(workflow.id = run.workflow_id, %error, "the cancellation is told again later");
    }
}

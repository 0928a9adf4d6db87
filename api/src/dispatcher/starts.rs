//! Starting workflows: woken at once by an admission, and by the sweep for what a dead process left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use jobs::JobId;
use store::PgPool;
use store::cancel::WorkflowRun;
use store::starts::{self, PendingStart};
use temporal::{Engine, EngineError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Policy;

/// Starts of one tenant in one round: what makes the rounds fair.
const PER_TENANT: i64 = 64;
/// Starts claimed in one round.
const ROUND: i64 = 256;
/// Pause after a round that met an absent Temporal.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn run(
    pool: PgPool,
    engine: Engine,
    policy: Policy,
    wake: Arc<Notify>,
    temporal_is_up: Arc<AtomicBool>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let round = round(&pool, &engine, &policy).await;
        if let Some(up) = round.temporal_is_up {
            temporal_is_up.store(up, Ordering::Relaxed);
        }
        if round.more {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = wake.notified(), if !round.troubled => {}
            () = tokio::time::sleep(if round.troubled { PAUSE } else { policy.sweep }) => {}
        }
    }
}

#[derive(Default)]
struct Round {
    /// The backlog may hold more.
    more: bool,
    troubled: bool,
    temporal_is_up: Option<bool>,
}

async fn round(pool: &PgPool, engine: &Engine, policy: &Policy) -> Round {
    let claimed = match starts::claim(pool, PER_TENANT, ROUND, policy.claim.as_secs_f64()).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::warn!(%error, "starts could not be claimed");
            return Round { troubled: true, ..Round::default() };
        }
    };
    if claimed.is_empty() {
        return Round::default();
    }
    let outcomes: Vec<_> = stream::iter(claimed)
        .map(|start| async move { (engine.start_job(&start).await, start) })
        .buffer_unordered(policy.concurrency)
        .collect()
        .await;
    let mut started = Vec::new();
    let mut unstarted = Vec::new();
    for (outcome, start) in outcomes {
        match outcome {
            Ok(run) => started.push((start.job_id, run)),
            Err(EngineError::Conflict(_)) => give_another_id(pool, &start).await,
            Err(error @ EngineError::Unavailable(_)) => {
                tracing::debug!(job.id = %start.job_id, %error, "the start waits");
                unstarted.push(start.job_id);
            }
        }
    }
    metrics::counter!("zama_workflow_starts_total", "outcome" => "started").increment(started.len() as u64);
    metrics::counter!("zama_workflow_starts_total", "outcome" => "deferred").increment(unstarted.len() as u64);
    settle(pool, &started, &unstarted).await;
    let troubled = !unstarted.is_empty();
    Round { more: !troubled, troubled, temporal_is_up: Some(!troubled) }
}

/// A workflow of somebody else, in a namespace that is not ours alone, has the id: the job goes on under another.
async fn give_another_id(pool: &PgPool, start: &PendingStart) {
    tracing::error!(job.id = %start.job_id, workflow.id = start.workflow_id, "the workflow id is taken by another");
    if let Err(error) = store::lost::recover(pool, start.job_id, &start.workflow_id).await {
        tracing::warn!(job.id = %start.job_id, %error, "the job gets another workflow id when its claim runs out");
    }
}

/// A failure here costs nothing but a repeated start, which is found to exist.
async fn settle(pool: &PgPool, started: &[(JobId, WorkflowRun)], unstarted: &[JobId]) {
    if !started.is_empty()
        && let Err(error) = starts::confirm(pool, started).await
    {
        tracing::warn!(%error, "starts could not be noted; they are repeated when their claims run out");
    }
    if !unstarted.is_empty()
        && let Err(error) = starts::release(pool, unstarted, PAUSE.as_secs_f64()).await
    {
        tracing::warn!(%error, "claims could not be given back; they run out");
    }
}

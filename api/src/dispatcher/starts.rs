//! Starting workflows: woken at once by an admission, and by the sweep for what a dead process left.

use std::sync::Arc;
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

pub(super) async fn run(pool: PgPool, engine: Engine, policy: Policy, wake: Arc<Notify>, stop: CancellationToken) {
    let mut complaints = Complaints::default();
    while !stop.is_cancelled() {
        let round = round(&pool, &engine, &policy, &stop).await;
        complaints.tell(round.complaint);
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
    /// Why starts wait, if some do.
    complaint: Option<String>,
}

/// What was complained of last: each trouble is told when it begins, not again and again.
#[derive(Default)]
struct Complaints(Option<String>);

impl Complaints {
    fn tell(&mut self, complaint: Option<String>) {
        if complaint == self.0 {
            return;
        }
        match &complaint {
            Some(error) => tracing::warn!(error, "starts wait"),
            None => tracing::info!("starts wait no longer"),
        }
        self.0 = complaint;
    }
}

async fn round(pool: &PgPool, engine: &Engine, policy: &Policy, stop: &CancellationToken) -> Round {
    let claimed = match starts::claim(pool, PER_TENANT, ROUND, policy.claim.as_secs_f64()).await {
        Ok(claimed) => claimed,
        Err(error) => {
            let complaint = Some(format!("starts could not be claimed: {error}"));
            return Round { troubled: true, complaint, ..Round::default() };
        }
    };
    if claimed.is_empty() {
        return Round::default();
    }
    // What is not begun before the end is another process's when its claim runs out.
    let outcomes: Vec<_> = stream::iter(claimed)
        .take_until(stop.cancelled())
        .map(|start| async move { (engine.start_job(&start).await, start) })
        .buffer_unordered(policy.concurrency)
        .collect()
        .await;
    let mut started = Vec::new();
    let mut unstarted = Vec::new();
    let mut refused = Vec::new();
    let mut complaint = None;
    for (outcome, start) in outcomes {
        match outcome {
            Ok(run) => started.push((start.job_id, run)),
            Err(EngineError::Conflict(_)) => give_another_id(pool, &start).await,
            Err(error) => {
                tracing::debug!(job.id = %start.job_id, %error, "the start waits");
                let waiting = if error.is_unavailable() { &mut unstarted } else { &mut refused };
                waiting.push(start.job_id);
                complaint.get_or_insert(error.to_string());
            }
        }
    }
    metrics::counter!("zama_workflow_starts_total", "outcome" => "started").increment(started.len() as u64);
    metrics::counter!("zama_workflow_starts_total", "outcome" => "deferred").increment(unstarted.len() as u64);
    metrics::counter!("zama_workflow_starts_total", "outcome" => "refused").increment(refused.len() as u64);
    note(pool, &started).await;
    release(pool, &unstarted, PAUSE).await;
    // A start that Temporal refuses holds up nobody: the others go on.
    release(pool, &refused, policy.sweep).await;
    let troubled = !unstarted.is_empty();
    Round { more: !troubled, troubled, complaint }
}

/// A workflow of somebody else, in a namespace that is not ours alone, has the id: the job goes on under another.
async fn give_another_id(pool: &PgPool, start: &PendingStart) {
    tracing::error!(job.id = %start.job_id, workflow.id = start.workflow_id, "the workflow id is taken by another");
    if let Err(error) = store::lost::recover(pool, start.job_id, &start.workflow_id).await {
        tracing::warn!(job.id = %start.job_id, %error, "the job gets another workflow id when its claim runs out");
    }
}

/// A failure here costs nothing but a repeated start, which is found to exist.
async fn note(pool: &PgPool, started: &[(JobId, WorkflowRun)]) {
    if !started.is_empty()
        && let Err(error) = starts::confirm(pool, started).await
    {
        tracing::warn!(%error, "starts could not be noted; they are repeated when their claims run out");
    }
}

async fn release(pool: &PgPool, jobs: &[JobId], pause: Duration) {
    if !jobs.is_empty()
        && let Err(error) = starts::release(pool, jobs, pause.as_secs_f64()).await
    {
        tracing::warn!(%error, "claims could not be given back; they run out");
    }
}

//! What became of starts, written into the outbox some at a time.

use std::time::Duration;

use jobs::JobId;
use store::PgPool;
use store::cancel::WorkflowRun;
use store::starts::{self, PendingStart};
use temporal::EngineError;
use tokio::sync::mpsc;

use super::{Complaints, PAUSE, Trouble, UNNOTED};

/// Between two notes: a lone start is noted at once, those of a backlog some dozens at a time.
const BREATH: Duration = Duration::from_millis(200);

pub(super) struct Outcome {
    pub start: PendingStart,
    pub result: Result<WorkflowRun, EngineError>,
}

pub(super) struct Notes<'a> {
    pool: PgPool,
    /// After which a start that Temporal refused is tried again.
    sweep: Duration,
    trouble: &'a Trouble,
    complaints: Complaints,
}

impl<'a> Notes<'a> {
    pub(super) fn new(pool: PgPool, sweep: Duration, trouble: &'a Trouble) -> Self {
        Self { pool, sweep, trouble, complaints: Complaints::default() }
    }

    /// Until the last start is noted.
    pub(super) async fn run(mut self, mut unnoted: mpsc::Receiver<Outcome>) {
        let mut outcomes = Vec::new();
        while unnoted.recv_many(&mut outcomes, UNNOTED).await > 0 {
            self.note(outcomes.drain(..)).await;
            tokio::time::sleep(BREATH).await;
        }
    }

    async fn note(&mut self, outcomes: impl Iterator<Item = Outcome>) {
        let (mut started, mut unstarted, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let mut complaint = None;
        for Outcome { start, result } in outcomes {
            match result {
                Ok(run) => started.push((start.job_id, run)),
                Err(EngineError::Conflict(_)) => self.give_another_id(&start).await,
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
        self.confirm(&started).await;
        self.release(&unstarted, PAUSE).await;
        // A start that Temporal refuses holds up nobody: the others go on.
        self.release(&refused, self.sweep).await;
        if !unstarted.is_empty() {
            self.trouble.meet();
        }
        if complaint.is_some() || !started.is_empty() {
            self.complaints.tell(complaint);
        }
    }

    /// A workflow of somebody else, in a namespace that is not ours alone, has the id: the job goes on under another.
    async fn give_another_id(&self, start: &PendingStart) {
        tracing::error!(job.id = %start.job_id, workflow.id = start.workflow_id, "the workflow id is taken by another");
        if let Err(error) = store::lost::recover(&self.pool, start.job_id, &start.workflow_id).await {
            tracing::warn!(job.id = %start.job_id, %error, "the job gets another workflow id when its claim runs out");
        }
    }

    /// A failure here costs nothing but a repeated start, which is found to exist.
    async fn confirm(&self, started: &[(JobId, WorkflowRun)]) {
        if !started.is_empty()
            && let Err(error) = starts::confirm(&self.pool, started).await
        {
            tracing::warn!(%error, "starts could not be noted; they are repeated when their claims run out");
        }
    }

    async fn release(&self, jobs: &[JobId], pause: Duration) {
        if !jobs.is_empty()
            && let Err(error) = starts::release(&self.pool, jobs, pause.as_secs_f64()).await
        {
            tracing::warn!(%error, "claims could not be given back; they run out");
        }
    }
}

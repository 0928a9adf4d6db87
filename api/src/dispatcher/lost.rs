//! Looking after open jobs: a workflow that is missing or was terminated is started again from the database's state.

use std::time::Duration;

use jobs::JobId;
use store::PgPool;
use store::lost::{self, OpenJob, Recovered};
use temporal::{Engine, RunState};
use tokio_util::sync::CancellationToken;

use super::Policy;

/// Jobs looked after in one turn: each costs a call.
const TURN: i64 = 100;

pub(super) async fn run(pool: PgPool, engine: Engine, policy: Policy, stop: CancellationToken) {
    let mut after: Option<JobId> = None;
    loop {
        ensure_services(&engine, &policy).await;
        after = turn(&pool, &engine, policy.idle, after, &stop).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(policy.sweep) => {}
        }
    }
}

/// Batcher, reporter and hours run for ever; whoever finds one missing starts it.
async fn ensure_services(engine: &Engine, policy: &Policy) {
    for result in [
        engine.ensure_batcher(policy.batcher.clone()).await,
        engine.ensure_reporter(policy.reporter.clone()).await,
        engine.ensure_usage_hours(policy.hours.clone()).await,
    ] {
        if let Err(error) = result {
            tracing::debug!(%error, "a service workflow could not be looked after");
        }
    }
}

/// Looks after the next jobs and returns where to go on; from the beginning after the last one.
async fn turn(
    pool: &PgPool,
    engine: &Engine,
    idle: Duration,
    after: Option<JobId>,
    stop: &CancellationToken,
) -> Option<JobId> {
    let open = match lost::open_jobs(pool, after, idle.as_secs_f64(), TURN).await {
        Ok(open) => open,
        Err(error) => {
            tracing::debug!(%error, "open jobs could not be read");
            return after;
        }
    };
    for job in &open {
        if stop.is_cancelled() {
            return after;
        }
        match engine.run_state(&job.run).await {
            Ok(RunState::Running) => {}
            Ok(RunState::Gone) => recover(pool, job).await,
            Err(error) if error.is_unavailable() => {
                tracing::debug!(%error, "runs could not be looked after");
                // The next turn begins after this one, so that a run that cannot be read keeps nobody waiting.
                return Some(job.job_id);
            }
            Err(error) => {
                tracing::warn!(job.id = %job.job_id, workflow.id = job.run.workflow_id, %error, "the run cannot be read");
            }
        }
    }
    let full = i64::try_from(open.len()).is_ok_and(|length| length == TURN);
    open.last().filter(|_| full).map(|job| job.job_id)
}

async fn recover(pool: &PgPool, job: &OpenJob) {
    match lost::recover(pool, job.job_id, &job.run.workflow_id).await {
        Ok(Recovered::Restarted) => {
            metrics::counter!("zama_workflows_lost_total").increment(1);
            tracing::warn!(job.id = %job.job_id, workflow.id = job.run.workflow_id, "the workflow is gone; starting again");
        }
        Ok(Recovered::Failed) => tracing::error!(job.id = %job.job_id, "the workflow was lost too often"),
        Ok(Recovered::Unchanged) => {}
        Err(error) => tracing::warn!(job.id = %job.job_id, %error, "the job could not be recovered"),
    }
}

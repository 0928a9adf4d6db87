//! One job: validate, compute, confirm, meter.
//!
//! The database decides every step; the workflow makes sure that the next one happens. So a workflow that is started
//! again after its predecessor was lost goes on where the job is. Only the computation listens to cancellation: the
//! other steps must happen whatever is cancelled.

use std::time::{Duration, UNIX_EPOCH};

use jobs::submission::JobType;
use jobs::{ErrorCode, JobId, JobStatus};
use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::common::error::{ApplicationFailure, IncomingError};
use temporalio_workflow::{
    ActivityCancellationType, ActivityCloseTimeouts, ActivityExecutionError, ActivityOptions, LocalActivityOptions,
    RetryPolicy, TimeoutType, WorkflowCancellationToken, WorkflowContext, WorkflowResult, WorkflowTermination,
};

use crate::activities::{
    CONFIRM_ACTIVITY_ID, Compute, Conclude, Conclusion, Confirm, FheCompute, JobRef, Meter, Reason, Step, Validate,
};
use crate::attributes;

/// A computation that no worker finishes within this time has failed, if the job has no deadline of its own.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// Slack over the job's own timeout, after which the engine gives an attempt up.
const TIMEOUT_SLACK: Duration = Duration::from_secs(60);
/// A worker that is silent for this long is dead and its computation goes on elsewhere.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a confirmation waits to be completed from outside before it reads the database again.
const CONFIRM_ATTEMPT: Duration = Duration::from_secs(300);
/// Attempts of a plain computation. A worker that is stopped or killed costs one, and so does an outage of Temporal; an
/// outage of the database costs none. A computation that kills every worker that takes it ends after as many.
const COMPUTE_ATTEMPTS: u32 = 10;
/// What a job is told whose computation the engine gave up.
const LATE: &str = "The deadline passed before there was a result.";
const LOST: &str = "The computation was lost.";
const METER_ATTEMPT: Duration = Duration::from_secs(60);
const LOCAL_ATTEMPT: Duration = Duration::from_secs(10);

/// References only.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct JobInput {
    pub job_id: JobId,
    /// Which activity computes; histories from before encrypted jobs do not say it.
    #[serde(default = "plain")]
    pub job_type: JobType,
    /// Queue of the computation.
    pub compute_queue: String,
    /// Name of the algorithm, for the summary in the UI.
    pub algorithm: String,
    /// Seconds of computing that the job may take.
    pub timeout_seconds: u32,
    /// Unix milliseconds.
    pub deadline_ms: Option<u64>,
    pub request_id: String,
}

fn plain() -> JobType {
    JobType::Compute
}

/// How the job ended.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct JobOutcome {
    pub status: JobStatus,
}

#[workflow]
pub struct JobWorkflow {
    input: JobInput,
}

#[workflow_methods]
impl JobWorkflow {
    #[init]
    fn new(_ctx: &temporalio_workflow::WorkflowContextView, input: JobInput) -> Self {
        Self { input }
    }

    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<JobOutcome> {
        let input = ctx.state(|state| state.input.clone());
        let job = JobRef { job_id: input.job_id };
        ctx.set_current_details(format!("job {}: validating", input.job_id));
        let mut step = ctx.execute_local_activity(Validate, job, local()).await?;
        let mut failure = None;
        if step == Step::Compute {
            show(ctx, &input, JobStatus::Processing);
            let options = computing(ctx, &input);
            let computed = match input.job_type {
                JobType::Compute => ctx.execute_activity(Compute, job, options).await,
                JobType::FheCompute => ctx.execute_activity(FheCompute, job, options).await,
            };
            step = match computed {
                Ok(step) => step,
                Err(error) => {
                    let reason = why(&error, &input);
                    failure = Some(reason.clone());
                    let conclusion = Conclusion { job_id: input.job_id, reason };
                    ctx.execute_local_activity(Conclude, conclusion, local()).await?
                }
            };
        }
        if step == Step::Confirm {
            show(ctx, &input, JobStatus::Confirming);
            step = ctx.execute_activity(Confirm, job, confirming()).await?;
        }
        let Step::Ended(status) = step else {
            return Err(ApplicationFailure::non_retryable(format!("the job stopped at {step:?}")).into());
        };
        show(ctx, &input, status);
        ctx.execute_activity(Meter, job, metering()).await?;
        finish(&input, status, failure)
    }
}

/// The workflow ends as the job did, so that the UI's own status column tells the truth.
fn finish(input: &JobInput, status: JobStatus, failure: Option<Reason>) -> WorkflowResult<JobOutcome> {
    match status {
        JobStatus::Cancelled => Err(WorkflowTermination::cancelled()),
        JobStatus::Failed => {
            let told = failure.map_or_else(|| "failed".to_owned(), |reason| reason.to_string());
            let failure = ApplicationFailure::builder(format!("job {}: {told}", input.job_id))
                .type_name("JobFailed".to_owned())
                .non_retryable(true)
                .build();
            Err(failure.into())
        }
        status => Ok(JobOutcome { status }),
    }
}

/// Shows the job's state to operators, by search attribute and in words.
fn show(ctx: &WorkflowContext<JobWorkflow>, input: &JobInput, status: JobStatus) {
    ctx.upsert_search_attributes([attributes::STATUS.value_set(status.as_str().to_owned())]);
    let words = match status {
        JobStatus::Processing => format!("computing {} on queue {}", input.algorithm, input.compute_queue),
        JobStatus::Confirming => "waiting for its batch to be confirmed on chain".to_owned(),
        ended => format!("{ended}; sending usage to billing"),
    };
    ctx.set_current_details(format!("job {} (request {}): {words}", input.job_id, input.request_id));
}

/// Why the engine gave the computation up.
fn why(error: &ActivityExecutionError, input: &JobInput) -> Reason {
    if error.as_cancelled().is_some() {
        return Reason::Cancelled;
    }
    if let Some(timeout) = error.as_timeout() {
        // A job that nobody took in time is as late as one that was being computed: both clocks run to its deadline.
        let clock = matches!(timeout.timeout_type(), TimeoutType::ScheduleToClose | TimeoutType::ScheduleToStart);
        let late = clock && input.deadline_ms.is_some();
        let code = if late { ErrorCode::DeadlineExceeded } else { ErrorCode::InternalError };
        let detail = if late { LATE } else { LOST };
        return Reason::Failed { code, detail: detail.to_owned() };
    }
    match error.reason() {
        Some(IncomingError::Application(failure)) => {
            let code = failure.type_name().and_then(|name| name.parse().ok()).unwrap_or(ErrorCode::InternalError);
            // What failed inside is for operators alone; every other code comes with words for the client.
            let inside = code == ErrorCode::InternalError;
            let detail = if inside { "The service failed.".to_owned() } else { failure.to_string() };
            Reason::Failed { code, detail }
        }
        _ => Reason::Failed { code: ErrorCode::InternalError, detail: "The service failed.".to_owned() },
    }
}

fn computing(ctx: &WorkflowContext<JobWorkflow>, input: &JobInput) -> ActivityOptions {
    let now = ctx.workflow_time().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let left = input.deadline_ms.map(|deadline| {
        // A deadline that has passed still gets its attempt: the activity finds out and ends the job properly.
        Duration::from_millis(deadline).saturating_sub(now).max(Duration::from_secs(1))
    });
    let schedule_to_close = left.unwrap_or(LONGEST_WAIT);
    let attempt = Duration::from_secs(input.timeout_seconds.into()) + TIMEOUT_SLACK;
    let start_to_close = match input.job_type {
        JobType::Compute => attempt.min(schedule_to_close),
        // It also fetches and waits for its turn, and itself counts the time in which it computes; a worker that died
        // is known by its silence.
        JobType::FheCompute => schedule_to_close,
    };
    ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::ScheduleAndStartToClose {
        schedule_to_close,
        start_to_close,
    })
    .task_queue(input.compute_queue.clone())
    .heartbeat_timeout(HEARTBEAT_TIMEOUT)
    .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
    .retry_policy(trying(input.job_type))
    .summary(input.algorithm.clone())
    .build()
}

fn trying(job_type: JobType) -> RetryPolicy {
    let longest = Duration::from_secs(60);
    match job_type {
        JobType::Compute => RetryPolicy::builder().maximum_interval(longest).maximum_attempts(COMPUTE_ATTEMPTS).build(),
        // Their own attempts are counted in the database, by what ended them.
        JobType::FheCompute => capped(longest),
    }
}

fn confirming() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(CONFIRM_ATTEMPT)
        .activity_id(CONFIRM_ACTIVITY_ID.to_owned())
        .cancellation_token(WorkflowCancellationToken::new())
        .retry_policy(capped(Duration::from_secs(30)))
        .build()
}

fn metering() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(METER_ATTEMPT)
        .cancellation_token(WorkflowCancellationToken::new())
        .retry_policy(capped(Duration::from_secs(300)))
        .build()
}

fn local() -> LocalActivityOptions {
    LocalActivityOptions::builder()
        .start_to_close_timeout(LOCAL_ATTEMPT)
        .cancellation_token(WorkflowCancellationToken::new())
        .retry_policy(capped(Duration::from_secs(30)))
        .build()
}

/// Exponential from one second, doubling up to `longest`, without end: what must happen happens when it can.
fn capped(longest: Duration) -> RetryPolicy {
    RetryPolicy::builder().maximum_interval(longest).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_show_what_jobs_are_told() {
        for (detail, page) in [
            (LATE, include_str!("../../docs/errors/DEADLINE_EXCEEDED.md")),
            (LOST, include_str!("../../docs/errors/INTERNAL_ERROR.md")),
        ] {
            assert!(page.contains(&format!("\n    \"detail\": \"{detail}\",\n")), "{detail}");
        }
    }
}

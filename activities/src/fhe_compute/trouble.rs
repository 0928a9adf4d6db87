//! What stops an attempt of the activity, and whether another follows: what is away is waited for without end, what fails
//! for any other reason of ours is counted.

use jobs::{ErrorCode, JobId};
use temporalio_sdk::activities::ActivityError;

use super::FheCompute;
use crate::failure::of_the_job;
use crate::patience::Away;

/// A job whose computation failed as often for reasons of ours is given up. With Temporal's pauses that is a quarter of
/// an hour in which somebody could mend them.
const ERRORS: u32 = 20;

/// Why an attempt of the activity brings no step.
pub(super) enum Halt {
    /// The job's own fault, or its cancellation: no attempt follows.
    Final(ActivityError),
    /// The worker stops: another goes on.
    Stopping,
    /// Neither the job's fault nor a death of the child.
    Trouble(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

impl FheCompute {
    /// Counts and logs what stopped an attempt.
    pub(super) async fn trouble(&self, job: JobId, error: anyhow::Error) -> ActivityError {
        let told = format!("{error:#}");
        if error.is_away() || self.stopping.is_cancelled() {
            tracing::warn!(job.id = %job, error = told, "the computation is tried again");
            return error.into();
        }
        match store::fhe::errors::count(&self.pool, job, &told).await {
            Ok(errors) if is_too_often(errors) => {
                tracing::error!(job.id = %job, error = told, errors, "the computation failed too often; the job fails");
                of_the_job(ErrorCode::InternalError, format!("the computation failed {errors} times: {told}"))
            }
            Ok(errors) => {
                tracing::warn!(job.id = %job, error = told, errors, "the computation failed; it is tried again");
                error.into()
            }
            Err(away) => {
                tracing::warn!(job.id = %job, error = told, %away, "the computation failed; it is tried again");
                error.into()
            }
        }
    }
}

fn is_too_often(errors: u32) -> bool {
    errors >= ERRORS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_of_ours_is_trouble_and_ends_after_a_while() {
        assert!(matches!(Halt::from(anyhow::anyhow!("the child answers out of turn")), Halt::Trouble(_)));
        assert!(!is_too_often(ERRORS - 1) && is_too_often(ERRORS));
    }
}

//! Why a job has no result or receipt (yet).

use jobs::{ErrorCode, JobStatus};

use crate::policy::problem::Problem;

/// `what` is what was asked for: "result" or "receipt".
pub fn problem(what: &str, status: JobStatus, error: Option<(ErrorCode, String)>) -> Problem {
    match (status, error) {
        (JobStatus::Cancelled, _) => Problem::new(ErrorCode::JobCancelled, "The job was cancelled."),
        (JobStatus::Failed, Some((code, detail))) if code.is_ours() => {
            Problem::new(code.of_result(), format!("The job failed with {code}: {detail}"))
        }
        (JobStatus::Failed, Some((code, detail))) => Problem::new(code, detail),
        (status, _) => Problem::new(ErrorCode::ResultNotReady, format!("The job is {status}; it has no {what} yet.")),
    }
}

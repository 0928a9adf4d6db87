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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_show_what_is_said() {
        problem("result", JobStatus::Processing, None).is_the_example_of_its_page();
        problem("result", JobStatus::Cancelled, None).is_the_example_of_its_page();
        // What the worker says stands on the page of the job's own code.
        let crashed = "3 attempts at the computation came to no end.".to_owned();
        assert!(include_str!("../../../../docs/errors/COMPUTE_CRASHED.md").contains(&crashed));
        let error = Some((ErrorCode::ComputeCrashed, crashed));
        problem("result", JobStatus::Failed, error).is_the_example_of_its_page();
    }
}

//! Which failures are retried: everything, but what is the job's own fault.

use jobs::ErrorCode;
use temporalio_common::error::ApplicationFailure;
use temporalio_sdk::activities::ActivityError;

/// What a job is told whose computation took longer than it may.
pub(crate) fn took_too_long(seconds: i32) -> ActivityError {
    of_the_job(ErrorCode::ComputeTimeout, longer_than(seconds))
}

fn longer_than(seconds: i32) -> String {
    format!("The computation took longer than {seconds} seconds.")
}

/// A failure that another attempt would meet again. The workflow reads the code from the failure's type.
pub(crate) fn of_the_job(code: ErrorCode, detail: impl Into<String>) -> ActivityError {
    let failure = ApplicationFailure::builder(detail.into()).type_name(code.to_string()).non_retryable(true).build();
    ActivityError::application(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_is_said() {
        let page = include_str!("../../docs/errors/COMPUTE_TIMEOUT.md");
        assert!(page.contains(&format!("\n    \"detail\": \"{}\",\n", longer_than(300))));
    }
}

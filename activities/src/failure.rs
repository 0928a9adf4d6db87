//! Which failures are retried: everything, but what is the job's own fault.

use jobs::ErrorCode;
use temporalio_common::error::ApplicationFailure;
use temporalio_sdk::activities::ActivityError;

/// A failure that another attempt would meet again. The workflow reads the code from the failure's type.
pub(crate) fn of_the_job(code: ErrorCode, detail: impl Into<String>) -> ActivityError {
    let failure = ApplicationFailure::builder(detail.into()).type_name(code.to_string()).non_retryable(true).build();
    ActivityError::application(failure)
}

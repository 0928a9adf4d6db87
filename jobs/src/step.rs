//! Where a job goes on: what the database decided, and what its workflow does next.

use serde::{Deserialize, Serialize};

use crate::JobStatus;

/// The next step of a job. Workflow histories hold it: its form stays as it is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "next", content = "status", rename_all = "snake_case")]
pub enum Step {
    Compute,
    Confirm,
    /// The job is terminal; only metering is left.
    Ended(JobStatus),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_of_earlier_versions_are_read() {
        for (step, text) in [
            (Step::Compute, r#"{"next":"compute"}"#),
            (Step::Confirm, r#"{"next":"confirm"}"#),
            (Step::Ended(JobStatus::Completed), r#"{"next":"ended","status":"COMPLETED"}"#),
        ] {
            assert_eq!(serde_json::to_string(&step).unwrap(), text);
            assert_eq!(serde_json::from_str::<Step>(text).unwrap(), step);
        }
    }
}

//! What happens to a job, as it stands in `job_events`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ErrorCode, JobStatus};

/// The kinds of event.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub enum EventType {
    /// The job entered a state.
    #[serde(rename = "job.status")]
    Status,
    /// The computation advanced.
    #[serde(rename = "job.progress")]
    Progress,
    /// The confirmation moved to another block after a reorganisation of the chain.
    #[serde(rename = "job.reanchored")]
    Reanchored,
}

impl EventType {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "job.status",
            Self::Progress => "job.progress",
            Self::Reanchored => "job.reanchored",
        }
    }
}

/// `data` of a `job.status` event.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct StatusChange {
    pub status: JobStatus,
    /// The state that was left; null for the first event of a job.
    pub previous: Option<JobStatus>,
    /// Why the job failed; null else.
    pub error_code: Option<ErrorCode>,
}

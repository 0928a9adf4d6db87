//! Listing jobs, newest first.

use chrono::{DateTime, Utc};
use jobs::JobStatus;
use jobs::submission::JobType;
use jobs::wire::JobPage;
use serde::Serialize;

use crate::error::ClientError;
use crate::transport::{Client, read_json};

/// Which jobs to list. Everything absent is no restriction.
#[derive(Clone, Debug, Default, Serialize)]
pub struct JobFilter {
    pub status: Option<JobStatus>,
    #[serde(rename = "type")]
    pub job_type: Option<JobType>,
    pub created_after: Option<DateTime<Utc>>,
    pub created_before: Option<DateTime<Utc>>,
    /// EVM address, 0x-hex.
    pub submitter: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Jobs on the page, 1 to 100.
    pub limit: Option<u32>,
}

impl Client {
    /// Reads one page of jobs.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list(&self, filter: &JobFilter) -> Result<JobPage, ClientError> {
        read_json(self.send(|| self.get_with("/v1/jobs", filter)).await?).await
    }
}

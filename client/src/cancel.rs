//! Cancelling a job.

use jobs::wire::{Accepted, Job};
use jobs::{JobId, JobStatus};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::error::ClientError;
use crate::transport::{Client, read_json};

/// A job after a cancel: a job past its computation stays as it is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Cancelled {
    Job(Box<Job>),
    /// All that a token without `jobs:read` learns.
    Summary(Box<Accepted>),
}

impl Cancelled {
    #[must_use]
    pub fn status(&self) -> JobStatus {
        match self {
            Self::Job(job) => job.status,
            Self::Summary(summary) => summary.status,
        }
    }
}

impl Client {
    /// Asks for a job to be cancelled and returns it as it is then.
    ///
    /// # Errors
    /// [`ClientError`], with INSUFFICIENT_SCOPE for a colleague's job without `jobs:admin`.
    pub async fn cancel(&self, id: JobId) -> Result<Cancelled, ClientError> {
        let path = format!("/v1/jobs/{id}/cancel");
        read_json(self.send(|| self.request(Method::POST, &path)).await?).await
    }
}

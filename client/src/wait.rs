//! Waiting for a job to end by polling with its ETag.

use std::time::Duration;

use jobs::JobId;
use jobs::wire::Job;
use reqwest::StatusCode;
use reqwest::header::{ETAG, IF_NONE_MATCH};
use tokio::time::{Instant, sleep, timeout_at};

use crate::error::ClientError;
use crate::transport::{Client, read_json};

/// How to wait.
#[derive(Clone, Copy, Debug)]
pub struct WaitOptions {
    /// Give up after this time; `None` waits as long as the job takes.
    pub max_wait: Option<Duration>,
    /// Pause after the first look, and after each look that saw a change.
    pub first_pause: Duration,
    /// Longest pause, reached while nothing changes.
    pub max_pause: Duration,
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self { max_wait: None, first_pause: Duration::from_millis(250), max_pause: Duration::from_secs(2) }
    }
}

/// How the waiting ended.
#[derive(Clone, Debug)]
pub enum Waited {
    /// The job is in a terminal state.
    Ended(Box<Job>),
    /// The time is up; the job as it was last seen.
    TimedOut(Box<Job>),
}

impl Waited {
    /// The job as it was last seen.
    #[must_use]
    pub fn job(&self) -> &Job {
        match self {
            Self::Ended(job) | Self::TimedOut(job) => job,
        }
    }
}

impl Client {
    /// Waits until a job is terminal. `on_change` sees the job at first and after every change.
    ///
    /// # Errors
    /// [`ClientError`] of the first look, or of a later one that its retries did not mend.
    pub async fn wait(
        &self,
        id: JobId,
        options: WaitOptions,
        mut on_change: impl FnMut(&Job),
    ) -> Result<Waited, ClientError> {
        let end = options.max_wait.map(|time| Instant::now() + time);
        let mut last = Box::new(self.job_with_etag(id).await?);
        on_change(&last.job);
        let mut pause = options.first_pause;
        while !last.job.status.is_terminal() {
            let look = async {
                sleep(pause).await;
                self.job_if_changed(id, last.etag.as_deref()).await
            };
            let seen = match end {
                Some(end) => match timeout_at(end, look).await {
                    Ok(seen) => seen?,
                    Err(_) => return Ok(Waited::TimedOut(Box::new(last.job))),
                },
                None => look.await?,
            };
            match seen {
                Some(job) => {
                    on_change(&job.job);
                    *last = job;
                    pause = options.first_pause;
                }
                None => pause = pause.mul_f64(1.5).min(options.max_pause),
            }
        }
        Ok(Waited::Ended(Box::new(last.job)))
    }

    async fn job_with_etag(&self, id: JobId) -> Result<Seen, ClientError> {
        self.job_if_changed(id, None).await?.ok_or_else(|| ClientError::Unexpected {
            status: StatusCode::NOT_MODIFIED.as_u16(),
            body: "not modified, though no ETag was sent".to_owned(),
        })
    }

    /// The job, or `None` when it still has this ETag.
    async fn job_if_changed(&self, id: JobId, etag: Option<&str>) -> Result<Option<Seen>, ClientError> {
        let path = format!("/v1/jobs/{id}");
        let response = self
            .send(|| match etag {
                Some(etag) => self.get(&path).header(IF_NONE_MATCH, etag),
                None => self.get(&path),
            })
            .await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let etag = response.headers().get(ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Some(Seen { job: read_json(response).await?, etag }))
    }
}

/// A job and the ETag under which it was seen.
struct Seen {
    job: Job,
    etag: Option<String>,
}

//! Submitting a job, at most once whatever happens on the way.

use std::time::Duration;

use jobs::wire::{Accepted, Job};
use jobs::{IdempotencyKey, JobId};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::error::ClientError;
use crate::transport::{ANSWER_TIMEOUT, Client, read_json};

/// Longest time for which the API holds the answer back (`Prefer: wait`).
const MAX_HELD: Duration = Duration::from_secs(60);

/// An accepted submission.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The key under which the job was accepted: sending it again with the same body makes no second job.
    pub key: IdempotencyKey,
    /// The API had accepted this key before and repeats its answer.
    pub replayed: bool,
    pub answer: Answer,
}

/// What the API answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The job will run.
    Accepted(Box<Accepted>),
    /// The job ended within the time that the caller wanted to wait.
    Ended(Box<Job>),
}

impl Submitted {
    /// Id of the job.
    #[must_use]
    pub fn job_id(&self) -> JobId {
        match &self.answer {
            Answer::Accepted(accepted) => accepted.job_id,
            Answer::Ended(job) => job.job_id,
        }
    }
}

impl Client {
    /// Submits a job. Without a key one is made; either way every repetition carries the same one.
    ///
    /// `wait` asks the API to answer with the ended job if it ends in that time (60 s at most).
    ///
    /// # Errors
    /// [`ClientError`]. After [`ClientError::Transport`] the job may exist: submit again with the same key.
    pub async fn submit(
        &self,
        body: &Value,
        key: Option<IdempotencyKey>,
        wait: Option<Duration>,
    ) -> Result<Submitted, ClientError> {
        let key = key.unwrap_or_else(IdempotencyKey::generate);
        let held = wait.unwrap_or_default().min(MAX_HELD);
        let response = self
            .send(|| {
                let request = self
                    .request(Method::POST, "/v1/jobs")
                    .header("Idempotency-Key", key.as_str())
                    .timeout(held + ANSWER_TIMEOUT)
                    .json(body);
                if held.is_zero() { request } else { request.header("Prefer", format!("wait={}", held.as_secs())) }
            })
            .await?;
        let replayed = response.headers().get("Idempotency-Replayed").is_some_and(|value| value == "true");
        let answer = match response.status() {
            StatusCode::OK => Answer::Ended(Box::new(read_json(response).await?)),
            _ => Answer::Accepted(Box::new(read_json(response).await?)),
        };
        Ok(Submitted { key, replayed, answer })
    }
}

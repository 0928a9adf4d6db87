//! The HTTP side of the client: one place that sends, repeats and reads answers.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use jobs::JobId;
use jobs::api_key::{self, ApiKey};
use jobs::wire::{Job, Problem};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ClientError;
use crate::retry::{RetryPolicy, retry_after};

/// Longest time for a connection to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for an ordinary answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to one API as one caller. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    origin: Arc<str>,
    retries: RetryPolicy,
    retry_notice: fn(&ClientError, Duration),
}

impl Client {
    /// A client of the API at `origin` (`https://host`, with a path prefix if a gateway adds one) with an access token or an
    /// API key.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when the origin is no http(s) address, the token is no header value, or the API key is
    /// mistyped.
    pub fn new(origin: &str, token: &str) -> Result<Self, ClientError> {
        let configuration = |text: String| ClientError::Configuration(text);
        let url =
            Url::parse(origin).map_err(|error| configuration(format!("{origin:?} is not an address: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
            return Err(configuration(format!(
                "{origin:?} is not the origin of an API, such as https://api.example.com"
            )));
        }
        if token.starts_with(api_key::PREFIX)
            && let Err(error) = token.parse::<ApiKey>()
        {
            return Err(configuration(error.to_string()));
        }
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| configuration("the token holds characters that no header can carry".to_owned()))?;
        bearer.set_sensitive(true);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("zama-jobs/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirect could carry the token elsewhere.
            .redirect(Policy::none());
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| configuration(error.to_string()))?;
        Ok(Self {
            http,
            origin: origin.trim_end_matches('/').into(),
            retries: RetryPolicy::default(),
            retry_notice: |_, _| (),
        })
    }

    /// The same client with another retry policy.
    #[must_use]
    pub fn with_retries(mut self, retries: RetryPolicy) -> Self {
        self.retries = retries;
        self
    }

    /// The same client, which tells `notice` why and for how long it pauses before it repeats a request.
    #[must_use]
    pub fn with_retry_notice(mut self, notice: fn(&ClientError, Duration)) -> Self {
        self.retry_notice = notice;
        self
    }

    /// Reads a job.
    ///
    /// # Errors
    /// [`ClientError`], with JOB_NOT_FOUND also for another tenant's job.
    pub async fn job(&self, id: JobId) -> Result<Job, ClientError> {
        read_json(self.send(|| self.get(&format!("/v1/jobs/{id}"))).await?).await
    }

    /// Reads a job's receipt: a document that anyone can verify against the chain.
    ///
    /// # Errors
    /// [`ClientError`], with RESULT_NOT_READY until the job is confirmed.
    pub async fn receipt(&self, id: JobId) -> Result<Value, ClientError> {
        read_json(self.send(|| self.get(&format!("/v1/jobs/{id}/receipt"))).await?).await
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn get_with(&self, path: &str, query: &impl Serialize) -> RequestBuilder {
        self.get(path).query(query)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.origin)).timeout(ANSWER_TIMEOUT)
    }

    /// Sends what `build` makes, anew for each attempt, until it succeeds or is not worth another attempt.
    pub(crate) async fn send(&self, build: impl Fn() -> RequestBuilder) -> Result<Response, ClientError> {
        self.send_under(self.retries, build, ClientError::is_transient).await
    }

    /// The same, and asks on for up to `patience` while a result is not ready.
    pub(crate) async fn send_until_ready(
        &self,
        build: impl Fn() -> RequestBuilder,
        patience: Duration,
    ) -> Result<Response, ClientError> {
        if patience.is_zero() {
            return self.send(build).await;
        }
        let policy = RetryPolicy { max_attempts: u32::MAX, budget: patience, ..self.retries };
        self.send_under(policy, build, |error| error.is_transient() || error.is_not_ready()).await
    }

    async fn send_under(
        &self,
        policy: RetryPolicy,
        build: impl Fn() -> RequestBuilder,
        is_worth_another: impl Fn(&ClientError) -> bool,
    ) -> Result<Response, ClientError> {
        let mut paused = Duration::ZERO;
        for attempt in 1.. {
            let (error, asked) = match build().send().await {
                Ok(response) if is_success(response.status()) => return Ok(response),
                Ok(response) => {
                    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                    let asked = header.and_then(|value| retry_after(value, Utc::now()));
                    (read_failure(response).await, asked)
                }
                Err(error) if error.is_builder() => return Err(ClientError::Configuration(error.to_string())),
                Err(error) => (ClientError::transport(&error), None),
            };
            let pause = policy.pause(attempt, paused, asked, rand::random());
            let Some(pause) = pause.filter(|_| is_worth_another(&error)) else { return Err(error) };
            (self.retry_notice)(&error, pause);
            tokio::time::sleep(pause).await;
            paused += pause;
        }
        unreachable!("the loop has no end of its own")
    }
}

/// 304 is an answer too: the caller asked for it.
fn is_success(status: StatusCode) -> bool {
    status.is_success() || status == StatusCode::NOT_MODIFIED
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Reads the body of a successful answer.
pub(crate) async fn read_json<T: DeserializeOwned>(response: Response) -> Result<T, ClientError> {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.map_err(|error| ClientError::transport(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| ClientError::Unexpected {
        status,
        body: format!("{error} in {}", String::from_utf8_lossy(&bytes)),
    })
}

async fn read_failure(response: Response) -> ClientError {
    let status = response.status().as_u16();
    match response.bytes().await {
        Err(error) => ClientError::transport(&error),
        Ok(bytes) => match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => ClientError::Problem(Box::new(problem)),
            Err(_) => ClientError::Unexpected { status, body: String::from_utf8_lossy(&bytes).into_owned() },
        },
    }
}

#[cfg(test)]
mod tests;

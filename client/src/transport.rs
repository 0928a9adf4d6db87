//! The HTTP side of the client: one place that sends, repeats and reads answers.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::Utc;
use futures::future::BoxFuture;
use jobs::JobId;
use jobs::api_key::{self, ApiKey};
use jobs::wire::{Job, Problem};
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
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
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to one API as one caller. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    origin: Arc<str>,
    access: Arc<Access>,
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
        Self::with_access(origin, Access { bearer: RwLock::new(bearer(token)?), renewal: None })
    }

    /// A client whose access token is renewed when it has expired, as often as need be.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn renewing(origin: &str, token: &str, renewal: impl Renewal + 'static) -> Result<Self, ClientError> {
        let renewal: Option<Box<dyn Renewal>> = Some(Box::new(renewal));
        Self::with_access(origin, Access { bearer: RwLock::new(bearer(token)?), renewal })
    }

    fn with_access(origin: &str, access: Access) -> Result<Self, ClientError> {
        Ok(Self {
            http: http(origin)?,
            origin: origin.trim_end_matches('/').into(),
            access: Arc::new(access),
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
        let request = self.http.request(method, format!("{}{path}", self.origin)).timeout(ANSWER_TIMEOUT);
        request.header(AUTHORIZATION, self.access.bearer())
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
        let mut renewed = false;
        for attempt in 1.. {
            let (mut error, asked) = match build().send().await {
                Ok(response) if is_success(response.status()) => return Ok(response),
                Ok(response) => {
                    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                    let asked = header.and_then(|value| retry_after(value, Utc::now()));
                    (read_failure(response).await, asked)
                }
                Err(error) if error.is_builder() => return Err(ClientError::Configuration(error.to_string())),
                Err(error) => (ClientError::transport(&error), None),
            };
            if error.is_expired_token() && !renewed {
                renewed = true;
                match Box::pin(self.access.renew()).await {
                    Some(Ok(())) => continue,
                    Some(Err(failure)) => error = failure,
                    None => {}
                }
            }
            let pause = policy.pause(attempt, paused, asked, rand::random());
            let Some(pause) = pause.filter(|_| is_worth_another(&error)) else { return Err(error) };
            (self.retry_notice)(&error, pause);
            tokio::time::sleep(pause).await;
            paused += pause;
        }
        unreachable!("the loop has no end of its own")
    }
}

/// Whoever gets a new access token when one has expired.
pub trait Renewal: Send + Sync {
    /// A token in place of the expired one.
    fn renew<'a>(&'a self, expired: &'a str) -> BoxFuture<'a, Result<String, ClientError>>;
}

/// What the caller shows at the door.
struct Access {
    bearer: RwLock<HeaderValue>,
    renewal: Option<Box<dyn Renewal>>,
}

const SCHEME: &str = "Bearer ";

impl Access {
    fn bearer(&self) -> HeaderValue {
        self.bearer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `None` when there is nobody who renews.
    async fn renew(&self) -> Option<Result<(), ClientError>> {
        let renewal = self.renewal.as_ref()?;
        let before = self.bearer();
        let expired = before.to_str().unwrap_or_default().trim_start_matches(SCHEME);
        let renewed = renewal.renew(expired).await.and_then(|token| bearer(&token));
        Some(renewed.map(|fresh| *self.bearer.write().unwrap_or_else(PoisonError::into_inner) = fresh))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access(..)")
    }
}

fn bearer(token: &str) -> Result<HeaderValue, ClientError> {
    if token.starts_with(api_key::PREFIX)
        && let Err(error) = token.parse::<ApiKey>()
    {
        return Err(ClientError::Configuration(error.to_string()));
    }
    let mut bearer = HeaderValue::from_str(&format!("{SCHEME}{token}"))
        .map_err(|_| ClientError::Configuration("the token holds characters that no header can carry".to_owned()))?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

/// Connections to the server at `origin`.
pub(crate) fn http(origin: &str) -> Result<reqwest::Client, ClientError> {
    let configuration = |text: String| ClientError::Configuration(text);
    let url = Url::parse(origin).map_err(|error| configuration(format!("{origin:?} is not an address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
        return Err(configuration(format!("{origin:?} is not the origin of an API, such as https://api.example.com")));
    }
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("zama-jobs/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        // A redirect could carry the token elsewhere.
        .redirect(Policy::none());
    if is_loopback(&url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| configuration(error.to_string()))
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

pub(crate) async fn read_failure(response: Response) -> ClientError {
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

//! `LagoClient`: the connection to Lago. lago-client serves where it can; calls that it lacks are made here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lago_client::{Config, Credentials, Region, RetryConfig, RetryMode};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Url};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::query::Query;
use crate::standin::STAND_IN_HEADER;
use crate::{LagoError, Origin, Patience};

const AGENT: &str = concat!("zama-jobs/", env!("CARGO_PKG_VERSION"));
/// Longest time for one call, connecting included.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for reaching Lago at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait that is believed when Lago asks for patience.
const LONGEST_PATIENCE: Duration = Duration::from_secs(300);
/// Lago's own header for the seconds until its rate limit opens again.
const RATE_LIMIT_RESET: &str = "x-ratelimit-reset";

/// A connection to one Lago organisation. Cheap to clone; every call has a time-out, and none is repeated but the readings
/// of one that has patience.
#[derive(Clone)]
pub struct LagoClient {
    origin: Origin,
    key: String,
    sdk: Arc<OnceLock<lago_client::LagoClient>>,
    http: reqwest::Client,
    patience: Patience,
    /// Of all clones: an answer has named the stand-in.
    is_stand_in: Arc<AtomicBool>,
}

impl std::fmt::Debug for LagoClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LagoClient").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl LagoClient {
    /// Prepares the connection; nothing is sent yet. `origin` has no path, `key` is an API key of the organisation.
    ///
    /// # Errors
    /// [`LagoError::Invalid`] when the origin or the key cannot be used.
    pub fn new(origin: &str, key: &str) -> Result<Self, LagoError> {
        let origin = Origin::parse(origin)?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(LagoError::Invalid("the API key of Lago must be visible ASCII".to_owned()));
        }
        let http = reqwest::Client::builder()
            .timeout(CALL_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(AGENT)
            .build()?;
        Ok(Self {
            origin,
            key: key.to_owned(),
            sdk: Arc::default(),
            http,
            patience: Patience::NONE,
            is_stand_in: Arc::default(),
        })
    }

    /// Lago's own client, for what it covers. Made when it is first used: it reads all certificates that the machine
    /// trusts, which takes longer than most programs run.
    pub(crate) fn sdk(&self) -> &lago_client::LagoClient {
        self.sdk.get_or_init(|| {
            // With attempts above zero lago-client repeats transport errors even when retries are off.
            let never = RetryConfig::builder().mode(RetryMode::Off).max_attempts(0).build();
            let config = Config::builder()
                .region(Region::Custom(self.origin.api()))
                .credentials(Credentials::new(&self.key))
                .timeout(CALL_TIMEOUT)
                .retry_config(never)
                .user_agent(AGENT.to_owned())
                .build();
            lago_client::LagoClient::new(config)
        })
    }

    /// The same connection for a long reading: what is asked for here, a page of a list or one thing, is asked for again
    /// as long as there is patience. What changes something is sent once, and so is what lago-client asks for.
    #[must_use]
    pub fn patient(&self, patience: Patience) -> Self {
        Self { patience, ..self.clone() }
    }

    /// Where this client sends to.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether an answer has said that it is the stand-in's. Before the first one nobody knows, and lago-client keeps to
    /// itself what its answers said beside their bodies: [`Self::health`] tells without changing anything.
    #[must_use]
    pub fn is_stand_in(&self) -> bool {
        self.is_stand_in.load(Ordering::Relaxed)
    }

    /// Whether Lago serves; asks without the API key.
    ///
    /// # Errors
    /// [`LagoError::Unavailable`], or what else it answers.
    pub async fn health(&self) -> Result<(), LagoError> {
        let response = self.http.get(format!("{}/health", self.origin)).send().await?;
        self.note_name(response.headers());
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(LagoError::from_status(status.as_u16(), String::new(), None)) }
    }

    /// Asks for the API's `path`, given as segments that are encoded here; `None` when Lago answers 404.
    pub(crate) async fn find<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Option<T>, LagoError> {
        LagoError::absent_is_none(self.read(|| self.request(Method::GET, path)).await)
    }

    pub(crate) async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &B,
    ) -> Result<T, LagoError> {
        self.answer(self.request(Method::POST, path)?.json(body)).await
    }

    pub(crate) async fn put<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &B,
    ) -> Result<T, LagoError> {
        self.answer(self.request(Method::PUT, path)?.json(body)).await
    }

    /// As [`Self::find`], with a query.
    pub(crate) async fn find_with<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &Query<'_>,
    ) -> Result<Option<T>, LagoError> {
        LagoError::absent_is_none(self.get_with(path, query).await)
    }

    /// As [`Self::find_with`], of something that must be there.
    pub(crate) async fn get_with<T: DeserializeOwned>(&self, path: &[&str], query: &Query<'_>) -> Result<T, LagoError> {
        self.read(|| Ok(self.request(Method::GET, path)?.query(query))).await
    }

    /// Deletes; what is not there is deleted.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<(), LagoError> {
        self.delete_and_tell::<IgnoredAny>(path).await.map(drop)
    }

    /// As [`Self::delete`], of what a query says.
    pub(crate) async fn delete_with(&self, path: &[&str], query: &Query<'_>) -> Result<(), LagoError> {
        let answer = self.answer::<IgnoredAny>(self.request(Method::DELETE, path)?.query(query)).await;
        LagoError::absent_is_none(answer).map(drop)
    }

    /// Deletes, and tells what it was; `None` of what is not there.
    pub(crate) async fn delete_and_tell<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Option<T>, LagoError> {
        LagoError::absent_is_none(self.answer(self.request(Method::DELETE, path)?).await)
    }

    /// Has the stand-in close a month (`YYYY-MM`) that is over, as Lago does by its clock; tells how many invoices it made.
    ///
    /// # Errors
    /// [`LagoError::Rejected`] with 404 by a real Lago, with 422 when the month is not over.
    pub async fn close_month_of_stand_in(&self, month: &str) -> Result<usize, LagoError> {
        #[derive(Deserialize)]
        struct Closed {
            invoices: Vec<IgnoredAny>,
        }
        let request = self.http.post(format!("{}/stand-in/close", self.origin)).bearer_auth(&self.key);
        let closed: Closed = self.answer(request.json(&json!({ "close": { "month": month } }))).await?;
        Ok(closed.invoices.len())
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, LagoError> {
        let mut url = Url::parse(&self.origin.api()).map_err(|error| LagoError::Invalid(error.to_string()))?;
        url.path_segments_mut()
            .map_err(|()| LagoError::Invalid(format!("{} cannot have a path", self.origin)))?
            .extend(path);
        Ok(self.http.request(method, url).bearer_auth(&self.key))
    }

    /// What is read may be asked for again: it changes nothing.
    async fn read<T: DeserializeOwned>(
        &self,
        request: impl Fn() -> Result<RequestBuilder, LagoError>,
    ) -> Result<T, LagoError> {
        self.patience.insist(|| async { self.answer(request()?).await }).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, LagoError> {
        let response = request.send().await?;
        self.note_name(response.headers());
        let status = response.status();
        let retry_after = patience(response.headers());
        let body = response.text().await?;
        if !status.is_success() {
            return Err(LagoError::from_status(status.as_u16(), body, retry_after));
        }
        serde_json::from_str(&body).map_err(|error| LagoError::Unexpected(error.to_string()))
    }

    fn note_name(&self, headers: &HeaderMap) {
        if headers.contains_key(STAND_IN_HEADER) {
            self.is_stand_in.store(true, Ordering::Relaxed);
        }
    }
}

fn patience(headers: &HeaderMap) -> Option<Duration> {
    [RETRY_AFTER.as_str(), RATE_LIMIT_RESET]
        .into_iter()
        .find_map(|name| headers.get(name)?.to_str().ok()?.parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_PATIENCE))
}

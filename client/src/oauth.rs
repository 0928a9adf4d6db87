//! The issuer of an installation, as the command line uses it: log in by the device grant (RFC 8628), refresh, revoke.

use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ClientError;
use crate::transport::{ANSWER_TIMEOUT, http, read_failure};

/// The command line's name: public, without a secret.
const CLIENT_ID: &str = "zama-jobs-cli";

/// How much longer the pause is after each `slow_down` (RFC 8628 section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// The issuer behind an API.
#[derive(Clone, Debug)]
pub struct Issuer {
    http: reqwest::Client,
    origin: String,
}

/// A login that waits for a person.
#[derive(Clone, Debug, Deserialize)]
pub struct DeviceLogin {
    device_code: String,
    /// What the person types.
    pub user_code: String,
    /// Where it types it.
    pub verification_uri: String,
    /// The same with the code in it.
    #[serde(default)]
    pub verification_uri_complete: Option<String>,
    /// Seconds for which it waits.
    pub expires_in: u64,
    #[serde(default = "usual_interval")]
    interval: u64,
}

/// Without one it is five seconds (RFC 8628 section 3.2).
fn usual_interval() -> u64 {
    5
}

/// What the issuer gave.
#[derive(Clone, Deserialize)]
pub struct Tokens {
    pub access_token: String,
    /// For the next ones; used once.
    #[serde(default)]
    pub refresh_token: Option<String>,
    /// What they allow, with spaces between.
    #[serde(default)]
    pub scope: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Issuer {
    /// The issuer of the API at `origin`.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when that is no address.
    pub fn new(origin: &str) -> Result<Self, ClientError> {
        Ok(Self { http: http(origin)?, origin: origin.trim_end_matches('/').to_owned() })
    }

    /// Begins a login, for these scopes or for all that the person may.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn begin(&self, scopes: Option<&str>) -> Result<DeviceLogin, ClientError> {
        let mut form = vec![("client_id", CLIENT_ID)];
        form.extend(scopes.map(|scopes| ("scope", scopes)));
        read(self.post("/v1/oauth/device_authorization", &form).await?).await
    }

    /// Waits until the person has decided.
    ///
    /// # Errors
    /// [`ClientError::OAuth`] with `access_denied` or `expired_token`; other [`ClientError`].
    pub async fn decided(&self, login: &DeviceLogin) -> Result<Tokens, ClientError> {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", login.device_code.as_str()),
            ("client_id", CLIENT_ID),
        ];
        let mut pause = Duration::from_secs(login.interval);
        let began = Instant::now();
        loop {
            tokio::time::sleep(pause).await;
            let error = match self.post("/v1/oauth/token", &form).await {
                Ok(response) => return read(response).await,
                Err(error) => error,
            };
            match &error {
                ClientError::OAuth { error, .. } if error == "authorization_pending" => {}
                ClientError::OAuth { error, .. } if error == "slow_down" => pause += SLOWER,
                // The person may still be reading.
                error if error.is_transient() && began.elapsed().as_secs() < login.expires_in => {}
                _ => return Err(error),
            }
        }
    }

    /// The next tokens, for a refresh token that is used up by that.
    ///
    /// # Errors
    /// [`ClientError::OAuth`] with `invalid_grant` when it is not valid (any more); other [`ClientError`].
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, ClientError> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("client_id", CLIENT_ID)];
        read(self.post("/v1/oauth/token", &form).await?).await
    }

    /// Ends the session that a refresh token belongs to.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke(&self, token: &str) -> Result<(), ClientError> {
        self.post("/v1/oauth/revoke", &[("token", token), ("client_id", CLIENT_ID)]).await.map(|_| ())
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<Response, ClientError> {
        // A query is written as a form is.
        let encoded = Url::parse_with_params("http://form/", form).ok();
        let encoded = encoded.and_then(|url| url.query().map(str::to_owned)).unwrap_or_default();
        let request = self.http.post(format!("{}{path}", self.origin)).timeout(ANSWER_TIMEOUT);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(encoded);
        let response = request.send().await.map_err(|error| ClientError::transport(&error))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => Err(refusal(response).await),
            _ => Err(read_failure(response).await),
        }
    }
}

/// What does not fit is not shown: it may hold a token.
async fn read<T: DeserializeOwned>(response: Response) -> Result<T, ClientError> {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.map_err(|error| ClientError::transport(&error))?;
    let body = || "it is not what an issuer answers".to_owned();
    serde_json::from_slice(&bytes).map_err(|_| ClientError::Unexpected { status, body: body() })
}

async fn refusal(response: Response) -> ClientError {
    let status = response.status().as_u16();
    match response.bytes().await {
        Err(error) => ClientError::transport(&error),
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(Refusal { error, error_description }) => ClientError::OAuth { error, description: error_description },
            Err(_) => ClientError::Unexpected { status, body: String::from_utf8_lossy(&bytes).into_owned() },
        },
    }
}

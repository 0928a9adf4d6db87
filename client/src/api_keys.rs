//! API keys: made, listed, rotated and revoked.

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::error::ClientError;
use crate::retry::RetryPolicy;
use crate::transport::{Client, read_json};

/// An API key to make. Everything absent is the service's default.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewApiKey {
    /// What it is for.
    pub name: String,
    /// All that the caller's credential and the user's role allow, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// A `zj_test_` key: free, on the tenant's sandbox.
    pub test_mode: bool,
    /// A year ahead at most, and when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// The caller when absent; somebody else's keys are an admin's to make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// How a key is rotated. Everything absent is the service's default.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ApiKeyRotation {
    /// For how long the old key goes on, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap_seconds: Option<u64>,
    /// When the new key expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// An API key without its secret.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    pub id: String,
    pub name: String,
    /// Whom it speaks for.
    pub user: String,
    pub test_mode: bool,
    pub scopes: Vec<String>,
    /// active, expired or revoked.
    pub status: String,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// Some minutes old at most.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// The key that it was rotated into.
    pub replaced_by: Option<String>,
}

/// A new API key: the only time that its secret is seen.
#[derive(Clone, Deserialize, Serialize)]
pub struct CreatedApiKey {
    pub key: String,
    #[serde(flatten)]
    pub about: ApiKey,
}

/// Which keys to list. Everything absent is no restriction.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ApiKeyFilter {
    pub user: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Keys on the page, 1 to 100.
    pub limit: Option<u32>,
}

/// A page of keys, the newest first.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ApiKeyPage {
    pub data: Vec<ApiKey>,
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

impl Client {
    /// Makes an API key. The request is sent once: of two, one would make a key that nobody knows.
    ///
    /// # Errors
    /// [`ClientError`]. After [`ClientError::Transport`] there may be a key that nobody knows: list and revoke it.
    pub async fn create_api_key(&self, new: &NewApiKey) -> Result<CreatedApiKey, ClientError> {
        let once = self.clone().with_retries(RetryPolicy::none());
        read_json(once.send(|| self.request(Method::POST, "/v1/api-keys").json(new)).await?).await
    }

    /// Puts a new key in the place of one, which goes on for the overlap. The request is sent once.
    ///
    /// # Errors
    /// [`ClientError`], with API_KEY_ENDED of a key that was rotated before.
    pub async fn rotate_api_key(&self, id: &str, rotation: &ApiKeyRotation) -> Result<CreatedApiKey, ClientError> {
        let path = format!("/v1/api-keys/{id}/rotate");
        let once = self.clone().with_retries(RetryPolicy::none());
        read_json(once.send(|| self.request(Method::POST, &path).json(rotation)).await?).await
    }

    /// Reads one page of the caller's keys, or as an admin of the tenant's.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn api_keys(&self, filter: &ApiKeyFilter) -> Result<ApiKeyPage, ClientError> {
        read_json(self.send(|| self.get_with("/v1/api-keys", filter)).await?).await
    }

    /// Ends a key at once; one that has ended stays so.
    ///
    /// # Errors
    /// [`ClientError`], with NOT_FOUND also for somebody else's key.
    pub async fn revoke_api_key(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("/v1/api-keys/{id}");
        self.send(|| self.request(Method::DELETE, &path)).await.map(drop)
    }
}

//! Who the caller is to the service.

use alloy::primitives::Address;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::ClientError;
use crate::transport::{Client, read_json};

/// The caller as its token and the service name it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Me {
    /// Of a test key the tenant's sandbox.
    pub tenant: String,
    pub user: String,
    pub role: String,
    /// What the credential allows.
    pub scopes: Vec<String>,
    /// Address that the caller's jobs belong to, and that encrypted inputs are bound to; `None` while none is registered.
    pub submitter: Option<Address>,
    /// When the credential expires.
    pub expires_at: DateTime<Utc>,
    /// Whether the credential is a test key, whose jobs are free.
    pub test_mode: bool,
    /// Id of the API key that was shown; `None` with an access token.
    #[serde(default)]
    pub api_key: Option<String>,
}

impl Client {
    /// Asks who the caller is. Any valid token may.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn me(&self) -> Result<Me, ClientError> {
        read_json(self.send(|| self.get("/v1/me")).await?).await
    }
}

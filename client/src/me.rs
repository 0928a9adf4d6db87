//! Who the caller is to the service.

use alloy::primitives::Address;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::ClientError;
use crate::transport::{Client, read_json};

/// The caller as its token and the service name it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Me {
    pub tenant: String,
    pub user: String,
    pub role: String,
    /// What the token allows.
    pub scopes: Vec<String>,
    /// Address that the caller's jobs belong to, and that encrypted inputs are bound to; `None` while the user is not
    /// registered.
    pub submitter: Option<Address>,
    /// When the token expires.
    pub expires_at: DateTime<Utc>,
    /// Whether the token is a test credential, whose jobs are free.
    pub test_mode: bool,
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

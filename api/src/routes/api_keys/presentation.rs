//! API keys as their owners see them; the secret once, when it is made.

use chrono::{DateTime, Utc};
use jobs::KeyMode;
use serde::Serialize;
use serde_json::{Value, json};
use store::api_keys::StoredKey;
use utoipa::ToSchema;

use crate::ApiState;

/// An API key without its secret.
#[derive(Serialize, ToSchema)]
pub struct ApiKey {
    /// Stands in the key itself, behind its prefix.
    #[schema(example = "4fTq0ZxkW9bYpR2c")]
    pub id: String,
    #[schema(example = "nightly import")]
    pub name: String,
    /// Whom the key speaks for.
    #[schema(example = "ada")]
    pub user: String,
    /// Whether it is a `zj_test_` key, which acts in the tenant's sandbox.
    pub test_mode: bool,
    /// What it was made for; what its user's role does not bring (any more), it does not allow.
    pub scopes: Vec<String>,
    pub status: ApiKeyStatus,
    #[schema(example = "ada")]
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// Five minutes old at most; null while it was never used.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// The key that it was rotated into.
    pub replaced_by: Option<String>,
    pub links: ApiKeyLinks,
}

/// Whether a key is in force.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(rename_all = "lowercase")]
pub enum ApiKeyStatus {
    /// In force, also in the overlap after it was rotated.
    Active,
    Expired,
    Revoked,
}

/// Where the key is found.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyLinks {
    #[serde(rename = "self")]
    pub this: String,
    pub rotate: String,
}

/// A new API key, with its secret: this answer is the only one that shows it.
#[derive(Serialize, ToSchema)]
pub struct CreatedApiKey {
    /// Send it as `Authorization: Bearer`.
    #[schema(example = "zj_live_4fTq0ZxkW9bYpR2c_0000000000000000000000000000000000000000000000000")]
    pub key: String,
    #[serde(flatten)]
    pub about: ApiKey,
}

impl ApiKey {
    pub fn of(state: &ApiState, key: StoredKey) -> Self {
        let this = format!("{}/v1/api-keys/{}", state.public_url, key.id);
        Self {
            id: key.id.to_string(),
            name: key.name,
            user: key.user.to_string(),
            test_mode: key.mode == KeyMode::Test,
            scopes: key.scopes.iter().map(|scope| scope.to_string()).collect(),
            status: match key.revoked_at {
                Some(_) => ApiKeyStatus::Revoked,
                None if key.expires_at <= Utc::now() => ApiKeyStatus::Expired,
                None => ApiKeyStatus::Active,
            },
            created_by: key.created_by.to_string(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
            replaced_by: key.replaced_by.map(|id| id.to_string()),
            links: ApiKeyLinks { rotate: format!("{this}/rotate"), this },
        }
    }
}

pub fn example() -> Value {
    let this = "https://api.example.com/v1/api-keys/4fTq0ZxkW9bYpR2c";
    json!({
        "id": "4fTq0ZxkW9bYpR2c", "name": "nightly import", "user": "ada", "test_mode": false,
        "scopes": ["jobs:submit", "jobs:read"], "status": "active", "created_by": "ada",
        "created_at": "2026-03-14T09:26:53.589Z", "expires_at": "2027-03-14T09:26:53.589Z", "last_used_at": null,
        "revoked_at": null, "replaced_by": null, "links": {"self": this, "rotate": format!("{this}/rotate")}
    })
}

pub fn created_example() -> Value {
    let mut created = example();
    created["key"] = json!(format!("zj_live_4fTq0ZxkW9bYpR2c_{}", "0".repeat(49)));
    created
}

//! Users as administrators see them.

use alloy::primitives::Address;
use chrono::{DateTime, Utc};
use jobs::Role;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::ApiState;

/// A user of the tenant.
#[derive(Serialize, ToSchema)]
pub struct User {
    #[schema(example = "ada")]
    pub id: String,
    pub role: Role,
    /// EVM address that the user's jobs belong to; null until the user registers one.
    #[schema(value_type = Option<String>)]
    pub submitter: Option<Address>,
    pub created_at: DateTime<Utc>,
    pub links: UserLinks,
}

/// Where the user is found.
#[derive(Serialize, ToSchema)]
pub struct UserLinks {
    #[serde(rename = "self")]
    pub this: String,
}

impl User {
    pub fn of(state: &ApiState, user: store::users::User) -> Self {
        Self {
            links: UserLinks { this: format!("{}/v1/users/{}", state.public_url, user.id) },
            id: user.id.to_string(),
            role: user.role,
            submitter: user.submitter.map(Address::from),
            created_at: user.created_at,
        }
    }
}

pub fn example() -> Value {
    json!({
        "id": "ada", "role": "developer", "submitter": "0x70997970c51812dc3a010c7d01b50e0d17dc79c8",
        "created_at": "2026-03-14T09:26:53.589Z", "links": {"self": "https://api.example.com/v1/users/ada"}
    })
}

//! GET /v1/api-keys

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jobs::{Scope, UserId};
use serde::Serialize;
use store::api_keys::{KeyPlace, Owner};
use utoipa::{IntoParams, ToSchema};

use super::presentation::{ApiKey, example};
use crate::ApiState;
use crate::errors;
use crate::policy::cursor::{Binding, Place, time_of};
use crate::policy::problem::Problem;
use crate::policy::query::Parameters;
use crate::token::Principal;

const MAX_PAGE: i64 = 100;
const DEFAULT_PAGE: i64 = 20;

errors!(Errors: AnyToken, MfaRequired, InvalidRequest, InsufficientScope);

/// A page of API keys.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyPage {
    /// The newest first.
    pub data: Vec<ApiKey>,
    /// Pass as `cursor` to read on; null on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct Query {
    /// Only keys of this user; another one's needs `jobs:admin`.
    #[param(example = "ci-bot")]
    user: Option<String>,
    /// `next_cursor` of the page before, with the same filter.
    #[param(min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// At most this many keys.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
}

/// List API keys
///
/// The caller's, or with `jobs:admin` the tenant's, live and test ones, those that have ended too; newest first.
#[utoipa::path(
    get, path = "/v1/api-keys", operation_id = "list_api_keys", tag = "identity", params(Query),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of keys.", body = ApiKeyPage,
         example = json!({"data": [example()], "next_cursor": null, "has_more": false})),
        Errors
    )
)]
pub async fn list(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    mut query: Parameters,
) -> Result<Json<ApiKeyPage>, Problem> {
    let user = query.take("user", |text| text.parse::<UserId>().map_err(|error| error.to_string()));
    if user.as_ref().is_some_and(|user| *user != principal.user) {
        principal.require(Scope::JobsAdmin)?;
    }
    let owner = principal.key_owner();
    let owner = Owner { user: user.as_ref().or(owner.user), ..owner };
    let binding = Binding::of("api-keys", owner);
    let after = query.take("cursor", |text| binding.read::<KeyPlace>(text));
    let limit = query.take_integer("limit", 1..=MAX_PAGE, DEFAULT_PAGE);
    query.close()?;

    // One more than asked for tells whether there is a next page.
    let mut keys = store::api_keys::list(&state.pool, owner, after.as_ref(), limit + 1).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = keys.len() > wanted;
    keys.truncate(wanted);
    let last = keys.last().map(|key| KeyPlace { created_at: key.created_at, id: key.id.clone() });
    let next_cursor = last.filter(|_| has_more).map(|last| binding.cursor(&last));
    let data = keys.into_iter().map(|key| ApiKey::of(&state, key)).collect();
    Ok(Json(ApiKeyPage { data, next_cursor, has_more }))
}

impl Place for KeyPlace {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.created_at.timestamp_micros().to_be_bytes()[..], self.id.as_str().as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (micros, id) = bytes.split_first_chunk()?;
        Some(Self { created_at: time_of(*micros)?, id: str::from_utf8(id).ok()?.parse().ok()? })
    }
}

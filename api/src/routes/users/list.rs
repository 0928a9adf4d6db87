//! GET /v1/users

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jobs::{Role, UserId};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::presentation::{User, example};
use crate::ApiState;
use crate::errors;
use crate::policy::cursor::{Binding, Place};
use crate::policy::problem::Problem;
use crate::policy::query::Parameters;
use crate::token::{Principal, Scope};

const MAX_PAGE: i64 = 100;
const DEFAULT_PAGE: i64 = 20;

errors!(Errors: Token, MfaRequired, InvalidRequest);

/// A page of users.
#[derive(Serialize, ToSchema)]
pub struct UserPage {
    /// By name.
    pub data: Vec<User>,
    /// Pass as `cursor` to read on; null on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct Query {
    /// Only users in this role.
    role: Option<Role>,
    /// `next_cursor` of the page before, with the same filter.
    #[param(min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// At most this many users.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
}

/// List users
///
/// The users of the caller's tenant, by name.
#[utoipa::path(
    get, path = "/v1/users", operation_id = "list_users", tag = "identity", params(Query),
    security(("bearer" = ["jobs:admin"])),
    responses(
        (status = 200, description = "A page of users.", body = UserPage,
         example = json!({"data": [example()], "next_cursor": null, "has_more": false})),
        Errors
    )
)]
pub async fn list(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    mut query: Parameters,
) -> Result<Json<UserPage>, Problem> {
    principal.require(Scope::JobsAdmin)?;
    let role = query.take("role", str::parse::<Role>);
    let binding = Binding::of("users", (&principal.tenant, role));
    let after = query.take("cursor", |text| binding.read::<UserId>(text));
    let limit = query.take_integer("limit", 1..=MAX_PAGE, DEFAULT_PAGE);
    query.close()?;

    // One more than asked for tells whether there is a next page.
    let mut users = store::users::list(&state.pool, &principal.tenant, role, after.as_ref(), limit + 1).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = users.len() > wanted;
    users.truncate(wanted);
    let next_cursor = users.last().filter(|_| has_more).map(|last| binding.cursor(&last.id));
    let data = users.into_iter().map(|user| User::of(&state, user)).collect();
    Ok(Json(UserPage { data, next_cursor, has_more }))
}

impl Place for UserId {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_str().as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        str::from_utf8(bytes).ok()?.parse().ok()
    }
}

//! PUT /v1/users/{id}

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jobs::field_error::FieldErrors;
use jobs::object::{At, Object};
use jobs::{ErrorCode, Role};
use serde::Deserialize;
use serde_json::{Value, json};
use store::oauth::revocations::role_subject;
use store::users::Put;
use utoipa::ToSchema;

use super::presentation::{User, example};
use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::Trail;
use crate::policy::authentication::unregistered;
use crate::policy::body::StrictJson;
use crate::policy::problem::Problem;
use crate::policy::user_path::UserPath;
use crate::token::{Principal, Scope};

errors!(Errors: Token, MfaRequired, InvalidRequest, NotFound, BodyTimeout, LastAdmin, PayloadTooLarge, InvalidContentType);

/// What a user is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct UserRole {
    role: Role,
}

/// Make a user, or change its role
///
/// Repeating it changes nothing. A lower role takes what it no longer brings from the user's API keys with the next
/// request; access tokens that say more are refused here at once, and everywhere within a minute. The tenant's last admin
/// stays one. A new user has no credentials:
/// make it an API key, or let it sign in; and no address, without which it submits nothing: `PUT /v1/me/submitter`.
#[utoipa::path(
    put, path = "/v1/users/{id}", operation_id = "put_user", tag = "identity", security(("bearer" = ["jobs:admin"])),
    params(("id" = String, Path, description = "The user: 1 to 63 of a-z, 0-9 and -.", example = "ada")),
    request_body(content = UserRole, example = json!({"role": "team_lead"})),
    responses(
        (status = 200, description = "The user as it is now.", body = User, example = json!(example())),
        (status = 201, description = "The user is new.", body = User,
         headers(("Location" = String, description = "The user.")), example = json!(example())),
        Errors
    )
)]
pub async fn put(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    UserPath(id): UserPath,
    trail: Trail,
    body: Result<StrictJson, Problem>,
) -> Result<Response, Problem> {
    principal.require(Scope::JobsAdmin)?;
    let role = read(&body?.0)?;
    let note = trail.note(&principal, json!({ "role": role }));
    match store::users::put(&state.pool, &principal.tenant, &id, role, &note).await? {
        Put::Created(user) => {
            let user = User::of(&state, user);
            let location = [(header::LOCATION, user.links.this.clone())];
            Ok((StatusCode::CREATED, location, Json(user)).into_response())
        }
        Put::Changed(user) => Ok(Json(User::of(&state, user)).into_response()),
        Put::Lowered(user) => {
            state.tokens.is_revoked(&role_subject(&principal.tenant, &id, role));
            Ok(Json(User::of(&state, user)).into_response())
        }
        Put::LastAdmin => Err(last_admin()),
        Put::NoSuchTenant => Err(unregistered()),
    }
}

fn read(body: &Value) -> Result<Role, Problem> {
    let mut errors = FieldErrors::default();
    let role = Object::open(&At::root(body), &mut errors).and_then(|mut object| {
        let role = object.required("role").and_then(|at| at.parsed(&mut errors));
        object.close(&mut errors);
        role
    });
    errors
        .or(role)
        .map_err(|errors| Problem::new(ErrorCode::InvalidRequest, "The user is not valid.").with_errors(errors))
}

pub(super) fn last_admin() -> Problem {
    Problem::new(ErrorCode::LastAdmin, "The user is the tenant's last admin: make another one first.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_is_said() {
        last_admin().is_the_example_of_its_page();
    }
}

//! DELETE /v1/users/{id}

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use store::oauth::revocations::user_subject;
use store::users::Removed;

use super::put::last_admin;
use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::Trail;
use crate::policy::problem::Problem;
use crate::policy::user_path::{UserPath, not_found};
use crate::token::{Principal, Scope};

errors!(Errors: Token, MfaRequired, NotFound, LastAdmin);

/// Delete a user
///
/// Its API keys end with it, at once, and its access tokens and logins everywhere within a minute. Its jobs go on and stay
/// the tenant's, under its name: whoever is given the name later sees them. Its address is free again. Who came from
/// another issuer stays out until an admin makes the user again.
#[utoipa::path(
    delete, path = "/v1/users/{id}", operation_id = "delete_user", tag = "identity",
    security(("bearer" = ["jobs:admin"])),
    params(("id" = String, Path, description = "The user.", example = "ada")),
    responses((status = 204, description = "The user is deleted."), Errors)
)]
pub async fn delete(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    UserPath(id): UserPath,
    trail: Trail,
) -> Result<StatusCode, Problem> {
    principal.require(Scope::JobsAdmin)?;
    let note = trail.note(&principal, json!({}));
    match store::users::remove(&state.pool, &principal.tenant, &id, &note).await? {
        Removed::Gone => {
            state.tokens.is_revoked(&user_subject(&principal.tenant, &id));
            Ok(StatusCode::NO_CONTENT)
        }
        Removed::Missing => Err(not_found(&id)),
        Removed::LastAdmin => Err(last_admin()),
    }
}

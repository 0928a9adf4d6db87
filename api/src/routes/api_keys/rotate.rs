//! POST /v1/api-keys/{id}/rotate

use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::header;
use axum::response::Response;
use chrono::{SubsecRound as _, Utc};
use jobs::{ApiKeyId, ErrorCode};
use serde_json::{Value, json};
use store::api_keys::{Rotated, Rotation};

use super::create::shown_once;
use super::presentation::{ApiKey, CreatedApiKey, created_example};
use super::request::{self, ApiKeyRotation};
use crate::ApiState;
use crate::errors;
use crate::policy::api_key_path::{ApiKeyPath, not_found};
use crate::policy::audit_trail::Trail;
use crate::policy::body::StrictJson;
use crate::policy::problem::Problem;
use crate::token::Principal;

errors!(Errors: AnyToken, InvalidRequest, InsufficientScope, NotFound, BodyTimeout, ApiKeyEnded, PayloadTooLarge,
    InvalidContentType);

/// Rotate an API key
///
/// A new key with the same name, user, scopes and mode takes the place of one that is in force. The old one goes on for
/// the overlap, a day when the body says nothing else, and then is expired. A key is rotated once: its successor is
/// rotated next. Whoever rotates must hold all of the key's scopes.
#[utoipa::path(
    post, path = "/v1/api-keys/{id}/rotate", operation_id = "rotate_api_key", tag = "identity",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The id of the key to replace.", example = "4fTq0ZxkW9bYpR2c")),
    request_body(content = Option<ApiKeyRotation>, example = json!({"overlap_seconds": 3600})),
    responses(
        (status = 201, description = "The new key.", body = CreatedApiKey,
         headers(("Location" = String, description = "The new key.")), example = json!(created_example())),
        Errors
    )
)]
pub async fn rotate(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    ApiKeyPath(id): ApiKeyPath,
    trail: Trail,
    request: Request,
) -> Result<Response, Problem> {
    principal.require_key_management()?;
    let body = body(&state, request).await?;
    let wish = request::read_rotation(&body, Utc::now().trunc_subsecs(3))?;
    let owner = principal.key_owner();
    let old = store::api_keys::find(&state.pool, owner, &id).await?.ok_or_else(|| not_found(&id))?;
    if let Some(scope) = old.scopes.outside(&principal.scopes) {
        principal.require(scope)?;
    }
    let new = jobs::ApiKey::generate(old.mode);
    let rotation = Rotation {
        owner,
        old: &id,
        new: &new,
        created_by: &principal.user,
        expires_at: wish.expires_at,
        overlap_seconds: f64::from(i32::try_from(wish.overlap_seconds).unwrap_or(i32::MAX)),
    };
    let about = json!({"replaced_by": new.id().as_str(), "overlap_seconds": wish.overlap_seconds});
    let note = trail.note(&principal, about);
    match store::api_keys::rotate(&state.pool, &rotation, &note).await? {
        Rotated::Into(stored) => Ok(shown_once(&state, &new, ApiKey::of(&state, stored))),
        Rotated::NoSuchKey => Err(not_found(&id)),
        Rotated::Ended => Err(ended(&id)),
    }
}

/// The body, or what is meant where there is none.
async fn body(state: &Arc<ApiState>, request: Request) -> Result<Value, Problem> {
    if request.body().is_end_stream() && !request.headers().contains_key(header::CONTENT_TYPE) {
        return Ok(json!({}));
    }
    let StrictJson(body) = StrictJson::from_request(request, state).await?;
    Ok(if body.is_null() { json!({}) } else { body })
}

fn ended(id: &ApiKeyId) -> Problem {
    let detail = format!("The API key {id} has expired, is revoked, or was rotated before.");
    Problem::new(ErrorCode::ApiKeyEnded, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_is_said() {
        ended(&"4fTq0ZxkW9bYpR2c".parse().unwrap()).is_the_example_of_its_page();
    }
}

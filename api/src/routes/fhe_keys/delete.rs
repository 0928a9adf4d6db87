//! DELETE /v1/fhe/keys/{key_id}

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use store::uploads::Kind;

use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::Trail;
use crate::policy::problem::Problem;
use crate::policy::sha256_path::Sha256Path;
use crate::policy::storage;
use crate::token::{Principal, Scope};

errors!(Errors: Token, NotFound, StillInUse);

/// Delete an evaluation key
///
/// Frees its place in the tenant's quota. A key that a job computes under which has not ended stays: 409. Results under
/// the key can be fetched and decrypted as before. A key that is gone is 404, another tenant's too.
#[utoipa::path(
    delete, path = "/v1/fhe/keys/{key_id}", operation_id = "delete_key", tag = "fhe",
    security(("bearer" = ["jobs:submit"])),
    params(("key_id" = String, Path, description = "SHA-256 of the key, in hex, with or without 0x.",
            example = "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),
    responses((status = 204, description = "The key is deleted."), Errors)
)]
pub async fn delete(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    Sha256Path(key_id): Sha256Path,
    trail: Trail,
) -> Result<StatusCode, Problem> {
    principal.require(Scope::JobsSubmit)?;
    let note = trail.note(&principal, json!({}));
    storage::delete(&state, (&principal.tenant, &note), Kind::ClientKey, key_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

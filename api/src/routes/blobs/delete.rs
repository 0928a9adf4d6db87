//! DELETE /v1/blobs/{sha256}

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

/// Delete a blob
///
/// Frees its place in the tenant's quota. What a job that has not ended needs stays: 409. Results and receipts of jobs
/// that have ended stay as they are. A blob that is gone is 404, another tenant's too.
#[utoipa::path(
    delete, path = "/v1/blobs/{sha256}", operation_id = "delete_blob", tag = "fhe",
    security(("bearer" = ["jobs:submit"])),
    params(("sha256" = String, Path, description = "SHA-256 in hex, with or without 0x.",
            example = "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),
    responses((status = 204, description = "The blob is deleted."), Errors)
)]
pub async fn delete(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    Sha256Path(sha256): Sha256Path,
    trail: Trail,
) -> Result<StatusCode, Problem> {
    principal.require(Scope::JobsSubmit)?;
    let note = trail.note(&principal, json!({}));
    storage::delete(&state, (&principal.tenant, &note), Kind::Blob, sha256).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! GET /v1/jobs/{id}/result

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{get, unavailable};
use crate::ApiState;
use crate::errors;
use crate::policy::conditional;
use crate::policy::job_path::{JobPath, not_found};
use crate::policy::problem::Problem;
use crate::token::{Principal, Scope};

errors!(Errors: Token, JobNotFound, ResultNotReady, JobCancelled, ComputeFailed, ComputeTimeout, DeadlineExceeded,
    WorkflowLost);

/// Fetch a result
///
/// The bytes whose SHA-256 is the job's `result.hash`, as soon as the job is CONFIRMING. A failed job is answered with
/// the code in its `error`.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/result", tag = "jobs", security(("bearer" = ["jobs:read"])),
    params(
        ("id" = uuid::Uuid, Path, description = "The job.", example = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of the result that the client has.")
    ),
    responses(
        (status = 200, description = "The result.", body = serde_json::Value,
         headers(
             ("ETag" = String, description = "The hash; a result never changes."),
             ("Repr-Digest" = String, description = "SHA-256 of the bytes (RFC 9530)."),
             ("X-Result-Hash" = String, description = "The same, 0x-hex.")
         ),
         example = json!({"number": "104729", "factors": [{"prime": "104729", "exponent": 1}]})),
        (status = 304, description = "The client has the result."),
        Errors
    )
)]
pub async fn result(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    JobPath(id): JobPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    principal.require(Scope::JobsRead)?;
    let outcome = store::jobs::outcome(&state.pool, principal.reader(), id).await?.ok_or_else(|| not_found(id))?;
    let Some(result) = outcome.result else {
        return Err(unavailable::problem("result", outcome.status, outcome.error));
    };
    let hash = format!("0x{}", hex::encode(result.hash));
    let etag = format!("\"{hash}\"");
    let digest = format!("sha-256=:{}:", STANDARD.encode(result.hash));
    let described = [
        ("etag", etag.as_str()),
        ("repr-digest", digest.as_str()),
        ("x-result-hash", hash.as_str()),
        (header::CACHE_CONTROL.as_str(), get::CACHE),
    ];
    if conditional::client_has(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, described).into_response());
    }
    Ok((described, [(header::CONTENT_TYPE, result.media_type)], result.bytes).into_response())
}

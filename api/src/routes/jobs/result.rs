//! GET /v1/jobs/{id}/result

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use blobs::{BlobHash, SystemKey};

use super::unavailable;
use crate::ApiState;
use crate::errors;
use crate::policy::conditional::Tagged;
use crate::policy::download;
use crate::policy::job_path::{JobPath, not_found};
use crate::policy::problem::Problem;
use crate::token::{Principal, Scope};

const RESULT_HASH: HeaderName = HeaderName::from_static("x-result-hash");

errors!(Errors: Token, JobNotFound, ResultNotReady, JobCancelled; ENDINGS);

/// Fetch a result
///
/// The bytes whose SHA-256 is the job's `result.hash`, as soon as the job is CONFIRMING: JSON of a plain job, a CBOR map
/// of ciphertexts of an encrypted one (`POST /v1/jobs/{id}/fhe-result` decrypts). A failed job is answered with the code
/// in its `error`.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/result", operation_id = "get_result", tag = "jobs", security(("bearer" = ["jobs:read"])),
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
    let tagged = Tagged::digest(&result.hash).with(RESULT_HASH, hash);
    if let Some(not_modified) = tagged.not_modified(&headers) {
        return Ok(not_modified);
    }
    let media_type = [(header::CONTENT_TYPE, result.media_type)];
    let body = match result.bytes {
        Some(bytes) => bytes.into_response(),
        None => {
            let stream =
                state.blobs.stream_system(&SystemKey::result(id, BlobHash(result.hash)), BlobHash(result.hash)).await;
            download::body(stream.map_err(|error| download::unreadable("result", id, error))?)
        }
    };
    Ok(tagged.of((media_type, body)))
}

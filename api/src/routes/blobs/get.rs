//! GET /v1/blobs/{sha256}

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse as _, Response};
use blobs::BlobError;

use super::Octets;
use crate::ApiState;
use crate::errors;
use crate::policy::conditional::Tagged;
use crate::policy::download;
use crate::policy::problem::Problem;
use crate::policy::sha256_path::{Sha256Path, not_found};
use crate::policy::upload::MEDIA_TYPE;
use crate::token::{Principal, Scope};

errors!(Errors: Token, NotFound);

/// Download a blob
///
/// The bytes as they were uploaded, for the tenant that did; HEAD tells whether they are there, and their length.
/// Another tenant's blob does not exist.
#[utoipa::path(
    get, path = "/v1/blobs/{sha256}", operation_id = "get_blob", tag = "fhe", security(("bearer" = ["jobs:read"])),
    params(
        ("sha256" = String, Path, description = "SHA-256 in hex, with or without 0x.",
         example = "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of the blob that the client has.")
    ),
    responses(
        (status = 200, description = "The bytes.", body = Octets, content_type = "application/octet-stream",
         headers(
             ("ETag" = String, description = "The hash; a blob never changes."),
             ("Repr-Digest" = String, description = "SHA-256 of the bytes (RFC 9530).")
         )),
        (status = 304, description = "The client has the blob."),
        Errors
    )
)]
pub async fn get(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    Sha256Path(sha256): Sha256Path,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    principal.require(Scope::JobsRead)?;
    let blob = store::blobs::find(&state.pool, &principal.tenant, sha256.0).await?.ok_or_else(|| not_found(sha256))?;
    let tagged = Tagged::digest(&sha256.0);
    if let Some(not_modified) = tagged.not_modified(&headers) {
        return Ok(not_modified);
    }
    let media_type = [(header::CONTENT_TYPE, MEDIA_TYPE)];
    if method == Method::HEAD {
        return Ok(tagged.of((media_type, [(header::CONTENT_LENGTH, blob.size)]).into_response()));
    }
    let stream = state.blobs.stream(&principal.tenant, sha256).await;
    let is_gone = matches!(stream, Err(BlobError::NotFound));
    // One that was deleted since its row was read is no damage.
    if is_gone && store::blobs::find(&state.pool, &principal.tenant, sha256.0).await?.is_none() {
        return Err(not_found(sha256));
    }
    let stream = stream.map_err(|error| download::unreadable("blob", sha256, error))?;
    Ok(tagged.of((media_type, download::body(stream))))
}

//! POST /v1/blobs

use std::sync::Arc;

use alloy::primitives::B256;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use store::uploads::Kind;
use utoipa::ToSchema;

use super::{Octets, url};
use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::Trail;
use crate::policy::problem::Problem;
use crate::policy::upload::{Upload, UploadHeaders, Uploaded, take_in};
use crate::token::Principal;

errors!(Errors: Token, InvalidRequest, BodyTimeout, StorageQuotaExceeded, PayloadTooLarge, InvalidContentType);

/// A stored blob.
#[derive(Serialize, ToSchema)]
pub struct Blob {
    /// SHA-256 of the bytes.
    #[schema(value_type = String, example = "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    pub sha256: B256,
    /// Length in bytes.
    pub size: u64,
    /// What a job names as its `encrypted_data_url`.
    pub url: String,
}

/// Upload a blob
///
/// The inputs of an encrypted job, at most 64 MiB, as they are: a proven compact list, or under a client's own key a
/// CBOR array of ciphertexts. The blob belongs to the tenant; its name is its hash, so the same bytes again are the same
/// blob. With `Repr-Digest` or `X-Content-SHA256` a body that was changed on its way is refused. A tenant may have so many
/// blobs and bytes of them: beyond that, delete what is no longer needed.
#[utoipa::path(
    post, path = "/v1/blobs", operation_id = "create_blob", tag = "fhe", security(("bearer" = ["jobs:submit"])),
    params(UploadHeaders),
    request_body(content = Octets, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "The blob is stored.", body = Blob,
         headers(("Location" = String, description = "The blob.")),
         example = json!({"sha256": "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "size": 3,
             "url": "https://api.example.com/v1/blobs/0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"})),
        (status = 200, description = "The tenant had the blob already.", body = Blob,
         headers(("Location" = String, description = "The blob.")),
         example = json!({"sha256": "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "size": 3,
             "url": "https://api.example.com/v1/blobs/0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"})),
        Errors
    )
)]
pub async fn create(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    trail: Trail,
    upload: Result<Upload, Problem>,
) -> Result<Response, Problem> {
    let Uploaded { blob, is_new } = take_in(&state, (&principal, &trail), upload, Kind::Blob).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let sha256 = B256::from(blob.sha256.0);
    let url = url(&state, sha256);
    Ok((status, [(header::LOCATION, url.clone())], Json(Blob { sha256, size: blob.size, url })).into_response())
}

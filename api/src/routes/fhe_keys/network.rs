//! GET /v1/fhe/keys/network/public-key and GET /v1/fhe/keys/network/crs

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use jobs::ErrorCode;

use crate::ApiState;
use crate::errors;
use crate::network_key::Part;
use crate::policy::conditional::Tagged;
use crate::policy::problem::Problem;
use crate::policy::upload::MEDIA_TYPE;
use crate::routes::blobs::Octets;
use crate::token::{Principal, Scope};

errors!(Errors: Token, NotFound);

/// Download the network's public key
///
/// The compact public key that clients encrypt under, as tfhe-rs serialises it safely.
#[utoipa::path(
    get, path = "/v1/fhe/keys/network/public-key", operation_id = "get_network_public_key", tag = "fhe",
    security(("bearer" = ["jobs:read"])),
    params(("If-None-Match" = Option<String>, Header, description = "`ETag` of the bytes that the client has.")),
    responses(
        (status = 200, description = "The key.", body = Octets, content_type = "application/octet-stream",
         headers(("ETag" = String, description = "SHA-256 of the bytes."))),
        (status = 304, description = "The client has the key."),
        Errors
    )
)]
pub async fn public_key(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&state, &principal, &headers, Part::PublicKey).await
}

/// Download the network's common reference string
///
/// What the proofs of encrypted inputs are made with, as tfhe-rs serialises it safely.
#[utoipa::path(
    get, path = "/v1/fhe/keys/network/crs", operation_id = "get_network_crs", tag = "fhe",
    security(("bearer" = ["jobs:read"])),
    params(("If-None-Match" = Option<String>, Header, description = "`ETag` of the bytes that the client has.")),
    responses(
        (status = 200, description = "The string.", body = Octets, content_type = "application/octet-stream",
         headers(("ETag" = String, description = "SHA-256 of the bytes."))),
        (status = 304, description = "The client has the string."),
        Errors
    )
)]
pub async fn crs(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&state, &principal, &headers, Part::Crs).await
}

async fn answer(state: &ApiState, principal: &Principal, headers: &HeaderMap, part: Part) -> Result<Response, Problem> {
    principal.require(Scope::JobsRead)?;
    let Some(keys) = &state.network_keys else {
        return Err(Problem::new(ErrorCode::NotFound, "There is no network key here."));
    };
    let key = keys.manifest().await?;
    let file = match part {
        Part::PublicKey => key.public_key,
        Part::Crs => key.crs,
    };
    let tagged = Tagged::digest(&file.sha256.0);
    if let Some(not_modified) = tagged.not_modified(headers) {
        return Ok(not_modified);
    }
    let bytes = keys.part(part, &key).await?;
    Ok(tagged.of(([(header::CONTENT_TYPE, MEDIA_TYPE)], bytes)))
}

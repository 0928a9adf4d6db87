//! GET /v1/fhe/keys/network/{part}

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
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

/// Download a part of the network's key
///
/// `public-key`: the compact public key that clients encrypt under. `crs`: the common reference string that the proofs of
/// encrypted inputs are made with. Both as tfhe-rs serialises them safely.
#[utoipa::path(
    get, path = "/v1/fhe/keys/network/{part}", operation_id = "get_network_key_part", tag = "fhe",
    security(("bearer" = ["jobs:read"])),
    params(
        ("part" = inline(Part), Path, description = "Which part.", example = "public-key"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of the bytes that the client has.")
    ),
    responses(
        (status = 200, description = "The part.", body = Octets, content_type = "application/octet-stream",
         headers(
             ("ETag" = String, description = "SHA-256 of the bytes."),
             ("Repr-Digest" = String, description = "The same (RFC 9530).")
         )),
        (status = 304, description = "The client has the part."),
        Errors
    )
)]
pub async fn part(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    part: Result<Path<Part>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    principal.require(Scope::JobsRead)?;
    let Path(part) = part.map_err(|_| Problem::new(ErrorCode::NotFound, "The network key has no such part."))?;
    let Some(keys) = &state.network_keys else {
        return Err(Problem::new(ErrorCode::NotFound, "There is no network key here."));
    };
    let key = keys.manifest().await?;
    let file = match part {
        Part::PublicKey => key.public_key,
        Part::Crs => key.crs,
    };
    let tagged = Tagged::digest(&file.sha256.0);
    if let Some(not_modified) = tagged.not_modified(&headers) {
        return Ok(not_modified);
    }
    let bytes = keys.part(part, &key).await?;
    Ok(tagged.of(([(header::CONTENT_TYPE, MEDIA_TYPE)], bytes)))
}

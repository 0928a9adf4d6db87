//! POST /v1/fhe/keys

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use store::client_keys::{self, KeyStatus};
use store::uploads::Kind;

use super::presentation::{ClientKey, client_key_example};
use crate::ApiState;
use crate::errors;
use crate::policy::audit_trail::Trail;
use crate::policy::problem::Problem;
use crate::policy::upload::{Upload, UploadHeaders, Uploaded, take_in};
use crate::routes::blobs::Octets;
use crate::token::Principal;

/// Seconds after which a look at a pending key is worth while.
const CHECK_SECONDS: &str = "5";

errors!(Errors: Token, InvalidRequest, BodyTimeout, StorageQuotaExceeded, PayloadTooLarge, InvalidContentType);

/// Upload an evaluation key
///
/// The compressed evaluation key of a client who keeps its own secret key, at most 256 MiB. It is checked by an FHE
/// worker and then `ready` or `refused`; jobs name it as `payload.key`. With it the service can compute, not decrypt. The
/// same key again changes nothing. A tenant may have so many keys and bytes of them: beyond that, delete one.
#[utoipa::path(
    post, path = "/v1/fhe/keys", operation_id = "create_key", tag = "fhe", security(("bearer" = ["jobs:submit"])),
    params(UploadHeaders),
    request_body(content = Octets, content_type = "application/octet-stream"),
    responses(
        (status = 202, description = "The key is stored and being checked.", body = ClientKey,
         headers(
             ("Location" = String, description = "The key."),
             ("Retry-After" = u64, description = "Seconds after which a look at the key is worth while.")
         ),
         example = json!(client_key_example())),
        (status = 200, description = "The key was uploaded and checked before.", body = ClientKey,
         headers(("Location" = String, description = "The key.")), example = json!(client_key_example())),
        Errors
    )
)]
pub async fn create(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    trail: Trail,
    upload: Result<Upload, Problem>,
) -> Result<Response, Problem> {
    let Uploaded { blob, .. } = take_in(&state, (&principal, &trail), upload, Kind::ClientKey).await?;
    let key = client_keys::find(&state.pool, &principal.tenant, blob.sha256.0).await?.ok_or_else(Problem::internal)?;
    let pending = key.status == KeyStatus::Pending;
    if pending {
        state.dispatcher.check_keys();
    }
    let key = ClientKey::of(&state, key);
    let location = [(header::LOCATION, key.links.this.clone())];
    if pending {
        return Ok((StatusCode::ACCEPTED, location, [(header::RETRY_AFTER, CHECK_SECONDS)], Json(key)).into_response());
    }
    Ok((location, Json(key)).into_response())
}

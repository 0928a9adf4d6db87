//! GET /v1/fhe/keys/{key_id}

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use store::client_keys;

use super::presentation::{ClientKey, client_key_example};
use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;
use crate::policy::sha256_path::{Sha256Path, not_found};
use crate::token::{Principal, Scope};

errors!(Errors: Token, NotFound);

/// Read an evaluation key's state
///
/// Of a key that the tenant uploaded. The bytes are not given back.
#[utoipa::path(
    get, path = "/v1/fhe/keys/{key_id}", operation_id = "get_key", tag = "fhe", security(("bearer" = ["jobs:read"])),
    params(("key_id" = String, Path, description = "The key's id in hex, with or without 0x.",
            example = "0x7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c")),
    responses((status = 200, description = "The key.", body = ClientKey, example = json!(client_key_example())), Errors)
)]
pub async fn get(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    Sha256Path(key_id): Sha256Path,
) -> Result<Json<ClientKey>, Problem> {
    principal.require(Scope::JobsRead)?;
    let key = client_keys::find(&state.pool, &principal.tenant, key_id.0).await?.ok_or_else(|| not_found(key_id))?;
    Ok(Json(ClientKey::of(&state, key)))
}

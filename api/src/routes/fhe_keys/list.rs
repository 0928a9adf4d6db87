//! GET /v1/fhe/keys

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::json;
use store::client_keys;

use super::presentation::{ClientKey, Keys, NetworkKey, client_key_example};
use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;
use crate::token::{Principal, Scope};

/// Keys that one answer shows.
const MAX_KEYS: i64 = 100;

errors!(Errors: Token);

/// Read the keys to encrypt under
///
/// The network key with its public parts, as far as it is known, and the tenant's own evaluation keys (the newest 100).
#[utoipa::path(
    get, path = "/v1/fhe/keys", operation_id = "list_keys", tag = "fhe", security(("bearer" = ["jobs:read"])),
    responses((status = 200, description = "The keys.", body = Keys, example = json!(example())), Errors)
)]
pub async fn list(State(state): State<Arc<ApiState>>, principal: Principal) -> Result<Json<Keys>, Problem> {
    principal.require(Scope::JobsRead)?;
    let own = client_keys::list(&state.pool, &principal.tenant, MAX_KEYS).await?;
    let network = match &state.network_keys {
        // The tenant's own keys need no key manager.
        Some(keys) => match keys.manifest().await {
            Ok(key) => Some(NetworkKey::of(&state, key)),
            Err(error) => {
                tracing::warn!(%error, "the network key is not known yet");
                None
            }
        },
        None => None,
    };
    Ok(Json(Keys { network, client: own.into_iter().map(|key| ClientKey::of(&state, key)).collect() }))
}

fn example() -> serde_json::Value {
    let part = |name: &str, size: u64, byte: &str| {
        json!({
            "url": format!("https://api.example.com/v1/fhe/keys/network/{name}"), "size": size,
            "sha256": format!("0x{}", byte.repeat(32))
        })
    };
    json!({
        "network": {
            "key_id": format!("0x{}", "a1".repeat(32)), "parameters": "network/v1.8/2M128+pke+compression+rerand",
            "evaluation_key": {"size": 76_341_248, "sha256": format!("0x{}", "e5".repeat(32))},
            "public_key": part("public-key", 33_217, "b2"), "crs": part("crs", 4_610_384, "c3"),
            "signer": format!("0x{}", "d4".repeat(20)), "signature": format!("0x{}1b", "5e".repeat(64)),
            "chain_id": 31_337, "registry": format!("0x{}", "aa".repeat(20))
        },
        "client": [client_key_example()]
    })
}

//! `/webhooks`: the key under which webhooks are signed.

use axum::Json;
use axum::extract::State;
use serde_json::json;

use crate::standin::answer::Refusal;
use crate::standin::keeper::{Answer, Keeper};

/// As text alone; older clients of Lago ask so.
pub(super) async fn public_key(State(keeper): State<Keeper>) -> Result<String, Refusal> {
    keeper.signing_key().await?.public()
}

pub(super) async fn json_public_key(State(keeper): State<Keeper>) -> Answer {
    let public_key = keeper.signing_key().await?.public()?;
    Ok(Json(json!({ "webhook": { "public_key": public_key } })))
}

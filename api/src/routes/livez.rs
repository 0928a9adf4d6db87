//! GET /livez

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors;

errors!(Errors: Public);

/// One word about the process.
#[derive(Serialize, ToSchema)]
pub struct State {
    #[schema(example = "alive")]
    pub status: &'static str,
}

/// Is the process alive
///
/// Looks at nothing else: restart the process when this fails.
#[utoipa::path(
    get, path = "/livez", tag = "operations",
    responses((status = 200, description = "It is.", body = State, example = json!({"status": "alive"})), Errors)
)]
pub async fn livez() -> Json<State> {
    Json(State { status: "alive" })
}

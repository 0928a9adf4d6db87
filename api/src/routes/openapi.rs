//! GET /openapi.yml and GET /openapi.json

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;

errors!(Errors: Public);

/// The OpenAPI document as YAML
#[utoipa::path(
    get, path = "/openapi.yml", tag = "documentation",
    responses((status = 200, description = "The document.", body = serde_json::Value, content_type = "application/yaml",
               example = json!({"openapi": "3.1.0"})), Errors)
)]
pub async fn yaml(State(state): State<Arc<ApiState>>) -> Result<Response, Problem> {
    answer("application/yaml", state.retirements.documents().map(|(yaml, _)| yaml))
}

/// The OpenAPI document as JSON
#[utoipa::path(
    get, path = "/openapi.json", tag = "documentation",
    responses((status = 200, description = "The document.", body = serde_json::Value,
               example = json!({"openapi": "3.1.0"})), Errors)
)]
pub async fn json(State(state): State<Arc<ApiState>>) -> Result<Response, Problem> {
    answer("application/json", state.retirements.documents().map(|(_, json)| json))
}

fn answer(media_type: &'static str, text: Option<&str>) -> Result<Response, Problem> {
    let text = text.ok_or_else(Problem::internal)?.to_owned();
    Ok(([(header::CONTENT_TYPE, media_type)], text).into_response())
}

//! GET /openapi.yml and GET /openapi.json

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::errors;
use crate::policy::problem::Problem;

errors!(Errors: Public);

static YAML: LazyLock<Option<String>> = LazyLock::new(|| crate::openapi_yaml().ok());
static JSON: LazyLock<Option<String>> = LazyLock::new(|| crate::openapi().to_json().ok());

/// The OpenAPI document as YAML
#[utoipa::path(
    get, path = "/openapi.yml", tag = "documentation",
    responses((status = 200, description = "The document.", body = String, content_type = "application/yaml",
               example = "openapi: 3.1.0"), Errors)
)]
pub async fn yaml() -> Result<Response, Problem> {
    answer("application/yaml", YAML.as_deref())
}

/// The OpenAPI document as JSON
#[utoipa::path(
    get, path = "/openapi.json", tag = "documentation",
    responses((status = 200, description = "The document.", body = serde_json::Value,
               example = json!({"openapi": "3.1.0"})), Errors)
)]
pub async fn json() -> Result<Response, Problem> {
    answer("application/json", JSON.as_deref())
}

fn answer(media_type: &'static str, text: Option<&'static str>) -> Result<Response, Problem> {
    let text = text.ok_or_else(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, media_type)], text).into_response())
}

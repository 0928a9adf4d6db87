//! GET /docs, and the schema of receipts.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::errors;
use crate::policy::problem::Problem;

errors!(Errors: Public);

/// The page and its script stand beside this file and need nothing from outside.
const PAGE: &str = include_str!("docs/page.html");
const SCRIPT: &str = include_str!("docs/page.js");
const STYLE: &str = include_str!("docs/page.css");

/// The page may load its own script and style, and read the document; nothing else.
const POLICY: &str =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'";

static RECEIPT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", jobs::receipt::receipt_schema()));

/// The reference, for people
///
/// Renders the OpenAPI document; works offline.
#[utoipa::path(
    get, path = "/docs", tag = "documentation",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html",
               example = "<!doctype html>"), Errors)
)]
pub async fn docs() -> Result<Response, Problem> {
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    Ok((headers, PAGE).into_response())
}

/// The reference's script
#[utoipa::path(
    get, path = "/docs/page.js", tag = "documentation",
    responses((status = 200, description = "The script.", body = String, content_type = "text/javascript",
               example = "'use strict';"), Errors)
)]
pub async fn script() -> Result<Response, Problem> {
    Ok(([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT).into_response())
}

/// The reference's style
#[utoipa::path(
    get, path = "/docs/page.css", tag = "documentation",
    responses((status = 200, description = "The style sheet.", body = String, content_type = "text/css",
               example = "body { margin: 0 }"), Errors)
)]
pub async fn style() -> Result<Response, Problem> {
    Ok(([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response())
}

/// The schema of receipts
///
/// JSON Schema, draft 2020-12: the form of what GET /v1/jobs/{id}/receipt answers with.
#[utoipa::path(
    get, path = "/docs/receipt.schema.json", tag = "documentation",
    responses((status = 200, description = "The schema.", body = serde_json::Value,
               content_type = "application/schema+json", example = json!({"title": "Receipt of a job"})), Errors)
)]
pub async fn receipt_schema() -> Result<Response, Problem> {
    Ok(([(header::CONTENT_TYPE, "application/schema+json")], RECEIPT.as_str()).into_response())
}

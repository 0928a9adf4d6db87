//! Placeholder until merged.
use axum::response::Html;
#[utoipa::path(get, path = "/docs", tag = "operations", responses((status = 200)))]
pub async fn docs() -> Html<&'static str> { Html("") }

//! GET /docs/errors and GET /docs/errors/{code}: the pages that problem types lead to.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use jobs::ErrorCode;

use crate::errors;
use crate::policy::problem::Problem;

include!(concat!(env!("OUT_DIR"), "/error_pages.rs"));

const INDEX: &str = "README";

errors!(Errors: Public);
errors!(PageErrors: Public, NotFound);

/// The table of errors
#[utoipa::path(
    get, path = "/docs/errors", tag = "documentation",
    responses((status = 200, description = "The table, as Markdown.", body = String, content_type = "text/markdown",
               example = "# Errors"), Errors)
)]
pub async fn index() -> Result<Response, Problem> {
    answer(INDEX)
}

/// The page about an error
///
/// What happened, common causes, and what to do.
#[utoipa::path(
    get, path = "/docs/errors/{code}", tag = "documentation",
    params(("code" = String, Path, description = "The code.", example = "RESULT_NOT_READY")),
    responses((status = 200, description = "The page, as Markdown.", body = String, content_type = "text/markdown",
               example = "# RESULT_NOT_READY"), PageErrors)
)]
pub async fn page(code: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    // A path that is not UTF-8 names no page.
    let Path(code) = code.map_err(|_| Problem::new(ErrorCode::NotFound, "There is no such page."))?;
    answer(code.trim_end_matches(".md"))
}

fn answer(name: &str) -> Result<Response, Problem> {
    let page = PAGES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    let text = page.ok_or_else(|| {
        Problem::new(
            ErrorCode::NotFound,
            format!("There is no page about {}.", name.chars().take(64).collect::<String>()),
        )
    })?;
    Ok(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], text).into_response())
}

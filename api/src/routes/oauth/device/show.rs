//! GET /v1/oauth/device

use axum::http::Uri;
use axum::response::Response;
use url::form_urlencoded;

use super::page;
use crate::errors;
use crate::policy::problem::Problem;
use crate::token::secret::as_given_out;

errors!(Errors: Public);

/// Longest code that is shown in the form.
const MAX_CODE: usize = 20;

/// The page of a login
///
/// For people: a form for the code that the device shows and for the person's one-time login code.
#[utoipa::path(
    get, path = "/v1/oauth/device", operation_id = "show_login", tag = "oauth",
    params(("user_code" = Option<String>, Query, description = "The code that the device shows.", example = "BCDF-GHJK")),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html",
               example = "<!doctype html>"), Errors)
)]
pub async fn show(uri: Uri) -> Result<Response, Problem> {
    let query = uri.query().unwrap_or_default().as_bytes();
    let code = form_urlencoded::parse(query).find(|(name, _)| name == "user_code");
    // Nothing of the address reaches the page but letters, digits and hyphens.
    let code = code.map(|(_, value)| as_given_out(&value)).unwrap_or_default();
    Ok(page::form(&code.chars().take(MAX_CODE).collect::<String>()))
}

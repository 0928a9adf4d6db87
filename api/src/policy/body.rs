//! Request bodies: of the right type, not too large, and strict JSON.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use jobs::ErrorCode;
use jobs::json::{self, JsonError};
use serde_json::Value;

use super::problem::Problem;
use crate::ApiState;

/// A JSON body as [`jobs::json::parse`] reads it.
pub struct StrictJson(pub Value);

impl FromRequest<Arc<ApiState>> for StrictJson {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<ApiState>) -> Result<Self, Problem> {
        check_content_type(request.headers())?;
        check_content_encoding(request.headers())?;
        let bytes = read(request.into_body(), state.max_body_bytes).await?;
        json::parse(&bytes).map(Self).map_err(refusal)
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |is: &str| {
        let detail = format!("The content type must be application/json; it is {is}.");
        Err(Problem::new(ErrorCode::InvalidContentType, detail))
    };
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return unsupported("missing or given twice") };
    let Ok(text) = value.to_str() else { return unsupported("not ASCII") };
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, charset)) if name.eq_ignore_ascii_case("charset") => {
            charset.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        // A parameter that JSON does not define changes nothing (RFC 8259 section 11).
        _ => true,
    });
    if is_json && is_utf8 { Ok(()) } else { unsupported(&text.chars().take(100).collect::<String>()) }
}

/// Bodies are read as they come: one that is compressed is refused rather than misread (RFC 9110 section 15.5.16).
///
/// # Errors
/// INVALID_CONTENT_TYPE of any encoding but `identity`.
pub fn check_content_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let identity = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.trim().eq_ignore_ascii_case("identity"));
    match headers.get_all(header::CONTENT_ENCODING).iter().find(|value| !identity(value)) {
        None => Ok(()),
        Some(value) => {
            let given: String = String::from_utf8_lossy(value.as_bytes()).chars().take(100).collect();
            let detail = format!("The body must not be encoded; its content encoding is {given}.");
            Err(Problem::new(ErrorCode::InvalidContentType, detail))
        }
    }
}

/// Reads a body of at most `limit` bytes, whether or not its length was announced.
///
/// # Errors
/// PAYLOAD_TOO_LARGE; INVALID_REQUEST of a body that breaks off.
pub async fn read(mut body: Body, limit: usize) -> Result<Bytes, Problem> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let too_large = || Problem::new(ErrorCode::PayloadTooLarge, format!("The body is larger than {limit} bytes."));
    if announced > limit {
        return Err(too_large());
    }
    let mut content = Vec::with_capacity(announced.min(limit));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(ErrorCode::InvalidRequest, "The body ended before its end."))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > limit - content.len() {
            return Err(too_large());
        }
        content.extend_from_slice(&data);
    }
    Ok(content.into())
}

fn refusal(error: JsonError) -> Problem {
    let problem = |detail: String| Problem::new(ErrorCode::InvalidRequest, detail);
    match error {
        JsonError::Refused(field) => problem("The body is not acceptable JSON.".to_owned()).with_errors(vec![field]),
        JsonError::Utf8(_) | JsonError::Syntax(_) => {
            let sentence = error.to_string();
            problem(format!("The {}.", sentence.trim_start_matches("the ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_pages_show_what_is_said() {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, form)]);
        check_content_type(&headers).expect_err("refused").is_the_example_of_its_page();
        let limit = 1 << 20;
        let read = read(Body::from(vec![b' '; limit + 1]), limit).await;
        read.expect_err("refused").is_the_example_of_its_page();
        let twice = br#"{"payload":{"input":{"number":1,"number":2}}}"#;
        refusal(json::parse(twice).expect_err("refused")).is_the_example_of_its_page();
    }
}

//! The shapes of Lago's answers: errors, pages, and request bodies with their one root.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

const PER_PAGE: usize = 100;

/// A request that is not carried out, in one of Lago's error bodies.
#[derive(Debug)]
pub(super) enum Refusal {
    BadRequest(String),
    Unauthorized,
    /// `customer` becomes `customer_not_found`.
    NotFound(&'static str),
    /// A feature of Lago's licence, which this stand-in has not.
    Forbidden,
    NotAllowed(&'static str),
    /// Field (or index) to its errors.
    Invalid(Map<String, Value>),
    /// Lago can do this, the stand-in cannot.
    NotImplemented(String),
    /// The stand-in itself failed.
    Broken(String),
}

impl Refusal {
    pub(super) fn field(name: &str, error: &str) -> Self {
        Self::Invalid(Map::from_iter([(name.to_owned(), json!([error]))]))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, json!({ "error": format!("BadRequest: {why}") })),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, json!({ "error": "Unauthorized" })),
            Self::NotFound(what) => {
                (StatusCode::NOT_FOUND, json!({ "error": "Not Found", "code": format!("{what}_not_found") }))
            }
            Self::Forbidden => (StatusCode::FORBIDDEN, json!({ "error": "Forbidden", "code": "feature_unavailable" })),
            Self::NotAllowed(code) => {
                (StatusCode::METHOD_NOT_ALLOWED, json!({ "error": "Method Not Allowed", "code": code }))
            }
            Self::Invalid(details) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                json!({ "error": "Unprocessable Entity", "code": "validation_errors", "error_details": details }),
            ),
            Self::NotImplemented(what) => {
                let error = format!("{what} is not implemented by the Lago stand-in");
                (StatusCode::NOT_IMPLEMENTED, json!({ "error": error, "code": "stand_in_not_implemented" }))
            }
            Self::Broken(why) => {
                tracing::error!("Lago stand-in failed: {why}");
                (StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": "Internal Server Error" }))
            }
        };
        let mut whole = json!({ "status": status.as_u16() });
        if let (Value::Object(whole), Value::Object(body)) = (&mut whole, body) {
            whole.extend(body);
        }
        (status, Json(whole)).into_response()
    }
}

/// Reads `{"<root>": {...}}`.
pub(super) fn rooted<T: DeserializeOwned>(body: &[u8], root: &str) -> Result<T, Refusal> {
    let mut whole: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| Refusal::BadRequest(error.to_string()))?;
    let missing = || Refusal::BadRequest(format!("param is missing or the value is empty: {root}"));
    let inner = whole.remove(root).filter(|value| value.as_object().is_none_or(|object| !object.is_empty()));
    serde_json::from_value(inner.ok_or_else(missing)?).map_err(|error| Refusal::BadRequest(error.to_string()))
}

/// `page` and `per_page` of a list.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Paging {
    pub page: Option<usize>,
    pub per_page: Option<usize>,
}

impl Paging {
    /// The asked page of `items` under `name`, with Lago's `meta`.
    pub(super) fn answer(self, name: &str, items: Vec<Value>) -> Value {
        self.views(name, items.into_iter(), |item| item)
    }

    /// The same, of which only what is shown is made.
    pub(super) fn views<T>(
        self,
        name: &str,
        items: impl ExactSizeIterator<Item = T>,
        view: impl Fn(T) -> Value,
    ) -> Value {
        let (page, per_page) = (self.page.unwrap_or(1).max(1), self.per_page.unwrap_or(PER_PAGE).clamp(1, PER_PAGE));
        let total_count = items.len();
        let total_pages = total_count.div_ceil(per_page);
        let asked = items.skip((page - 1).saturating_mul(per_page)).take(per_page);
        let shown: Vec<_> = asked.map(view).collect();
        json!({
            name: shown,
            "meta": {
                "current_page": page,
                "next_page": (page < total_pages).then_some(page + 1),
                "prev_page": (page > 1).then_some(page - 1),
                "total_pages": total_pages,
                "total_count": total_count,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_where_the_next_page_is() {
        let page =
            |page| Paging { page: Some(page), per_page: Some(2) }.answer("events", vec![json!(1), json!(2), json!(3)]);
        assert_eq!(page(1)["events"], json!([1, 2]));
        assert_eq!(page(1)["meta"]["next_page"], 2);
        assert_eq!(page(2)["events"], json!([3]));
        assert_eq!(page(2)["meta"]["next_page"], Value::Null);
        assert_eq!(page(2)["meta"]["total_count"], 3);
    }

    #[test]
    fn a_missing_root_is_a_bad_request() {
        for body in ["", "[]", "{}", r#"{"event":{}}"#, r#"{"events":[]}"#] {
            assert!(matches!(rooted::<Value>(body.as_bytes(), "event"), Err(Refusal::BadRequest(_))), "{body}");
        }
    }
}

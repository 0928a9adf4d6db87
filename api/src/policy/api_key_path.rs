//! `{id}` of an API key in a path.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use jobs::{ApiKeyId, ErrorCode};

use super::problem::Problem;

/// The API key that a path names.
#[derive(Clone, Debug)]
pub struct ApiKeyPath(pub ApiKeyId);

impl<S: Send + Sync> FromRequestParts<S> for ApiKeyPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // What is no id, or no text even, names nothing. A whole key is not repeated.
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        text.parse().map(Self).map_err(|_| not_found("of this name"))
    }
}

/// The key does not exist, or not for this caller: one answer.
pub fn not_found(id: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::NotFound, format!("There is no API key {id}."))
}

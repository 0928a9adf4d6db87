//! `{id}` of a user in a path.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use jobs::{ErrorCode, UserId};

use super::problem::Problem;

/// The user that a path names.
#[derive(Clone, Debug)]
pub struct UserPath(pub UserId);

impl<S: Send + Sync> FromRequestParts<S> for UserPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        text.parse().map(Self).map_err(|_| not_found(text.chars().take(64).collect::<String>()))
    }
}

/// The user does not exist, or not in the caller's tenant: one answer.
pub fn not_found(id: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::NotFound, format!("There is no user {id}."))
}

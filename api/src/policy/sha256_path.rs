//! `{sha256}` and `{key_id}` in a path.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use blobs::BlobHash;
use jobs::ErrorCode;

use super::problem::Problem;

/// The SHA-256 that a path names, with or without `0x`.
#[derive(Clone, Copy, Debug)]
pub struct Sha256Path(pub BlobHash);

impl<S: Send + Sync> FromRequestParts<S> for Sha256Path {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // What is no hash, or no text even, names nothing.
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(not_found("this path"));
        };
        text.parse().map(Self).map_err(|_| not_found(text.chars().take(80).collect::<String>()))
    }
}

/// It does not exist, or not for this tenant: one answer.
pub fn not_found(name: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::NotFound, format!("There is nothing under {name}."))
}

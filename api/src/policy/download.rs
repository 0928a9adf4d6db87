//! Bytes from the blob store on their way to a client.

use std::fmt::Display;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use blobs::{BlobError, BlobStream};
use jobs::ErrorCode;

use super::problem::Problem;

/// A streamed body. If the stored bytes turn out to be changed the connection breaks before the last of them.
pub fn body(stream: BlobStream) -> Response {
    ([(header::CONTENT_LENGTH, stream.size)], Body::from_stream(stream.bytes)).into_response()
}

/// Why there are no bytes of what the database knows of: the blob store is away, or it has lost or changed them, which no
/// repeat mends. `what` is of a few kinds, and `name` leads to the one that it is.
pub fn unreadable(what: &'static str, name: impl Display, error: BlobError) -> Problem {
    match error {
        BlobError::NotFound | BlobError::Changed { .. } | BlobError::TooLarge { .. } => {
            Problem::damaged(what, format_args!("{name}: {error}"))
        }
        error => error.into(),
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        if error.is_unavailable() {
            tracing::warn!(error = ?error, "the blob store is unavailable");
            return Self::new(ErrorCode::ServiceUnavailable, "The blob store is unavailable.");
        }
        tracing::error!(error = ?error, "the blob store failed");
        Self::internal()
    }
}

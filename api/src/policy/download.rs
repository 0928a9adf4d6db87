//! Bytes from the blob store on their way to a client.

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

/// What the database knows of and the blob store should have.
pub fn missing(what: &str, error: &BlobError) -> Problem {
    match error {
        BlobError::Unavailable(_) | BlobError::Folder(_) => unavailable(error),
        _ => {
            tracing::error!(%error, "a stored {what} cannot be read");
            Problem::internal()
        }
    }
}

fn unavailable(error: &BlobError) -> Problem {
    tracing::warn!(error = ?error, "the blob store is unavailable");
    Problem::new(ErrorCode::ServiceUnavailable, "The blob store is unavailable.")
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        missing("blob", &error)
    }
}

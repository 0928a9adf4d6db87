//! What can go wrong with stored bytes.

use thiserror::Error;

use crate::BlobHash;

#[derive(Debug, Error)]
pub enum BlobError {
    /// There is no such object.
    #[error("there is no such object")]
    NotFound,
    /// The stored bytes are not those that were put: nobody may use them.
    #[error("the stored bytes of {expected} were changed")]
    Changed { expected: BlobHash },
    /// The object is larger than the caller takes.
    #[error("the object has {size} bytes, more than {limit}")]
    TooLarge { size: u64, limit: u64 },
    /// The store is away, full or refuses us; try again.
    #[error("the blob store is unavailable")]
    Unavailable(#[source] object_store::Error),
    /// The same of the local folder.
    #[error("the blob store's folder is unavailable")]
    Folder(#[source] std::io::Error),
    /// A setting that names no store.
    #[error("blobs.url: {0}")]
    Location(String),
}

impl BlobError {
    /// Whether another try may succeed.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Folder(_))
    }
}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            other => Self::Unavailable(other),
        }
    }
}

/// Why a stream was not stored; nothing of it is visible.
#[derive(Debug, Error)]
pub enum PutError<E> {
    /// The stream itself failed.
    #[error("the stream failed")]
    Source(E),
    #[error("the stream has more than {limit} bytes")]
    TooLarge { limit: u64 },
    /// The stream's hash is not the one that was promised.
    #[error("the stream's hash is {actual}")]
    OtherHash { actual: BlobHash },
    #[error(transparent)]
    Store(#[from] BlobError),
}

impl<E> From<object_store::Error> for PutError<E> {
    fn from(error: object_store::Error) -> Self {
        // Where nothing is looked for, nothing is missing but the bucket.
        Self::Store(BlobError::Unavailable(error))
    }
}

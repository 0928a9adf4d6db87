//! Bytes on their way in: hashed and counted while they go to a temporary object, which is moved to its name when it is
//! whole.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart};
use sha2::{Digest as _, Sha256};

use crate::{BlobHash, BlobRef, PutError, keys};

/// Parts that may be under way to the store at once; each has up to 5 MiB.
const PARTS_IN_FLIGHT: usize = 2;

/// What a stream must keep to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    limit: u64,
    sha256: Option<BlobHash>,
}

impl Terms {
    /// At most `limit` bytes.
    #[must_use]
    pub fn at_most(limit: u64) -> Self {
        Self { limit, sha256: None }
    }

    /// And this hash.
    #[must_use]
    pub fn with_sha256(self, sha256: BlobHash) -> Self {
        Self { sha256: Some(sha256), ..self }
    }
}

/// Bytes that came whole and still lie at a temporary place, where nobody looks for them. What is neither kept nor
/// discarded is found by the sweep.
#[derive(Debug)]
pub struct Staged {
    pub(crate) place: Path,
    pub(crate) blob: BlobRef,
}

impl Staged {
    /// Hash and length of the bytes.
    #[must_use]
    pub fn blob(&self) -> BlobRef {
        self.blob
    }
}

/// Receives a stream; on failure nothing is left of it.
pub(crate) async fn receive<S, E>(objects: &dyn ObjectStore, terms: Terms, stream: S) -> Result<Staged, PutError<E>>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    let place = keys::incoming();
    let mut upload = WriteMultipart::new(objects.put_multipart(&place).await?);
    let blob = match copy(&mut upload, terms, stream).await {
        Ok(blob) => blob,
        Err(error) => {
            // What cannot be removed now is found by the sweep.
            if let Err(error) = upload.abort().await {
                tracing::debug!(%error, "an unfinished upload was not removed");
            }
            return Err(error);
        }
    };
    upload.finish().await?;
    Ok(Staged { place, blob })
}

async fn copy<S, E>(upload: &mut WriteMultipart, terms: Terms, stream: S) -> Result<BlobRef, PutError<E>>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    let mut stream = std::pin::pin!(stream);
    let mut hasher = Sha256::new();
    let mut size = 0_u64;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(PutError::Source)?;
        size = size.saturating_add(chunk.len() as u64);
        if size > terms.limit {
            return Err(PutError::TooLarge { limit: terms.limit });
        }
        hasher.update(&chunk);
        upload.wait_for_capacity(PARTS_IN_FLIGHT).await?;
        upload.put(chunk);
    }
    let actual = BlobHash(hasher.finalize().into());
    if terms.sha256.is_some_and(|promised| promised != actual) {
        return Err(PutError::OtherHash { actual });
    }
    Ok(BlobRef { sha256: actual, size })
}

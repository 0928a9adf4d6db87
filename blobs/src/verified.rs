//! A stream that hashes what passes, and fails before its last chunk if the bytes are not the expected ones: whoever
//! reads to the end has the true bytes.

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _, try_unfold};
use sha2::{Digest as _, Sha256};

use crate::{BlobError, BlobHash};

struct State {
    source: BoxStream<'static, object_store::Result<Bytes>>,
    hasher: Sha256,
    held: Option<Bytes>,
    ended: bool,
}

/// Passes `source` on as long as it can still be `expected`.
pub(crate) fn verified(
    source: BoxStream<'static, object_store::Result<Bytes>>,
    expected: BlobHash,
) -> BoxStream<'static, Result<Bytes, BlobError>> {
    let state = State { source, hasher: Sha256::new(), held: None, ended: false };
    try_unfold(state, move |state| next(state, expected)).boxed()
}

async fn next(mut state: State, expected: BlobHash) -> Result<Option<(Bytes, State)>, BlobError> {
    while !state.ended {
        let Some(chunk) = state.source.next().await else {
            state.ended = true;
            let hasher = std::mem::take(&mut state.hasher);
            if BlobHash(hasher.finalize().into()) != expected {
                return Err(BlobError::Changed { expected });
            }
            break;
        };
        let chunk = chunk?;
        state.hasher.update(&chunk);
        if let Some(held) = state.held.replace(chunk) {
            return Ok(Some((held, state)));
        }
    }
    Ok(state.held.take().map(|last| (last, state)))
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;
    use futures::stream;

    use super::*;

    fn chunks() -> BoxStream<'static, object_store::Result<Bytes>> {
        stream::iter(["ab", "cd", "ef"]).map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).boxed()
    }

    #[tokio::test]
    async fn the_true_bytes_pass() {
        let read: Vec<Bytes> = verified(chunks(), BlobHash::of(b"abcdef")).try_collect().await.unwrap();
        assert_eq!(read.concat(), b"abcdef");
        let nothing: Vec<Bytes> = verified(stream::empty().boxed(), BlobHash::of(b"")).try_collect().await.unwrap();
        assert!(nothing.is_empty());
    }

    #[tokio::test]
    async fn other_bytes_never_come_to_an_end() {
        let mut read = verified(chunks(), BlobHash::of(b"abcdeX"));
        assert_eq!(read.next().await.unwrap().unwrap(), "ab");
        assert_eq!(read.next().await.unwrap().unwrap(), "cd");
        assert!(matches!(read.next().await, Some(Err(BlobError::Changed { .. }))));
        assert!(read.next().await.is_none());
    }
}

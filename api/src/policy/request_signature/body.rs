//! The body of a signed request: it is hashed as it is read, and its last part is kept back when it is not the one that
//! was signed.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use sha2::{Digest as _, Sha256};

/// What was promised of a body, by who knows it only after the body was handed on.
#[derive(Clone, Debug, Default)]
pub struct Promised(Arc<Promise>);

#[derive(Debug, Default)]
struct Promise {
    sha256: OnceLock<[u8; 32]>,
    /// It was known from the head that there is no body: nobody will read one, and find it broken.
    empty: AtomicBool,
    broken: AtomicBool,
}

impl Promised {
    /// The body must have this hash; `false` when it is known already that it has not. Nothing of it was read by then.
    #[must_use]
    pub fn is(&self, sha256: [u8; 32]) -> bool {
        // Whoever checks a request twice finds the same.
        let _ = self.0.sha256.set(sha256);
        !self.0.empty.load(Ordering::Relaxed) || Sha256::digest([])[..] == sha256[..]
    }

    /// Whether another body came.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.0.broken.load(Ordering::Relaxed)
    }

    /// A body that is watched.
    pub fn watch(&self, body: Body) -> Body {
        self.0.empty.store(body.is_end_stream(), Ordering::Relaxed);
        Body::new(Watched { body, promised: self.clone(), hasher: Sha256::new(), over: false })
    }
}

struct Watched {
    body: Body,
    promised: Promised,
    hasher: Sha256,
    over: bool,
}

impl Watched {
    /// What is answered at the end of the body.
    fn ends(&mut self, sha256: &[u8; 32]) -> Result<(), axum::Error> {
        self.over = true;
        if self.hasher.clone().finalize()[..] == sha256[..] {
            return Ok(());
        }
        self.promised.0.broken.store(true, Ordering::Relaxed);
        Err(axum::Error::new("the body is not the one that was signed"))
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let Some(sha256) = self.promised.0.sha256.get().copied() else { return polled };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.hasher.update(data);
                }
                // A reader that knows the length may not ask again.
                if self.body.is_end_stream()
                    && !self.over
                    && let Err(error) = self.ends(&sha256)
                {
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) if !self.over => Poll::Ready(self.ends(&sha256).err().map(Err)),
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn read(promise: Option<&[u8]>, sent: Body) -> (Option<Vec<u8>>, bool) {
        let promised = Promised::default();
        let body = promised.watch(sent);
        if let Some(content) = promise {
            let _ = promised.is(Sha256::digest(content).into());
        }
        let read = body.collect().await.ok().map(|collected| collected.to_bytes().to_vec());
        (read, promised.is_broken())
    }

    fn in_parts(parts: &'static [&'static str]) -> Body {
        Body::from_stream(futures::stream::iter(parts.iter().map(|part| Ok::<_, std::io::Error>(*part))))
    }

    #[tokio::test]
    async fn the_body_that_was_signed_passes() {
        assert_eq!(read(Some(b"ab"), Body::from("ab")).await, (Some(b"ab".to_vec()), false));
        assert_eq!(read(Some(b"abc"), in_parts(&["a", "", "bc"])).await, (Some(b"abc".to_vec()), false));
        assert_eq!(read(Some(b""), Body::empty()).await, (Some(Vec::new()), false));
        assert_eq!(read(None, Body::from("anything")).await, (Some(b"anything".to_vec()), false));
    }

    #[test]
    fn a_body_that_was_taken_away_is_known_before_anybody_reads_it() {
        let is = |content: &[u8], sent: Body| {
            let promised = Promised::default();
            let _body = promised.watch(sent);
            promised.is(Sha256::digest(content).into())
        };
        assert!(!is(b"a", Body::empty()));
        assert!(is(b"", Body::empty()));
        assert!(is(b"a", Body::from("b")), "that one shows when it is read");
    }

    #[tokio::test]
    async fn another_one_is_an_error_and_known_as_such() {
        assert_eq!(read(Some(b"ab"), Body::from("ac")).await, (None, true));
        assert_eq!(read(Some(b"abc"), in_parts(&["a", "b"])).await, (None, true));
        assert_eq!(read(Some(b"a"), in_parts(&["a", "b"])).await, (None, true));
        assert_eq!(read(Some(b"a"), Body::empty()).await, (None, true));
    }
}

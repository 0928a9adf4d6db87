//! Bytes on their way up: their hash is known before, and each attempt streams them anew.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::B256;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryFutureExt, TryStreamExt};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method, Response};
use sha2::{Digest, Sha256};
use tokio_util::io::ReaderStream;

use super::EncryptedError;
use crate::error::ClientError;
use crate::transport::Client;

/// Longest time of an upload, as the API has it.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// Bytes that are sent at a time.
const CHUNK: usize = 64 * 1024;

/// Is told how many bytes have gone or come so far. An attempt that begins anew begins at 0 again.
pub type OnBytes = Arc<dyn Fn(u64) + Send + Sync>;

/// Nobody watches.
#[must_use]
pub fn unwatched() -> OnBytes {
    Arc::new(|_| ())
}

/// Bytes to upload, from memory or from a file.
#[derive(Clone, Debug)]
pub struct Upload {
    source: Source,
    size: u64,
    sha256: B256,
}

#[derive(Clone, Debug)]
enum Source {
    Memory(Bytes),
    File(Arc<Path>),
}

impl Upload {
    /// Bytes in memory.
    #[must_use]
    pub fn of_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let sha256 = B256::from_slice(&Sha256::digest(&bytes));
        Self { size: bytes.len() as u64, sha256, source: Source::Memory(bytes) }
    }

    /// A file, which is read once now for its hash.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn of_file(file: &Path) -> Result<Self, EncryptedError> {
        let path: Arc<Path> = file.into();
        let read = Arc::clone(&path);
        let hashed = tokio::task::spawn_blocking(move || {
            let (mut hash, mut size) = (Sha256::new(), 0);
            let mut file = std::fs::File::open(&read)?;
            let mut chunk = vec![0; CHUNK];
            loop {
                match file.read(&mut chunk)? {
                    0 => return Ok((size, B256::from_slice(&hash.finalize()))),
                    count => {
                        hash.update(&chunk[..count]);
                        size += count as u64;
                    }
                }
            }
        });
        let (size, sha256) = hashed.await?.map_err(|source| EncryptedError::File {
            doing: "read",
            file: file.display().to_string(),
            source,
        })?;
        Ok(Self { source: Source::File(path), size, sha256 })
    }

    /// Length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of the bytes.
    #[must_use]
    pub fn sha256(&self) -> B256 {
        self.sha256
    }

    fn body(&self, progress: &OnBytes) -> Body {
        let progress = Arc::clone(progress);
        let mut sent = 0;
        Body::wrap_stream(self.chunks().inspect_ok(move |chunk| {
            sent += chunk.len() as u64;
            progress(sent);
        }))
    }

    fn chunks(&self) -> BoxStream<'static, io::Result<Bytes>> {
        match &self.source {
            Source::Memory(bytes) => {
                let bytes = bytes.clone();
                let starts = (0..bytes.len()).step_by(CHUNK);
                stream::iter(starts.map(move |from| Ok(bytes.slice(from..bytes.len().min(from + CHUNK))))).boxed()
            }
            Source::File(path) => {
                let path = Arc::clone(path);
                let opened = async move { tokio::fs::File::open(path).await };
                stream::once(opened.map_ok(|file| ReaderStream::with_capacity(file, CHUNK))).try_flatten().boxed()
            }
        }
    }
}

impl Client {
    /// Sends bytes to `path`, with their hash, so that what was changed on its way is refused.
    pub(super) async fn upload(
        &self,
        path: &str,
        upload: &Upload,
        progress: &OnBytes,
    ) -> Result<Response, ClientError> {
        self.send(|| {
            self.request(Method::POST, path)
                .timeout(UPLOAD_TIMEOUT)
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_LENGTH, upload.size)
                .header("X-Content-SHA256", upload.sha256.to_string())
                .body(upload.body(progress))
        })
        .await
    }
}

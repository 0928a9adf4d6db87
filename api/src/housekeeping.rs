//! What the process tidies up by itself: uploads that broke off.

use std::time::Duration;

use blobs::BlobStore;
use tokio_util::sync::CancellationToken;

/// Between two rounds; the first comes at once.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// An upload that is older is nobody's any more: longer than any upload may take.
const AGE: Duration = Duration::from_secs(60 * 60);

/// Removes the remains of uploads, until `stop`.
pub async fn sweep_uploads(blobs: BlobStore, stop: CancellationToken) {
    loop {
        match blobs.sweep(AGE).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "removed the remains of {swept} uploads"),
            Err(error) => tracing::debug!(%error, "the remains of uploads could not be looked for"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

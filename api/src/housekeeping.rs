//! What the process does by itself: it removes uploads that broke off, bytes of what was deleted, logins and keys that are
//! over, and quotes that nobody used; and it chains the audit log.

use std::time::Duration;

use blobs::BlobStore;
use chrono::Utc;
use store::PgPool;
use tokio_util::sync::CancellationToken;

use crate::policy::storage;
use crate::token::retire_keys;

/// Between two rounds; the first comes at once.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// An upload that is older is nobody's any more: longer than any upload may take.
const AGE: Duration = Duration::from_secs(60 * 60);

/// Removes the remains of uploads and of deleted blobs and keys, until `stop`.
pub async fn sweep_uploads(pool: PgPool, blobs: BlobStore, stop: CancellationToken) {
    loop {
        match blobs.sweep(AGE).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "removed the remains of {swept} uploads"),
            Err(error) => tracing::debug!(%error, "the remains of uploads could not be looked for"),
        }
        match storage::sweep(&pool, &blobs).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "removed the bytes of {swept} deleted blobs and keys"),
            Err(error) => tracing::debug!(error = format!("{error:#}"), "deleted bytes could not be removed"),
        }
        match store::quotes::sweep(&pool, Utc::now()).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "removed {swept} quotes that nobody used"),
            Err(error) => tracing::debug!(error = ?error, "quotes that are over could not be removed"),
        }
        match sweep_logins(&pool).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "removed {swept} rows of logins, revocations and signing keys"),
            Err(error) => tracing::debug!(error = format!("{error:#}"), "what is over could not be removed"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Between two looks for entries of the audit log that are not chained yet.
const CHAIN_EVERY: Duration = Duration::from_secs(1);

/// Chains what was noted for the audit log, in all tenants' names, until `stop`; at last what was noted until then.
pub async fn chain_audit(pool: PgPool, stop: CancellationToken) {
    loop {
        let is_over = stop.run_until_cancelled(tokio::time::sleep(CHAIN_EVERY)).await.is_none();
        if let Err(error) = store::audit::chain_all(&pool).await {
            tracing::debug!(error = ?error, "entries of the audit log wait to be chained");
        }
        if is_over {
            return;
        }
    }
}

/// What has expired in the issuer's tables.
async fn sweep_logins(pool: &PgPool) -> anyhow::Result<u64> {
    Ok(store::oauth::sweep(pool).await? + retire_keys(pool).await?)
}

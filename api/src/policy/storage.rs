//! What tenants have stored: put there within their quota, and deleted again. Rows and bytes change together, in custody.

use blobs::{BlobHash, BlobStore, Staged};
use jobs::{ErrorCode, TenantId};
use store::PgPool;
use store::audit::Note;
use store::uploads::{Custody, Kind, NewUpload, Noted, Quota, Quotas, Removed, Stored, Unwanted, unwanted};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::problem::Problem;
use super::sha256_path::not_found;
use crate::ApiState;

/// Changes at once in one process: each holds a connection while the blob store works.
const AT_ONCE: usize = 4;

/// Bytes that a round of the sweep removes at most.
const ROUND: i64 = 100;

/// What tenants may store. One for the whole server.
pub struct Storage {
    quotas: Quotas,
    turns: Semaphore,
}

/// What became of an upload that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    New,
    /// The tenant had it before.
    Known,
}

impl Storage {
    #[must_use]
    pub fn new(quotas: Quotas) -> Self {
        Self { quotas, turns: Semaphore::new(AT_ONCE) }
    }

    /// What each tenant may have of a kind.
    #[must_use]
    pub fn quota(&self, kind: Kind) -> Quota {
        self.quotas.of(kind)
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.turns.acquire().await.map_err(|_| Problem::internal())
    }
}

/// Makes staged bytes a tenant's; of what is refused nothing is left.
///
/// # Errors
/// STORAGE_QUOTA_EXCEEDED; SERVICE_UNAVAILABLE.
pub async fn put(
    state: &ApiState,
    (tenant, audit): (&TenantId, &Note),
    kind: Kind,
    new: NewUpload<'_>,
    staged: &Staged,
) -> Result<Put, Problem> {
    let _turn = state.storage.turn().await?;
    let quota = state.storage.quota(kind);
    let mut custody = Custody::of(&state.pool, tenant).await?;
    let put = match custody.note(kind, new, quota).await? {
        Noted::New => Put::New,
        // The bytes again: what was lost or changed meanwhile is mended.
        Noted::Known => Put::Known,
        Noted::Useless => {
            state.blobs.discard(staged).await?;
            return Ok(Put::Known);
        }
        Noted::Full(stored) => {
            state.blobs.discard(staged).await?;
            return Err(full(kind, stored, quota));
        }
    };
    state.blobs.keep(tenant, staged).await?;
    custody.audit(audit).await?;
    custody.release().await?;
    Ok(put)
}

/// Deletes what a tenant has stored.
///
/// # Errors
/// NOT_FOUND, also of another tenant's; STILL_IN_USE; SERVICE_UNAVAILABLE.
pub async fn delete(
    state: &ApiState,
    (tenant, audit): (&TenantId, &Note),
    kind: Kind,
    sha256: BlobHash,
) -> Result<(), Problem> {
    let _turn = state.storage.turn().await?;
    let mut custody = Custody::of(&state.pool, tenant).await?;
    match custody.remove(kind, sha256.0).await? {
        Removed::Gone => {
            custody.audit(audit).await?;
            custody.release().await?;
        }
        Removed::Missing => return Err(not_found(sha256)),
        Removed::InUse => return Err(in_use(kind)),
    }
    // The row is gone, and with it the blob: its bytes are the sweep's if they cannot be removed now.
    let unwanted = Unwanted { tenant: tenant.clone(), sha256: sha256.0 };
    if let Err(error) = Box::pin(remove_bytes(&state.pool, &state.blobs, &unwanted)).await {
        tracing::warn!(tenant.id = %tenant, error = format!("{error:#}"), "deleted bytes stay for the sweep");
    }
    Ok(())
}

/// Removes the bytes of deleted blobs and keys that are still there, and tells how many there were.
///
/// # Errors
/// Database or blob store are away.
pub async fn sweep(pool: &PgPool, blobs: &BlobStore) -> anyhow::Result<usize> {
    let due = unwanted(pool, ROUND).await?;
    for unwanted in &due {
        remove_bytes(pool, blobs, unwanted).await?;
    }
    Ok(due.len())
}

/// Once no row needs them: they may have been uploaded again meanwhile.
async fn remove_bytes(pool: &PgPool, blobs: &BlobStore, unwanted: &Unwanted) -> anyhow::Result<()> {
    let Unwanted { tenant, sha256 } = unwanted;
    let mut custody = Custody::of(pool, tenant).await?;
    if !custody.is_wanted(*sha256).await? {
        blobs.delete(tenant, BlobHash(*sha256)).await?;
    }
    custody.settle(*sha256).await?;
    Ok(custody.release().await?)
}

fn in_use(kind: Kind) -> Problem {
    Problem::new(ErrorCode::StillInUse, format!("A job that has not ended needs the {}.", name(kind)))
}

fn full(kind: Kind, stored: Stored, quota: Quota) -> Problem {
    let (name, path) = (name(kind), path(kind));
    let detail = format!(
        "The tenant has {} {name}s of {} bytes in all, and may have {} of {} bytes: delete one (DELETE {path}/HASH).",
        stored.count, stored.bytes, quota.count, quota.bytes
    );
    Problem::new(ErrorCode::StorageQuotaExceeded, detail)
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Blob => "blob",
        Kind::ClientKey => "evaluation key",
    }
}

/// Where tenants find what they have of a kind.
#[must_use]
pub fn path(kind: Kind) -> &'static str {
    match kind {
        Kind::Blob => "/v1/blobs",
        Kind::ClientKey => "/v1/fhe/keys",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_show_what_is_said() {
        in_use(Kind::Blob).is_the_example_of_its_page();
        let (stored, quota) = (Stored { count: 1000, bytes: 20_480_000 }, Quota { count: 1000, bytes: 10_737_418_240 });
        full(Kind::Blob, stored, quota).is_the_example_of_its_page();
    }
}

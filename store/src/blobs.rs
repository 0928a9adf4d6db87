//! Which blobs a tenant has. The bytes lie in the blob store; a row is written when they are whole.

use chrono::{DateTime, Utc};
use jobs::TenantId;
use sqlx::PgPool;

use crate::StoreError;
use crate::uploads::{NewUpload, Noted, note, size_of};

/// A tenant's blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    pub sha256: [u8; 32],
    /// Length in bytes.
    pub size: u64,
    pub created_at: DateTime<Utc>,
}

/// Notes a blob.
///
/// # Errors
/// The database is away.
pub async fn note(pool: &PgPool, blob: NewUpload<'_>) -> Result<Noted, StoreError> {
    note!(pool, blob, "blobs (tenant, sha256, size, created_by)")
}

/// Looks for a tenant's blob.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, tenant: &TenantId, sha256: [u8; 32]) -> Result<Option<StoredBlob>, StoreError> {
    let row = sqlx::query!(
        "SELECT size, created_at FROM blobs WHERE tenant = $1 AND sha256 = $2",
        tenant.as_str(),
        &sha256[..]
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| Ok(StoredBlob { sha256, size: size_of(row.size)?, created_at: row.created_at })).transpose()
}

//! Which blobs a tenant has. The bytes lie in the blob store; a row is written when they are whole.

use chrono::{DateTime, Utc};
use jobs::{TenantId, UserId};
use sqlx::PgPool;

use crate::StoreError;

/// A tenant's blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    pub sha256: [u8; 32],
    /// Length in bytes.
    pub size: u64,
    pub created_at: DateTime<Utc>,
}

/// A blob that was stored just now.
#[derive(Clone, Copy, Debug)]
pub struct NewBlob<'a> {
    pub tenant: &'a TenantId,
    pub user: &'a UserId,
    pub sha256: [u8; 32],
    /// Length in bytes.
    pub size: u64,
}

/// What became of a row that may have been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    New,
    Known,
    /// The token's user is not registered.
    UnknownUser,
}

/// Notes a blob.
///
/// # Errors
/// The database is away.
pub async fn note(pool: &PgPool, blob: NewBlob<'_>) -> Result<Noted, StoreError> {
    let row = sqlx::query!(
        r#"WITH author AS (SELECT tenant, id FROM users WHERE tenant = $1 AND id = $2),
                fresh AS (
                    INSERT INTO blobs (tenant, sha256, size, created_by)
                    SELECT tenant, $3, $4, id FROM author
                    ON CONFLICT DO NOTHING RETURNING 1
                )
           SELECT EXISTS (SELECT FROM author) AS "known_user!", EXISTS (SELECT FROM fresh) AS "new!""#,
        blob.tenant.as_str(),
        blob.user.as_str(),
        &blob.sha256[..],
        length(blob.size)
    )
    .fetch_one(pool)
    .await?;
    Ok(noted(row.known_user, row.new))
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

pub(crate) fn noted(known_user: bool, new: bool) -> Noted {
    match (known_user, new) {
        (false, _) => Noted::UnknownUser,
        (true, true) => Noted::New,
        (true, false) => Noted::Known,
    }
}

pub(crate) fn length(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

pub(crate) fn size_of(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| StoreError::corrupt("size", column))
}

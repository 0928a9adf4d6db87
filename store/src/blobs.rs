//! Which blobs a tenant has. The bytes lie in the blob store; a row is written when they are whole.

use chrono::{DateTime, Utc};
use jobs::TenantId;
use sqlx::{PgConnection, PgPool};

use crate::StoreError;
use crate::uploads::{NewUpload, Noted, Quota, Removed, Stored, length, removed, size_of};

/// A tenant's blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    pub sha256: [u8; 32],
    /// Length in bytes.
    pub size: u64,
    pub created_at: DateTime<Utc>,
}

/// Notes a blob, in custody of what its tenant has: nobody else counts meanwhile.
pub(crate) async fn note(
    tx: &mut PgConnection,
    tenant: &TenantId,
    blob: NewUpload<'_>,
    quota: Quota,
) -> Result<Noted, StoreError> {
    let row = sqlx::query!(
        r#"WITH stored AS (
                    SELECT count(*) AS number, coalesce(sum(size), 0)::bigint AS bytes FROM blobs WHERE tenant = $1
                ),
                known AS (SELECT FROM blobs WHERE tenant = $1 AND sha256 = $2),
                fresh AS (
                    INSERT INTO blobs (tenant, sha256, size, created_by)
                    SELECT $1, $2, $3, $4 FROM stored
                     WHERE NOT EXISTS (SELECT FROM known) AND number < $5 AND bytes + $3 <= $6
                    ON CONFLICT DO NOTHING RETURNING 1
                )
           SELECT number AS "number!", bytes AS "bytes!", EXISTS (SELECT FROM known) AS "known!",
                  EXISTS (SELECT FROM fresh) AS "fresh!"
             FROM stored"#,
        tenant.as_str(),
        &blob.sha256[..],
        length(blob.size),
        blob.user.as_str(),
        length(quota.count),
        length(quota.bytes)
    )
    .fetch_one(tx)
    .await?;
    Ok(match (row.known, row.fresh) {
        (true, _) => Noted::Known,
        (_, true) => Noted::New,
        _ => Noted::Full(Stored { count: size_of(row.number)?, bytes: size_of(row.bytes)? }),
    })
}

/// Deletes a blob's row, unless an open job refers to it.
pub(crate) async fn remove(tx: &mut PgConnection, tenant: &TenantId, sha256: [u8; 32]) -> Result<Removed, StoreError> {
    let deleted = sqlx::query!("DELETE FROM blobs WHERE tenant = $1 AND sha256 = $2", tenant.as_str(), &sha256[..]);
    removed(deleted.execute(tx).await)
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

/// A blob in its tenant's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedBlob {
    pub blob: StoredBlob,
    /// An open job needs it.
    pub in_use: bool,
}

/// Where a blob stands in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobPlace {
    pub created_at: DateTime<Utc>,
    pub sha256: [u8; 32],
}

/// A tenant's blobs behind a place, the newest first, at most `limit`.
///
/// # Errors
/// The database is away.
pub async fn list(
    pool: &PgPool,
    tenant: &TenantId,
    after: Option<&BlobPlace>,
    limit: i64,
) -> Result<Vec<ListedBlob>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT sha256, size, created_at,
                  EXISTS (SELECT FROM job_reservations r WHERE r.tenant = b.tenant AND r.blob = b.sha256) AS "in_use!"
             FROM blobs b
            WHERE tenant = $1 AND ($2::timestamptz IS NULL OR (created_at, sha256) < ($2, $3))
            ORDER BY created_at DESC, sha256 DESC LIMIT $4"#,
        tenant.as_str(),
        after.map(|place| place.created_at),
        after.map(|place| place.sha256.as_slice()),
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let sha256 = crate::jobs::bytes("hash of a blob", &row.sha256)?;
            let blob = StoredBlob { sha256, size: size_of(row.size)?, created_at: row.created_at };
            Ok(ListedBlob { blob, in_use: row.in_use })
        })
        .collect()
}

/// How much a tenant has of blobs.
///
/// # Errors
/// The database is away.
pub async fn stored(pool: &PgPool, tenant: &TenantId) -> Result<Stored, StoreError> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "number!", coalesce(sum(size), 0)::bigint AS "bytes!" FROM blobs WHERE tenant = $1"#,
        tenant.as_str()
    )
    .fetch_one(pool)
    .await?;
    Ok(Stored { count: size_of(row.number)?, bytes: size_of(row.bytes)? })
}

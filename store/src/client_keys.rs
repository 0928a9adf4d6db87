//! Evaluation keys of clients who hold their own key: uploaded, checked by a workflow, then ready.

use chrono::{DateTime, Utc};
use jobs::TenantId;
pub use jobs::fhe::KeyStatus;
use sqlx::{PgConnection, PgPool};

use crate::StoreError;
use crate::jobs::bytes;
use crate::uploads::{NewUpload, Noted, Quota, Removed, Stored, length, removed, size_of};

/// A client's evaluation key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    /// SHA-256 of the compressed evaluation key.
    pub key_id: [u8; 32],
    /// Length in bytes.
    pub size: u64,
    pub status: KeyStatus,
    /// Why it was refused.
    pub detail: String,
    pub created_at: DateTime<Utc>,
}

/// What the check of a key found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyVerdict {
    Ready,
    Refused { detail: String },
}

/// A pending key whose check this process is to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingKey {
    pub tenant: TenantId,
    pub key_id: [u8; 32],
}

struct Row {
    key_id: Vec<u8>,
    size: i64,
    status: String,
    detail: String,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for ClientKey {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            key_id: bytes("key id", &row.key_id)?,
            size: size_of(row.size)?,
            status: row.status.parse().map_err(|_| StoreError::corrupt("key status", &row.status))?,
            detail: row.detail,
            created_at: row.created_at,
        })
    }
}

/// Notes a key as pending, in custody of what its tenant has; one that is known stays as it is. Its id is the hash of its
/// bytes. The row of a refused key counts, its bytes do not: they are gone.
pub(crate) async fn note(
    tx: &mut PgConnection,
    tenant: &TenantId,
    key: NewUpload<'_>,
    quota: Quota,
) -> Result<Noted, StoreError> {
    let row = sqlx::query!(
        r#"WITH stored AS (
                    SELECT count(*) AS number,
                           coalesce(sum(size) FILTER (WHERE status <> 'refused'), 0)::bigint AS bytes
                      FROM client_keys WHERE tenant = $1
                ),
                known AS (SELECT status FROM client_keys WHERE tenant = $1 AND key_id = $2),
                fresh AS (
                    INSERT INTO client_keys (tenant, key_id, size, created_by)
                    SELECT $1, $2, $3, $4 FROM stored
                     WHERE NOT EXISTS (SELECT FROM known) AND number < $5 AND bytes + $3 <= $6
                    ON CONFLICT DO NOTHING RETURNING 1
                )
           SELECT number AS "number!", bytes AS "bytes!", EXISTS (SELECT FROM fresh) AS "fresh!",
                  EXISTS (SELECT FROM known) AS "known!",
                  EXISTS (SELECT FROM known WHERE status = 'refused') AS "refused!"
             FROM stored"#,
        tenant.as_str(),
        &key.sha256[..],
        length(key.size),
        key.user.as_str(),
        length(quota.count),
        length(quota.bytes)
    )
    .fetch_one(tx)
    .await?;
    Ok(match (row.known, row.fresh) {
        (true, _) if row.refused => Noted::Useless,
        (true, _) => Noted::Known,
        (_, true) => Noted::New,
        _ => Noted::Full(Stored { count: size_of(row.number)?, bytes: size_of(row.bytes)? }),
    })
}

/// Deletes a key's row, unless an open job computes under it.
pub(crate) async fn remove(tx: &mut PgConnection, tenant: &TenantId, key_id: [u8; 32]) -> Result<Removed, StoreError> {
    let deleted =
        sqlx::query!("DELETE FROM client_keys WHERE tenant = $1 AND key_id = $2", tenant.as_str(), &key_id[..]);
    removed(deleted.execute(tx).await)
}

/// Looks for a tenant's key.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, tenant: &TenantId, key_id: [u8; 32]) -> Result<Option<ClientKey>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT key_id, size, status, detail, created_at FROM client_keys WHERE tenant = $1 AND key_id = $2",
        tenant.as_str(),
        &key_id[..]
    )
    .fetch_optional(pool)
    .await?;
    row.map(ClientKey::try_from).transpose()
}

/// A tenant's newest keys, at most `limit`.
///
/// # Errors
/// The database is away.
pub async fn list(pool: &PgPool, tenant: &TenantId, limit: i64) -> Result<Vec<ClientKey>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT key_id, size, status, detail, created_at FROM client_keys
          WHERE tenant = $1 ORDER BY created_at DESC, key_id LIMIT $2",
        tenant.as_str(),
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(ClientKey::try_from).collect()
}

/// Claims pending keys whose check is to be started, for `claim_seconds`. A check that has no verdict by then is
/// claimed again: starting one that runs changes nothing.
///
/// # Errors
/// The database is away.
pub async fn claim(pool: &PgPool, limit: i64, claim_seconds: f64) -> Result<Vec<PendingKey>, StoreError> {
    let rows = sqlx::query!(
        "UPDATE client_keys k SET check_claimed_until = now() + make_interval(secs => $2)
           FROM (SELECT tenant, key_id FROM client_keys
                  WHERE status = 'pending' AND check_claimed_until < now()
                  ORDER BY check_claimed_until, created_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
          WHERE k.tenant = due.tenant AND k.key_id = due.key_id
         RETURNING k.tenant, k.key_id",
        limit,
        claim_seconds
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(PendingKey {
                tenant: row.tenant.parse().map_err(|_| StoreError::corrupt("tenant", &row.tenant))?,
                key_id: bytes("key id", &row.key_id)?,
            })
        })
        .collect()
}

/// Writes the verdict on a pending key. The first one stands; returns the status that stands now, `None` when there is
/// no such key.
///
/// # Errors
/// The database is away.
pub async fn conclude(
    pool: &PgPool,
    tenant: &TenantId,
    key_id: [u8; 32],
    verdict: &KeyVerdict,
) -> Result<Option<KeyStatus>, StoreError> {
    let (status, detail) = match verdict {
        KeyVerdict::Ready => (KeyStatus::Ready, ""),
        KeyVerdict::Refused { detail } => (KeyStatus::Refused, detail.as_str()),
    };
    let changed = sqlx::query!(
        "UPDATE client_keys SET status = $3, detail = $4, checked_at = now()
          WHERE tenant = $1 AND key_id = $2 AND status = 'pending'",
        tenant.as_str(),
        &key_id[..],
        status.as_str(),
        detail
    )
    .execute(pool)
    .await?;
    if changed.rows_affected() == 1 {
        return Ok(Some(status));
    }
    Ok(find(pool, tenant, key_id).await?.map(|key| key.status))
}

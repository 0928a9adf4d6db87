//! What tenants have stored: rows of blobs and evaluation keys, how much a tenant may have, and the right to change it.
//!
//! The bytes lie in the blob store, where a blob and a key of the same bytes are one object. Rows and bytes change only in
//! [`Custody`], so that no row is without its bytes, and nothing is counted twice or not at all.

use jobs::{TenantId, UserId};
use sqlx::{PgPool, Postgres, Transaction};

use crate::audit::Note;
use crate::{StoreError, begin, blobs, client_keys};

/// What is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Blob,
    /// A client's evaluation key.
    ClientKey,
}

/// The most that one tenant may have of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub count: u64,
    pub bytes: u64,
}

/// The quotas of every tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    pub blobs: Quota,
    pub client_keys: Quota,
}

impl Quotas {
    /// That of a kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Quota {
        match kind {
            Kind::Blob => self.blobs,
            Kind::ClientKey => self.client_keys,
        }
    }
}

/// Bytes that are to be a tenant's.
#[derive(Clone, Copy, Debug)]
pub struct NewUpload<'a> {
    pub user: &'a UserId,
    pub sha256: [u8; 32],
    /// Length in bytes.
    pub size: u64,
}

/// How much a tenant has of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    pub count: u64,
    pub bytes: u64,
}

/// What became of a row that may have been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    New,
    Known,
    /// A key that was refused: nobody needs its bytes.
    Useless,
    /// It would be more than the quota allows: there is no row.
    Full(Stored),
}

/// What became of a row that was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    Gone,
    /// There was none.
    Missing,
    /// An open job needs it.
    InUse,
}

/// Bytes that no row names any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwanted {
    pub tenant: TenantId,
    pub sha256: [u8; 32],
}

/// The right to change what a tenant has stored, for as long as it is held: nobody else has it meanwhile, in any process.
/// Dropped without [`Custody::release`], no row has changed.
pub struct Custody {
    tx: Transaction<'static, Postgres>,
    tenant: TenantId,
}

impl Custody {
    /// Waits for the right.
    ///
    /// # Errors
    /// The database is away, or there is no such tenant.
    pub async fn of(pool: &PgPool, tenant: &TenantId) -> Result<Self, StoreError> {
        let mut tx = begin(pool).await?;
        sqlx::query_scalar!("SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE", tenant.as_str())
            .fetch_optional(&mut *tx)
            .await?
            .ok_or_else(|| StoreError::corrupt("reference to tenant", tenant))?;
        Ok(Self { tx, tenant: tenant.clone() })
    }

    /// Notes an upload, unless its tenant would have more than `quota`; a row that is there stays, whatever the quota is.
    ///
    /// # Errors
    /// The database is away.
    pub async fn note(&mut self, kind: Kind, upload: NewUpload<'_>, quota: Quota) -> Result<Noted, StoreError> {
        match kind {
            Kind::Blob => blobs::note(&mut self.tx, &self.tenant, upload, quota).await,
            Kind::ClientKey => client_keys::note(&mut self.tx, &self.tenant, upload, quota).await,
        }
    }

    /// Deletes a row, unless an open job needs it. Its bytes are noted as unwanted if nothing else needs them.
    ///
    /// # Errors
    /// The database is away.
    pub async fn remove(&mut self, kind: Kind, sha256: [u8; 32]) -> Result<Removed, StoreError> {
        let removed = match kind {
            Kind::Blob => blobs::remove(&mut self.tx, &self.tenant, sha256).await?,
            Kind::ClientKey => client_keys::remove(&mut self.tx, &self.tenant, sha256).await?,
        };
        if removed == Removed::Gone && !self.is_wanted(sha256).await? {
            sqlx::query!(
                "INSERT INTO unwanted_bytes (tenant, sha256) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                self.tenant.as_str(),
                &sha256[..]
            )
            .execute(&mut *self.tx)
            .await?;
        }
        Ok(removed)
    }

    /// Whether a row needs these bytes. What is not wanted may be removed while the right is held.
    ///
    /// # Errors
    /// The database is away.
    pub async fn is_wanted(&mut self, sha256: [u8; 32]) -> Result<bool, StoreError> {
        let wanted = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM blobs WHERE tenant = $1 AND sha256 = $2)
                   OR EXISTS (SELECT FROM client_keys WHERE tenant = $1 AND key_id = $2 AND status <> 'refused')
                   AS "wanted!""#,
            self.tenant.as_str(),
            &sha256[..]
        )
        .fetch_one(&mut *self.tx)
        .await?;
        Ok(wanted)
    }

    /// Forgets that these bytes are unwanted: they are removed, or wanted again.
    ///
    /// # Errors
    /// The database is away.
    pub async fn settle(&mut self, sha256: [u8; 32]) -> Result<(), StoreError> {
        sqlx::query!("DELETE FROM unwanted_bytes WHERE tenant = $1 AND sha256 = $2", self.tenant.as_str(), &sha256[..])
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// Tells the audit log of the change.
    ///
    /// # Errors
    /// The database is away.
    pub async fn audit(&mut self, note: &Note) -> Result<(), StoreError> {
        note.write(&mut self.tx).await
    }

    /// Gives the right back: what was changed is so from now on.
    ///
    /// # Errors
    /// The database is away: whether it is so, is for the next one to see.
    pub async fn release(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }

    pub(crate) fn tx(&mut self) -> &mut sqlx::PgConnection {
        &mut self.tx
    }
}

/// Bytes that no row named when they were noted, the oldest first, at most `limit`.
///
/// # Errors
/// The database is away.
pub async fn unwanted(pool: &PgPool, limit: i64) -> Result<Vec<Unwanted>, StoreError> {
    let rows = sqlx::query!("SELECT tenant, sha256 FROM unwanted_bytes ORDER BY noted_at LIMIT $1", limit)
        .fetch_all(pool)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Unwanted {
                tenant: row.tenant.parse().map_err(|_| StoreError::corrupt("tenant", &row.tenant))?,
                sha256: crate::jobs::bytes("hash of unwanted bytes", &row.sha256)?,
            })
        })
        .collect()
}

/// Whether a row was deleted; a job that needs it is told by a foreign key.
pub(crate) fn removed(deleted: Result<sqlx::postgres::PgQueryResult, sqlx::Error>) -> Result<Removed, StoreError> {
    match deleted {
        Ok(done) if done.rows_affected() == 0 => Ok(Removed::Missing),
        Ok(_) => Ok(Removed::Gone),
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Ok(Removed::InUse),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn length(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

pub(crate) fn size_of(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| StoreError::corrupt("size", column))
}

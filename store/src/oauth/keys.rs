//! The keys that sign access tokens, encrypted by whoever stores them.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::audit::Draft;
use crate::{StoreError, begin};

/// A key with its time.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// JWK thumbprint.
    pub kid: String,
    /// The private key as it was stored.
    pub sealed: Vec<u8>,
    pub created_at: DateTime<Utc>,
    /// From then on it signs, until a later one does.
    pub signs_from: DateTime<Utc>,
}

/// All keys, in the order in which they sign.
///
/// # Errors
/// The database is away.
pub async fn list(pool: &PgPool) -> Result<Vec<StoredKey>, StoreError> {
    let keys = sqlx::query_as!(
        StoredKey,
        "SELECT kid, sealed, created_at, signs_from FROM token_keys ORDER BY signs_from, kid"
    );
    Ok(keys.fetch_all(pool).await?)
}

/// Adds a key that signs in so many seconds; returns when that is. It concerns every tenant, and stands in the logs of all.
///
/// # Errors
/// The database is away, or has the key.
pub async fn add(
    pool: &PgPool,
    kid: &str,
    sealed: &[u8],
    in_seconds: f64,
    audit: &Draft,
) -> Result<DateTime<Utc>, StoreError> {
    let mut tx = begin(pool).await?;
    let signs_from = sqlx::query_scalar!(
        "INSERT INTO token_keys (kid, sealed, signs_from) VALUES ($1, $2, now() + make_interval(secs => $3))
         RETURNING signs_from",
        kid,
        sealed,
        in_seconds
    )
    .fetch_one(&mut *tx)
    .await?;
    audit.write_everywhere(&mut tx).await?;
    tx.commit().await?;
    Ok(signs_from)
}

/// Adds a key that signs at once, unless one does already. Two processes may both add one: the later signs, both count.
///
/// # Errors
/// The database is away.
pub async fn add_first(pool: &PgPool, kid: &str, sealed: &[u8]) -> Result<bool, StoreError> {
    let added = sqlx::query!(
        "INSERT INTO token_keys (kid, sealed, signs_from)
         SELECT $1, $2, now() WHERE NOT EXISTS (SELECT FROM token_keys WHERE signs_from <= now())",
        kid,
        sealed
    );
    Ok(added.execute(pool).await?.rows_affected() == 1)
}

/// Removes a key at once, with all tokens that it signed; `false` when there is none.
///
/// # Errors
/// The database is away.
pub async fn withdraw(pool: &PgPool, kid: &str, audit: &Draft) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let withdrawn = sqlx::query!("DELETE FROM token_keys WHERE kid = $1", kid).execute(&mut *tx).await?;
    if withdrawn.rows_affected() == 0 {
        return Ok(false);
    }
    audit.write_everywhere(&mut tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// Removes the keys that have not signed for so many seconds, since another one does; returns how many.
///
/// # Errors
/// The database is away.
pub async fn retire(pool: &PgPool, after_seconds: f64) -> Result<u64, StoreError> {
    let retired = sqlx::query!(
        "DELETE FROM token_keys k WHERE EXISTS (
            SELECT FROM token_keys next
             WHERE (next.signs_from, next.kid) > (k.signs_from, k.kid)
               AND next.signs_from < now() - make_interval(secs => $1))",
        after_seconds
    );
    Ok(retired.execute(pool).await?.rows_affected())
}

//! Nonces of signed requests: each counts once, whichever process it comes to.

use chrono::{DateTime, Utc};
use jobs::TenantId;
use sqlx::PgPool;

use crate::StoreError;

/// Whether a nonce was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonce {
    New,
    Used,
}

/// Uses a nonce up. It may be forgotten after `until`, when the request's timestamp alone refuses it.
///
/// # Errors
/// The database is away.
pub async fn spend(pool: &PgPool, tenant: &TenantId, nonce: &str, until: DateTime<Utc>) -> Result<Nonce, StoreError> {
    let done = sqlx::query!(
        "INSERT INTO request_nonces (tenant, nonce, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        tenant.as_str(),
        nonce,
        until
    )
    .execute(pool)
    .await?;
    Ok(if done.rows_affected() == 1 { Nonce::New } else { Nonce::Used })
}

/// Forgets nonces whose time is over, at most `limit`.
///
/// # Errors
/// The database is away.
pub async fn forget(pool: &PgPool, limit: i64) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "DELETE FROM request_nonces WHERE (tenant, nonce) IN (
             SELECT tenant, nonce FROM request_nonces WHERE expires_at < now() LIMIT $1 FOR UPDATE SKIP LOCKED)",
        limit
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

//! What access tokens are refused for before they expire.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::StoreError;

/// Everything that is revoked and not expired yet.
///
/// # Errors
/// The database is away.
pub async fn list(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    // As late as tokens have a leeway, and a little more.
    let subjects =
        sqlx::query_scalar!("SELECT subject FROM oauth_revocations WHERE expires_at > now() - interval '1 minute'");
    Ok(subjects.fetch_all(pool).await?)
}

/// Revokes a token, by its `jti`, until it expires. A second time changes nothing.
///
/// # Errors
/// The database is away.
pub async fn revoke(pool: &PgPool, jti: &str, expires_at: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO oauth_revocations (subject, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        jti,
        expires_at
    )
    .execute(pool)
    .await?;
    Ok(())
}

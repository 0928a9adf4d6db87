//! What access tokens are refused for before they expire.

use chrono::{DateTime, Utc};
use jobs::{Role, TenantId, UserId};
use sqlx::{PgConnection, PgPool};

use crate::StoreError;

/// Seconds for which a change of a user is remembered: longer than any access token lives.
const CHANGE_REMEMBERED: f64 = 86_400.0;

/// What access tokens are refused for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// A token (`jti`), a session, a client, a [`user_subject`] or a [`role_subject`].
    pub subject: String,
    pub at: DateTime<Utc>,
}

/// What a deleted user's tokens are refused for. Unlike the others it counts for tokens that were made before it alone: a
/// user of the same name may be made again.
#[must_use]
pub fn user_subject(tenant: &TenantId, user: &UserId) -> String {
    format!("user:{tenant}/{user}")
}

/// What the tokens of a user are refused for that say more than `role`, which the user was lowered to. As of a deleted
/// user it counts for tokens that were made before it alone.
#[must_use]
pub fn role_subject(tenant: &TenantId, user: &UserId, role: Role) -> String {
    format!("role:{tenant}/{user}/{role}")
}

/// Everything that is revoked and not expired yet.
///
/// # Errors
/// The database is away.
pub async fn list(pool: &PgPool) -> Result<Vec<Revocation>, StoreError> {
    // As late as tokens have a leeway, and a little more.
    let revocations = sqlx::query_as!(
        Revocation,
        "SELECT subject, revoked_at AS at FROM oauth_revocations WHERE expires_at > now() - interval '1 minute'"
    );
    Ok(revocations.fetch_all(pool).await?)
}

/// Notes in the transaction that deletes a user that its tokens count no more.
pub(crate) async fn delete_user(tx: &mut PgConnection, tenant: &TenantId, user: &UserId) -> Result<(), StoreError> {
    revoke_now(tx, user_subject(tenant, user)).await
}

/// Notes in the transaction that lowers a user's role that tokens of more count no more.
pub(crate) async fn lower_user(
    tx: &mut PgConnection,
    tenant: &TenantId,
    user: &UserId,
    role: Role,
) -> Result<(), StoreError> {
    revoke_now(tx, role_subject(tenant, user, role)).await
}

async fn revoke_now(tx: &mut PgConnection, subject: String) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO oauth_revocations (subject, expires_at) VALUES ($1, now() + make_interval(secs => $2))
         ON CONFLICT (subject) DO UPDATE SET revoked_at = EXCLUDED.revoked_at, expires_at = EXCLUDED.expires_at",
        subject,
        CHANGE_REMEMBERED
    )
    .execute(tx)
    .await?;
    Ok(())
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

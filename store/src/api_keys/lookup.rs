//! The key of a request: what it allows now, and that it was used.

use chrono::{DateTime, Utc};
use jobs::{ApiKeyId, KeyMode, Role, Scopes, TenantId, UserId};
use sqlx::PgPool;

use super::mode_of;
use crate::StoreError;
use crate::jobs::bytes;
use crate::users::role_of;

/// Seconds between two notes of a key's use: a busy key costs one write in that time, and not one a request.
const NOTED_EVERY: f64 = 300.0;

/// Whether a key is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    InForce,
    Expired,
    Revoked,
}

/// What is known under a key's id. Whoever shows the key must show one of this hash.
#[derive(Clone, Debug)]
pub struct Known {
    pub hash: [u8; 32],
    pub tenant: TenantId,
    pub user: UserId,
    /// What the user is now.
    pub role: Role,
    pub mode: KeyMode,
    /// Those that the key was made with: more, perhaps, than the role brings by now.
    pub scopes: Scopes,
    pub expires_at: DateTime<Utc>,
    pub state: State,
    /// Its last use was noted too long ago.
    pub use_is_due: bool,
}

/// Looks a key up by its id, as it is now: nothing is remembered, so that what is revoked is refused at once. `None` also
/// of a key whose user is gone.
///
/// # Errors
/// The database is away.
pub async fn known(pool: &PgPool, id: &ApiKeyId) -> Result<Option<Known>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT k.hash, k.tenant, k.user_id, k.mode, k.scopes, k.expires_at, u.role,
                  k.revoked_at IS NOT NULL AS "is_revoked!", k.expires_at <= now() AS "is_expired!",
                  coalesce(k.last_used_at < now() - make_interval(secs => $2), true) AS "use_is_due!"
             FROM api_keys k JOIN users u ON u.tenant = k.tenant AND u.id = k.user_id
            WHERE k.id = $1"#,
        id.as_str(),
        NOTED_EVERY
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(Known {
            hash: bytes("hash of an API key", &row.hash)?,
            tenant: row.tenant.parse().map_err(|_| StoreError::corrupt("tenant", &row.tenant))?,
            user: row.user_id.parse().map_err(|_| StoreError::corrupt("user", &row.user_id))?,
            role: role_of(&row.role)?,
            mode: mode_of(&row.mode)?,
            scopes: Scopes::read(&row.scopes),
            expires_at: row.expires_at,
            state: match (row.is_revoked, row.is_expired) {
                (true, _) => State::Revoked,
                (false, true) => State::Expired,
                (false, false) => State::InForce,
            },
            use_is_due: row.use_is_due,
        })
    })
    .transpose()
}

/// Notes that a key was used. Of requests at once one does, and the others do not wait for it.
///
/// # Errors
/// The database is away.
pub async fn used(pool: &PgPool, id: &ApiKeyId) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE api_keys SET last_used_at = now()
          WHERE id = (SELECT id FROM api_keys
                       WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - make_interval(secs => $2))
                       FOR UPDATE SKIP LOCKED)",
        id.as_str(),
        NOTED_EVERY
    )
    .execute(pool)
    .await?;
    Ok(())
}

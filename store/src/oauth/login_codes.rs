//! One-time codes that an operator gives to a person, who lets a device in with it.

use chrono::{DateTime, Utc};
use jobs::{TenantId, UserId};
use sqlx::PgPool;

use super::SecretHash;
use crate::StoreError;
use crate::begin;

/// Codes of devices that there are not after which a login code counts no more.
const MOST_MISSES: i32 = 5;

/// What a person decides about a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Deny,
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    Done {
        tenant: String,
        user: String,
    },
    /// The login code is none, was used, or has expired.
    NotTheirs,
    /// No device waits under that code.
    NoDevice,
}

/// Adds a code for a user, which lives for so many seconds; `None` when there is no such user, else when it expires.
///
/// # Errors
/// The database is away.
pub async fn create(
    pool: &PgPool,
    (tenant, user): (&TenantId, &UserId),
    hash: SecretHash,
    lifetime: f64,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let expires_at = sqlx::query_scalar!(
        "INSERT INTO login_codes (hash, tenant, user_id, expires_at)
         SELECT $3, tenant, id, now() + make_interval(secs => $4) FROM users WHERE tenant = $1 AND id = $2
         RETURNING expires_at",
        tenant.as_str(),
        user.as_str(),
        &hash[..],
        lifetime
    );
    Ok(expires_at.fetch_optional(pool).await?)
}

/// Decides about the device that waits under `user_code`, as the person whose login code this is. The code is used up.
///
/// # Errors
/// The database is away.
pub async fn decide(
    pool: &PgPool,
    login_code: SecretHash,
    user_code: &str,
    decision: Decision,
) -> Result<Decided, StoreError> {
    let mut tx = begin(pool).await?;
    let person = sqlx::query!(
        "SELECT tenant, user_id FROM login_codes
          WHERE hash = $1 AND used_at IS NULL AND expires_at > now() AND misses < $2 FOR UPDATE",
        &login_code[..],
        MOST_MISSES
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(person) = person else { return Ok(Decided::NotTheirs) };
    let approved = decision == Decision::Approve;
    let decided = sqlx::query!(
        "UPDATE device_logins
            SET status = CASE WHEN $2 THEN 'approved' ELSE 'denied' END,
                tenant = CASE WHEN $2 THEN $3 END, user_id = CASE WHEN $2 THEN $4 END
          WHERE user_code = $1 AND status = 'pending' AND expires_at > now()",
        user_code,
        approved,
        person.tenant,
        person.user_id
    )
    .execute(&mut *tx)
    .await?;
    let found = decided.rows_affected() == 1;
    sqlx::query!(
        "UPDATE login_codes SET used_at = CASE WHEN $2 THEN now() END, misses = misses + CASE WHEN $2 THEN 0 ELSE 1 END
          WHERE hash = $1",
        &login_code[..],
        found
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(if found { Decided::Done { tenant: person.tenant, user: person.user_id } } else { Decided::NoDevice })
}

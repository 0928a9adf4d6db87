//! One-time codes that an operator gives to a person, who lets a device in with it.

use chrono::{DateTime, Utc};
use jobs::{TenantId, UserId};
use sqlx::PgPool;

use super::{SecretHash, named};
use crate::StoreError;
use crate::audit::Note;
use crate::begin;

/// Codes of devices that there are not after which a login code counts no more.
const MOST_MISSES: i32 = 5;

/// What a person decides about a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Deny,
}

/// Whom a login code was given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub tenant: TenantId,
    pub user: UserId,
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    Done(Person),
    /// The login code is none; or it was used, has expired or missed too often: then it was this person's.
    NotTheirs(Option<Person>),
    /// No device waits under that code.
    NoDevice(Person),
}

/// Adds a code for a user, which lives for so many seconds; `None` when there is no such user or its tenant is closed, else
/// when it expires.
///
/// # Errors
/// The database is away.
pub async fn create(
    pool: &PgPool,
    (tenant, user): (&TenantId, &UserId),
    hash: SecretHash,
    lifetime: f64,
    audit: &Note,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let mut tx = begin(pool).await?;
    let expires_at = sqlx::query_scalar!(
        "INSERT INTO login_codes (hash, tenant, user_id, expires_at)
         SELECT $3, u.tenant, u.id, now() + make_interval(secs => $4) FROM users u JOIN tenants t ON t.id = u.tenant
          WHERE u.tenant = $1 AND u.id = $2 AND t.closed_at IS NULL
         RETURNING expires_at",
        tenant.as_str(),
        user.as_str(),
        &hash[..],
        lifetime
    )
    .fetch_optional(&mut *tx)
    .await?;
    if expires_at.is_some() {
        audit.write(&mut tx).await?;
        tx.commit().await?;
    }
    Ok(expires_at)
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
    let row = sqlx::query!(
        r#"SELECT tenant, user_id, used_at IS NULL AND expires_at > now() AND misses < $2 AS "counts!"
             FROM login_codes WHERE hash = $1 FOR UPDATE"#,
        &login_code[..],
        MOST_MISSES
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(Decided::NotTheirs(None)) };
    let (tenant, user) = named(&row.tenant, &row.user_id)?;
    let person = Person { tenant, user };
    if !row.counts {
        return Ok(Decided::NotTheirs(Some(person)));
    }
    let approved = decision == Decision::Approve;
    let decided = sqlx::query!(
        "UPDATE device_logins
            SET status = CASE WHEN $2 THEN 'approved' ELSE 'denied' END,
                tenant = CASE WHEN $2 THEN $3 END, user_id = CASE WHEN $2 THEN $4 END
          WHERE user_code = $1 AND status = 'pending' AND expires_at > now()",
        user_code,
        approved,
        row.tenant,
        row.user_id
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
    Ok(if found { Decided::Done(person) } else { Decided::NoDevice(person) })
}

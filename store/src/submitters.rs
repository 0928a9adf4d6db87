//! Submitter addresses: a nonce is given out, comes back signed by the address's key, and is used up.

use chrono::{DateTime, Utc};
use jobs::{TenantId, UserId};
use sqlx::PgPool;

use crate::audit::Note;
use crate::jobs::bytes;
use crate::{StoreError, begin};

/// Challenges that one user may have open: beyond them the oldest is forgotten.
const OPEN_CHALLENGES: i64 = 10;

/// A proof that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    pub tenant: &'a TenantId,
    pub user: &'a UserId,
    pub submitter: [u8; 20],
    pub nonce: [u8; 32],
    pub expires_at: DateTime<Utc>,
}

/// What a nonce was given out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub submitter: [u8; 20],
    pub expires_at: DateTime<Utc>,
}

/// What became of a proof that was found to be good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    At(DateTime<Utc>),
    /// Its nonce was used before.
    Replayed,
    /// It came too late.
    Expired,
    /// The address is another user's.
    Taken,
    /// The user was deleted meanwhile.
    NoSuchUser,
}

/// Notes a challenge, and forgets the user's that are over; tells whether there is such a user.
///
/// # Errors
/// The database is away.
pub async fn challenge(pool: &PgPool, challenge: &Challenge<'_>, audit: &Note) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let noted = sqlx::query!(
        "WITH forgotten AS (
             DELETE FROM submitter_challenges
              WHERE tenant = $1 AND user_id = $2
                AND (expires_at < now() - interval '1 day'
                     OR nonce IN (SELECT nonce FROM submitter_challenges
                                   WHERE tenant = $1 AND user_id = $2 AND used_at IS NULL
                                   ORDER BY created_at DESC OFFSET $6))
         )
         INSERT INTO submitter_challenges (nonce, tenant, user_id, submitter, expires_at)
         SELECT $3, tenant, id, $4, $5 FROM users WHERE tenant = $1 AND id = $2",
        challenge.tenant.as_str(),
        challenge.user.as_str(),
        &challenge.nonce[..],
        &challenge.submitter[..],
        challenge.expires_at,
        OPEN_CHALLENGES - 1
    )
    .execute(&mut *tx)
    .await?;
    if noted.rows_affected() == 1 {
        audit.write(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(noted.rows_affected() == 1)
}

/// What a user's nonce was given out for; `None` of one that was not, or not to this user.
///
/// # Errors
/// The database is away.
pub async fn asked(
    pool: &PgPool,
    tenant: &TenantId,
    user: &UserId,
    nonce: &[u8; 32],
) -> Result<Option<Asked>, StoreError> {
    let row = sqlx::query!(
        "SELECT submitter, expires_at FROM submitter_challenges WHERE nonce = $1 AND tenant = $2 AND user_id = $3",
        &nonce[..],
        tenant.as_str(),
        user.as_str()
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| Ok(Asked { submitter: bytes("submitter", &row.submitter)?, expires_at: row.expires_at })).transpose()
}

/// Uses the nonce up and makes its address the user's. What is refused leaves the nonce as it was.
///
/// # Errors
/// The database is away.
pub async fn register(
    pool: &PgPool,
    tenant: &TenantId,
    user: &UserId,
    nonce: &[u8; 32],
    audit: &Note,
) -> Result<Registered, StoreError> {
    let mut tx = begin(pool).await?;
    let challenge = sqlx::query!(
        r#"SELECT submitter, used_at IS NOT NULL AS "used!", expires_at <= now() AS "expired!"
             FROM submitter_challenges WHERE nonce = $1 AND tenant = $2 AND user_id = $3 FOR UPDATE"#,
        &nonce[..],
        tenant.as_str(),
        user.as_str()
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(challenge) = challenge else { return Ok(Registered::NoSuchUser) };
    if challenge.used {
        return Ok(Registered::Replayed);
    }
    if challenge.expired {
        return Ok(Registered::Expired);
    }
    sqlx::query!("UPDATE submitter_challenges SET used_at = now() WHERE nonce = $1", &nonce[..])
        .execute(&mut *tx)
        .await?;
    let registered = sqlx::query_scalar!(
        r#"UPDATE users SET submitter = $3, submitter_registered_at = now() WHERE tenant = $1 AND id = $2
           RETURNING submitter_registered_at AS "at!""#,
        tenant.as_str(),
        user.as_str(),
        &challenge.submitter[..]
    )
    .fetch_optional(&mut *tx)
    .await;
    match registered {
        Ok(Some(at)) => {
            audit.write(&mut tx).await?;
            tx.commit().await?;
            Ok(Registered::At(at))
        }
        Ok(None) => Ok(Registered::NoSuchUser),
        Err(error) if is_taken(&error) => Ok(Registered::Taken),
        Err(error) => Err(error.into()),
    }
}

fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.constraint()) == Some("users_by_submitter")
}

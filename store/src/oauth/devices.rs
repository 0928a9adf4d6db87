//! Logins by the device grant (RFC 8628): begun by a device, decided by a person, redeemed by the device.

use sqlx::PgPool;
use uuid::Uuid;

use super::{Holder, SecretHash, sessions};
use crate::StoreError;
use crate::begin;

/// Seconds by which the interval grows with each poll that comes too early (RFC 8628 section 3.5).
const SLOWER: i32 = 5;

/// A login that a device begins.
#[derive(Clone, Copy, Debug)]
pub struct NewLogin<'a> {
    pub device: SecretHash,
    pub user_code: &'a str,
    pub client: &'a str,
    /// Empty: all that the person may.
    pub scope: &'a str,
    /// In seconds.
    pub lifetime: f64,
    /// Between two polls, in seconds.
    pub interval: i32,
}

/// A device that asks whether it was let in.
#[derive(Clone, Copy, Debug)]
pub struct Poll<'a> {
    pub device: SecretHash,
    pub client: &'a str,
    /// The refresh token that it gets in that case.
    pub refresh_token: SecretHash,
    /// Its lifetime in seconds.
    pub lifetime: f64,
}

/// What a device is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    /// It is let in: the session is open.
    LetIn {
        session: Uuid,
        holder: Holder,
        scope: String,
    },
    Pending,
    TooEarly,
    Denied,
    Expired,
    /// There is no such login, it is another client's, or it was redeemed.
    Unknown,
}

/// Begins a login; `false` when its user code is taken.
///
/// # Errors
/// The database is away.
pub async fn start(pool: &PgPool, login: NewLogin<'_>) -> Result<bool, StoreError> {
    let begun = sqlx::query!(
        "INSERT INTO device_logins (device_hash, user_code, client_id, scope, expires_at, interval_seconds)
         VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5), $6) ON CONFLICT DO NOTHING",
        &login.device[..],
        login.user_code,
        login.client,
        login.scope,
        login.lifetime,
        login.interval
    );
    Ok(begun.execute(pool).await?.rows_affected() == 1)
}

/// Answers a poll. `grant` says which scopes a user with a role gets of those that were asked for: none is a denial.
///
/// # Errors
/// The database is away.
pub async fn poll(
    pool: &PgPool,
    poll: Poll<'_>,
    grant: impl FnOnce(&str, &str) -> Option<String>,
) -> Result<Polled, StoreError> {
    let mut tx = begin(pool).await?;
    let row = sqlx::query!(
        r#"SELECT d.status, d.client_id, d.scope, d.tenant, d.user_id, u.role AS "role?",
                  d.expires_at <= now() AS "expired!",
                  coalesce(d.polled_at + make_interval(secs => d.interval_seconds - 1) > now(), false) AS "early!"
             FROM device_logins d LEFT JOIN users u ON u.tenant = d.tenant AND u.id = d.user_id
            WHERE d.device_hash = $1 FOR UPDATE OF d"#,
        &poll.device[..]
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row.filter(|row| row.client_id == poll.client) else { return Ok(Polled::Unknown) };
    let person = match (row.status.as_str(), row.tenant, row.user_id, row.role) {
        ("redeemed", ..) => return Ok(Polled::Unknown),
        ("denied", ..) => return Ok(Polled::Denied),
        _ if row.expired => return Ok(Polled::Expired),
        ("approved", Some(tenant), Some(user), Some(role)) => Holder::of(tenant, user, role)?,
        _ => {
            let slower = if row.early { SLOWER } else { 0 };
            sqlx::query!(
                "UPDATE device_logins SET polled_at = now(), interval_seconds = interval_seconds + $2
                  WHERE device_hash = $1",
                &poll.device[..],
                slower
            )
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            return Ok(if row.early { Polled::TooEarly } else { Polled::Pending });
        }
    };
    let Some(scope) = grant(&row.scope, &person.role) else { return Ok(Polled::Denied) };
    let who = (&person.tenant, &person.user);
    let session =
        sessions::open(&mut tx, who, (poll.client, scope.as_str()), poll.refresh_token, poll.lifetime).await?;
    sqlx::query!("UPDATE device_logins SET status = 'redeemed' WHERE device_hash = $1", &poll.device[..])
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Polled::LetIn { session, holder: person, scope })
}

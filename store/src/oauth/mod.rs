//! Our own issuer of access tokens: keys, clients, revocations, sessions and logins. Secrets come in as hashes.

pub mod clients;
pub mod devices;
pub mod keys;
pub mod login_codes;
pub mod revocations;
pub mod sessions;

use jobs::{TenantId, UserId};
use sqlx::PgPool;

use crate::StoreError;

/// SHA-256 of something that lets its holder in.
pub type SecretHash = [u8; 32];

/// A registered user, as tokens are made for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub tenant: TenantId,
    pub user: UserId,
    /// What the user is in the tenant now.
    pub role: String,
}

impl Holder {
    fn of(tenant: String, user: String, role: String) -> Result<Self, StoreError> {
        let (tenant, user) = named(&tenant, &user)?;
        Ok(Self { tenant, user, role })
    }
}

/// The names of a tenant and its user, as columns have them.
fn named(tenant: &str, user: &str) -> Result<(TenantId, UserId), StoreError> {
    Ok((
        tenant.parse().map_err(|_| StoreError::corrupt("tenant", tenant))?,
        user.parse().map_err(|_| StoreError::corrupt("user", user))?,
    ))
}

/// Removes what has expired and nothing asks for any more; returns how many rows that were.
///
/// # Errors
/// The database is away.
pub async fn sweep(pool: &PgPool) -> Result<u64, StoreError> {
    let mut swept = 0;
    // A minute late: clocks differ, and tokens have a leeway.
    let revocations = sqlx::query!("DELETE FROM oauth_revocations WHERE expires_at < now() - interval '1 minute'");
    swept += revocations.execute(pool).await?.rows_affected();
    let assertions = sqlx::query!("DELETE FROM oauth_assertions WHERE expires_at < now() - interval '1 minute'");
    swept += assertions.execute(pool).await?.rows_affected();
    swept += sqlx::query!("DELETE FROM login_codes WHERE expires_at < now()").execute(pool).await?.rows_affected();
    // A device that asks late is told that its code has expired.
    let devices = sqlx::query!("DELETE FROM device_logins WHERE expires_at < now() - interval '1 hour'");
    swept += devices.execute(pool).await?.rows_affected();
    swept += sqlx::query!("DELETE FROM refresh_tokens WHERE expires_at < now()").execute(pool).await?.rows_affected();
    let sessions = sqlx::query!(
        "DELETE FROM oauth_sessions s
          WHERE created_at < now() - interval '1 hour'
            AND NOT EXISTS (SELECT FROM refresh_tokens t WHERE t.session = s.id)"
    );
    swept += sessions.execute(pool).await?.rows_affected();
    Ok(swept)
}

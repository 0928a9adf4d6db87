//! What the billing system told by its webhook.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::StoreError;

/// Whether a notice was heard before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    New,
    Known,
}

/// Notes what the billing system told, once for each unique key.
///
/// # Errors
/// The database is away.
pub async fn hear(pool: &PgPool, unique_key: &str, kind: &str, body: &str) -> Result<Heard, StoreError> {
    let noted = sqlx::query!(
        "INSERT INTO billing_notices (unique_key, kind, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        unique_key,
        kind,
        body
    )
    .execute(pool)
    .await?;
    Ok(if noted.rows_affected() == 1 { Heard::New } else { Heard::Known })
}

/// Forgets what the billing system told `age_days` ago. It repeats nothing for so long; what somebody else repeats by then
/// would be heard as new.
///
/// # Errors
/// The database is away.
pub async fn forget(pool: &PgPool, age_days: i32) -> Result<u64, StoreError> {
    let done =
        sqlx::query!("DELETE FROM billing_notices WHERE received_at < now() - make_interval(days => $1)", age_days)
            .execute(pool)
            .await?;
    Ok(done.rows_affected())
}

/// What the billing system told.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Its `webhook_type`.
    pub kind: String,
    /// As it came, JSON.
    pub body: String,
    pub received_at: DateTime<Utc>,
}

/// Which notices.
#[derive(Clone, Copy, Debug, Default)]
pub struct Which<'a> {
    /// Of these kinds; of every kind when not given.
    pub kinds: Option<&'a [String]>,
    /// Received then or later.
    pub since: Option<DateTime<Utc>>,
}

/// What the billing system told, the newest first, at most `limit`.
///
/// # Errors
/// The database is away.
pub async fn list(pool: &PgPool, which: Which<'_>, limit: i64) -> Result<Vec<Notice>, StoreError> {
    let notices = sqlx::query_as!(
        Notice,
        "SELECT kind, body, received_at FROM billing_notices
          WHERE ($1::text[] IS NULL OR kind = ANY($1)) AND ($2::timestamptz IS NULL OR received_at >= $2)
          ORDER BY received_at DESC, unique_key LIMIT $3",
        which.kinds,
        which.since,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(notices)
}

/// The kinds of what it told, each once. What a kind means is known to [`jobs::billing_notice`], and to no query.
///
/// # Errors
/// The database is away.
pub async fn kinds(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    let kinds = sqlx::query_scalar!("SELECT DISTINCT kind FROM billing_notices ORDER BY kind").fetch_all(pool).await?;
    Ok(kinds)
}

//! Transactions that are begun whole, or not at all.

use sqlx::{PgPool, Postgres, Transaction};

use crate::StoreError;

/// Begins a transaction, by a task of its own: whoever stops waiting leaves none open.
///
/// sqlx 0.9.0 knows of a transaction once its BEGIN is answered. A future that is dropped between the two gives a
/// connection back with a transaction that nobody ends (transact-rs/sqlx issue 4385), in which other people's statements
/// then wait to be committed. A begun transaction that is not wanted any more is rolled back.
///
/// # Errors
/// The database is away.
pub async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, StoreError> {
    let pool = pool.clone();
    #[allow(clippy::disallowed_methods, reason = "the one place that waits for its end")]
    let begun = tokio::spawn(async move { pool.begin().await });
    // The task ends early with its runtime alone.
    Ok(begun.await.map_err(|_| sqlx::Error::WorkerCrashed)??)
}

//! Who runs a registry's batcher: one process, as long as its connection lives.

use std::time::Duration;

use alloy::primitives::Address;
use sqlx::{PgConnection, PgPool};
use tokio::time::timeout;

use super::Registry;
use crate::StoreError;

/// Seconds of silence after which the database asks whether the leader's host is still there ...
const KEEPALIVE_IDLE: u64 = 15;
/// ... seconds between two questions ...
const KEEPALIVE_INTERVAL: u64 = 5;
/// ... and how many without an answer end its connection.
const KEEPALIVE_COUNT: u64 = 3;
/// How long the leader waits for an answer: shorter than the database does for the leader's host, so that nobody else
/// leads yet when this one stops.
const PATIENCE: Duration = Duration::from_secs(10);

/// The right to run a registry's batcher: while it lives, nobody else has it. It ends with its connection, also when the
/// leader's host goes without a word: the database would notice after hours, and is told to ask.
pub struct Leadership {
    connection: PgConnection,
}

/// Takes the leadership over a registry, or `None` when another process has it.
///
/// # Errors
/// The database is away.
pub async fn lead(pool: &PgPool, on: &Registry) -> Result<Option<Leadership>, StoreError> {
    let mut connection = pool.acquire().await?.detach();
    sqlx::query!(
        "SELECT set_config('tcp_keepalives_idle', $1, false) AS idle,
                set_config('tcp_keepalives_interval', $2, false) AS gap,
                set_config('tcp_keepalives_count', $3, false) AS tries",
        KEEPALIVE_IDLE.to_string(),
        KEEPALIVE_INTERVAL.to_string(),
        KEEPALIVE_COUNT.to_string()
    )
    .fetch_one(&mut connection)
    .await?;
    let name = format!("batcher/{}/{}", on.chain_id, Address::from(on.address));
    let locked = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS "locked!""#, name)
        .fetch_one(&mut connection)
        .await?;
    Ok(locked.then_some(Leadership { connection }))
}

impl Leadership {
    /// Seconds within which the database notices that the leader's host is gone.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn patience_seconds(&mut self) -> Result<i64, StoreError> {
        let seconds = sqlx::query_scalar!(
            r#"SELECT current_setting('tcp_keepalives_idle')::bigint
                      + current_setting('tcp_keepalives_interval')::bigint
                        * current_setting('tcp_keepalives_count')::bigint AS "seconds!""#
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(seconds)
    }

    /// Whether the leadership still stands.
    ///
    /// # Errors
    /// The connection is gone, and the leadership with it; or the database has said nothing for 10 s, and may give it to
    /// another process. Then this value is of no more use.
    pub async fn check(&mut self) -> Result<(), StoreError> {
        self.check_within(PATIENCE).await
    }

    /// As [`Self::check`], with another patience.
    ///
    /// # Errors
    /// As there.
    pub async fn check_within(&mut self, patience: Duration) -> Result<(), StoreError> {
        let answer = sqlx::query_scalar!("SELECT 1").fetch_one(&mut self.connection);
        timeout(patience, answer).await.map_err(|_| StoreError::Silent(patience))??;
        Ok(())
    }
}

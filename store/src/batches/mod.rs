//! Sealed batches on their way to the chain: what is open. A file each for their completion, for what it costs, for what
//! becomes of the confirmed ones, and for who leads. What carries them stands in `transactions`.

mod completion;
mod gas;
mod leadership;
mod refusal;
mod watch;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::StoreError;
use crate::jobs::bytes;

pub use completion::{Anchor, complete};
pub use gas::Gas;
pub use leadership::{Leadership, lead};
pub use refusal::{abandon, note_refused, search_from};
pub(crate) use watch::MARGIN;
pub use watch::{AnchoredBatch, Finality, Horizon, anchored, finalize, lift};

/// Whose batches: one batcher looks after one registry.
#[derive(Clone, Copy, Debug)]
pub struct Registry {
    pub chain_id: i64,
    pub address: [u8; 20],
}

/// A batch whose event has not N confirmations yet.
#[derive(Clone, Debug)]
pub struct OpenBatch {
    pub id: Uuid,
    pub root: [u8; 32],
    pub entries: Value,
    pub job_count: i32,
    pub from_block: i64,
    pub sealed_at: DateTime<Utc>,
    pub was_sent: bool,
}

/// Batches to be sent or watched, oldest first, but for those that are to be left alone.
///
/// # Errors
/// The database is away.
pub async fn open(pool: &PgPool, on: &Registry, resting: &[Uuid], limit: i64) -> Result<Vec<OpenBatch>, StoreError> {
    let rows = sqlx::query!(
        "SELECT id, root, entries, job_count, from_block, sealed_at, status FROM batches
          WHERE status IN ('SEALED', 'SENT') AND chain_id = $1 AND registry = $2 AND id <> ALL($3)
          ORDER BY sealed_at LIMIT $4",
        on.chain_id,
        &on.address[..],
        resting,
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(OpenBatch {
                id: row.id,
                root: bytes("root", &row.root)?,
                entries: row.entries,
                job_count: row.job_count,
                from_block: row.from_block,
                sealed_at: row.sealed_at,
                was_sent: row.status == "SENT",
            })
        })
        .collect()
}

/// Those of these batches that are not confirmed yet.
///
/// # Errors
/// The database is away.
pub async fn still_open(pool: &PgPool, batches: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
    let open =
        sqlx::query_scalar!("SELECT id FROM batches WHERE id = ANY($1) AND status IN ('SEALED', 'SENT')", batches)
            .fetch_all(pool)
            .await?;
    Ok(open)
}

/// Lets batches whose first possible block lies beyond the newest one be looked for everywhere: the chain forgot.
///
/// # Errors
/// The database is away.
pub async fn widen_search(pool: &PgPool, on: &Registry, newest_block: i64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE batches SET from_block = 0
          WHERE status IN ('SEALED', 'SENT') AND chain_id = $1 AND registry = $2 AND from_block > $3",
        on.chain_id,
        &on.address[..],
        newest_block
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Jobs that wait for their confirmation.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// How many are in no batch yet.
    pub unsealed: i64,
    /// Since when the oldest of all waits, sealed or not.
    pub oldest: Option<DateTime<Utc>>,
}

/// Who waits: jobs of no batch, and those of a registry's batches that were never confirmed.
///
/// # Errors
/// The database is away.
pub async fn waiting(pool: &PgPool, on: &Registry) -> Result<Waiting, StoreError> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM confirmations WHERE batch_id IS NULL) AS "unsealed!",
                  least((SELECT min(created_at) FROM confirmations WHERE batch_id IS NULL),
                        (SELECT min(c.created_at) FROM batches b JOIN confirmations c ON c.batch_id = b.id
                          WHERE b.status IN ('SEALED', 'SENT') AND b.confirmed_at IS NULL
                            AND b.chain_id = $1 AND b.registry = $2)) AS oldest"#,
        on.chain_id,
        &on.address[..]
    )
    .fetch_one(pool)
    .await?;
    Ok(Waiting { unsealed: row.unsealed, oldest: row.oldest })
}

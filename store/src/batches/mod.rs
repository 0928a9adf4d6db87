//! Sealed batches on their way to the chain: what is open, and the write-ahead of transactions. A file each for their
//! completion, for what becomes of the confirmed ones, and for who leads.

mod completion;
mod leadership;
mod watch;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::StoreError;
use crate::jobs::bytes;

pub use completion::{Anchor, complete};
pub use leadership::{Leadership, lead};
pub use watch::{AnchoredBatch, Horizon, anchored, finalize, lift};

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

/// A transaction that carries a batch; committed before its bytes are sent.
#[derive(Clone, Debug)]
pub struct Transaction {
    pub tx_hash: [u8; 32],
    pub sender: [u8; 20],
    pub nonce: u64,
    pub raw: Vec<u8>,
    /// Wei, decimal.
    pub max_fee_per_gas: u128,
    /// Wei, decimal.
    pub max_priority_fee_per_gas: u128,
    pub created_at: DateTime<Utc>,
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

/// Notes a transaction before it is sent.
///
/// # Errors
/// The database is away; then nothing may be sent.
pub async fn write_ahead(pool: &PgPool, batch: Uuid, transaction: &Transaction) -> Result<(), StoreError> {
    let mut tx = pool.begin().await?;
    sqlx::query!(
        "INSERT INTO chain_transactions (tx_hash, batch_id, sender, nonce, raw, max_fee_per_gas, max_priority_fee_per_gas)
         VALUES ($1, $2, $3, $4, $5, $6::text::numeric, $7::text::numeric)",
        &transaction.tx_hash[..],
        batch,
        &transaction.sender[..],
        transaction.nonce.cast_signed(),
        transaction.raw,
        transaction.max_fee_per_gas.to_string(),
        transaction.max_priority_fee_per_gas.to_string()
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("UPDATE batches SET status = 'SENT' WHERE id = $1 AND status = 'SEALED'", batch)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// The transactions of a batch, newest first.
///
/// # Errors
/// The database is away.
pub async fn transactions(pool: &PgPool, batch: Uuid) -> Result<Vec<Transaction>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT tx_hash, sender, nonce, raw, max_fee_per_gas::text AS "max_fee!",
                  max_priority_fee_per_gas::text AS "priority_fee!", created_at
             FROM chain_transactions WHERE batch_id = $1 ORDER BY created_at DESC"#,
        batch
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Transaction {
                tx_hash: bytes("transaction hash", &row.tx_hash)?,
                sender: bytes("sender", &row.sender)?,
                nonce: row.nonce.cast_unsigned(),
                raw: row.raw,
                max_fee_per_gas: row.max_fee.parse().map_err(|_| StoreError::corrupt("fee", &row.max_fee))?,
                max_priority_fee_per_gas: row
                    .priority_fee
                    .parse()
                    .map_err(|_| StoreError::corrupt("fee", &row.priority_fee))?,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// Nonces of a sender that are written down and may still land: of each sent batch on the chain the newest
/// transaction's, but for `but`, which is about to get another.
///
/// # Errors
/// The database is away.
pub async fn open_nonces(pool: &PgPool, chain_id: i64, sender: [u8; 20], but: Uuid) -> Result<Vec<u64>, StoreError> {
    let nonces = sqlx::query_scalar!(
        "SELECT DISTINCT ON (b.id) t.nonce FROM batches b JOIN chain_transactions t ON t.batch_id = b.id
          WHERE b.status = 'SENT' AND b.chain_id = $1 AND t.sender = $2 AND b.id <> $3
          ORDER BY b.id, t.created_at DESC",
        chain_id,
        &sender[..],
        but
    )
    .fetch_all(pool)
    .await?;
    Ok(nonces.into_iter().map(i64::cast_unsigned).collect())
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

/// How many jobs wait to be sealed, and since when the oldest.
///
/// # Errors
/// The database is away.
pub async fn waiting(pool: &PgPool) -> Result<(i64, Option<DateTime<Utc>>), StoreError> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "count!", min(created_at) AS oldest FROM confirmations WHERE batch_id IS NULL"#
    )
    .fetch_one(pool)
    .await?;
    Ok((row.count, row.oldest))
}

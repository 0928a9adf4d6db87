//! Transactions that we signed: written down before they are sent, and followed until a block holds one of each nonce
//! for good. A batch may have several: the same nonce with higher fees, or another nonce when a stranger used the first.

mod moves;
mod state;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use crate::batches::Registry;
use crate::jobs::bytes;
use crate::{StoreError, begin};

pub use moves::{abandon, filler_is_deep, forget_overtaken, landed, note_overtaken, note_sent, return_to_pool};
pub(crate) use moves::{confirm, finalize, lift};
pub use state::{ALL, MOVES, TransactionState};

/// A signed transaction, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    pub tx_hash: [u8; 32],
    pub sender: [u8; 20],
    pub nonce: u64,
    /// EIP-2718 bytes.
    pub raw: Vec<u8>,
    /// Wei for a unit of gas.
    pub max_fee_per_gas: u128,
    /// Wei for a unit of gas.
    pub max_priority_fee_per_gas: u128,
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It confirms its batch.
    Batch,
    /// It uses up a nonce that stands before its batch's.
    Filler,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "BATCH",
            Self::Filler => "FILLER",
        }
    }
}

/// A block that held a transaction when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InBlock {
    pub number: i64,
    pub hash: [u8; 32],
}

/// A transaction and what became of it.
#[derive(Clone, Debug)]
pub struct Tracked {
    pub batch: Uuid,
    pub purpose: Purpose,
    pub transaction: Transaction,
    pub state: TransactionState,
    pub created_at: DateTime<Utc>,
    /// When a node took it last.
    pub sent_at: Option<DateTime<Utc>>,
    pub block: Option<InBlock>,
    /// Newest block when a stranger's transaction was first seen to have used the nonce.
    pub overtaken_block: Option<i64>,
    /// What became of the batch that it is for.
    pub need: Need,
}

/// Whether a batch still waits for a transaction of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Waits,
    /// It is confirmed, or was given up: the registry refuses whatever else confirms it.
    Settled,
}

/// Whether a transaction was written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// It may be sent.
    Ahead,
    /// Another batch has the nonce: nothing may be sent.
    NonceTaken,
}

/// Notes a transaction before it is sent. A nonce belongs to one batch as long as one of its transactions may land. The
/// very bytes of one that was given up are that transaction again.
///
/// # Errors
/// The database is away; then nothing may be sent.
pub async fn write_ahead(
    pool: &PgPool,
    batch: Uuid,
    purpose: Purpose,
    transaction: &Transaction,
) -> Result<Written, StoreError> {
    let mut tx = begin(pool).await?;
    // Two batchers may send with one key; one of them at a time takes a nonce.
    sqlx::query_scalar!(
        r#"SELECT 1 AS "locked!" FROM pg_advisory_xact_lock(hashtextextended('nonce/' || encode($1::bytea, 'hex'), 0))"#,
        &transaction.sender[..]
    )
    .fetch_one(&mut *tx)
    .await?;
    let written = sqlx::query!(
        "INSERT INTO chain_transactions (tx_hash, batch_id, sender, nonce, raw, max_fee_per_gas, max_priority_fee_per_gas,
                                         purpose, state)
         SELECT $1::bytea, $2::uuid, $3::bytea, $4::bigint, $5::bytea, $6::text::numeric, $7::text::numeric, $8::text,
                'SIGNED'
          WHERE NOT EXISTS (
              SELECT 1 FROM chain_transactions t JOIN batches theirs ON theirs.id = t.batch_id
                       JOIN batches ours ON ours.id = $2 AND ours.chain_id = theirs.chain_id
               WHERE t.sender = $3 AND t.nonce = $4 AND t.batch_id <> $2
                 AND t.state IN ('SIGNED', 'SENT', 'MINED', 'REVERTED'))
         ON CONFLICT (tx_hash) DO UPDATE
            SET state = CASE chain_transactions.state WHEN 'SIGNED' THEN 'SIGNED' ELSE 'SENT' END, sent_at = NULL,
                block_number = NULL, block_hash = NULL, overtaken_block = NULL, reason = NULL",
        &transaction.tx_hash[..],
        batch,
        &transaction.sender[..],
        transaction.nonce.cast_signed(),
        transaction.raw,
        transaction.max_fee_per_gas.to_string(),
        transaction.max_priority_fee_per_gas.to_string(),
        purpose.as_str()
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if written == 0 {
        return Ok(Written::NonceTaken);
    }
    if purpose == Purpose::Batch {
        sqlx::query!("UPDATE batches SET status = 'SENT' WHERE id = $1 AND status = 'SEALED'", batch)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(Written::Ahead)
}

/// A row as the database holds it.
struct Row {
    batch_id: Uuid,
    purpose: String,
    tx_hash: Vec<u8>,
    sender: Vec<u8>,
    nonce: i64,
    raw: Vec<u8>,
    max_fee: String,
    priority_fee: String,
    state: String,
    created_at: DateTime<Utc>,
    sent_at: Option<DateTime<Utc>>,
    block_number: Option<i64>,
    block_hash: Option<Vec<u8>>,
    overtaken_block: Option<i64>,
    batch_status: String,
}

impl TryFrom<Row> for Tracked {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let fee = |text: &str| text.parse().map_err(|_| StoreError::corrupt("fee", text));
        let block = match (row.block_number, row.block_hash) {
            (Some(number), Some(hash)) => Some(InBlock { number, hash: bytes("block hash", &hash)? }),
            _ => None,
        };
        Ok(Self {
            batch: row.batch_id,
            purpose: if row.purpose == Purpose::Filler.as_str() { Purpose::Filler } else { Purpose::Batch },
            transaction: Transaction {
                tx_hash: bytes("transaction hash", &row.tx_hash)?,
                sender: bytes("sender", &row.sender)?,
                nonce: row.nonce.cast_unsigned(),
                raw: row.raw,
                max_fee_per_gas: fee(&row.max_fee)?,
                max_priority_fee_per_gas: fee(&row.priority_fee)?,
            },
            state: row.state.parse().map_err(|_| StoreError::corrupt("transaction's state", &row.state))?,
            created_at: row.created_at,
            sent_at: row.sent_at,
            block,
            overtaken_block: row.overtaken_block,
            need: if matches!(row.batch_status.as_str(), "SEALED" | "SENT") { Need::Waits } else { Need::Settled },
        })
    }
}

/// An account on a registry's chain.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    pub on: Registry,
    pub address: [u8; 20],
}

/// All transactions of each of the account's nonces that is not settled, lowest nonce first and dearest first within a
/// nonce: those of the registry's batches alone, since another registry's batcher looks after its own.
///
/// # Errors
/// The database is away.
pub async fn unsettled(pool: &PgPool, of: &Account, limit: i64) -> Result<Vec<Tracked>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT t.batch_id, t.purpose, t.tx_hash, t.sender, t.nonce, t.raw, t.max_fee_per_gas::text AS "max_fee!",
                  t.max_priority_fee_per_gas::text AS "priority_fee!", t.state, t.created_at, t.sent_at, t.block_number,
                  t.block_hash, t.overtaken_block, b.status AS batch_status
             FROM chain_transactions t JOIN batches b ON b.id = t.batch_id
            WHERE t.sender = $1 AND b.chain_id = $2 AND b.registry = $3 AND t.nonce IN (
                  SELECT DISTINCT live.nonce FROM chain_transactions live JOIN batches lb ON lb.id = live.batch_id
                   WHERE live.sender = $1 AND lb.chain_id = $2 AND lb.registry = $3
                     AND live.state IN ('SIGNED', 'SENT', 'MINED', 'REVERTED')
                   ORDER BY live.nonce LIMIT $4)
            ORDER BY t.nonce, t.max_fee_per_gas DESC, t.created_at DESC"#,
        &of.address[..],
        of.on.chain_id,
        &of.on.address[..],
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Tracked::try_from).collect()
}

/// The transactions of one nonce, whatever became of them, dearest first.
///
/// # Errors
/// The database is away.
pub async fn with_nonce(pool: &PgPool, of: &Account, nonce: u64) -> Result<Vec<Tracked>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT t.batch_id, t.purpose, t.tx_hash, t.sender, t.nonce, t.raw, t.max_fee_per_gas::text AS "max_fee!",
                  t.max_priority_fee_per_gas::text AS "priority_fee!", t.state, t.created_at, t.sent_at, t.block_number,
                  t.block_hash, t.overtaken_block, b.status AS batch_status
             FROM chain_transactions t JOIN batches b ON b.id = t.batch_id
            WHERE t.sender = $1 AND b.chain_id = $2 AND b.registry = $3 AND t.nonce = $4
            ORDER BY t.max_fee_per_gas DESC, t.created_at DESC"#,
        &of.address[..],
        of.on.chain_id,
        &of.on.address[..],
        nonce.cast_signed()
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Tracked::try_from).collect()
}

/// The transactions of a batch, newest first.
///
/// # Errors
/// The database is away.
pub async fn of_batch(pool: &PgPool, batch: Uuid) -> Result<Vec<Tracked>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT t.batch_id, t.purpose, t.tx_hash, t.sender, t.nonce, t.raw, t.max_fee_per_gas::text AS "max_fee!",
                  t.max_priority_fee_per_gas::text AS "priority_fee!", t.state, t.created_at, t.sent_at, t.block_number,
                  t.block_hash, t.overtaken_block, b.status AS batch_status
             FROM chain_transactions t JOIN batches b ON b.id = t.batch_id
            WHERE t.batch_id = $1 AND t.purpose = 'BATCH' ORDER BY t.created_at DESC"#,
        batch
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Tracked::try_from).collect()
}

/// Nonces of an account from `next` on that are given to a batch, of whichever registry on the chain: what carries it may
/// still land, or has landed where the node that told `next` has not seen it.
///
/// # Errors
/// The database is away.
pub async fn given_nonces(pool: &PgPool, of: &Account, next: u64) -> Result<Vec<u64>, StoreError> {
    let nonces = sqlx::query_scalar!(
        "SELECT DISTINCT t.nonce FROM chain_transactions t JOIN batches b ON b.id = t.batch_id
          WHERE t.sender = $1 AND b.chain_id = $2 AND t.nonce >= $3 AND t.state NOT IN ('REPLACED', 'ABANDONED')",
        &of.address[..],
        of.on.chain_id,
        next.cast_signed()
    )
    .fetch_all(pool)
    .await?;
    Ok(nonces.into_iter().map(i64::cast_unsigned).collect())
}

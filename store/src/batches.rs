//! Sealed batches on their way to the chain: write-ahead of transactions, completion of all their jobs at once.

use alloy::primitives::Address;
use chrono::{DateTime, Utc};
use jobs::event::EventType;
use jobs::usage::{FIRST_SEGMENT, Metric};
use jobs::{JobId, JobStatus};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::cancel::WorkflowRun;
use crate::jobs::bytes;
use crate::{StoreError, events};

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

/// The canonical block that holds a batch's event.
#[derive(Clone, Debug)]
pub struct Anchor {
    pub tx_hash: [u8; 32],
    pub block_number: i64,
    pub block_hash: [u8; 32],
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

/// Completes a batch: every one of its jobs that still waits becomes COMPLETED, with event, usage and settled
/// reservation, in one transaction. Returns the workflow runs that wait for it. A batch that another process completed
/// meanwhile stays as it is.
///
/// # Errors
/// The database is away; then nothing was completed.
pub async fn complete(
    pool: &PgPool,
    batch: Uuid,
    anchor: &Anchor,
) -> Result<Vec<(JobId, Option<WorkflowRun>)>, StoreError> {
    let mut tx = pool.begin().await?;
    let won = sqlx::query!(
        "UPDATE batches SET status = 'CONFIRMED', tx_hash = $2, block_number = $3, block_hash = $4, confirmed_at = now()
          WHERE id = $1 AND status IN ('SEALED', 'SENT')",
        batch,
        &anchor.tx_hash[..],
        anchor.block_number,
        &anchor.block_hash[..]
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if won == 0 {
        return Ok(Vec::new());
    }
    let jobs = sqlx::query!(
        "UPDATE jobs j SET status = 'COMPLETED', completed_at = now(), updated_at = now(), version = version + 1
           FROM confirmations c
          WHERE c.batch_id = $1 AND j.id = c.job_id AND j.status = 'CONFIRMING'
         RETURNING j.id, j.tenant, j.current_workflow_id, j.workflow_run_id",
        batch
    )
    .fetch_all(&mut *tx)
    .await?;
    reanchor(&mut tx, batch, anchor).await?;
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let tenants: Vec<String> = jobs.iter().map(|job| job.tenant.clone()).collect();
    let metrics = [Metric::JobsCompleted, Metric::ChainConfirmations].map(|metric| metric.as_str().to_owned());
    let event = events::status_change(Some(JobStatus::Confirming), JobStatus::Completed, None)?;
    sqlx::query!(
        "WITH done AS (SELECT * FROM unnest($1::uuid[], $2::text[]) AS d (job_id, tenant)),
              usage AS (
                  INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units)
                  SELECT d.job_id || ':' || m.metric || ':' || $4, d.tenant, d.job_id, m.metric, $4, 1
                    FROM done d CROSS JOIN unnest($3::text[]) AS m (metric)
              ),
              settled AS (DELETE FROM job_reservations r USING done d WHERE r.job_id = d.job_id)
         INSERT INTO job_events (job_id, tenant, event_type, data)
         SELECT d.job_id, d.tenant, $6, $5 FROM done d",
        &ids,
        &tenants,
        &metrics[..],
        FIRST_SEGMENT,
        event,
        EventType::Status.as_str()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let waiting = jobs.into_iter().map(|job| {
        let workflow_id = job.current_workflow_id;
        (JobId(job.id), job.workflow_run_id.map(|run_id| WorkflowRun { workflow_id, run_id }))
    });
    Ok(waiting.collect())
}

/// Tells the jobs that were COMPLETED in an earlier transaction and whose batch stands in another block now: their
/// status and usage stay as they are.
async fn reanchor(tx: &mut PgConnection, batch: Uuid, anchor: &Anchor) -> Result<(), StoreError> {
    let event = json!({
        "tx_hash": alloy::primitives::B256::from(anchor.tx_hash),
        "block_number": anchor.block_number,
        "block_hash": alloy::primitives::B256::from(anchor.block_hash),
    });
    sqlx::query!(
        "WITH moved AS (
             UPDATE jobs j SET version = version + 1, updated_at = now()
               FROM confirmations c
              WHERE c.batch_id = $1 AND j.id = c.job_id AND j.status = 'COMPLETED' AND j.completed_at < now()
             RETURNING j.id, j.tenant
         )
         INSERT INTO job_events (job_id, tenant, event_type, data)
         SELECT m.id, m.tenant, 'job.reanchored', $2 FROM moved m",
        batch,
        event
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A batch that was confirmed, and where.
#[derive(Clone, Debug)]
pub struct AnchoredBatch {
    pub id: Uuid,
    pub block_number: i64,
    pub block_hash: [u8; 32],
}

/// How far a chain may go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Horizon {
    /// Some blocks, none of them finalized.
    Near,
    /// To its beginning.
    WholeChain,
}

/// Blocks by which an event may stand earlier after a reorganisation than before it.
const MARGIN: i64 = 128;

/// Confirmed batches whose blocks may vanish, newest block first.
///
/// # Errors
/// The database is away.
pub async fn anchored(
    pool: &PgPool,
    on: &Registry,
    horizon: Horizon,
    limit: i64,
) -> Result<Vec<AnchoredBatch>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, block_number AS "block_number!", block_hash AS "block_hash!" FROM batches
            WHERE (status = 'CONFIRMED' OR status = 'FINALIZED' AND $3) AND chain_id = $1 AND registry = $2
            ORDER BY block_number DESC LIMIT $4"#,
        on.chain_id,
        &on.address[..],
        horizon == Horizon::WholeChain,
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let block_hash = bytes("block hash", &row.block_hash)?;
            Ok(AnchoredBatch { id: row.id, block_number: row.block_number, block_hash })
        })
        .collect()
}

/// Takes a batch's confirmation back, because its block is not in the chain any more: the same root and entries are
/// sent again. Its event may now stand somewhat before the block in which it stood, or in any block of a chain that
/// forgot. Its jobs have changed for their clients: what was finalized is so no longer.
///
/// # Errors
/// The database is away.
pub async fn lift(pool: &PgPool, batch: Uuid, horizon: Horizon) -> Result<(), StoreError> {
    let mut tx = pool.begin().await?;
    let lifted = sqlx::query!(
        "UPDATE batches SET status = 'SENT',
                            from_block = CASE WHEN $2 THEN 0
                                              ELSE greatest(0, least(from_block, block_number) - $3) END
          WHERE id = $1 AND (status = 'CONFIRMED' OR status = 'FINALIZED' AND $2)",
        batch,
        horizon == Horizon::WholeChain,
        MARGIN
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if lifted > 0 {
        sqlx::query!(
            "UPDATE jobs j SET version = version + 1, updated_at = now()
               FROM confirmations c WHERE c.batch_id = $1 AND j.id = c.job_id",
            batch
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(())
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

/// Notes that the chain will not take back blocks up to `block_number`.
///
/// # Errors
/// The database is away.
pub async fn finalize(pool: &PgPool, on: &Registry, block_number: i64) -> Result<u64, StoreError> {
    let mut tx = pool.begin().await?;
    let batches = sqlx::query_scalar!(
        "UPDATE batches SET status = 'FINALIZED'
          WHERE chain_id = $1 AND registry = $2 AND status = 'CONFIRMED' AND block_number <= $3 RETURNING id",
        on.chain_id,
        &on.address[..],
        block_number
    )
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE jobs j SET version = version + 1, updated_at = now()
           FROM confirmations c WHERE c.batch_id = ANY($1) AND j.id = c.job_id",
        &batches
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(batches.len() as u64)
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

/// Seconds of silence after which the database asks whether the leader's host is still there ...
const KEEPALIVE_IDLE: u64 = 15;
/// ... seconds between two questions ...
const KEEPALIVE_INTERVAL: u64 = 5;
/// ... and how many without an answer end its connection.
const KEEPALIVE_COUNT: u64 = 3;

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
    /// The connection is gone, and the leadership with it.
    pub async fn check(&mut self) -> Result<(), StoreError> {
        sqlx::query_scalar!("SELECT 1").fetch_one(&mut self.connection).await?;
        Ok(())
    }
}

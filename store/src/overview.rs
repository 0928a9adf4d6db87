//! How far confirmations are: what operators see of waiting jobs, batches and the sequence of indices.

use chrono::{DateTime, Utc};
use jobs::JobId;
use sqlx::PgPool;

use crate::StoreError;
use crate::batches::Registry;
use crate::jobs::bytes;

/// Batches in one state, and the jobs in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batches {
    pub batches: i64,
    pub jobs: i64,
}

/// A job whose batch is not on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingJob {
    pub job: JobId,
    /// When its outcome was fixed.
    pub since: DateTime<Utc>,
}

/// The newest block in which a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewestAnchor {
    pub root: [u8; 32],
    pub block_number: i64,
    pub block_hash: [u8; 32],
}

/// A transaction of ours that no block has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingTransaction {
    pub tx_hash: [u8; 32],
    pub nonce: i64,
    /// When its nonce was first signed for: raised fees make no new beginning.
    pub since: DateTime<Utc>,
}

/// A registry's confirmations, as the database has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Jobs that no batch has taken yet.
    pub unsealed: i64,
    /// Of those and of the jobs in open batches.
    pub oldest_waiting: Option<WaitingJob>,
    pub sealed: Batches,
    pub sent: Batches,
    pub confirmed: Batches,
    pub finalized: Batches,
    /// Given up for good: their jobs were sealed anew.
    pub abandoned: Batches,
    /// Open batches of which another root has an index: they can never be confirmed as they are.
    pub refused: i64,
    /// The first of ours in line.
    pub waiting_transaction: Option<WaitingTransaction>,
    /// Open batches of other registries: nobody with these settings looks after them.
    pub open_elsewhere: i64,
    pub newest_anchor: Option<NewestAnchor>,
    /// The highest index that a job has.
    pub highest_index: Option<i64>,
    /// The index that is given next.
    pub next_index: i64,
}

/// Reads the overview of one registry.
///
/// # Errors
/// The database is away.
pub async fn read(pool: &PgPool, on: &Registry) -> Result<Overview, StoreError> {
    let mut states = [Batches::default(); 5];
    for (state, name) in states.iter_mut().zip(["SEALED", "SENT", "CONFIRMED", "FINALIZED", "ABANDONED"]) {
        *state = batches_in(pool, on, name).await?;
    }
    let [sealed, sent, confirmed, finalized, abandoned] = states;
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM confirmations WHERE batch_id IS NULL) AS "unsealed!",
                  (SELECT count(*) FROM batches WHERE status IN ('SEALED', 'SENT')
                                                  AND (chain_id, registry) <> ($1, $2)) AS "open_elsewhere!",
                  (SELECT count(*) FROM batches WHERE status IN ('SEALED', 'SENT') AND refused_block IS NOT NULL
                                                  AND (chain_id, registry) = ($1, $2)) AS "refused!",
                  (SELECT max(leaf_index) FROM confirmations) AS highest_index"#,
        on.chain_id,
        &on.address[..]
    )
    .fetch_one(pool)
    .await?;
    Ok(Overview {
        unsealed: row.unsealed,
        oldest_waiting: oldest_waiting(pool, on).await?,
        sealed,
        sent,
        confirmed,
        finalized,
        abandoned,
        refused: row.refused,
        waiting_transaction: waiting_transaction(pool, on).await?,
        open_elsewhere: row.open_elsewhere,
        newest_anchor: newest_anchor(pool, on).await?,
        highest_index: row.highest_index,
        next_index: next_index(pool).await?,
    })
}

/// The index that is given next.
///
/// # Errors
/// The database is away.
pub async fn next_index(pool: &PgPool) -> Result<i64, StoreError> {
    let next = sqlx::query_scalar!(
        r#"SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END AS "next!" FROM confirmation_index"#
    )
    .fetch_one(pool)
    .await?;
    Ok(next)
}

async fn batches_in(pool: &PgPool, on: &Registry, status: &str) -> Result<Batches, StoreError> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "batches!", coalesce(sum(job_count), 0)::bigint AS "jobs!" FROM batches
            WHERE chain_id = $1 AND registry = $2 AND status = $3"#,
        on.chain_id,
        &on.address[..],
        status
    )
    .fetch_one(pool)
    .await?;
    Ok(Batches { batches: row.batches, jobs: row.jobs })
}

async fn oldest_waiting(pool: &PgPool, on: &Registry) -> Result<Option<WaitingJob>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT w.job_id AS "job_id!", w.created_at AS "created_at!" FROM (
               (SELECT job_id, created_at FROM confirmations WHERE batch_id IS NULL ORDER BY created_at LIMIT 1)
               UNION ALL
               (SELECT c.job_id, c.created_at FROM batches b JOIN confirmations c ON c.batch_id = b.id
                 WHERE b.status IN ('SEALED', 'SENT') AND b.chain_id = $1 AND b.registry = $2
                 ORDER BY c.created_at LIMIT 1)
           ) w ORDER BY w.created_at LIMIT 1"#,
        on.chain_id,
        &on.address[..]
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| WaitingJob { job: JobId(row.job_id), since: row.created_at }))
}

async fn waiting_transaction(pool: &PgPool, on: &Registry) -> Result<Option<WaitingTransaction>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT t.tx_hash, t.nonce, min(t.created_at) OVER (PARTITION BY t.sender, t.nonce) AS "since!"
             FROM chain_transactions t JOIN batches b ON b.id = t.batch_id
            WHERE b.chain_id = $1 AND b.registry = $2 AND t.state IN ('SIGNED', 'SENT')
            ORDER BY t.nonce, t.max_fee_per_gas DESC LIMIT 1"#,
        on.chain_id,
        &on.address[..]
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        let tx_hash = bytes("transaction hash", &row.tx_hash)?;
        Ok(WaitingTransaction { tx_hash, nonce: row.nonce, since: row.since })
    })
    .transpose()
}

async fn newest_anchor(pool: &PgPool, on: &Registry) -> Result<Option<NewestAnchor>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT root, block_number AS "block_number!", block_hash AS "block_hash!" FROM batches
            WHERE chain_id = $1 AND registry = $2 AND status IN ('CONFIRMED', 'FINALIZED')
            ORDER BY block_number DESC LIMIT 1"#,
        on.chain_id,
        &on.address[..]
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(NewestAnchor {
            root: bytes("root", &row.root)?,
            block_number: row.block_number,
            block_hash: bytes("block hash", &row.block_hash)?,
        })
    })
    .transpose()
}

//! What a comparison with the chain reads of a database, and how it puts back what the database lost.
//!
//! Nothing here decides what is true: the caller has recomputed the root that the chain confirmed. Each step leaves a
//! state that the batcher could have made, so that a run that is cut off is finished by another one or by the batcher.

pub mod carriers;

use jobs::JobId;
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::batches::{MARGIN, Registry};
use crate::jobs::bytes;
use crate::sealing::{self, LeafJob};
use crate::{StoreError, begin};

/// A batch as it is stored.
#[derive(Clone, Debug)]
pub struct StoredBatch {
    pub id: Uuid,
    pub root: [u8; 32],
    pub entries: Value,
    pub job_count: i32,
    /// Of its jobs, those whose confirmation names it.
    pub leaves: i64,
    /// Of those, the ones that are still CONFIRMING: none of an anchored batch should be.
    pub confirming: i64,
    /// Whether the transaction that anchors it is written down here.
    pub is_carried: bool,
    pub standing: Standing,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// SEALED or SENT.
    Open,
    Anchored {
        block_number: i64,
        block_hash: [u8; 32],
        is_final: bool,
    },
    /// Its jobs were sealed anew.
    GivenUp,
}

/// A batch that the chain confirmed and whose leaves are known.
#[derive(Clone, Debug)]
pub struct Rebuilt<'a> {
    /// The row, where there is one.
    pub id: Option<Uuid>,
    pub root: [u8; 32],
    pub entries: Value,
    /// The block in which its event stands.
    pub from_block: i64,
    /// All of them, in index order.
    pub leaves: &'a [LeafJob],
}

/// All batches of a registry, oldest first.
///
/// # Errors
/// The database is away.
pub async fn batches(pool: &PgPool, on: &Registry) -> Result<Vec<StoredBatch>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT b.id, b.root, b.entries, b.job_count, b.status, b.block_number, b.block_hash,
                  (SELECT count(*) FROM confirmations c WHERE c.batch_id = b.id) AS "leaves!",
                  (SELECT count(*) FROM confirmations c JOIN jobs j ON j.id = c.job_id
                    WHERE c.batch_id = b.id AND j.status = 'CONFIRMING') AS "confirming!",
                  EXISTS (SELECT 1 FROM chain_transactions t
                           WHERE t.batch_id = b.id AND t.tx_hash = b.tx_hash) AS "is_carried!"
             FROM batches b WHERE b.chain_id = $1 AND b.registry = $2 ORDER BY b.sealed_at, b.id"#,
        on.chain_id,
        &on.address[..]
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let standing = match (row.status.as_str(), row.block_number, row.block_hash) {
                (status @ ("CONFIRMED" | "FINALIZED"), Some(block_number), Some(hash)) => {
                    let block_hash = bytes("block hash", &hash)?;
                    Standing::Anchored { block_number, block_hash, is_final: status == "FINALIZED" }
                }
                ("ABANDONED", ..) => Standing::GivenUp,
                _ => Standing::Open,
            };
            let root = bytes("root", &row.root)?;
            Ok(StoredBatch {
                id: row.id,
                root,
                entries: row.entries,
                job_count: row.job_count,
                leaves: row.leaves,
                confirming: row.confirming,
                is_carried: row.is_carried,
                standing,
            })
        })
        .collect()
}

/// Jobs whose outcome is fixed and that are in no batch, in the order in which sealing takes them. Their index is 0:
/// they have none.
///
/// # Errors
/// The database is away.
pub async fn without_batch(pool: &PgPool) -> Result<Vec<LeafJob>, StoreError> {
    let rows = sqlx::query_as!(
        sealing::Row,
        r#"SELECT c.job_id, 0::bigint AS "leaf_index!", c.leaf_status, c.salt, j.submitter, j.content_hash,
                  coalesce(j.result_hash, decode(repeat('00', 32), 'hex')) AS "result_hash!",
                  h.inputs_hash AS "inputs_hash?", h.program_hash AS "program_hash?", h.key_id AS "key_id?",
                  h.attestation_hash AS "attestation_hash?"
             FROM confirmations c JOIN jobs j ON j.id = c.job_id LEFT JOIN fhe_handles h ON h.job_id = c.job_id
            WHERE c.batch_id IS NULL ORDER BY c.created_at, c.job_id"#
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(LeafJob::try_from).collect()
}

/// The leaf of a job with the index and the salt that its receipt names, as the job stands here; `None` when there is no
/// such job, or its outcome is not fixed.
///
/// # Errors
/// The database is away.
pub async fn leaf(pool: &PgPool, job: JobId, index: u64, salt: [u8; 32]) -> Result<Option<LeafJob>, StoreError> {
    let row = sqlx::query_as!(
        sealing::Row,
        r#"SELECT j.id AS job_id, $2::bigint AS "leaf_index!",
                  CASE j.status WHEN 'FAILED' THEN 2::smallint ELSE 1::smallint END AS "leaf_status!",
                  $3::bytea AS "salt!", j.submitter, j.content_hash,
                  coalesce(j.result_hash, decode(repeat('00', 32), 'hex')) AS "result_hash!",
                  h.inputs_hash AS "inputs_hash?", h.program_hash AS "program_hash?", h.key_id AS "key_id?",
                  h.attestation_hash AS "attestation_hash?"
             FROM jobs j LEFT JOIN fhe_handles h ON h.job_id = j.id
            WHERE j.id = $1 AND j.status IN ('CONFIRMING', 'COMPLETED', 'FAILED')"#,
        job.0,
        index.cast_signed(),
        &salt[..]
    )
    .fetch_optional(pool)
    .await?;
    row.map(LeafJob::try_from).transpose()
}

/// Puts a batch and its jobs' confirmations back, as sent: whoever finds its event completes it. `None` when a job of it
/// is in another batch here, or its index is another job's: then nothing was changed.
///
/// # Errors
/// The database is away; then nothing was changed.
pub async fn rebuild(pool: &PgPool, on: &Registry, batch: &Rebuilt<'_>) -> Result<Option<Uuid>, StoreError> {
    let mut tx = begin(pool).await?;
    let count = i32::try_from(batch.leaves.len()).unwrap_or(i32::MAX);
    let id = match batch.id {
        Some(id) => id,
        None => {
            let id = Uuid::now_v7();
            sqlx::query!(
                "INSERT INTO batches (id, chain_id, registry, root, entries, job_count, from_block, status)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, 'SENT')",
                id,
                on.chain_id,
                &on.address[..],
                &batch.root[..],
                batch.entries,
                count,
                batch.from_block.saturating_sub(MARGIN).max(0)
            )
            .execute(&mut *tx)
            .await?;
            id
        }
    };
    let jobs: Vec<Uuid> = batch.leaves.iter().map(|leaf| leaf.job_id.0).collect();
    let statuses: Vec<i16> = batch.leaves.iter().map(|leaf| u8::from(leaf.leaf_status).into()).collect();
    let salts: Vec<Vec<u8>> = batch.leaves.iter().map(|leaf| leaf.salt.to_vec()).collect();
    let indices: Vec<i64> = batch.leaves.iter().map(|leaf| leaf.leaf_index.cast_signed()).collect();
    let written = sqlx::query!(
        "INSERT INTO confirmations (job_id, leaf_status, salt, leaf_index, batch_id)
         SELECT l.job_id, l.leaf_status, l.salt, l.leaf_index, $1
           FROM unnest($2::uuid[], $3::smallint[], $4::bytea[], $5::bigint[])
                AS l (job_id, leaf_status, salt, leaf_index)
         ON CONFLICT (job_id) DO UPDATE
            SET salt = EXCLUDED.salt, leaf_index = EXCLUDED.leaf_index, batch_id = EXCLUDED.batch_id
          WHERE confirmations.leaf_status = EXCLUDED.leaf_status
            AND (confirmations.batch_id IS NULL
                 OR (confirmations.batch_id, confirmations.leaf_index, confirmations.salt)
                    = (EXCLUDED.batch_id, EXCLUDED.leaf_index, EXCLUDED.salt))",
        id,
        &jobs,
        &statuses,
        &salts,
        &indices
    )
    .execute(&mut *tx)
    .await;
    let written = match written {
        Ok(done) => done.rows_affected(),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => 0,
        Err(error) => return Err(error.into()),
    };
    if written != batch.leaves.len() as u64 {
        tx.rollback().await?;
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(id))
}

/// How many jobs of a batch are still CONFIRMING.
///
/// # Errors
/// The database is away.
pub async fn confirming(pool: &PgPool, batch: Uuid) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM confirmations c JOIN jobs j ON j.id = c.job_id
            WHERE c.batch_id = $1 AND j.status = 'CONFIRMING'"#,
        batch
    )
    .fetch_one(pool)
    .await?;
    Ok(count)
}

/// Moves the sequence of indices past `index`; it never goes back. Returns the index that is given next.
///
/// # Errors
/// The database is away.
pub async fn move_past(pool: &PgPool, index: i64) -> Result<i64, StoreError> {
    sqlx::query!(
        "SELECT setval('confirmation_index', $1, true) FROM confirmation_index
          WHERE last_value + CASE WHEN is_called THEN 1 ELSE 0 END <= $1",
        index
    )
    .fetch_optional(pool)
    .await?;
    crate::overview::next_index(pool).await
}

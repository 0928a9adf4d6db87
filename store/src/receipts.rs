//! What a receipt is made of.

use jobs::{ErrorCode, JobId, JobStatus};
use serde_json::Value;
use sqlx::PgPool;

use crate::StoreError;
use crate::fhe::results::{self, HandleParts};
use crate::jobs::{Reader, bytes, error_of};
use crate::sealing::{LeafJob, leaves};

/// A confirmed job's batch with all its leaves.
#[derive(Clone, Debug)]
pub struct ReceiptParts {
    pub chain_id: i64,
    pub registry: [u8; 20],
    pub root: [u8; 32],
    pub entries: Value,
    pub tx_hash: [u8; 32],
    pub block_number: i64,
    pub block_hash: [u8; 32],
    pub algorithm: String,
    /// Leaves of the batch in index order.
    pub leaves: Vec<LeafJob>,
    /// Of an encrypted job.
    pub handle: Option<HandleParts>,
}

/// A job's state, and its receipt's parts once its batch is on chain.
#[derive(Clone, Debug)]
pub struct Found {
    pub status: JobStatus,
    /// Why the job failed.
    pub error: Option<(ErrorCode, String)>,
    /// Whether its outcome goes on chain, now or later.
    pub is_to_be_confirmed: bool,
    pub parts: Option<ReceiptParts>,
}

/// Reads what a receipt needs.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, reader: Reader<'_>, job: JobId) -> Result<Option<Found>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT j.status, j.error_code, j.error_detail, j.algorithm,
                  c.job_id IS NOT NULL AS "is_to_be_confirmed!", b.id AS "batch?", b.chain_id AS "chain_id?",
                  b.registry AS "registry?", b.root AS "root?", b.entries AS "entries?", b.tx_hash, b.block_number, b.block_hash
             FROM jobs j
             LEFT JOIN confirmations c ON c.job_id = j.id
             LEFT JOIN batches b ON b.id = c.batch_id AND b.tx_hash IS NOT NULL
            WHERE j.tenant = $1 AND j.id = $2 AND ($3::text IS NULL OR j.user_id = $3)"#,
        reader.tenant.as_str(),
        job.0,
        reader.user_column()
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let status = row.status.parse().map_err(|_| StoreError::corrupt("status", &row.status))?;
    let error = error_of(row.error_code, row.error_detail)?;
    let is_to_be_confirmed = row.is_to_be_confirmed;
    let (Some(batch), Some(chain_id), Some(registry), Some(root), Some(entries)) =
        (row.batch, row.chain_id, row.registry, row.root, row.entries)
    else {
        return Ok(Some(Found { status, error, is_to_be_confirmed, parts: None }));
    };
    let (Some(tx_hash), Some(block_number), Some(block_hash)) = (row.tx_hash, row.block_number, row.block_hash) else {
        return Ok(Some(Found { status, error, is_to_be_confirmed, parts: None }));
    };
    let parts = ReceiptParts {
        chain_id,
        registry: bytes("registry", &registry)?,
        root: bytes("root", &root)?,
        entries,
        tx_hash: bytes("transaction hash", &tx_hash)?,
        block_number,
        block_hash: bytes("block hash", &block_hash)?,
        algorithm: row.algorithm,
        leaves: leaves(pool, batch).await?,
        handle: results::handle(pool, job).await?,
    };
    Ok(Some(Found { status, error, is_to_be_confirmed, parts: Some(parts) }))
}

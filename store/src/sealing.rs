//! Sealing: the point of no return of a batch. One transaction takes waiting jobs and gives batch and indices.

use alloy::primitives::B256;
use jobs::JobId;
use jobs::leaf::{Handle, Index, Leaf, LeafStatus, salted_content_hash};
use jobs::merkle::Batch;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::batches::{MARGIN, Registry};
use crate::jobs::bytes;
use crate::{StoreError, begin};

/// A job that waits for its confirmation, with all that its leaf is made of. A failed job's result hash is zero.
#[derive(Clone, Debug)]
pub struct LeafJob {
    pub job_id: JobId,
    pub leaf_index: u64,
    pub leaf_status: LeafStatus,
    pub submitter: [u8; 20],
    pub result_hash: [u8; 32],
    pub content_hash: [u8; 32],
    pub salt: [u8; 32],
    /// Of an encrypted job.
    pub handle: Option<LeafHandle>,
}

/// What an encrypted job's leaf commits to beside its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafHandle {
    pub inputs_hash: [u8; 32],
    pub program_hash: [u8; 32],
    pub key_id: [u8; 32],
    /// keccak256 of the attestation.
    pub attestation_hash: [u8; 32],
}

impl LeafHandle {
    fn commitment(&self, result_hash: [u8; 32]) -> B256 {
        Handle {
            inputs: self.inputs_hash.into(),
            program: self.program_hash.into(),
            key: self.key_id.into(),
            result: result_hash.into(),
            attestation: self.attestation_hash.into(),
        }
        .commitment()
    }
}

impl LeafJob {
    /// The leaf as it stands in the tree and in a receipt.
    #[must_use]
    pub fn leaf(&self) -> Leaf {
        Leaf {
            index: Index::new(self.leaf_index),
            job_id: B256::from(self.job_id.to_word()),
            submitter: self.submitter.into(),
            result_hash: self.result_hash.into(),
            status: self.leaf_status,
            content_hash: salted_content_hash(self.salt.into(), self.content_hash.into()),
            handle: self.handle.map_or(B256::ZERO, |handle| handle.commitment(self.result_hash)),
        }
    }
}

/// When and for which registry to seal.
#[derive(Clone, Debug)]
pub struct SealPolicy {
    pub on: Registry,
    pub max_jobs: i64,
    /// Seconds after which a job waits no longer for company.
    pub max_age_seconds: f64,
}

/// Batches that wait for a block while others are sealed by age as ever ...
const WAITING_AT_EASE: i64 = 3;
/// ... and how often that age doubles at most, with each further one.
const DOUBLINGS: i64 = 12;

/// Whether a batch is due, by size or by age. A cheap look without a lock. While batches do not get into blocks (the
/// registry is paused, gas is too dear) each further one waits twice as long for company as the last: there is one more
/// for each time that the wait has doubled, and not one a second.
///
/// # Errors
/// The database is away.
pub async fn is_due(pool: &PgPool, policy: &SealPolicy) -> Result<bool, StoreError> {
    let due = sqlx::query_scalar!(
        r#"SELECT CASE
                  WHEN count(*) = 0 THEN false
                  WHEN count(*) >= $1 THEN true
                  ELSE min(created_at) < now() - make_interval(secs => $2 * power(2, (
                      SELECT least(greatest(count(*) - $5, 0), $6) FROM batches b
                       WHERE b.status IN ('SEALED', 'SENT') AND b.chain_id = $3 AND b.registry = $4
                         AND NOT EXISTS (SELECT 1 FROM chain_transactions t
                                          WHERE t.batch_id = b.id AND t.state = 'MINED' AND t.purpose = 'BATCH'))))
                  END AS "due!"
             FROM (SELECT created_at FROM confirmations WHERE batch_id IS NULL ORDER BY created_at LIMIT $1) waiting"#,
        policy.max_jobs,
        policy.max_age_seconds,
        policy.on.chain_id,
        &policy.on.address[..],
        WAITING_AT_EASE,
        DOUBLINGS
    )
    .fetch_one(pool)
    .await?;
    Ok(due)
}

/// Seals the jobs that have waited longest, while `newest_block` is the newest. Its event is looked for from somewhat
/// before on: a chain may go over to a lower branch. Returns the batch's id and size, or `None` when nothing waits.
///
/// # Errors
/// The database is away; then nothing was sealed.
pub async fn seal(pool: &PgPool, policy: &SealPolicy, newest_block: i64) -> Result<Option<(Uuid, usize)>, StoreError> {
    let mut tx = begin(pool).await?;
    let leaves = take_waiting(&mut tx, policy.max_jobs).await?;
    if leaves.is_empty() {
        return Ok(None);
    }
    let tree: Vec<Leaf> = leaves.iter().map(LeafJob::leaf).collect();
    let sealed = Batch::seal(&tree).map_err(|error| StoreError::corrupt("order of leaves", error))?;
    let root = sealed.root();
    let entries = serde_json::to_value(sealed.entries()).map_err(|error| StoreError::corrupt("entries", error))?;
    let batch = Uuid::now_v7();
    sqlx::query!(
        "INSERT INTO batches (id, chain_id, registry, root, entries, job_count, from_block)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        batch,
        policy.on.chain_id,
        &policy.on.address[..],
        root.as_slice(),
        entries,
        i32::try_from(leaves.len()).unwrap_or(i32::MAX),
        newest_block.saturating_sub(MARGIN).max(0)
    )
    .execute(&mut *tx)
    .await?;
    let ids: Vec<Uuid> = leaves.iter().map(|leaf| leaf.job_id.0).collect();
    let indices: Vec<i64> = leaves.iter().map(|leaf| leaf.leaf_index.cast_signed()).collect();
    sqlx::query!(
        "UPDATE confirmations c SET batch_id = $1, leaf_index = s.leaf_index
           FROM unnest($2::uuid[], $3::bigint[]) AS s (job_id, leaf_index)
          WHERE c.job_id = s.job_id AND c.batch_id IS NULL",
        batch,
        &ids,
        &indices
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("UPDATE jobs SET version = version + 1 WHERE id = ANY($1)", &ids).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(Some((batch, leaves.len())))
}

/// A job's leaf as the database holds it.
pub(crate) struct Row {
    pub(crate) job_id: Uuid,
    pub(crate) leaf_index: i64,
    pub(crate) leaf_status: i16,
    pub(crate) salt: Vec<u8>,
    pub(crate) submitter: Vec<u8>,
    pub(crate) content_hash: Vec<u8>,
    pub(crate) result_hash: Vec<u8>,
    pub(crate) inputs_hash: Option<Vec<u8>>,
    pub(crate) program_hash: Option<Vec<u8>>,
    pub(crate) key_id: Option<Vec<u8>>,
    pub(crate) attestation_hash: Option<Vec<u8>>,
}

impl TryFrom<Row> for LeafJob {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let handle = match (row.inputs_hash, row.program_hash, row.key_id, row.attestation_hash) {
            (Some(inputs), Some(program), Some(key), Some(attestation)) => Some(LeafHandle {
                inputs_hash: bytes("inputs hash", &inputs)?,
                program_hash: bytes("program hash", &program)?,
                key_id: bytes("key id", &key)?,
                attestation_hash: bytes("attestation hash", &attestation)?,
            }),
            _ => None,
        };
        Ok(Self {
            job_id: JobId(row.job_id),
            leaf_index: u64::try_from(row.leaf_index).map_err(|_| StoreError::corrupt("leaf index", row.leaf_index))?,
            leaf_status: u8::try_from(row.leaf_status)
                .ok()
                .and_then(|number| LeafStatus::try_from(number).ok())
                .ok_or_else(|| StoreError::corrupt("leaf status", row.leaf_status))?,
            submitter: bytes("submitter", &row.submitter)?,
            result_hash: bytes("result hash", &row.result_hash)?,
            content_hash: bytes("content hash", &row.content_hash)?,
            salt: bytes("salt", &row.salt)?,
            handle,
        })
    }
}

/// Takes those that have waited longest. Indices are given in that order, so that a comparison with the chain can tell
/// from a batch's root which jobs it holds. A job that is COMPLETED waits again when its batch was taken back and then
/// abandoned.
async fn take_waiting(tx: &mut PgConnection, limit: i64) -> Result<Vec<LeafJob>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        WITH waiting AS (
            SELECT c.job_id, c.leaf_status, c.salt, c.created_at, j.submitter, j.content_hash,
                   coalesce(j.result_hash, decode(repeat('00', 32), 'hex')) AS result_hash
              FROM confirmations c JOIN jobs j ON j.id = c.job_id
             WHERE c.batch_id IS NULL
               AND (c.leaf_status = 1 AND j.status IN ('CONFIRMING', 'COMPLETED')
                 OR c.leaf_status = 2 AND j.status = 'FAILED')
             ORDER BY c.created_at, c.job_id LIMIT $1
               FOR UPDATE OF c SKIP LOCKED
        )
        SELECT w.job_id, nextval('confirmation_index') AS "leaf_index!", w.leaf_status, w.salt, w.submitter,
               w.content_hash, w.result_hash AS "result_hash!", h.inputs_hash AS "inputs_hash?",
               h.program_hash AS "program_hash?", h.key_id AS "key_id?", h.attestation_hash AS "attestation_hash?"
          FROM waiting w LEFT JOIN fhe_handles h ON h.job_id = w.job_id
         ORDER BY w.created_at, w.job_id
        "#,
        limit
    )
    .fetch_all(tx)
    .await?;
    let mut leaves = rows.into_iter().map(LeafJob::try_from).collect::<Result<Vec<_>, _>>()?;
    leaves.sort_by_key(|leaf| leaf.leaf_index);
    Ok(leaves)
}

/// All leaves of a batch in index order, as they were sealed.
///
/// # Errors
/// The database is away.
pub async fn leaves(pool: &PgPool, batch: Uuid) -> Result<Vec<LeafJob>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT c.job_id, c.leaf_index AS "leaf_index!", c.leaf_status, c.salt, j.submitter, j.content_hash,
                  coalesce(j.result_hash, decode(repeat('00', 32), 'hex')) AS "result_hash!",
                  h.inputs_hash AS "inputs_hash?", h.program_hash AS "program_hash?", h.key_id AS "key_id?",
                  h.attestation_hash AS "attestation_hash?"
             FROM confirmations c JOIN jobs j ON j.id = c.job_id LEFT JOIN fhe_handles h ON h.job_id = c.job_id
            WHERE c.batch_id = $1 ORDER BY c.leaf_index"#,
        batch
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(LeafJob::try_from).collect()
}

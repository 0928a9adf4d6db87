//! Jobs as clients read them: one by id, many by filter.

use chrono::{DateTime, Utc};
use jobs::submission::{JobType, Priority};
use jobs::{ErrorCode, JobId, JobStatus, TenantId, UserId};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::StoreError;
use crate::admission::{job_type_of, priority_of};

/// Whose jobs a caller may see; everything that a client reads is read through one of these.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    pub tenant: &'a TenantId,
    /// Only what this user submitted; `None` is the whole tenant.
    pub user: Option<&'a UserId>,
}

impl<'a> Reader<'a> {
    pub(crate) fn user_column(&self) -> Option<&'a str> {
        self.user.map(UserId::as_str)
    }
}

/// A job with its usage and confirmation.
#[derive(Clone, Debug)]
pub struct StoredJob {
    pub id: JobId,
    pub version: i64,
    pub job_type: JobType,
    pub algorithm: String,
    pub status: JobStatus,
    pub priority: Priority,
    pub submitter: [u8; 20],
    pub test_mode: bool,
    pub content_hash: [u8; 32],
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
    pub deadline: Option<DateTime<Utc>>,
    pub estimated_completion: DateTime<Utc>,
    pub progress_percent: f32,
    pub progress_stage: String,
    pub progress_detail: String,
    pub error: Option<(ErrorCode, String)>,
    pub result: Option<StoredResult>,
    pub confirmation: Option<StoredConfirmation>,
    /// Units by metric.
    pub usage: Value,
}

/// A result as it was computed.
#[derive(Clone, Debug)]
pub struct StoredResult {
    pub hash: [u8; 32],
    pub media_type: String,
    pub size: i64,
    /// The bytes, unless they are longer than [`INLINE_BYTES`].
    pub inline: Option<Vec<u8>>,
}

/// Longest result that is read with its job, in bytes.
pub const INLINE_BYTES: i32 = 65_536;

/// Where a job's outcome stands on chain.
#[derive(Clone, Debug)]
pub struct StoredConfirmation {
    pub chain_id: i64,
    pub registry: Vec<u8>,
    pub leaf_index: i64,
    pub root: Vec<u8>,
    pub tx_hash: Option<Vec<u8>>,
    pub block_number: Option<i64>,
    pub block_hash: Option<Vec<u8>>,
    pub confirmed_at: Option<DateTime<Utc>>,
    pub finalized: bool,
}

/// Which jobs a list holds.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    pub status: Option<JobStatus>,
    pub job_type: Option<JobType>,
    pub created_after: Option<DateTime<Utc>>,
    pub created_before: Option<DateTime<Utc>>,
    pub submitter: Option<[u8; 20]>,
    /// Only jobs older than this one.
    pub before: Option<JobId>,
}

/// One statement reads one job and many: the condition at its end is what differs, whose arguments begin with $2.
macro_rules! select_jobs {
    ($condition:tt, $($argument:expr),*) => {
        sqlx::query_as!(
            Row,
            r#"SELECT j.id, j.version, j.job_type, j.algorithm, j.status, j.priority, j.submitter, j.test_mode,
                      j.content_hash, j.created_at, j.updated_at, j.started_at, j.completed_at, j.deadline,
                      j.estimated_completion, j.progress_percent, j.progress_stage, j.progress_detail, j.error_code,
                      j.error_detail, j.result_hash, j.result_media_type,
                      coalesce(j.result_size, octet_length(j.result_bytes)) AS result_size,
                      CASE WHEN octet_length(j.result_bytes) <= $1 THEN j.result_bytes END AS result_inline,
                      c.leaf_index AS "leaf_index?", b.chain_id AS "chain_id?", b.registry AS "registry?",
                      b.root AS "root?", b.tx_hash AS "tx_hash?", b.block_number AS "block_number?",
                      b.block_hash AS "block_hash?", b.confirmed_at AS "confirmed_at?", b.status AS "batch_status?",
                      (SELECT coalesce(jsonb_object_agg(u.metric, u.units), '{}')
                         FROM (SELECT metric, sum(units)::bigint AS units FROM usage_ledger
                                WHERE job_id = j.id GROUP BY metric) u) AS "usage!"
                 FROM jobs j
                 LEFT JOIN confirmations c ON c.job_id = j.id
                 LEFT JOIN batches b ON b.id = c.batch_id "# + $condition,
            INLINE_BYTES,
            $($argument),*
        )
    };
}

struct Row {
    id: Uuid,
    version: i64,
    job_type: String,
    algorithm: String,
    status: String,
    priority: i16,
    submitter: Vec<u8>,
    test_mode: bool,
    content_hash: Vec<u8>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    deadline: Option<DateTime<Utc>>,
    estimated_completion: DateTime<Utc>,
    progress_percent: f32,
    progress_stage: String,
    progress_detail: String,
    error_code: Option<String>,
    error_detail: Option<String>,
    result_hash: Option<Vec<u8>>,
    result_media_type: Option<String>,
    result_size: Option<i64>,
    result_inline: Option<Vec<u8>>,
    leaf_index: Option<i64>,
    chain_id: Option<i64>,
    registry: Option<Vec<u8>>,
    root: Option<Vec<u8>>,
    tx_hash: Option<Vec<u8>>,
    block_number: Option<i64>,
    block_hash: Option<Vec<u8>>,
    confirmed_at: Option<DateTime<Utc>>,
    batch_status: Option<String>,
    usage: Value,
}

/// Reads one job.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, reader: Reader<'_>, job: JobId) -> Result<Option<StoredJob>, StoreError> {
    let row = select_jobs!(
        "WHERE j.tenant = $2 AND j.id = $3 AND ($4::text IS NULL OR j.user_id = $4)",
        reader.tenant.as_str(),
        job.0,
        reader.user_column()
    )
    .fetch_optional(pool)
    .await?;
    row.map(StoredJob::try_from).transpose()
}

/// Reads a job's state alone: what a caller that waits for a change asks again and again.
///
/// # Errors
/// The database is away.
pub async fn status(pool: &PgPool, reader: Reader<'_>, job: JobId) -> Result<Option<JobStatus>, StoreError> {
    let status = sqlx::query_scalar!(
        "SELECT status FROM jobs WHERE tenant = $1 AND id = $2 AND ($3::text IS NULL OR user_id = $3)",
        reader.tenant.as_str(),
        job.0,
        reader.user_column()
    )
    .fetch_optional(pool)
    .await?;
    status.map(|status| status.parse().map_err(|_| StoreError::corrupt("status", status))).transpose()
}

/// Whether a computation of this type told of its progress within `seconds`: a worker whose slots are all taken asks for
/// no more work, and is there all the same.
///
/// # Errors
/// The database is away.
pub async fn is_computing(pool: &PgPool, job_type: JobType, seconds: f64) -> Result<bool, StoreError> {
    let computing = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM jobs WHERE status = 'PROCESSING' AND job_type = $1
                                             AND updated_at > started_at
                                             AND updated_at > now() - make_interval(secs => $2)) AS "computing!""#,
        job_type.as_str(),
        seconds
    )
    .fetch_one(pool)
    .await?;
    Ok(computing)
}

/// Reads up to `limit` jobs, newest first.
///
/// # Errors
/// The database is away.
pub async fn list(
    pool: &PgPool,
    reader: Reader<'_>,
    filter: &JobFilter,
    limit: i64,
) -> Result<Vec<StoredJob>, StoreError> {
    let rows = select_jobs!(
        "WHERE j.tenant = $2 AND ($3::text IS NULL OR j.status = $3) AND ($4::text IS NULL OR j.job_type = $4)
           AND ($5::timestamptz IS NULL OR j.created_at > $5) AND ($6::timestamptz IS NULL OR j.created_at < $6)
           AND ($7::bytea IS NULL OR j.submitter = $7) AND ($8::uuid IS NULL OR j.id < $8)
           AND ($9::text IS NULL OR j.user_id = $9)
         ORDER BY j.id DESC LIMIT $10",
        reader.tenant.as_str(),
        filter.status.map(JobStatus::as_str),
        filter.job_type.map(JobType::as_str),
        filter.created_after,
        filter.created_before,
        filter.submitter.as_ref().map(|address| &address[..]),
        filter.before.map(|job| job.0),
        reader.user_column(),
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(StoredJob::try_from).collect()
}

/// How a job ended, with its result's bytes.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub status: JobStatus,
    /// Why the job failed.
    pub error: Option<(ErrorCode, String)>,
    pub result: Option<ResultBytes>,
}

/// A result as it is sent.
#[derive(Clone, Debug)]
pub struct ResultBytes {
    /// `None`: they lie in the blob store, as those of encrypted jobs do.
    pub bytes: Option<Vec<u8>>,
    pub media_type: String,
    /// SHA-256 of the bytes.
    pub hash: [u8; 32],
}

/// Reads a job's result whole.
///
/// # Errors
/// The database is away.
pub async fn outcome(pool: &PgPool, reader: Reader<'_>, job: JobId) -> Result<Option<Outcome>, StoreError> {
    let row = sqlx::query!(
        "SELECT status, error_code, error_detail, result_bytes, result_media_type, result_hash FROM jobs
          WHERE tenant = $1 AND id = $2 AND ($3::text IS NULL OR user_id = $3)",
        reader.tenant.as_str(),
        job.0,
        reader.user_column()
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let result = match (row.result_media_type, row.result_hash) {
        (Some(media_type), Some(hash)) => {
            Some(ResultBytes { bytes: row.result_bytes, media_type, hash: bytes("result hash", &hash)? })
        }
        _ => None,
    };
    let status = row.status.parse().map_err(|_| StoreError::corrupt("status", &row.status))?;
    Ok(Some(Outcome { status, error: error_of(row.error_code, row.error_detail)?, result }))
}

impl TryFrom<Row> for StoredJob {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let error = error_of(row.error_code, row.error_detail)?;
        let result = match (row.result_hash, row.result_media_type, row.result_size) {
            (Some(hash), Some(media_type), Some(size)) => {
                Some(StoredResult { hash: bytes("result hash", &hash)?, media_type, size, inline: row.result_inline })
            }
            _ => None,
        };
        let confirmation = match (row.leaf_index, row.chain_id, row.registry, row.root) {
            (Some(leaf_index), Some(chain_id), Some(registry), Some(root)) => Some(StoredConfirmation {
                chain_id,
                registry,
                leaf_index,
                root,
                tx_hash: row.tx_hash,
                block_number: row.block_number,
                block_hash: row.block_hash,
                confirmed_at: row.confirmed_at,
                finalized: row.batch_status.as_deref() == Some("FINALIZED"),
            }),
            _ => None,
        };
        Ok(Self {
            id: JobId(row.id),
            version: row.version,
            job_type: job_type_of(&row.job_type)?,
            algorithm: row.algorithm,
            status: row.status.parse().map_err(|_| StoreError::corrupt("status", &row.status))?,
            priority: priority_of(row.priority)?,
            submitter: bytes("submitter", &row.submitter)?,
            test_mode: row.test_mode,
            content_hash: bytes("content hash", &row.content_hash)?,
            created_at: row.created_at,
            updated_at: row.updated_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
            deadline: row.deadline,
            estimated_completion: row.estimated_completion,
            progress_percent: row.progress_percent,
            progress_stage: row.progress_stage,
            progress_detail: row.progress_detail,
            error,
            result,
            confirmation,
            usage: row.usage,
        })
    }
}

pub(crate) fn error_of(
    code: Option<String>,
    detail: Option<String>,
) -> Result<Option<(ErrorCode, String)>, StoreError> {
    let Some(code) = code else { return Ok(None) };
    let code = code.parse().map_err(|_| StoreError::corrupt("error code", &code))?;
    Ok(Some((code, detail.unwrap_or_default())))
}

/// A column of fixed length.
pub(crate) fn bytes<const N: usize>(what: &'static str, value: &[u8]) -> Result<[u8; N], StoreError> {
    value.try_into().map_err(|_| StoreError::corrupt(what, format!("{} bytes", value.len())))
}

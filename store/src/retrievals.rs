//! What `fhe-result` reads of a job, and the nonces of retrievals that the API answers itself.

use jobs::submission::JobType;
use jobs::{ErrorCode, JobId, JobStatus, TenantId};
use sqlx::PgPool;

use crate::StoreError;
use crate::admission::job_type_of;
use crate::jobs::{Reader, bytes, error_of};

/// A job whose result is asked for.
#[derive(Clone, Debug)]
pub struct RetrievableJob {
    pub job_type: JobType,
    pub status: JobStatus,
    /// Why the job failed.
    pub error: Option<(ErrorCode, String)>,
    pub submitter: [u8; 20],
    /// RFC 8785 form of the payload.
    pub payload: String,
    pub result_hash: Option<[u8; 32]>,
}

/// Reads a job for a retrieval.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, reader: Reader<'_>, job: JobId) -> Result<Option<RetrievableJob>, StoreError> {
    let row = sqlx::query!(
        "SELECT job_type, status, error_code, error_detail, submitter, payload, result_hash FROM jobs
          WHERE tenant = $1 AND id = $2 AND ($3::text IS NULL OR user_id = $3)",
        reader.tenant.as_str(),
        job.0,
        reader.user_column()
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(RetrievableJob {
        job_type: job_type_of(&row.job_type)?,
        status: row.status.parse().map_err(|_| StoreError::corrupt("status", &row.status))?,
        error: error_of(row.error_code, row.error_detail)?,
        submitter: bytes("submitter", &row.submitter)?,
        payload: row.payload,
        result_hash: row.result_hash.map(|hash| bytes("result hash", &hash)).transpose()?,
    }))
}

/// Whose job this is, whoever asks: for a caller whose right to it does not come from its tenant.
///
/// # Errors
/// The database is away.
pub async fn tenant_of(pool: &PgPool, job: JobId) -> Result<Option<TenantId>, StoreError> {
    let tenant = sqlx::query_scalar!("SELECT tenant FROM jobs WHERE id = $1", job.0).fetch_optional(pool).await?;
    tenant.map(|tenant| tenant.parse().map_err(|_| StoreError::corrupt("tenant", &tenant))).transpose()
}

/// A signed request for a result.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest {
    pub job: JobId,
    pub signer: [u8; 20],
    pub nonce: [u8; 32],
    /// EIP-712 digest that was signed.
    pub digest: [u8; 32],
}

/// Whether a nonce may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceUse {
    First,
    /// The identical request, a short time after the first.
    Again,
    Replayed,
}

/// Uses a nonce, for ever; the identical request may repeat it within `repeat_seconds`.
///
/// # Errors
/// The database is away.
pub async fn use_nonce(pool: &PgPool, request: &SignedRequest, repeat_seconds: f64) -> Result<NonceUse, StoreError> {
    let first = sqlx::query!(
        "INSERT INTO retrievals (job_id, signer, nonce, digest) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        request.job.0,
        &request.signer[..],
        &request.nonce[..],
        &request.digest[..]
    )
    .execute(pool)
    .await?;
    if first.rows_affected() == 1 {
        return Ok(NonceUse::First);
    }
    let again = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM retrievals
                           WHERE job_id = $1 AND signer = $2 AND nonce = $3 AND digest = $4
                             AND created_at > now() - make_interval(secs => $5)) AS "again!""#,
        request.job.0,
        &request.signer[..],
        &request.nonce[..],
        &request.digest[..],
        repeat_seconds
    )
    .fetch_one(pool)
    .await?;
    Ok(if again { NonceUse::Again } else { NonceUse::Replayed })
}

//! Failures of ours at a job's computation, counted: what fails for no reason that anybody foresaw is not tried for ever.

use jobs::JobId;
use sqlx::PgPool;

use crate::StoreError;

/// Longest text that is kept, in characters.
const MAX_TEXT: usize = 1_000;

/// Counts a failure, and tells how many there were with it. The last one's text is kept for operators.
///
/// # Errors
/// The database is away.
pub async fn count(pool: &PgPool, job: JobId, text: &str) -> Result<u32, StoreError> {
    // PostgreSQL stores no NUL.
    let text: String = text.chars().filter(|char| *char != '\0').take(MAX_TEXT).collect();
    let errors = sqlx::query_scalar!(
        "INSERT INTO fhe_errors (job_id, errors, last_error) VALUES ($1, 1, $2)
         ON CONFLICT (job_id) DO UPDATE
            SET errors = fhe_errors.errors + 1, last_error = EXCLUDED.last_error, last_at = now()
         RETURNING errors",
        job.0,
        text
    )
    .fetch_one(pool)
    .await?;
    u32::try_from(errors).map_err(|_| StoreError::corrupt("number of errors", errors))
}

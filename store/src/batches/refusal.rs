//! Batches that the registry refuses for good.

use sqlx::PgPool;
use uuid::Uuid;

use super::watch::{MARGIN, jobs_changed};
use crate::{StoreError, begin};

/// Notes that another root has one of the batch's bits; `head` is the newest block now. Answers the block of the first
/// such look.
///
/// # Errors
/// The database is away.
pub async fn note_refused(pool: &PgPool, batch: Uuid, head: i64) -> Result<i64, StoreError> {
    let since = sqlx::query_scalar!(
        r#"UPDATE batches SET refused_block = coalesce(refused_block, $2) WHERE id = $1 RETURNING refused_block AS "since!""#,
        batch,
        head
    )
    .fetch_one(pool)
    .await?;
    Ok(since)
}

/// Gives a batch up and lets its jobs be sealed anew, under new indices; answers how many. `None`: it stays as it is,
/// because one of its transactions may still land, or it is not open any more.
///
/// # Errors
/// The database is away; then nothing was changed.
pub async fn abandon(pool: &PgPool, batch: Uuid, reason: &str) -> Result<Option<u64>, StoreError> {
    let mut tx = begin(pool).await?;
    let abandoned = sqlx::query!(
        "UPDATE batches SET status = 'ABANDONED', reason = $2
          WHERE id = $1 AND status IN ('SEALED', 'SENT') AND NOT EXISTS (
                SELECT 1 FROM chain_transactions
                 WHERE batch_id = $1 AND purpose = 'BATCH' AND state IN ('SIGNED', 'SENT', 'MINED', 'REVERTED'))",
        batch,
        reason
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if abandoned == 0 {
        return Ok(None);
    }
    jobs_changed(&mut tx, &[batch]).await?;
    let jobs = sqlx::query!("UPDATE confirmations SET batch_id = NULL, leaf_index = NULL WHERE batch_id = $1", batch)
        .execute(&mut *tx)
        .await?
        .rows_affected();
    tx.commit().await?;
    Ok(Some(jobs))
}

/// Lets a batch whose event stands in this block, or not before it, be looked for there. Does not shorten the search. The
/// batch counts as sent: somebody did.
///
/// # Errors
/// The database is away.
pub async fn search_from(pool: &PgPool, batch: Uuid, block: i64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE batches SET from_block = least(from_block, greatest(0, $2::bigint - $3::bigint)),
                            status = CASE status WHEN 'SEALED' THEN 'SENT' ELSE status END
          WHERE id = $1",
        batch,
        block,
        MARGIN
    )
    .execute(pool)
    .await?;
    Ok(())
}

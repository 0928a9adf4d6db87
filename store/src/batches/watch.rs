//! Confirmed batches: their blocks may vanish until they are final.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::Registry;
use crate::jobs::bytes;
use crate::transactions::InBlock;
use crate::{StoreError, begin, transactions};

/// A batch that was confirmed, and where.
#[derive(Clone, Debug)]
pub struct AnchoredBatch {
    pub id: Uuid,
    pub block: InBlock,
}

/// Whether the chain may still take a block back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    Open,
    Final,
}

/// How far a chain may go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Horizon {
    /// Some blocks, none of them finalized.
    Near,
    /// To its beginning.
    WholeChain,
}

/// Blocks by which an event may stand earlier than the block that was the newest when its batch was sealed, or than the
/// one in which it stood before a reorganisation.
pub(crate) const MARGIN: i64 = 128;

/// Confirmed batches that are final or that are not, newest block first.
///
/// # Errors
/// The database is away.
pub async fn anchored(
    pool: &PgPool,
    on: &Registry,
    finality: Finality,
    limit: i64,
) -> Result<Vec<AnchoredBatch>, StoreError> {
    let status = match finality {
        Finality::Open => "CONFIRMED",
        Finality::Final => "FINALIZED",
    };
    let rows = sqlx::query!(
        r#"SELECT id, block_number AS "block_number!", block_hash AS "block_hash!" FROM batches
            WHERE status = $3 AND chain_id = $1 AND registry = $2 ORDER BY block_number DESC LIMIT $4"#,
        on.chain_id,
        &on.address[..],
        status,
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let hash = bytes("block hash", &row.block_hash)?;
            Ok(AnchoredBatch { id: row.id, block: InBlock { number: row.block_number, hash } })
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
    let mut tx = begin(pool).await?;
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
        transactions::lift(&mut tx, batch).await?;
        jobs_changed(&mut tx, &[batch]).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Notes that the chain will not take this very block back, and with it the batches that stand in it: whoever calls has
/// seen it in the chain. A batch that stands in another block of its number is not meant.
///
/// # Errors
/// The database is away.
pub async fn finalize(pool: &PgPool, on: &Registry, block: InBlock) -> Result<u64, StoreError> {
    let mut tx = begin(pool).await?;
    let batches = sqlx::query_scalar!(
        "UPDATE batches SET status = 'FINALIZED'
          WHERE chain_id = $1 AND registry = $2 AND status = 'CONFIRMED' AND block_number = $3 AND block_hash = $4
         RETURNING id",
        on.chain_id,
        &on.address[..],
        block.number,
        &block.hash[..]
    )
    .fetch_all(&mut *tx)
    .await?;
    transactions::finalize(&mut tx, &batches).await?;
    jobs_changed(&mut tx, &batches).await?;
    tx.commit().await?;
    Ok(batches.len() as u64)
}

/// The jobs of these batches look different to their clients now: caches ask again.
pub(super) async fn jobs_changed(tx: &mut PgConnection, batches: &[Uuid]) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE jobs j SET version = version + 1, updated_at = now()
           FROM confirmations c WHERE c.batch_id = ANY($1) AND j.id = c.job_id",
        batches
    )
    .execute(tx)
    .await?;
    Ok(())
}

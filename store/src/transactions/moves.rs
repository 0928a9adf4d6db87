//! Moves of a transaction: each names the states that it may leave, and the database refuses what its table does not have.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{InBlock, TransactionState};
use crate::batches::Anchor;
use crate::{StoreError, begin};

/// A node took the bytes, for the first time or again.
///
/// # Errors
/// The database is away.
pub async fn note_sent(pool: &PgPool, tx_hash: [u8; 32]) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE chain_transactions SET sent_at = now(), state = CASE WHEN state = 'SIGNED' THEN 'SENT' ELSE state END
          WHERE tx_hash = $1",
        &tx_hash[..]
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A canonical block holds the transaction: it is MINED or REVERTED there, and the others of its batch with its nonce
/// are REPLACED. Those of another batch stay as they are until the block is deep: see [`abandon`].
///
/// # Errors
/// The database is away.
pub async fn landed(
    pool: &PgPool,
    tx_hash: [u8; 32],
    entered: TransactionState,
    block: InBlock,
) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    enter_block(&mut tx, tx_hash, entered, block).await?;
    tx.commit().await?;
    Ok(())
}

async fn enter_block(
    tx: &mut PgConnection,
    tx_hash: [u8; 32],
    entered: TransactionState,
    block: InBlock,
) -> Result<(), StoreError> {
    // Of another block than the one that is known: it was taken back and mined anew.
    sqlx::query!(
        "UPDATE chain_transactions SET state = 'SENT', block_number = NULL, block_hash = NULL
          WHERE tx_hash = $1 AND state IN ('MINED', 'REVERTED') AND state <> $2",
        &tx_hash[..],
        entered.as_str()
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE chain_transactions
            SET state = $2, block_number = $3, block_hash = $4, overtaken_block = NULL, reason = NULL
          WHERE tx_hash = $1 AND state IN ('SIGNED', 'SENT', 'MINED', 'REVERTED', 'REPLACED', 'ABANDONED')",
        &tx_hash[..],
        entered.as_str(),
        block.number,
        &block.hash[..]
    )
    .execute(&mut *tx)
    .await?;
    // One that stood in a block there stands in none now.
    sqlx::query!(
        "UPDATE chain_transactions t SET state = 'SENT', block_number = NULL, block_hash = NULL
           FROM chain_transactions mined
          WHERE mined.tx_hash = $1 AND t.batch_id = mined.batch_id AND t.sender = mined.sender AND t.nonce = mined.nonce
            AND t.tx_hash <> mined.tx_hash AND t.state IN ('MINED', 'REVERTED')",
        &tx_hash[..]
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE chain_transactions t SET state = 'REPLACED', overtaken_block = NULL
           FROM chain_transactions mined
          WHERE mined.tx_hash = $1 AND t.batch_id = mined.batch_id AND t.sender = mined.sender AND t.nonce = mined.nonce
            AND t.tx_hash <> mined.tx_hash AND t.state IN ('SIGNED', 'SENT')",
        &tx_hash[..]
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// No block holds the transaction any more: nodes should have it again. One that anchors its batch is taken back with
/// it alone.
///
/// # Errors
/// The database is away.
pub async fn return_to_pool(pool: &PgPool, tx_hash: [u8; 32]) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE chain_transactions SET state = 'SENT', sent_at = NULL, block_number = NULL, block_hash = NULL,
                                       overtaken_block = NULL, reason = NULL
          WHERE tx_hash = $1 AND (state IN ('MINED', 'REVERTED', 'REPLACED', 'ABANDONED')
                                  OR purpose = 'FILLER' AND state IN ('CONFIRMED', 'FINALIZED'))",
        &tx_hash[..]
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Another transaction has used the nonce; `head` is the newest block now. The first look counts.
///
/// # Errors
/// The database is away.
pub async fn note_overtaken(pool: &PgPool, tx_hash: [u8; 32], head: i64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE chain_transactions SET overtaken_block = coalesce(overtaken_block, $2) WHERE tx_hash = $1",
        &tx_hash[..],
        head
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The chain took the other transaction back: the nonce is free again.
///
/// # Errors
/// The database is away.
pub async fn forget_overtaken(pool: &PgPool, tx_hash: [u8; 32]) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE chain_transactions SET overtaken_block = NULL WHERE tx_hash = $1 AND overtaken_block IS NOT NULL",
        &tx_hash[..]
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Gives a transaction up, for what is N blocks deep: a stranger's transaction with its nonce, or its own refusal.
///
/// # Errors
/// The database is away.
pub async fn abandon(pool: &PgPool, tx_hash: [u8; 32], reason: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE chain_transactions SET state = 'ABANDONED', reason = $2
          WHERE tx_hash = $1 AND state IN ('SIGNED', 'SENT', 'REVERTED', 'REPLACED')",
        &tx_hash[..],
        reason
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A filler that is in a block is N blocks deep: nothing is left to do for it.
///
/// # Errors
/// The database is away.
pub async fn filler_is_deep(pool: &PgPool, tx_hash: [u8; 32]) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE chain_transactions SET state = 'CONFIRMED'
          WHERE tx_hash = $1 AND state = 'MINED' AND purpose = 'FILLER'",
        &tx_hash[..]
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The transaction of ours that anchors a batch is as deep as the batch's event. One that nobody of us signed is not
/// here.
pub(crate) async fn confirm(tx: &mut PgConnection, anchor: &Anchor) -> Result<(), StoreError> {
    let block = InBlock { number: anchor.block_number, hash: anchor.block_hash };
    enter_block(tx, anchor.tx_hash, TransactionState::Mined, block).await?;
    sqlx::query!(
        "UPDATE chain_transactions SET state = 'CONFIRMED' WHERE tx_hash = $1 AND state = 'MINED'",
        &anchor.tx_hash[..]
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A batch's block is gone: the transaction that anchored it is a sent one again, and nodes should have it soon.
pub(crate) async fn lift(tx: &mut PgConnection, batch: Uuid) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE chain_transactions SET state = 'SENT', sent_at = NULL, block_number = NULL, block_hash = NULL
          WHERE batch_id = $1 AND state IN ('CONFIRMED', 'FINALIZED') AND purpose = 'BATCH'",
        batch
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The chain will not take back the blocks of these batches. A filler ends when it is deep.
pub(crate) async fn finalize(tx: &mut PgConnection, batches: &[Uuid]) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE chain_transactions SET state = 'FINALIZED'
          WHERE batch_id = ANY($1) AND state = 'CONFIRMED' AND purpose = 'BATCH'",
        batches
    )
    .execute(tx)
    .await?;
    Ok(())
}

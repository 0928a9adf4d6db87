//! The transactions that carried batches, put back as the chain has them.

use sqlx::PgPool;
use uuid::Uuid;

use crate::StoreError;
use crate::transactions::Transaction;

/// Puts the row of the transaction back in which a batch stands on chain: as settled as its batch, or as sent where the
/// batch is still to be completed. One that is there stays as it is. Tells whether it was put back.
///
/// # Errors
/// The database is away.
pub async fn put_back(pool: &PgPool, batch: Uuid, carrier: &Transaction) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "INSERT INTO chain_transactions (tx_hash, batch_id, sender, nonce, raw, max_fee_per_gas, max_priority_fee_per_gas,
                                         purpose, state, block_number, block_hash)
         SELECT $1::bytea, b.id, $3::bytea, $4::bigint, $5::bytea, $6::text::numeric, $7::text::numeric, 'BATCH',
                CASE WHEN stands.here THEN b.status ELSE 'SENT' END,
                CASE WHEN stands.here THEN b.block_number END, CASE WHEN stands.here THEN b.block_hash END
           FROM batches b,
                LATERAL (SELECT coalesce(b.status IN ('CONFIRMED', 'FINALIZED') AND b.tx_hash = $1, false) AS here) stands
          WHERE b.id = $2 AND b.status <> 'ABANDONED'
         ON CONFLICT (tx_hash) DO NOTHING",
        &carrier.tx_hash[..],
        batch,
        &carrier.sender[..],
        carrier.nonce.cast_signed(),
        carrier.raw,
        carrier.max_fee_per_gas.to_string(),
        carrier.max_priority_fee_per_gas.to_string()
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}

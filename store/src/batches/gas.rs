//! What a batch's confirmation cost, and who bears it: the jobs that it completes, which are the ones that are billed for
//! it. A failed job that is confirmed with them has no row of confirmation and bears nothing.
//!
//! The gas is that of the transaction that confirmed the batch first, and stays so: jobs are billed once, whatever a
//! reorganisation does to that transaction.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Anchor;
use crate::StoreError;
use crate::jobs::bytes;

/// What a transaction cost: `used` times `price`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gas {
    /// Units of gas.
    pub used: i64,
    /// Wei for each of them.
    pub price: u128,
}

/// What no row of the ledger has yet of a transaction's gas.
pub(super) struct Unshared {
    pub(super) tx_hash: [u8; 32],
    units: i64,
}

impl Unshared {
    /// A share for each of so many jobs: whole units, one more for the first ones where it does not divide, all together
    /// exactly what there is.
    pub(super) fn shares(&self, jobs: usize) -> Vec<i64> {
        let Some(jobs) = i64::try_from(jobs).ok().filter(|jobs| *jobs > 0) else { return Vec::new() };
        let (each, left) = (self.units / jobs, self.units % jobs);
        (0..jobs).map(|place| each + i64::from(place < left)).collect()
    }
}

/// Notes what confirmed a batch for the first time, and what that cost.
pub(super) async fn note(tx: &mut PgConnection, batch: Uuid, anchor: &Anchor) -> Result<(), StoreError> {
    let Some(gas) = anchor.gas else { return Ok(()) };
    sqlx::query!(
        "UPDATE batches SET gas_tx_hash = $2, gas_used = $3, effective_gas_price = $4::text::numeric WHERE id = $1",
        batch,
        &anchor.tx_hash[..],
        gas.used,
        gas.price.to_string()
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What is left of the gas that is noted with a batch. Jobs of it have their shares already where a database was restored
/// in which others waited; what a job was billed for in another batch is of another transaction.
pub(super) async fn unshared(tx: &mut PgConnection, batch: Uuid) -> Result<Option<Unshared>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT b.gas_tx_hash AS "tx_hash!", greatest(b.gas_used - coalesce(sum(u.gas), 0), 0)::bigint AS "units!"
             FROM batches b
             LEFT JOIN confirmations c ON c.batch_id = b.id
             LEFT JOIN usage_ledger u ON u.job_id = c.job_id AND u.metric = 'chain_confirmations'
                                     AND u.gas_tx_hash = b.gas_tx_hash
            WHERE b.id = $1 AND b.gas_used IS NOT NULL GROUP BY b.id"#,
        batch
    )
    .fetch_optional(tx)
    .await?;
    row.map(|row| Ok(Unshared { tx_hash: bytes("transaction hash", &row.tx_hash)?, units: row.units })).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_whole_as_equal_as_can_be_and_together_all_of_it() {
        let shares = |units, jobs| Unshared { tx_hash: [4; 32], units }.shares(jobs);
        assert_eq!(shares(9, 3), [3, 3, 3]);
        assert_eq!(shares(11, 3), [4, 4, 3], "the first ones bear what does not divide");
        assert_eq!(shares(2, 3), [1, 1, 0]);
        assert_eq!(shares(0, 2), [0, 0]);
        assert_eq!(shares(69_146, 1), [69_146]);
        assert!(shares(69_146, 0).is_empty(), "all of its jobs failed");
        for jobs in 1..=1_000 {
            let shares = shares(151_007, jobs);
            assert_eq!((shares.len(), shares.iter().sum::<i64>()), (jobs, 151_007));
            assert!(shares.iter().max().zip(shares.iter().min()).is_some_and(|(most, least)| most - least <= 1));
        }
    }
}

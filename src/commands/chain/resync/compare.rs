//! What the chain and the database say differently. Pure: reads nothing and decides nothing.

use std::collections::{HashMap, HashSet};

use ::chain::{ConfirmedBatch, History};
use alloy::primitives::B256;
use anyhow::{Context, Result};
use jobs::merkle::Entry;
use store::resync::{Standing, StoredBatch};
use uuid::Uuid;

use super::indices::indices;

/// A difference.
#[derive(Clone, Debug)]
pub(super) enum Drift {
    /// The chain confirmed a root that no row names.
    Unknown(ConfirmedBatch),
    /// The row is there, confirmations of its jobs are not.
    LostLeaves { batch: ConfirmedBatch, id: Uuid, standing: Standing },
    /// On chain, and open here, or anchored with jobs that wait all the same.
    NotCompleted { batch: ConfirmedBatch, id: Uuid, standing: Standing },
    /// The same on both sides, but for the transaction that carried it: it is not written down here.
    Uncarried { batch: ConfirmedBatch, id: Uuid },
    /// On chain, but in another block than the one here.
    OtherBlock { batch: ConfirmedBatch, id: Uuid, is_final: bool },
    /// The same root over other indices: nobody can make that.
    OtherEntries { batch: ConfirmedBatch },
    /// On chain, and given up here: its jobs were sealed anew.
    GivenUp { batch: ConfirmedBatch },
    /// Anchored here, and not on chain.
    Gone { id: Uuid, root: B256, block_number: i64, is_final: bool },
    /// Open here, with an index that another root has confirmed: it can never be confirmed.
    Collides { root: B256, index: u64, with: B256 },
}

impl Drift {
    /// Whether it is about a root that the chain has.
    pub(super) fn is_on_chain(&self) -> bool {
        !matches!(self, Self::Gone { .. } | Self::Collides { .. })
    }
}

/// # Errors
/// A row's entries cannot be read.
pub(super) fn compare(history: &History, stored: &[StoredBatch]) -> Result<Vec<Drift>> {
    let rows: HashMap<B256, &StoredBatch> = stored.iter().map(|row| (B256::from(row.root), row)).collect();
    let on_chain: HashSet<B256> = history.batches.iter().map(|batch| batch.root).collect();
    let mut drifts = Vec::new();
    for batch in &history.batches {
        match rows.get(&batch.root) {
            None => drifts.push(Drift::Unknown(batch.clone())),
            Some(row) => drifts.extend(of_both(batch, row)?),
        }
    }
    let absent = stored.iter().filter(|row| !on_chain.contains(&B256::from(row.root)));
    let mut confirmed_by: Option<HashMap<u64, B256>> = None;
    for row in absent {
        match row.standing {
            Standing::Anchored { block_number, is_final, .. } => {
                if was_read(history, block_number) {
                    drifts.push(Drift::Gone { id: row.id, root: row.root.into(), block_number, is_final });
                }
            }
            Standing::GivenUp => {}
            Standing::Open => {
                let confirmed_by = confirmed_by.get_or_insert_with(|| owners(history));
                let taken = indices(&entries(row)?).find_map(|index| Some((index, *confirmed_by.get(&index)?)));
                drifts.extend(taken.map(|(index, with)| Drift::Collides { root: row.root.into(), index, with }));
            }
        }
    }
    Ok(drifts)
}

fn of_both(batch: &ConfirmedBatch, row: &StoredBatch) -> Result<Option<Drift>> {
    let (batch, id) = (batch.clone(), row.id);
    if entries(row)? != batch.entries {
        return Ok(Some(Drift::OtherEntries { batch }));
    }
    if row.standing == Standing::GivenUp {
        return Ok(Some(Drift::GivenUp { batch }));
    }
    if row.leaves != i64::from(row.job_count) {
        return Ok(Some(Drift::LostLeaves { batch, id, standing: row.standing }));
    }
    Ok(match row.standing {
        Standing::GivenUp => None,
        Standing::Open => Some(Drift::NotCompleted { batch, id, standing: row.standing }),
        Standing::Anchored { block_number, block_hash, is_final } => {
            let is_same = block_hash == batch.block.hash.0 && block_number.cast_unsigned() == batch.block.number;
            match is_same {
                false => Some(Drift::OtherBlock { batch, id, is_final }),
                true if row.confirming > 0 => Some(Drift::NotCompleted { batch, id, standing: row.standing }),
                true => (!row.is_carried).then_some(Drift::Uncarried { batch, id }),
            }
        }
    })
}

/// A block that was not read says nothing about its batches.
fn was_read(history: &History, block_number: i64) -> bool {
    (history.from_block..=history.to.number).contains(&block_number.cast_unsigned())
}

/// Which root confirmed an index.
fn owners(history: &History) -> HashMap<u64, B256> {
    let of = |batch: &ConfirmedBatch| {
        let root = batch.root;
        indices(&batch.entries).map(move |index| (index, root)).collect::<Vec<_>>()
    };
    history.batches.iter().flat_map(of).collect()
}

fn entries(row: &StoredBatch) -> Result<Vec<Entry>> {
    serde_json::from_value(row.entries.clone()).with_context(|| format!("the entries of batch {} are corrupt", row.id))
}

#[cfg(test)]
mod tests {
    use ::chain::Block;
    use alloy::primitives::U256;
    use serde_json::json;

    use super::*;

    fn root(number: u8) -> B256 {
        B256::repeat_byte(number)
    }

    fn block(number: u64) -> Block {
        Block { number, hash: B256::repeat_byte(number as u8) }
    }

    fn on_chain(number: u8, mask: u64) -> ConfirmedBatch {
        let entries = vec![Entry { word: 0, mask: U256::from(mask) }];
        ConfirmedBatch { root: root(number), entries, tx_hash: B256::ZERO, block: block(5) }
    }

    fn history(batches: Vec<ConfirmedBatch>) -> History {
        History { from_block: 3, to: block(9), finalized: None, batches }
    }

    fn anchored(number: u64, is_final: bool) -> Standing {
        Standing::Anchored { block_number: number.cast_signed(), block_hash: block(number).hash.0, is_final }
    }

    fn row(number: u8, mask: u64, standing: Standing) -> StoredBatch {
        let entries = json!([Entry { word: 0, mask: U256::from(mask) }]);
        let job_count = mask.count_ones().cast_signed();
        StoredBatch {
            id: Uuid::nil(),
            root: [number; 32],
            entries,
            job_count,
            leaves: job_count.into(),
            confirming: 0,
            is_carried: true,
            standing,
        }
    }

    fn found(batches: Vec<ConfirmedBatch>, rows: &[StoredBatch]) -> Vec<Drift> {
        compare(&history(batches), rows).unwrap()
    }

    #[test]
    fn what_agrees_is_no_drift() {
        assert!(found(vec![on_chain(1, 0b11)], &[row(1, 0b11, anchored(5, true))]).is_empty());
        assert!(found(Vec::new(), &[row(1, 0b11, Standing::Open)]).is_empty(), "it is on its way");
    }

    #[test]
    fn each_difference_has_its_name() {
        let one = || vec![on_chain(1, 0b11)];
        assert!(matches!(found(one(), &[])[..], [Drift::Unknown(_)]));
        assert!(matches!(found(one(), &[row(1, 0b11, Standing::Open)])[..], [Drift::NotCompleted { .. }]));
        let elsewhere = [row(1, 0b11, anchored(4, false))];
        assert!(matches!(found(one(), &elsewhere)[..], [Drift::OtherBlock { is_final: false, .. }]));
        assert!(matches!(found(one(), &[row(1, 0b111, anchored(5, true))])[..], [Drift::OtherEntries { .. }]));
        let fewer = StoredBatch { leaves: 1, ..row(1, 0b11, anchored(5, true)) };
        assert!(matches!(found(one(), &[fewer])[..], [Drift::LostLeaves { .. }]));
        let waiting = StoredBatch { confirming: 1, ..row(1, 0b11, anchored(5, true)) };
        assert!(matches!(found(one(), &[waiting])[..], [Drift::NotCompleted { .. }]));
        let uncarried = StoredBatch { is_carried: false, ..row(1, 0b11, anchored(5, true)) };
        assert!(matches!(found(one(), &[uncarried])[..], [Drift::Uncarried { .. }]));
        let given_up = [row(1, 0b11, Standing::GivenUp)];
        assert!(matches!(found(one(), &given_up)[..], [Drift::GivenUp { .. }]));
        assert!(found(Vec::new(), &given_up).is_empty(), "and never came");
    }

    #[test]
    fn a_batch_is_gone_only_from_blocks_that_were_read() {
        let gone = found(Vec::new(), &[row(1, 1, anchored(5, true))]);
        assert!(matches!(gone[..], [Drift::Gone { block_number: 5, is_final: true, .. }]));
        assert!(!gone[0].is_on_chain());
        assert!(found(Vec::new(), &[row(1, 1, anchored(2, true)), row(2, 2, anchored(10, false))]).is_empty());
    }

    #[test]
    fn an_open_batch_whose_index_another_root_has_is_found() {
        let open = row(1, 0b110, Standing::Open);
        let [Drift::Unknown(_), Drift::Collides { index, with, .. }] = &found(vec![on_chain(2, 0b100)], &[open])[..]
        else {
            panic!("a foreign root and a collision")
        };
        assert_eq!((*index, *with), (2, root(2)));
    }
}

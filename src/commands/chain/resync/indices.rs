//! Indices that a batch's entries name.

use jobs::merkle::Entry;

/// No index of ours is as high: a foreign confirmer may set any bit, and must not carry our sequence away.
pub(super) const OUT_OF_REACH: u64 = 1 << 48;

/// The indices in rising order; those out of reach are left out.
pub(super) fn indices(entries: &[Entry]) -> impl Iterator<Item = u64> {
    entries.iter().filter(|entry| entry.word < OUT_OF_REACH / 256).flat_map(|entry| {
        let Entry { word, mask } = *entry;
        (0..256_u64).filter(move |bit| mask.bit(*bit as usize)).map(move |bit| word * 256 + bit)
    })
}

/// The highest index that is not out of reach.
pub(super) fn highest(entries: &[Entry]) -> Option<u64> {
    indices(entries).max()
}

#[cfg(test)]
mod tests {
    use alloy::primitives::U256;
    use jobs::leaf::Index;
    use jobs::merkle::entries_of;

    use super::*;

    #[test]
    fn entries_give_back_the_indices_that_made_them() {
        let given = [0, 7, 255, 256, 1_000_000];
        let entries = entries_of(&given.map(Index::new)).unwrap();
        assert_eq!(indices(&entries).collect::<Vec<_>>(), given);
        assert_eq!(highest(&entries), Some(1_000_000));
    }

    #[test]
    fn an_index_out_of_reach_is_nobody_s() {
        let far = Entry { word: u64::MAX, mask: U256::MAX };
        assert_eq!(highest(&[Entry { word: 0, mask: U256::from(4) }, far]), Some(2));
        assert_eq!(highest(&[far]), None);
    }
}

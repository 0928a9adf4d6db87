//! The Merkle tree of a batch and the entries that name its indices, as `ZamaJobsRegistry` reads them.
//!
//! Positional: a leaf stands at the rank of its bit, siblings are hashed left before right, and the leaves are padded
//! with zero words to a power of two.

use alloy::primitives::{B256, Keccak256, U256, keccak256};
use alloy::sol_types::SolValue;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use crate::leaf::{Index, Leaf};

/// 256 neighbouring indices: bit `b` of the mask stands for index `word * 256 + b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub word: u64,
    /// 32 bytes, 0x-hex.
    #[serde(with = "mask_hex")]
    #[schema(value_type = String)]
    pub mask: U256,
}

/// Why leaves make no batch.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum SealError {
    #[error("a batch needs at least one leaf")]
    Empty,
    #[error("leaves must stand in the order of their indices, each once; {0:?} does not")]
    OutOfOrder(Index),
}

/// The root of a confirmed batch and what leads one leaf to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    pub root: B256,
    pub entries: Vec<Entry>,
    /// Siblings from the leaf upwards.
    pub proof: Vec<B256>,
}

/// A sealed batch: its entries and the whole tree.
#[derive(Clone, Debug)]
pub struct Batch {
    entries: Vec<Entry>,
    /// From the padded leaves up to the root.
    levels: Vec<Vec<B256>>,
    /// Leaves before padding.
    count: usize,
}

impl Batch {
    /// Builds the tree over `leaves`.
    ///
    /// # Errors
    /// There are none, or their indices do not strictly increase.
    pub fn seal(leaves: &[Leaf]) -> Result<Self, SealError> {
        if leaves.is_empty() {
            return Err(SealError::Empty);
        }
        let indices: Vec<Index> = leaves.iter().map(|leaf| leaf.index).collect();
        Ok(Self::over(entries_of(&indices)?, leaves.iter().map(Leaf::hash).collect()))
    }

    /// The tree over these hashes of leaves, of which there is at least one.
    fn over(entries: Vec<Entry>, hashes: Vec<B256>) -> Self {
        let count = hashes.len();
        let mut level = hashes;
        level.resize(count.next_power_of_two(), B256::ZERO);
        let mut levels = vec![level];
        while let Some(top) = levels.last().filter(|top| top.len() > 1) {
            let above = top.chunks_exact(2).map(|pair| hash_pair(pair[0], pair[1])).collect();
            levels.push(above);
        }
        Self { entries, levels, count }
    }

    /// The batch's root.
    pub fn root(&self) -> B256 {
        self.levels.last().and_then(|top| top.first()).copied().unwrap_or_default()
    }

    /// The batch's indices.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What leads the leaf at `position` (its place among the leaves that were sealed) to the root.
    pub fn inclusion(&self, position: usize) -> Option<Inclusion> {
        if position >= self.count {
            return None;
        }
        let below_the_root = &self.levels[..self.levels.len() - 1];
        let proof = below_the_root.iter().enumerate().map(|(height, level)| level[(position >> height) ^ 1]).collect();
        Some(Inclusion { root: self.root(), entries: self.entries.clone(), proof })
    }
}

/// The entries that name exactly these indices.
///
/// # Errors
/// The indices do not strictly increase.
pub fn entries_of(indices: &[Index]) -> Result<Vec<Entry>, SealError> {
    if let Some(pair) = indices.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(SealError::OutOfOrder(pair[1]));
    }
    let mut entries: Vec<Entry> = Vec::new();
    for index in indices {
        let bit = U256::ONE << usize::from(index.bit());
        match entries.last_mut() {
            Some(entry) if entry.word == index.word() => entry.mask |= bit,
            _ => entries.push(Entry { word: index.word(), mask: bit }),
        }
    }
    Ok(entries)
}

/// Whether the registry accepts the list: words strictly increasing, no mask zero.
pub fn are_canonical(entries: &[Entry]) -> bool {
    entries.iter().all(|entry| entry.mask != U256::ZERO) && entries.windows(2).all(|pair| pair[0].word < pair[1].word)
}

/// Number of indices in the entries.
pub fn count(entries: &[Entry]) -> usize {
    entries.iter().map(|entry| entry.mask.count_ones()).sum()
}

/// Number of indices below `index` in canonical entries; `None` when `index` is not among them.
pub fn rank(entries: &[Entry], index: Index) -> Option<usize> {
    let at = entries.iter().position(|entry| entry.word == index.word())?;
    let (mask, bit) = (entries[at].mask, usize::from(index.bit()));
    let below = mask & ((U256::ONE << bit) - U256::ONE);
    mask.bit(bit).then(|| count(&entries[..at]) + below.count_ones())
}

/// `keccak256(abi.encode(entries))`, which the registry stores under the root.
pub fn entries_hash(entries: &[Entry]) -> B256 {
    let words: Vec<(U256, U256)> = entries.iter().map(|entry| (U256::from(entry.word), entry.mask)).collect();
    keccak256(words.abi_encode())
}

/// Number of siblings in a proof for a batch of `count` leaves.
pub fn height(count: usize) -> u32 {
    count.checked_next_power_of_two().map_or(usize::BITS, usize::trailing_zeros)
}

/// Whether `proof` leads from `leaf_hash` at `position` of `count` leaves to `root`.
pub fn verify(root: B256, leaf_hash: B256, position: usize, count: usize, proof: &[B256]) -> bool {
    if position >= count || proof.len() != height(count) as usize {
        return false;
    }
    let reached = proof.iter().enumerate().fold(leaf_hash, |node, (height, sibling)| {
        if (position >> height) & 1 == 0 { hash_pair(node, *sibling) } else { hash_pair(*sibling, node) }
    });
    reached == root
}

fn hash_pair(left: B256, right: B256) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update(left);
    hasher.update(right);
    hasher.finalize()
}

/// A mask is always written with all 32 bytes.
mod mask_hex {
    use alloy::primitives::{B256, U256};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(mask: &U256, serializer: S) -> Result<S::Ok, S::Error> {
        B256::from(*mask).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
        B256::deserialize(deserializer).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use alloy::primitives::Address;
    use proptest::prelude::*;

    use super::*;
    use crate::leaf::LeafStatus;

    fn leaf(index: Index) -> Leaf {
        Leaf {
            index,
            job_id: keccak256(index.get().to_be_bytes()),
            submitter: Address::ZERO,
            result_hash: B256::repeat_byte(7),
            status: LeafStatus::Completed,
            content_hash: B256::ZERO,
            handle: B256::ZERO,
        }
    }

    fn leaves(indices: &BTreeSet<u64>) -> Vec<Leaf> {
        indices.iter().map(|index| leaf(Index::new(*index))).collect()
    }

    /// Close together and far apart.
    fn indices() -> impl Strategy<Value = BTreeSet<u64>> {
        prop::collection::btree_set(prop_oneof![0..600_u64, any::<u64>()], 1..80)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_leaf_is_proved_at_its_rank_and_nowhere_else(indices in indices()) {
            let leaves = leaves(&indices);
            let batch = Batch::seal(&leaves).unwrap();
            prop_assert!(are_canonical(batch.entries()));
            prop_assert_eq!(count(batch.entries()), leaves.len());
            for (position, leaf) in leaves.iter().enumerate() {
                prop_assert_eq!(rank(batch.entries(), leaf.index), Some(position));
                let (hash, proof) = (leaf.hash(), batch.inclusion(position).unwrap().proof);
                for other in 0..leaves.len() {
                    let holds = verify(batch.root(), hash, other, leaves.len(), &proof);
                    prop_assert_eq!(holds, other == position);
                }
            }
            prop_assert_eq!(batch.inclusion(leaves.len()), None);
        }

        #[test]
        fn the_root_depends_on_every_leaf(indices in indices(), pick in any::<prop::sample::Index>()) {
            let mut leaves = leaves(&indices);
            let before = Batch::seal(&leaves).unwrap();
            let position = pick.index(leaves.len());
            leaves[position].result_hash[0] ^= 1;
            let after = Batch::seal(&leaves).unwrap();
            prop_assert_ne!(before.root(), after.root());
            prop_assert_eq!(before.entries(), after.entries());
        }

        #[test]
        fn an_index_outside_has_no_rank(indices in indices(), other in prop_oneof![0..600_u64, any::<u64>()]) {
            let sorted: Vec<Index> = indices.iter().copied().map(Index::new).collect();
            let entries = entries_of(&sorted).unwrap();
            prop_assert_eq!(rank(&entries, Index::new(other)).is_some(), indices.contains(&other));
        }

        #[test]
        fn garbage_is_answered_without_panic(
            words in prop::collection::vec((any::<u64>(), any::<[u8; 32]>()), 0..8),
            index in any::<u64>(), position in any::<usize>(), length in 0..80_usize,
        ) {
            let entries: Vec<Entry> =
                words.into_iter().map(|(word, mask)| Entry { word, mask: U256::from_be_bytes(mask) }).collect();
            let _ = (are_canonical(&entries), rank(&entries, Index::new(index)), entries_hash(&entries));
            let proof = vec![B256::ZERO; length];
            prop_assert!(!verify(B256::ZERO, B256::ZERO, position, usize::MAX, &proof));
        }
    }

    /// The tree by its definition, from the root downwards: zero words stand where the leaves have ended.
    fn root_by_definition(leaves: &[B256], width: usize) -> B256 {
        if width == 1 {
            return leaves.first().copied().unwrap_or_default();
        }
        let (left, right) = leaves.split_at(leaves.len().min(width / 2));
        let halves = [left, right].map(|half| root_by_definition(half, width / 2).0);
        keccak256(halves.as_flattened())
    }

    #[test]
    fn every_size_has_the_root_of_the_definition_and_proves_its_outermost_leaves() {
        let indices: Vec<Index> = (0..1_025).map(Index::new).collect();
        let hashes: Vec<B256> = indices.iter().map(|index| leaf(*index).hash()).collect();
        let mut width = 1;
        for size in 1..=hashes.len() {
            if size > width {
                width *= 2;
            }
            // As sealing does, which would hash the same leaves again for each size.
            let batch = Batch::over(entries_of(&indices[..size]).unwrap(), hashes[..size].to_vec());
            assert_eq!(batch.root(), root_by_definition(&hashes[..size], width), "{size} leaves");
            assert_eq!(1 << height(size), width, "{size} leaves");
            for position in [0, size / 2, size - 1] {
                let proof = batch.inclusion(position).unwrap().proof;
                assert!(verify(batch.root(), hashes[position], position, size, &proof), "{position} of {size}");
            }
        }
    }

    #[test]
    fn one_leaf_is_its_own_root() {
        let leaf = leaf(Index::new(5));
        let batch = Batch::seal(std::slice::from_ref(&leaf)).unwrap();
        assert_eq!(batch.root(), leaf.hash());
        assert!(batch.inclusion(0).unwrap().proof.is_empty());
    }

    #[test]
    fn leaves_out_of_order_are_no_batch() {
        assert_eq!(Batch::seal(&[]).unwrap_err(), SealError::Empty);
        let same = [leaf(Index::new(5)), leaf(Index::new(5))];
        assert_eq!(Batch::seal(&same).unwrap_err(), SealError::OutOfOrder(Index::new(5)));
        let falling = [leaf(Index::new(5)), leaf(Index::new(4))];
        assert_eq!(Batch::seal(&falling).unwrap_err(), SealError::OutOfOrder(Index::new(4)));
    }

    #[test]
    fn masks_are_32_bytes_of_hex() {
        let entry = Entry { word: 2, mask: U256::from(0xf) };
        let json = serde_json::to_string(&entry).unwrap();
        assert_eq!(json, format!(r#"{{"word":2,"mask":"0x{:064x}"}}"#, 0xf));
        assert_eq!(serde_json::from_str::<Entry>(&json).unwrap(), entry);
    }
}

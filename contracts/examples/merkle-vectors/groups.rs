//! Batches and the cases that are held against them, honest and forged, each with the verdict of the code in `jobs`.

use alloy::primitives::{Address, B256, U256};
use alloy::sol;
use jobs::leaf::{Index, Leaf, LeafStatus};
use jobs::merkle::{self, Batch, Entry};

use crate::random::Random;
use crate::tree::Tree;

sol! {
    struct WireEntry { uint256 word; uint256 mask; }
    struct WireLeaf {
        uint256 index; bytes32 jobId; address submitter; bytes32 resultHash; uint8 status; bytes32 contentHash;
        bytes32 handle;
    }
    struct LeafCase { WireLeaf leaf; bytes32[] proof; bytes32 leafHash; bool included; }
    struct NodeCase { bytes32 node; uint256 position; uint256 count; bytes32[] proof; bool leads; }
    struct Group {
        bytes32 root; WireEntry[] entries; bytes32 entriesHash; bool canonical; LeafCase[] leaves; NodeCase[] nodes;
    }
}

impl Group {
    /// Number of verdicts in it.
    pub fn cases(&self) -> usize {
        self.leaves.len() + self.nodes.len()
    }

    fn new(root: B256, entries: &[Entry]) -> Self {
        Self {
            root,
            entries: entries.iter().map(|e| WireEntry { word: U256::from(e.word), mask: e.mask }).collect(),
            entriesHash: merkle::entries_hash(entries),
            // The registry refuses a batch without entries for a reason of its own.
            canonical: merkle::are_canonical(entries) && !entries.is_empty(),
            leaves: Vec::new(),
            nodes: Vec::new(),
        }
    }

    fn leaf(&mut self, entries: &[Entry], leaf: &Leaf, proof: Vec<B256>) {
        let rank = merkle::rank(entries, leaf.index).filter(|_| self.canonical);
        let count = merkle::count(entries);
        let leads = |rank| merkle::verify(self.root, leaf.hash(), rank, count, &proof);
        let included = rank.is_some_and(leads);
        self.leaves.push(LeafCase { leaf: wire(leaf), leafHash: leaf.hash(), included, proof });
    }

    fn node(&mut self, node: B256, position: usize, count: usize, proof: Vec<B256>) {
        let leads = merkle::verify(self.root, node, position, count, &proof);
        let (position, count) = (U256::from(position), U256::from(count));
        self.nodes.push(NodeCase { node, position, count, leads, proof });
    }
}

fn wire(leaf: &Leaf) -> WireLeaf {
    WireLeaf {
        index: U256::from(leaf.index.get()),
        jobId: leaf.job_id,
        submitter: leaf.submitter,
        resultHash: leaf.result_hash,
        status: leaf.status.into(),
        contentHash: leaf.content_hash,
        handle: leaf.handle,
    }
}

/// A batch of `size` leaves as we seal it, and for `picks` of its leaves everything that a forger might try.
pub fn honest(random: &mut Random, size: usize, picks: usize) -> Result<Group, merkle::SealError> {
    let leaves = leaves(random, size);
    let batch = Batch::seal(&leaves)?;
    let entries = batch.entries();
    let tree = Tree::over(leaves.iter().map(Leaf::hash).collect());
    let mut group = Group::new(batch.root(), entries);
    for _ in 0..picks {
        let (position, other) = (random.below(size), random.below(size));
        let leaf = &leaves[position];
        let proof = batch.inclusion(position).map(|inclusion| inclusion.proof).unwrap_or_default();
        group.leaf(entries, leaf, proof.clone());
        group.leaf(entries, &altered(random, leaf), proof.clone());
        group.leaf(entries, &leaves[other], proof.clone());
        group.leaf(entries, leaf, tree.proof(0, other));
        // The same job under the index of another: at that one's rank, with the proof from there.
        group.leaf(entries, &Leaf { index: leaves[other].index, ..leaf.clone() }, tree.proof(0, other));
        for forged in forged_proofs(random, &proof) {
            group.leaf(entries, leaf, forged);
        }
        nodes(random, &mut group, &tree, size, position);
    }
    Ok(group)
}

/// Nodes of the tree, of every level, from right and wrong positions, in trees of right and wrong sizes.
fn nodes(random: &mut Random, group: &mut Group, tree: &Tree, size: usize, position: usize) {
    let leaf = tree.levels[0][position];
    let proof = tree.proof(0, position);
    group.node(leaf, position, size, proof.clone());
    group.node(leaf, position ^ 1, size, proof.clone());
    group.node(leaf, position, position, proof.clone());
    group.node(leaf, size + random.below(size), size, proof);
    // Beyond the leaves stands padding: zero words that are in the tree, but in no batch.
    let padding = tree.levels[0].len() - 1;
    group.node(tree.levels[0][padding], padding, size, tree.proof(0, padding));
    // Second preimage: an inner node as a leaf, of this tree and of the smaller one above it.
    let level = random.below(tree.levels.len());
    let (inner, at) = (tree.levels[level][position >> level], position >> level);
    group.node(inner, at, size, tree.proof(level, at));
    group.node(inner, at, size.div_ceil(1 << level), tree.proof(level, at));
    // Sizes that no batch has.
    let absurd = usize::MAX - random.below(1 << 20);
    group.node(leaf, random.below(absurd), absurd, (0..64).map(|_| random.word()).collect());
    group.node(leaf, 0, 0, Vec::new());
}

/// A confirmed tree that is not what its entries say: leaves swapped, one leaf twice, a leaf too many or too few.
pub fn dishonest(random: &mut Random, size: usize) -> Result<Group, merkle::SealError> {
    let mut leaves = leaves(random, size.max(2));
    let entries = merkle::entries_of(&leaves.iter().map(|leaf| leaf.index).collect::<Vec<_>>())?;
    let (one, other) = (random.below(leaves.len()), random.below(leaves.len()));
    match random.below(4) {
        0 => leaves.swap(one, other),
        1 => leaves[one] = leaves[other].clone(),
        2 => leaves.push(altered(random, &leaves[one].clone())),
        _ => drop(leaves.remove(one)),
    }
    let tree = Tree::over(leaves.iter().map(Leaf::hash).collect());
    let mut group = Group::new(tree.root(), &entries);
    for position in [0, one, other, random.below(leaves.len()), leaves.len() - 1] {
        let position = position.min(leaves.len() - 1);
        group.leaf(&entries, &leaves[position], tree.proof(0, position));
    }
    Ok(group)
}

/// Entries that may break the form, and a leaf of a batch that was never confirmed so.
pub fn any_entries(random: &mut Random) -> Group {
    let mut word = random.number() >> 40;
    let mut entries: Vec<Entry> = Vec::new();
    for _ in 0..random.below(5) {
        let mask = if random.below(6) == 0 { U256::ZERO } else { U256::from_be_bytes(random.word().0) };
        entries.push(Entry { word, mask });
        word = if random.below(6) == 0 { word } else { word.wrapping_add(random.number() >> 60) };
    }
    let leaf = leaf(random, Index::new(word.wrapping_mul(256)));
    let mut group = Group::new(leaf.hash(), &entries);
    group.leaf(&entries, &leaf, Vec::new());
    group
}

fn forged_proofs(random: &mut Random, proof: &[B256]) -> Vec<Vec<B256>> {
    let mut longer = proof.to_vec();
    longer.push(B256::ZERO);
    let mut forged = vec![longer];
    if let Some((last, shorter)) = proof.split_last() {
        forged.push(shorter.to_vec());
        let mut flipped = proof.to_vec();
        flipped[random.below(proof.len())][random.below(32)] ^= 1 << random.below(8);
        forged.push(flipped);
        let mut swapped = proof.to_vec();
        swapped.swap(random.below(proof.len()), random.below(proof.len()));
        forged.push(swapped);
        let mut doubled = shorter.to_vec();
        doubled.extend([*last, *last]);
        forged.push(doubled);
    }
    forged
}

/// The leaf with one field changed.
fn altered(random: &mut Random, leaf: &Leaf) -> Leaf {
    let mut altered = leaf.clone();
    match random.below(7) {
        0 => altered.index = Index::new(leaf.index.get() ^ (1 << random.below(64))),
        1 => altered.job_id = random.word(),
        2 => altered.submitter = Address::from_word(random.word()),
        3 => altered.result_hash = random.word(),
        4 => {
            altered.status = match leaf.status {
                LeafStatus::Completed => LeafStatus::Failed,
                LeafStatus::Failed => LeafStatus::Completed,
            }
        }
        5 => altered.content_hash = random.word(),
        _ => altered.handle = random.word(),
    }
    altered
}

/// Leaves in the order of their indices: mostly neighbours, with gaps of up to a few words.
fn leaves(random: &mut Random, size: usize) -> Vec<Leaf> {
    let mut index = if random.below(4) == 0 { 0 } else { random.number() >> 1 };
    let mut leaves = Vec::with_capacity(size);
    for _ in 0..size {
        leaves.push(leaf(random, Index::new(index)));
        index += 1 + if random.below(8) == 0 { random.number() % 700 } else { 0 };
    }
    leaves
}

fn leaf(random: &mut Random, index: Index) -> Leaf {
    Leaf {
        index,
        job_id: random.word(),
        submitter: Address::from_word(random.word()),
        result_hash: random.word(),
        status: if random.below(4) == 0 { LeafStatus::Failed } else { LeafStatus::Completed },
        content_hash: random.word(),
        handle: if random.below(2) == 0 { B256::ZERO } else { random.word() },
    }
}

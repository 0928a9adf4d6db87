//! A tree over any nodes at all, as a dishonest confirmer could build one.

use alloy::primitives::{B256, keccak256};

pub struct Tree {
    /// From the padded bottom up to the root.
    pub levels: Vec<Vec<B256>>,
}

impl Tree {
    /// `bottom` is not empty.
    pub fn over(mut bottom: Vec<B256>) -> Self {
        bottom.resize(bottom.len().next_power_of_two(), B256::ZERO);
        let mut levels = vec![bottom];
        while let Some(top) = levels.last().filter(|top| top.len() > 1) {
            levels.push(top.chunks_exact(2).map(|pair| keccak256([pair[0], pair[1]].concat())).collect());
        }
        Self { levels }
    }

    pub fn root(&self) -> B256 {
        self.levels[self.levels.len() - 1][0]
    }

    /// Siblings from the node at `position` of `level` up to the root.
    pub fn proof(&self, level: usize, position: usize) -> Vec<B256> {
        let below_the_root = &self.levels[level..self.levels.len() - 1];
        below_the_root.iter().enumerate().map(|(height, nodes)| nodes[(position >> height) ^ 1]).collect()
    }
}

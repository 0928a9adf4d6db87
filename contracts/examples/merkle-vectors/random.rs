//! Numbers that look random and are the same for a seed on every machine (SplitMix64).

use alloy::primitives::B256;

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `end`, which is left out and not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).unwrap_or_default()
    }

    pub fn word(&mut self) -> B256 {
        let mut word = B256::ZERO;
        for part in word.chunks_exact_mut(8) {
            part.copy_from_slice(&self.number().to_be_bytes());
        }
        word
    }
}

//! Chance that can be repeated: the seed is the same in every run unless ZAMA_TEST_SEED names another, and is printed.

/// That of `make test`, as in `fhe/` and the Makefile: whether a change is sound must not depend on chance. What runs at
/// length draws another.
const SEED: u64 = 2026;

pub struct Chance(u64);

impl Chance {
    pub fn new() -> Self {
        let asked = std::env::var("ZAMA_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = asked.unwrap_or(SEED);
        println!("ZAMA_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number from 0 to below the bound. SplitMix64.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::try_from(self.below(items.len() as u64)).unwrap()]
    }
}

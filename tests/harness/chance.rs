//! Chance that can be repeated: its seed is printed, and ZAMA_TEST_SEED sets it.

pub struct Chance(u64);

impl Chance {
    pub fn new() -> Self {
        let asked = std::env::var("ZAMA_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = asked.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
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

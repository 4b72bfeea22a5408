//! The one source of chance: splitmix64 (Steele, Lea, Flood, 2014), seeded.

/// A seeded generator.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// A generator for a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `low..high`; `low` when the range is empty.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        low + (self.bits() % (high - low) as u64) as i64
    }

    /// True once in `n`.
    pub fn one_in(&mut self, n: i64) -> bool {
        self.range(0, n) == 0
    }

    /// True with a chance in per cent.
    pub fn percent(&mut self, chance: i64) -> bool {
        self.range(0, 100) < chance
    }
}

//! A small seeded generator, so that a sandbox's data and faults can be had again from a number.

/// SplitMix64: one word of state, no dependency, the same stream on every machine.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// A generator whose stream follows from `seed` and a `label` that keeps purposes apart.
    pub fn new(seed: u64, label: &str) -> Self {
        let salt = label
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(seed ^ salt)
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.word() % bound }
    }

    /// True with the given probability: never at 0, always at 1.
    pub fn chance(&mut self, probability: f64) -> bool {
        let unit = (self.word() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < probability
    }

    /// One element of a slice that must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// Brings a slice into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_label_give_the_same_stream() {
        let stream = |seed, label| {
            let mut rng = Rng::new(seed, label);
            [rng.word(), rng.word(), rng.word()]
        };
        assert_eq!(stream(1, "people"), stream(1, "people"));
        assert_ne!(stream(1, "people"), stream(2, "people"));
        assert_ne!(stream(1, "people"), stream(1, "deals"));
    }

    #[test]
    fn chances_at_the_ends_are_certain() {
        let mut rng = Rng::new(7, "chance");
        assert!((0..1000).all(|_| !rng.chance(0.0)));
        assert!((0..1000).all(|_| rng.chance(1.0)));
    }
}

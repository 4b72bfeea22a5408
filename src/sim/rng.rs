//! The one source of chance: splitmix64 (Steele, Lea, Flood, 2014) from a seed, or bytes that somebody else chose.

/// A generator.
#[derive(Debug, Clone)]
pub struct Rng {
    state: u64,
    /// Read from the end; when none are left, `state` goes on.
    bytes: Vec<u8>,
}

impl Rng {
    /// A generator for a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed, bytes: Vec::new() }
    }

    /// A generator whose first choices are these bytes, one a choice.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self { state: 0, bytes: bytes.iter().rev().copied().collect() }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `low..high`; `low` when the range is empty.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        let span = (high - low) as u64;
        let choice = match self.bytes.pop() {
            // Spread over ranges that are longer than a byte.
            Some(byte) if span > 256 => u64::from(byte).wrapping_mul(span) >> 8,
            Some(byte) => u64::from(byte) % span,
            None => self.bits() % span,
        };
        low + choice as i64
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

/// Every choice there is, one history after the other: the digits of a number whose bases are found as it is read.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// (of how many, which), in the order in which they are made.
    digits: Vec<(u32, u32)>,
    at: usize,
    /// What to choose first, before anything is tried.
    first: Vec<u32>,
}

impl Choices {
    /// Those of a history that was told before.
    pub fn of(made: &[u32]) -> Self {
        Self { first: made.to_vec(), ..Self::default() }
    }

    /// One of `n`.
    pub fn choose(&mut self, n: usize) -> usize {
        if n < 2 {
            return 0;
        }
        if self.at == self.digits.len() {
            let first = self.first.get(self.at).copied().unwrap_or(0);
            self.digits.push((n as u32, first.min(n as u32 - 1)));
        }
        let (of, choice) = self.digits[self.at];
        assert_eq!(of as usize, n, "the same choices lead to the same choice");
        self.at += 1;
        choice as usize
    }

    /// Goes on to the next history; false when all have been told.
    pub fn advance(&mut self) -> bool {
        self.digits.truncate(self.at);
        self.at = 0;
        while let Some((of, choice)) = self.digits.pop() {
            if choice + 1 < of {
                self.digits.push((of, choice + 1));
                return true;
            }
        }
        false
    }

    /// The choices that were made, by which a history can be told again.
    pub fn made(&self) -> Vec<u32> {
        self.digits[..self.at].iter().map(|(_, choice)| *choice).collect()
    }
}

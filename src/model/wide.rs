//! Many short inputs hashed at once. One input of less than a kilobyte keeps a single lane of the processor busy; as many as it has
//! lanes cost hardly more.
//!
//! What is hashed of an input is its length, itself, and zeros up to a whole block, so that inputs of about one size go together. The
//! digest is plain BLAKE3 of those bytes, and [`RawDigest::of_bytes`] is the same for one input alone. The library shows the function
//! behind this, but promises nothing of it: only its patch version may move, and the tests compare both ways on every length.

use super::RawDigest;
use blake3::IncrementCounter;
use blake3::platform::Platform;

/// Bytes of a block, the unit in which BLAKE3 compresses.
const BLOCK: usize = 64;
/// Bytes of a chunk: what is longer is a tree.
const CHUNK: usize = 1024;
/// The words with which BLAKE3 begins (section 2.2 of its paper): those of SHA-256.
const IV: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
/// Flags of an input that is a single chunk (table 3 there).
const CHUNK_START: u8 = 1 << 0;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;

/// Appends what is hashed of an input.
fn put(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let from = out.len();
    out.extend_from_slice(&[0; 8]);
    write(out);
    let len = (out.len() - from - 8) as u64;
    out[from..from + 8].copy_from_slice(&len.to_le_bytes());
    out.resize(from + (out.len() - from).next_multiple_of(BLOCK), 0);
}

fn first_words(hash: &[u8]) -> RawDigest {
    let mut out = [0; 8];
    out.copy_from_slice(&hash[..8]);
    RawDigest(u64::from_le_bytes(out))
}

/// Of one input.
pub(super) fn one(bytes: &[u8]) -> RawDigest {
    let mut whole = Vec::with_capacity(bytes.len() + 8 + BLOCK);
    put(&mut whole, |out| out.extend_from_slice(bytes));
    first_words(blake3::hash(&whole).as_bytes())
}

/// Inputs that are to be hashed together.
///
/// ```
/// use syncline::model::{RawBatch, RawDigest};
///
/// let mut batch = RawBatch::default();
/// batch.push(|out| out.extend_from_slice(b"Ann"));
/// batch.push(|out| out.extend_from_slice(b"Bob"));
/// assert_eq!(batch.digests(), [RawDigest::of_bytes(b"Ann"), RawDigest::of_bytes(b"Bob")]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct RawBatch {
    /// One behind the other, each a whole number of blocks.
    bytes: Vec<u8>,
    /// Where each begins.
    starts: Vec<usize>,
}

impl RawBatch {
    /// Adds an input, which `write` appends.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.starts.push(self.bytes.len());
        put(&mut self.bytes, write);
    }

    /// Their digests, in their order. The batch is empty then, and keeps its room for the next page.
    pub fn digests(&mut self) -> Vec<RawDigest> {
        let mut digests = vec![RawDigest(0); self.starts.len()];
        let ends = self.starts.iter().skip(1).copied().chain([self.bytes.len()]);
        // By their numbers of blocks, those that are a single chunk.
        let mut alike: [Vec<usize>; CHUNK / BLOCK] = Default::default();
        for (at, (from, to)) in self.starts.iter().zip(ends).enumerate() {
            match alike.get_mut((to - from) / BLOCK - 1) {
                Some(alike) => alike.push(at),
                None => digests[at] = first_words(blake3::hash(&self.bytes[*from..to]).as_bytes()),
            }
        }
        let [b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16] = &alike;
        self.hash::<64>(b1, &mut digests);
        self.hash::<128>(b2, &mut digests);
        self.hash::<192>(b3, &mut digests);
        self.hash::<256>(b4, &mut digests);
        self.hash::<320>(b5, &mut digests);
        self.hash::<384>(b6, &mut digests);
        self.hash::<448>(b7, &mut digests);
        self.hash::<512>(b8, &mut digests);
        self.hash::<576>(b9, &mut digests);
        self.hash::<640>(b10, &mut digests);
        self.hash::<704>(b11, &mut digests);
        self.hash::<768>(b12, &mut digests);
        self.hash::<832>(b13, &mut digests);
        self.hash::<896>(b14, &mut digests);
        self.hash::<960>(b15, &mut digests);
        self.hash::<1024>(b16, &mut digests);
        self.bytes.clear();
        self.starts.clear();
        digests
    }

    /// Inputs of one length, as many at once as the processor has lanes.
    fn hash<const N: usize>(&self, alike: &[usize], digests: &mut [RawDigest]) {
        if alike.is_empty() {
            return;
        }
        let inputs = alike.iter().filter_map(|at| self.bytes[self.starts[*at]..].first_chunk::<N>());
        let inputs: Vec<&[u8; N]> = inputs.collect();
        assert_eq!(inputs.len(), alike.len(), "each is as long as its bucket says");
        let mut out = vec![0; 32 * inputs.len()];
        Platform::detect().hash_many(&inputs, &IV, 0, IncrementCounter::No, 0, CHUNK_START, CHUNK_END | ROOT, &mut out);
        for (at, hash) in alike.iter().zip(out.chunks_exact(32)) {
            digests[*at] = first_words(hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn input(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 31 + len) as u8).collect()
    }

    fn together(inputs: &[Vec<u8>]) -> Vec<RawDigest> {
        let mut batch = RawBatch::default();
        inputs.iter().for_each(|input| batch.push(|out| out.extend_from_slice(input)));
        batch.digests()
    }

    #[test]
    fn together_and_alone_are_the_same_on_every_length() {
        for copies in [1, 3, 16, 17] {
            let inputs: Vec<Vec<u8>> = (0..=2_100).flat_map(|len| vec![input(len); copies]).collect();
            let alone: Vec<RawDigest> = inputs.iter().map(|input| RawDigest::of_bytes(input)).collect();
            assert!(together(&inputs) == alone, "{copies} of each length");
        }
    }

    #[test]
    fn it_is_plain_blake3_of_the_length_the_bytes_and_zeros() {
        for len in [0, 1, 55, 56, 57, 119, 120, 1_015, 1_016, 1_017, 5_000] {
            let mut whole = (len as u64).to_le_bytes().to_vec();
            whole.extend(input(len));
            whole.resize(whole.len().next_multiple_of(64), 0);
            let hash = blake3::hash(&whole);
            let first: [u8; 8] = hash.as_bytes()[..8].try_into().unwrap();
            assert_eq!(RawDigest::of_bytes(&input(len)).0, u64::from_le_bytes(first), "{len}");
        }
    }

    #[test]
    fn zeros_at_the_end_count() {
        assert_ne!(RawDigest::of_bytes(b"a"), RawDigest::of_bytes(b"a\0"));
        assert_ne!(RawDigest::of_bytes(b""), RawDigest::of_bytes(b"\0"));
    }

    proptest! {
        #[test]
        fn whatever_goes_together_each_has_its_own(inputs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1_500), 0..60)) {
            let alone: Vec<RawDigest> = inputs.iter().map(|input| RawDigest::of_bytes(input)).collect();
            prop_assert_eq!(together(&inputs), alone);
        }

        #[test]
        fn a_batch_can_be_used_again(first in prop::collection::vec(0usize..1_200, 1..20), len in 0usize..1_200) {
            let mut batch = RawBatch::default();
            first.iter().for_each(|len| batch.push(|out| out.extend(input(*len))));
            prop_assert_eq!(batch.digests().len(), first.len());
            batch.push(|out| out.extend(input(len)));
            prop_assert_eq!(batch.digests(), [RawDigest::of_bytes(&input(len))]);
            prop_assert_eq!(batch.digests(), []);
        }
    }
}

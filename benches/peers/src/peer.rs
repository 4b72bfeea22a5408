//! What is measured: somebody who takes in what people changed elsewhere.

use crate::clock::{Cost, Watch};
use crate::support::remote;
use crate::world::{CHANGES, Edits, values_digest};
use syncline::model::Digest;

pub const FIELDS: usize = crate::support::FIELDS as usize;

/// A contestant: the same rounds of edits, each prepared and settled aside, only its merging timed.
pub trait Peer {
    fn name(&self) -> &'static str;

    /// What is there once a round is merged.
    fn stores(&self) -> &'static str;

    /// The next round, of at most so many records, ready to be merged in commits of so many.
    fn prepare(&mut self, a_commit: usize, most: usize);

    /// Merges it.
    fn merge(&mut self, a_commit: usize);

    /// The other side has what was merged.
    fn settle(&mut self) {}

    fn edits(&self) -> &Edits;

    /// Digest of all values that it holds.
    fn values(&mut self) -> Digest;

    /// Bytes of its file; none = it has none.
    fn disk(&mut self) -> Option<Disk> {
        None
    }

    /// Gives back what its file does not need.
    fn compact(&mut self) {}
}

/// Bytes on disk.
pub struct Disk {
    /// Of the file.
    pub all: u64,
    /// Of that the journal's tables, with what is unused in their pages.
    pub journal: u64,
    /// Keys and values of all other tables.
    pub rows: u64,
    /// The largest tables: keys and values, and what is unused in their pages.
    pub tables: Vec<(String, u64, u64)>,
}

/// An edited record as a rival gets it: decoded, compared, and with its digests made.
#[derive(Clone)]
pub struct Ready {
    pub number: usize,
    pub remote: i64,
    pub fields: [(u32, String); CHANGES],
    pub hlc: u64,
    pub raw: i64,
    pub canonical: [u8; 16],
    /// All values, for those who get whole rows.
    pub whole: Vec<String>,
}

/// The stamps of all rivals have a clock of 8 bytes and an origin.
pub const ORIGIN: i64 = 2;

pub fn clock(round: u64) -> u64 {
    (1_772_359_200_000 + round * 60_000) << 16
}

pub fn remote_number(number: usize) -> i64 {
    remote(number as u64).as_str().parse().expect("digits")
}

pub fn ready(edits: &mut Edits, most: usize) -> Vec<Ready> {
    made(edits, most, false)
}

pub fn ready_whole(edits: &mut Edits, most: usize) -> Vec<Ready> {
    made(edits, most, true)
}

fn made(edits: &mut Edits, most: usize, whole: bool) -> Vec<Ready> {
    let edited = edits.next(most);
    let record = |(number, fields): (usize, [u32; CHANGES])| {
        let bytes: Vec<u8> = edits.versions[number].iter().flat_map(|version| version.to_le_bytes()).collect();
        let canonical = Digest::of_bytes(&bytes).0;
        Ready {
            number,
            remote: remote_number(number),
            fields: fields.map(|field| (field, edits.value(number, field))),
            hlc: clock(edits.rounds),
            raw: i64::from_le_bytes(canonical[..8].try_into().expect("8 of 16")),
            canonical,
            whole: (0..FIELDS as u32).filter(|_| whole).map(|field| edits.value(number, field)).collect(),
        }
    };
    edited.into_iter().map(record).collect()
}

/// All values as they are to be.
pub fn expected(edits: &Edits) -> Digest {
    let numbers = 0..edits.versions.len();
    values_digest(numbers.flat_map(|number| (0..FIELDS as u32).map(move |field| edits.value(number, field))))
}

/// Do all hold what they should? Those with the same edits then hold the same.
pub fn check(peers: &mut [Box<dyn Peer>]) -> Vec<(&'static str, String)> {
    let each = peers.iter_mut().map(|peer| {
        let (expected, found) = (expected(peer.edits()), peer.values());
        assert_eq!(found, expected, "{} holds other values than were merged", peer.name());
        (peer.name(), found.to_string())
    });
    each.collect()
}

/// Rounds in turns, so that a noisy machine is noisy for all; the first one warms up. One list of costs a merge for each.
pub fn turns(peers: &mut [Box<dyn Peer>], turns: usize, a_commit: usize, most: usize) -> Vec<Vec<Cost>> {
    let mut costs = vec![Vec::new(); peers.len()];
    for turn in 0..=turns {
        for (peer, costs) in peers.iter_mut().zip(&mut costs) {
            peer.prepare(a_commit, most);
            let watch = Watch::start();
            peer.merge(a_commit);
            let merges = peer.edits().last * CHANGES;
            let cost = watch.stop(merges);
            peer.settle();
            if turn > 0 {
                costs.push(cost);
            }
        }
    }
    costs
}

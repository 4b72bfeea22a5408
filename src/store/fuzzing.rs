//! What the fuzzer runs, and what a test replays over the saved inputs.

use super::Stored;
use crate::engine::{DigestRow, JournalEntry, Meta, OutboxRow, Problem, RereadRow};
use crate::merge::Lately;
use crate::model::{Record, SeenSchema};
use std::fmt::Debug;

/// Reads bytes as every stored type: damage is an error, never a panic; what can be read survives being written again.
///
/// # Panics
/// If that does not hold.
pub fn codec(bytes: &[u8]) {
    round::<Record>(bytes);
    round::<Lately>(bytes);
    round::<OutboxRow>(bytes);
    round::<RereadRow>(bytes);
    round::<Problem>(bytes);
    round::<JournalEntry>(bytes);
    round::<Meta>(bytes);
    round::<DigestRow>(bytes);
    round::<SeenSchema>(bytes);
}

fn round<T: Stored + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(value) = T::get(bytes) {
        let mut again = Vec::new();
        value.put(&mut again);
        assert_eq!(T::get(&again).as_ref(), Ok(&value), "written as {again:02x?}");
    }
}

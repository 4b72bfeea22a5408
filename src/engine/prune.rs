//! Which entries of the journal may go when they are old: all that nothing of today rests on.

use super::{Happening, JournalEntry};
use crate::model::{FieldId, Millis, SystemId};
use std::collections::BTreeMap;

/// Name of the cursor that says up to when the journal was pruned: 8 bytes, milliseconds, the most significant first.
pub const PRUNED_CURSOR: &str = "journal-pruned";

/// Reads what stands under [`PRUNED_CURSOR`].
pub(super) fn pruned_until(bytes: Option<Vec<u8>>) -> Option<Millis> {
    bytes.and_then(|bytes| bytes.try_into().ok()).map(|bytes| Millis(i64::from_be_bytes(bytes)))
}

/// The newest of a record's entries that say why it is as it is.
#[derive(Debug, Clone, Default)]
pub struct Grounds {
    values: BTreeMap<FieldId, u64>,
    parted: BTreeMap<(FieldId, SystemId), u64>,
}

impl Grounds {
    /// From all entries of a record, with their numbers, in any order.
    pub fn of<'a>(entries: impl IntoIterator<Item = (u64, &'a JournalEntry)>) -> Self {
        let mut grounds = Self::default();
        for (number, entry) in entries {
            if let Happening::First { values, .. } = &entry.what {
                for (field, ..) in values {
                    let newest = grounds.values.entry(*field).or_default();
                    *newest = number.max(*newest);
                }
            }
            let newest = match &entry.what {
                Happening::Parted { field, system, .. } => grounds.parted.entry((*field, *system)).or_default(),
                what => match what.moved() {
                    Some((field, ..)) => grounds.values.entry(field).or_default(),
                    None => continue,
                },
            };
            *newest = number.max(*newest);
        }
        grounds
    }

    /// Does something of today rest on this entry? The one behind each value, what happened to the record itself (it was linked,
    /// merged, deleted, it left or came back), and how runs began.
    pub fn rest_on(&self, number: u64, entry: &JournalEntry) -> bool {
        match &entry.what {
            Happening::Parted { field, system, .. } => self.parted.get(&(*field, *system)) == Some(&number),
            Happening::Began { .. }
            | Happening::Mirrored { .. }
            | Happening::Linked { .. }
            | Happening::Detached { .. }
            | Happening::Returned { .. }
            | Happening::LeftScope { .. }
            | Happening::Merged { .. }
            | Happening::Deleted { .. } => true,
            Happening::First { values, .. } => values.iter().any(|(field, ..)| self.is_behind(number, *field)),
            what => what.moved().is_some_and(|(field, ..)| self.is_behind(number, field)),
        }
    }

    fn is_behind(&self, number: u64, field: FieldId) -> bool {
        self.values.get(&field) == Some(&number)
    }
}

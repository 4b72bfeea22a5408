//! Reading the journal: what explaining, telling the history and taking back stand on.

use super::{Happening, JournalEntry, PRUNED_CURSOR, Run, View, ViewError};
use crate::model::{EntityId, FieldId, Millis, RecordId, Value};

type Seen<T> = Result<T, ViewError>;

/// A view whose journal can be read. The store's snapshots are, and so is a map in memory.
pub trait Books: View {
    /// The entries of a record, ascending by number.
    fn entries_of(&self, entity: EntityId, record: RecordId) -> Seen<Vec<(u64, JournalEntry)>>;
    /// Entries after a number, ascending, at most `limit`.
    fn entries(&self, after: u64, limit: usize) -> Seen<Vec<(u64, JournalEntry)>>;
    /// The number of the first entry that was decided at a time (our clock) or later.
    fn entries_since(&self, at: Millis) -> Seen<u64>;
    /// How a run began.
    fn began(&self, run: Run) -> Seen<Option<(u64, JournalEntry)>>;

    /// Up to when (our clock) entries on which nothing of today rests were taken out; none = never.
    fn pruned(&self) -> Seen<Option<Millis>> {
        Ok(super::prune::pruned_until(self.cursor(PRUNED_CURSOR)?))
    }
}

impl Happening {
    /// A change of a register: the field, its value before and after.
    pub fn moved(&self) -> Option<(FieldId, &Value, &Value)> {
        match self {
            Self::Value { field, from, to, .. }
            | Self::LinkDecided { field, from, to, .. }
            | Self::Filled { field, from, to, .. } => Some((*field, from, to)),
            _ => None,
        }
    }

    /// The field that it is about, if it is about one.
    pub fn field(&self) -> Option<FieldId> {
        match self {
            Self::Value { field, .. }
            | Self::LinkDecided { field, .. }
            | Self::Filled { field, .. }
            | Self::Lost { field, .. }
            | Self::Settled { field, .. }
            | Self::Parted { field, .. }
            | Self::Review { field, .. }
            | Self::Alarm { field, .. } => Some(*field),
            Self::Ignored { field, .. } | Self::Heeded { field, .. } => *field,
            _ => None,
        }
    }
}

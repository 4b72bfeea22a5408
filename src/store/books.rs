//! The journal as the engine reads it.

use super::read::Snapshot;
use crate::engine::{Books, JournalEntry, Run, ViewError};
use crate::model::{EntityId, Millis, RecordId};

type Seen<T> = Result<T, ViewError>;

impl Books for Snapshot {
    fn entries_of(&self, entity: EntityId, record: RecordId) -> Seen<Vec<(u64, JournalEntry)>> {
        Ok(self.journal_of(entity, record, usize::MAX)?)
    }

    fn entries(&self, after: u64, limit: usize) -> Seen<Vec<(u64, JournalEntry)>> {
        Ok(self.journal(after, limit)?)
    }

    fn entries_since(&self, at: Millis) -> Seen<u64> {
        Ok(self.journal_since(at)?)
    }

    fn began(&self, run: Run) -> Seen<Option<(u64, JournalEntry)>> {
        Ok(self.runs(run, 1)?.into_iter().next().filter(|(_, entry)| entry.run == run))
    }
}

//! A store is a view too: each call on the newest commit. Several calls that must agree want one
//! [`Snapshot`](super::Snapshot).

use super::read::{Stats, TableStats};
use super::{Store, StoreError};
use crate::engine::{
    DigestRow, Ignored, JournalEntry, KeyHolder, Meta, OutboxRow, Problem, ProblemPlace, RereadRow, Review, View,
    ViewError,
};
use crate::merge::Lately;
use crate::model::{EntityId, FieldId, Millis, ObjectId, Record, RecordId, RemoteId, RemoteKey, SystemId};
use std::sync::Arc;

impl Store {
    /// As [`Snapshot::records_len`](super::Snapshot::records_len).
    ///
    /// # Errors
    /// As there.
    pub fn records_len(&self, entity: EntityId) -> Result<u64, StoreError> {
        self.snapshot()?.records_len(entity)
    }

    /// As [`Snapshot::journal_last`](super::Snapshot::journal_last).
    ///
    /// # Errors
    /// As there.
    pub fn journal_last(&self) -> Result<u64, StoreError> {
        self.snapshot()?.journal_last()
    }

    /// As [`Snapshot::journal`](super::Snapshot::journal).
    ///
    /// # Errors
    /// As there.
    pub fn journal(&self, after: u64, limit: usize) -> Result<Vec<(u64, JournalEntry)>, StoreError> {
        self.snapshot()?.journal(after, limit)
    }

    /// As [`Snapshot::journal_of`](super::Snapshot::journal_of).
    ///
    /// # Errors
    /// As there.
    pub fn journal_of(
        &self,
        entity: EntityId,
        record: RecordId,
        limit: usize,
    ) -> Result<Vec<(u64, JournalEntry)>, StoreError> {
        self.snapshot()?.journal_of(entity, record, limit)
    }

    /// Sizes of the file and of each table. Reads every page.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let file_bytes = self.path().map(std::fs::metadata).transpose()?.map(|metadata| metadata.len());
        let tables: Vec<TableStats> = self.snapshot()?.stats()?;
        Ok(Stats { file_bytes, tables })
    }
}

type Seen<T> = Result<T, ViewError>;

macro_rules! newest {
    ($(fn $name:ident(&self $(, $arg:ident: $type:ty)*) -> $out:ty;)*) => {
        impl View for Store {$(
            fn $name(&self $(, $arg: $type)*) -> Seen<$out> {
                View::$name(&self.snapshot()? $(, $arg)*)
            }
        )*}
    };
}

newest! {
    fn record(&self, entity: EntityId, id: RecordId) -> Option<Arc<Record>>;
    fn lately(&self, entity: EntityId, id: RecordId) -> Option<Arc<Lately>>;
    fn digests(
        &self, entity: EntityId, system: SystemId, object: ObjectId, ids: &[&RemoteId]
    ) -> Vec<Option<DigestRow>>;
    fn index(&self, key: &RemoteKey) -> Option<RecordId>;
    fn keys(&self, entity: EntityId, key: &[u8]) -> Vec<KeyHolder>;
    fn outbox(&self, system: SystemId, entity: EntityId, record: RecordId) -> Option<OutboxRow>;
    fn outbox_due(
        &self, system: SystemId, entity: EntityId, now: Millis, limit: usize
    ) -> Vec<(RecordId, OutboxRow)>;
    fn outbox_flying(&self) -> Vec<(SystemId, EntityId, RecordId, OutboxRow)>;
    fn outbox_len(&self, entity: EntityId) -> u64;
    fn reread(&self, key: &RemoteKey) -> Option<RereadRow>;
    fn reread_due(
        &self, system: SystemId, entity: EntityId, now: Millis, limit: usize
    ) -> Vec<(RemoteKey, RereadRow)>;
    fn reread_len(&self) -> u64;
    fn lately_scan(&self, entity: EntityId, after: Option<RecordId>, limit: usize) -> Vec<RecordId>;
    fn record_scan(&self, entity: EntityId, after: Option<RecordId>, limit: usize) -> Vec<Record>;
    fn problem(&self, entity: EntityId, record: RecordId, system: SystemId) -> Option<Problem>;
    fn field_problems(&self, entity: EntityId, record: RecordId) -> Vec<(SystemId, FieldId, Problem)>;
    fn problems(&self, limit: usize) -> Vec<(ProblemPlace, Problem)>;
    fn problems_len(&self) -> u64;
    fn ignored(&self, place: ProblemPlace) -> Option<Ignored>;
    fn ignored_len(&self) -> u64;
    fn reviews_of(&self, entity: EntityId, record: RecordId) -> Vec<(FieldId, Review)>;
    fn reviews(&self, limit: usize) -> Vec<(EntityId, RecordId, FieldId, Review)>;
    fn cursor(&self, name: &str) -> Option<Vec<u8>>;
    fn meta(&self) -> Meta;
}

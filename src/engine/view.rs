//! What the engine may read. The store implements it; so does a map in memory, for simulation and embedding.

use super::{DigestRow, Ignored, KeyHolder, Meta, OutboxRow, Problem, ProblemPlace, RereadRow, Review};
use crate::merge::Lately;
use crate::model::{EntityId, FieldId, Millis, ObjectId, Record, RecordId, RemoteId, RemoteKey, SystemId};
use std::sync::Arc;

/// The store cannot be read, or what it holds is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store cannot be read: {0}")]
pub struct ViewError(pub String);

type Seen<T> = Result<T, ViewError>;

/// Point reads and range scans over the committed state.
pub trait View {
    /// A record's body; shared, so that looking at it costs a view in memory no copy.
    fn record(&self, entity: EntityId, id: RecordId) -> Seen<Option<Arc<Record>>>;
    /// What is kept of a record's recent past.
    fn lately(&self, entity: EntityId, id: RecordId) -> Seen<Option<Arc<Lately>>>;
    /// Digest rows for ids that ascend: one ordered pass, one answer each.
    fn digests(
        &self,
        entity: EntityId,
        system: SystemId,
        object: ObjectId,
        ids: &[&RemoteId],
    ) -> Seen<Vec<Option<DigestRow>>>;
    /// The record behind a remote record.
    fn index(&self, key: &RemoteKey) -> Seen<Option<RecordId>>;
    /// Who holds a match key, ascending.
    fn keys(&self, entity: EntityId, key: &[u8]) -> Seen<Vec<KeyHolder>>;
    /// The outbox row of a pair.
    fn outbox(&self, system: SystemId, entity: EntityId, record: RecordId) -> Seen<Option<OutboxRow>>;
    /// Outbox rows that are due and not in flight: the `limit` that have been due longest, ascending by record.
    fn outbox_due(
        &self,
        system: SystemId,
        entity: EntityId,
        now: Millis,
        limit: usize,
    ) -> Seen<Vec<(RecordId, OutboxRow)>>;
    /// Every outbox row with a write in flight.
    fn outbox_flying(&self) -> Seen<Vec<(SystemId, EntityId, RecordId, OutboxRow)>>;
    /// Number of outbox rows (of any state) per entity.
    fn outbox_len(&self, entity: EntityId) -> Seen<u64>;
    /// The reread row of a remote record.
    fn reread(&self, key: &RemoteKey) -> Seen<Option<RereadRow>>;
    /// Reread rows that are due: the `limit` that have been due longest, ascending.
    fn reread_due(
        &self,
        system: SystemId,
        entity: EntityId,
        now: Millis,
        limit: usize,
    ) -> Seen<Vec<(RemoteKey, RereadRow)>>;
    /// Number of reread rows.
    fn reread_len(&self) -> Seen<u64>;
    /// Records with a recent past, ascending, after `after`, at most `limit`.
    fn lately_scan(&self, entity: EntityId, after: Option<RecordId>, limit: usize) -> Seen<Vec<RecordId>>;
    /// Records, ascending by id, after `after`, at most `limit`.
    fn record_scan(&self, entity: EntityId, after: Option<RecordId>, limit: usize) -> Seen<Vec<Record>>;
    /// The problem of a record as a whole on a system.
    fn problem(&self, entity: EntityId, record: RecordId, system: SystemId) -> Seen<Option<Problem>>;
    /// The problems of a record's single fields, ascending by system and field.
    fn field_problems(&self, entity: EntityId, record: RecordId) -> Seen<Vec<(SystemId, FieldId, Problem)>>;
    /// All problems, of records and of fields, at most `limit`.
    fn problems(&self, limit: usize) -> Seen<Vec<(ProblemPlace, Problem)>>;
    /// Number of problems, those that are ignored included.
    fn problems_len(&self) -> Seen<u64>;
    /// Whether somebody ignores the problem that stands at a place.
    fn ignored(&self, place: ProblemPlace) -> Seen<Option<Ignored>>;
    /// Number of problems that are ignored.
    fn ignored_len(&self) -> Seen<u64>;
    /// What a person is asked about a record's fields, ascending by field.
    fn reviews_of(&self, entity: EntityId, record: RecordId) -> Seen<Vec<(FieldId, Review)>>;
    /// All that persons are asked, ascending by entity, record and field, at most `limit`.
    fn reviews(&self, limit: usize) -> Seen<Vec<(EntityId, RecordId, FieldId, Review)>>;
    /// A named cursor.
    fn cursor(&self, name: &str) -> Seen<Option<Vec<u8>>>;
    /// The counters.
    fn meta(&self) -> Seen<Meta>;
}

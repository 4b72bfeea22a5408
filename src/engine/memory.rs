//! A view in memory: for simulation, for embedding, and as the reference that the store is compared with.

use super::{
    Books, Change, DigestRow, Happening, Ignored, JournalEntry, KeyHolder, Meta, OutboxRow, Problem, ProblemPlace,
    RereadRow, Review, Run, View, ViewError,
};
use crate::merge::Lately;
use crate::model::{EntityId, FieldId, Millis, ObjectId, Record, RecordId, RemoteId, RemoteKey, SystemId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

type Table<K, V> = Arc<BTreeMap<K, V>>;
type Seen<T> = Result<T, ViewError>;

/// The committed state as maps.
///
/// A clone shares everything and costs a dozen reference counts; what is changed after that is copied per table, bodies
/// and journal entries never.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryView {
    records: Table<(EntityId, RecordId), Arc<Record>>,
    lately: Table<(EntityId, RecordId), Arc<Lately>>,
    digests: Table<(EntityId, SystemId, ObjectId), BTreeMap<RemoteId, DigestRow>>,
    index: Table<RemoteKey, RecordId>,
    keys: Table<(EntityId, Vec<u8>), BTreeSet<KeyHolder>>,
    outbox: Table<(SystemId, EntityId, RecordId), OutboxRow>,
    reread: Table<RemoteKey, RereadRow>,
    problems: Table<(EntityId, RecordId, SystemId, Option<FieldId>), Arc<Problem>>,
    ignored: Table<ProblemPlace, Ignored>,
    reviews: Table<(EntityId, RecordId, FieldId), Review>,
    cursors: Table<String, Vec<u8>>,
    journal: Arc<Vec<Arc<JournalEntry>>>,
    meta: Meta,
}

impl MemoryView {
    /// An empty state.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies changes in their order.
    pub fn apply(&mut self, changes: &[Change]) {
        changes.iter().for_each(|change| self.apply_one(change));
    }

    /// Journal entries with their sequence numbers, which begin at 1, after `after`, at most `limit`.
    pub fn journal(&self, after: u64, limit: usize) -> impl Iterator<Item = (u64, &JournalEntry)> {
        let skip = usize::try_from(after).unwrap_or(usize::MAX);
        let numbered = (1u64..).zip(self.journal.iter().map(|entry| &**entry));
        numbered.skip(skip).take(limit)
    }

    /// Number of records of an entity.
    pub fn records_len(&self, entity: EntityId) -> u64 {
        self.records.range(all_of(entity)).count() as u64
    }

    fn apply_one(&mut self, change: &Change) {
        match change {
            Change::PutRecord(record) => {
                set(&mut self.records, (record.entity, record.id), Some(record.clone()));
            }
            Change::RemoveRecord(entity, id) => set(&mut self.records, (*entity, *id), None),
            Change::SetLately(entity, id, lately) => {
                set(&mut self.lately, (*entity, *id), lately.clone());
            }
            Change::SetDigest(key, row) => self.set_digest(key, *row),
            Change::SetIndex(key, record) => set(&mut self.index, key.clone(), *record),
            Change::AddKey(entity, key, holder) => {
                Arc::make_mut(&mut self.keys).entry((*entity, key.clone())).or_default().insert(*holder);
            }
            Change::RemoveKey(entity, key, holder) => self.remove_key((*entity, key.clone()), holder),
            Change::SetOutbox(system, entity, record, row) => {
                set(&mut self.outbox, (*system, *entity, *record), *row);
            }
            Change::SetReread(key, row) => set(&mut self.reread, key.clone(), *row),
            Change::SetProblem(entity, record, system, problem) => {
                let key = (*entity, *record, *system, None);
                set(&mut self.problems, key, problem.as_deref().cloned().map(Arc::new));
            }
            Change::SetFieldProblem(entity, record, system, field, problem) => {
                let key = (*entity, *record, *system, Some(*field));
                set(&mut self.problems, key, problem.as_deref().cloned().map(Arc::new));
            }
            Change::SetReview(entity, record, field, review) => {
                set(&mut self.reviews, (*entity, *record, *field), review.as_deref().cloned());
            }
            Change::SetIgnored(place, ignored) => set(&mut self.ignored, *place, ignored.as_deref().cloned()),
            Change::SetCursor(name, bytes) => set(&mut self.cursors, name.clone(), bytes.clone()),
            Change::SetMeta(meta) => self.meta = *meta,
            Change::Journal(entry) => Arc::make_mut(&mut self.journal).push(Arc::new((**entry).clone())),
        }
    }

    fn set_digest(&mut self, key: &RemoteKey, row: Option<DigestRow>) {
        let place = (key.entity, key.system, key.object);
        let digests = Arc::make_mut(&mut self.digests);
        match row {
            Some(row) => {
                digests.entry(place).or_default().insert(key.remote.clone(), row);
            }
            None => {
                if let Some(rows) = digests.get_mut(&place) {
                    rows.remove(&key.remote);
                    if rows.is_empty() {
                        digests.remove(&place);
                    }
                }
            }
        }
    }

    fn remove_key(&mut self, key: (EntityId, Vec<u8>), holder: &KeyHolder) {
        let keys = Arc::make_mut(&mut self.keys);
        if let Some(holders) = keys.get_mut(&key) {
            holders.remove(holder);
            if holders.is_empty() {
                keys.remove(&key);
            }
        }
    }
}

impl View for MemoryView {
    fn record(&self, entity: EntityId, id: RecordId) -> Seen<Option<Arc<Record>>> {
        Ok(self.records.get(&(entity, id)).cloned())
    }

    fn lately(&self, entity: EntityId, id: RecordId) -> Seen<Option<Arc<Lately>>> {
        Ok(self.lately.get(&(entity, id)).cloned())
    }

    fn digests(
        &self,
        entity: EntityId,
        system: SystemId,
        object: ObjectId,
        ids: &[&RemoteId],
    ) -> Seen<Vec<Option<DigestRow>>> {
        debug_assert!(ids.is_sorted(), "ids must ascend");
        let rows = self.digests.get(&(entity, system, object));
        Ok(ids.iter().map(|id| rows?.get(id).copied()).collect())
    }

    fn index(&self, key: &RemoteKey) -> Seen<Option<RecordId>> {
        Ok(self.index.get(key).copied())
    }

    fn keys(&self, entity: EntityId, key: &[u8]) -> Seen<Vec<KeyHolder>> {
        Ok(self.keys.get(&(entity, key.to_vec())).map(|holders| holders.iter().copied().collect()).unwrap_or_default())
    }

    fn outbox(&self, system: SystemId, entity: EntityId, record: RecordId) -> Seen<Option<OutboxRow>> {
        Ok(self.outbox.get(&(system, entity, record)).copied())
    }

    fn outbox_due(
        &self,
        system: SystemId,
        entity: EntityId,
        now: Millis,
        limit: usize,
    ) -> Seen<Vec<(RecordId, OutboxRow)>> {
        let pair = (system, entity, RecordId([0; 16]))..=(system, entity, RecordId([0xff; 16]));
        let due = self.outbox.range(pair).filter(|(_, row)| row.flying.is_none() && row.due <= now);
        let due = due.map(|(&(_, _, record), &row)| (record, row)).collect();
        Ok(longest_due(due, limit, |row| row.due))
    }

    fn outbox_flying(&self) -> Seen<Vec<(SystemId, EntityId, RecordId, OutboxRow)>> {
        let flying = self.outbox.iter().filter(|(_, row)| row.flying.is_some());
        Ok(flying.map(|(&(system, entity, record), &row)| (system, entity, record, row)).collect())
    }

    fn outbox_len(&self, entity: EntityId) -> Seen<u64> {
        Ok(self.outbox.keys().filter(|(_, of, _)| *of == entity).count() as u64)
    }

    fn reread(&self, key: &RemoteKey) -> Seen<Option<RereadRow>> {
        Ok(self.reread.get(key).copied())
    }

    fn reread_due(
        &self,
        system: SystemId,
        entity: EntityId,
        now: Millis,
        limit: usize,
    ) -> Seen<Vec<(RemoteKey, RereadRow)>> {
        let due =
            self.reread.iter().filter(|(key, row)| key.system == system && key.entity == entity && row.due <= now);
        let due = due.map(|(key, &row)| (key.clone(), row)).collect();
        Ok(longest_due(due, limit, |row| row.due))
    }

    fn reread_len(&self) -> Seen<u64> {
        Ok(self.reread.len() as u64)
    }

    fn lately_scan(&self, entity: EntityId, after: Option<RecordId>, limit: usize) -> Seen<Vec<RecordId>> {
        Ok(beyond(&self.lately, entity, after).take(limit).map(|(&(_, id), _)| id).collect())
    }

    fn record_scan(&self, entity: EntityId, after: Option<RecordId>, limit: usize) -> Seen<Vec<Record>> {
        Ok(beyond(&self.records, entity, after).take(limit).map(|(_, record)| (**record).clone()).collect())
    }

    fn problem(&self, entity: EntityId, record: RecordId, system: SystemId) -> Seen<Option<Problem>> {
        Ok(self.problems.get(&(entity, record, system, None)).map(|problem| (**problem).clone()))
    }

    fn field_problems(&self, entity: EntityId, record: RecordId) -> Seen<Vec<(SystemId, FieldId, Problem)>> {
        let from = (entity, record, SystemId(0), None);
        let of_record = self.problems.range(from..).take_while(|((e, r, ..), _)| (*e, *r) == (entity, record));
        let of_field = |((_, _, system, field), problem): (&(_, _, SystemId, Option<FieldId>), &Arc<Problem>)| {
            Some((*system, (*field)?, (**problem).clone()))
        };
        Ok(of_record.filter_map(of_field).collect())
    }

    fn problems(&self, limit: usize) -> Seen<Vec<(ProblemPlace, Problem)>> {
        let problems = self.problems.iter().take(limit);
        let place = |&(entity, record, system, field)| ProblemPlace { entity, record, system, field };
        Ok(problems.map(|(at, problem)| (place(at), (**problem).clone())).collect())
    }

    fn ignored(&self, place: ProblemPlace) -> Seen<Option<Ignored>> {
        Ok(self.ignored.get(&place).cloned())
    }

    fn ignored_len(&self) -> Seen<u64> {
        Ok(self.ignored.len() as u64)
    }

    fn problems_len(&self) -> Seen<u64> {
        Ok(self.problems.len() as u64)
    }

    fn reviews_of(&self, entity: EntityId, record: RecordId) -> Seen<Vec<(FieldId, Review)>> {
        let own = self.reviews.range((entity, record, FieldId(0))..=(entity, record, FieldId(u32::MAX)));
        Ok(own.map(|((_, _, field), review)| (*field, review.clone())).collect())
    }

    fn reviews(&self, limit: usize) -> Seen<Vec<(EntityId, RecordId, FieldId, Review)>> {
        let all = self.reviews.iter().take(limit);
        Ok(all.map(|((entity, record, field), review)| (*entity, *record, *field, review.clone())).collect())
    }

    fn cursor(&self, name: &str) -> Seen<Option<Vec<u8>>> {
        Ok(self.cursors.get(name).cloned())
    }

    fn meta(&self) -> Seen<Meta> {
        Ok(self.meta)
    }
}

/// Writes or removes a row; removing what is not there copies nothing.
fn set<K: Ord + Clone, V: Clone>(table: &mut Table<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => {
            Arc::make_mut(table).insert(key, value);
        }
        None if table.contains_key(&key) => {
            Arc::make_mut(table).remove(&key);
        }
        None => {}
    }
}

fn all_of(entity: EntityId) -> std::ops::RangeInclusive<(EntityId, RecordId)> {
    (entity, RecordId([0; 16]))..=(entity, RecordId([0xff; 16]))
}

fn beyond<V>(
    table: &Table<(EntityId, RecordId), V>,
    entity: EntityId,
    after: Option<RecordId>,
) -> impl Iterator<Item = (&(EntityId, RecordId), &V)> {
    let from = after.map_or(Included((entity, RecordId([0; 16]))), |id| Excluded((entity, id)));
    table.range((from, Unbounded)).take_while(move |((of, _), _)| *of == entity)
}

/// Of rows that ascend by key, the `limit` that have been due longest, still ascending by key.
fn longest_due<K: Ord, V>(mut rows: Vec<(K, V)>, limit: usize, due: impl Fn(&V) -> Millis) -> Vec<(K, V)> {
    if rows.len() > limit {
        rows.sort_by_key(|(_, row)| due(row));
        rows.truncate(limit);
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    rows
}

impl Books for MemoryView {
    fn entries_of(&self, entity: EntityId, record: RecordId) -> Seen<Vec<(u64, JournalEntry)>> {
        let its = |entry: &JournalEntry| (entry.entity, entry.record) == (Some(entity), Some(record));
        let entries = self.journal(0, usize::MAX).filter(|(_, entry)| its(entry));
        Ok(entries.map(|(number, entry)| (number, entry.clone())).collect())
    }

    fn entries(&self, after: u64, limit: usize) -> Seen<Vec<(u64, JournalEntry)>> {
        Ok(self.journal(after, limit).map(|(number, entry)| (number, entry.clone())).collect())
    }

    fn entries_since(&self, at: Millis) -> Seen<u64> {
        Ok(self.journal.partition_point(|entry| entry.at < at) as u64 + 1)
    }

    fn began(&self, run: Run) -> Seen<Option<(u64, JournalEntry)>> {
        let begins = |entry: &JournalEntry| entry.run == run && matches!(entry.what, Happening::Began { .. });
        let entry = self.journal(0, usize::MAX).find(|(_, entry)| begins(entry));
        Ok(entry.map(|(number, entry)| (number, entry.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OpId;

    fn row(due: i64) -> OutboxRow {
        OutboxRow {
            object: crate::model::ObjectId(0),
            due: Millis(due),
            task: crate::engine::Task::Update,
            seen: Millis(0),
            looked: None,
            probe: None,
            flying: None,
            attempts: 0,
        }
    }

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut view = MemoryView::new();
        view.apply(&[Change::SetCursor("a".into(), Some(vec![1]))]);
        let before = view.clone();
        view.apply(&[Change::SetCursor("a".into(), None), Change::SetCursor("b".into(), None)]);
        assert_eq!(before.cursor("a"), Ok(Some(vec![1])));
        assert_eq!(view.cursor("a"), Ok(None));
        assert_eq!(view, MemoryView::new());
    }

    #[test]
    fn when_more_is_due_than_asked_for_the_longest_due_comes_first() {
        let (system, entity) = (SystemId(1), EntityId(2));
        let mut view = MemoryView::new();
        for (id, due) in [(1, 30), (2, 10), (3, 20), (4, 99)] {
            view.apply(&[Change::SetOutbox(system, entity, RecordId([id; 16]), Some(row(due)))]);
        }
        let flying = OutboxRow { flying: Some(OpId(1)), ..row(i64::MAX) };
        view.apply(&[Change::SetOutbox(system, entity, RecordId([5; 16]), Some(flying))]);
        let ids = |now, limit| -> Vec<u8> {
            let due = view.outbox_due(system, entity, Millis(now), limit).unwrap();
            due.iter().map(|(record, _)| record.0[0]).collect()
        };
        assert_eq!(ids(50, 2), [2, 3]);
        assert_eq!(ids(50, 9), [1, 2, 3]);
        assert_eq!(ids(i64::MAX, 9), [1, 2, 3, 4], "what is flying is not due");
        assert_eq!(view.outbox_flying().unwrap().len(), 1);
        assert_eq!(view.outbox_len(entity), Ok(5));
    }

    #[test]
    fn removing_the_last_row_leaves_no_trace() {
        let key = RemoteKey {
            entity: EntityId(1),
            system: SystemId(2),
            object: ObjectId(3),
            remote: RemoteId::parse("7").unwrap(),
        };
        let row = DigestRow { raw: crate::model::RawDigest(1), canonical: None };
        let holder = KeyHolder { system: key.system, record: RecordId([1; 16]) };
        let mut view = MemoryView::new();
        view.apply(&[Change::SetDigest(key.clone(), Some(row)), Change::AddKey(key.entity, b"ann".to_vec(), holder)]);
        assert_eq!(view.digests(key.entity, key.system, key.object, &[&key.remote]), Ok(vec![Some(row)]));
        assert_eq!(view.keys(key.entity, b"ann"), Ok(vec![holder]));
        view.apply(&[Change::SetDigest(key.clone(), None), Change::RemoveKey(key.entity, b"ann".to_vec(), holder)]);
        assert_eq!(view, MemoryView::new());
    }
}

//! Reading: a snapshot is the engine's view.

use super::chain;
use super::error::{StoreError, failed};
use super::history::numbers;
use super::key;
use super::tables::{
    COUNT_OUTBOX, COUNT_RECORDS, META_COUNTERS, Stored, Table, entity_record, read, read_array, read_indexed, read_key,
    read_record,
};
use crate::engine::{
    DigestRow, Ignored, JournalEntry, KeyHolder, Meta, OutboxRow, Problem, ProblemPlace, RereadRow, Review, Run, View,
    ViewError,
};
use crate::merge::Lately;
use crate::model::{EntityId, FieldId, Millis, ObjectId, Record, RecordId, RemoteId, RemoteKey, SystemId};
use redb::{AccessGuard, ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;
type Bytes<'a> = AccessGuard<'a, &'static [u8]>;
type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The state as of one commit; a clone is the same state. A table that was read stays open, so that the next read costs a search only.
#[derive(Clone)]
pub struct Snapshot(Arc<Open>);

struct Open {
    transaction: ReadTransaction,
    /// In the order of the catalogue. Opening one costs as much as reading from it, and most reads need few of them.
    tables: [OnceLock<Rows>; Table::ALL.len()],
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot")
    }
}

/// Sizes of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableStats {
    /// Its name in the file.
    pub name: &'static str,
    /// Its rows.
    pub rows: u64,
    /// Keys and values, in bytes.
    pub stored_bytes: u64,
    /// Unused within its pages, in bytes.
    pub unused_bytes: u64,
}

/// Sizes of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Of the file; none = not a file.
    pub file_bytes: Option<u64>,
    /// Of each table.
    pub tables: Vec<TableStats>,
}

impl Snapshot {
    pub(super) fn new(transaction: ReadTransaction) -> Self {
        Self(Arc::new(Open { transaction, tables: Default::default() }))
    }

    /// Number of records of an entity.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn records_len(&self, entity: EntityId) -> Result<u64> {
        self.count(COUNT_RECORDS, entity)
    }

    /// Sequence number of the newest journal entry; 0 = there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn journal_last(&self) -> Result<u64> {
        match self.rows(Table::Journal)?.last().map_err(failed)? {
            Some((key, _)) => sequence(key.value()),
            None => Ok(0),
        }
    }

    /// Journal entries after `after`, ascending, at most `limit`: a feed that is resumed with the last number seen. The
    /// numbers begin at 1.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn journal(&self, after: u64, limit: usize) -> Result<Vec<(u64, JournalEntry)>> {
        let mut found = Vec::new();
        for row in self.range(Table::Journal, Bound::Excluded(&after.to_be_bytes()), Bound::Unbounded)? {
            if found.len() >= limit {
                break;
            }
            let (key, value) = row?;
            // Of what was pruned only the link is left.
            if let Some(entry) = entry(key.value(), value.value())? {
                found.push((sequence(key.value())?, entry));
            }
        }
        Ok(found)
    }

    /// The number of the first entry that was decided at a time (our clock) or later; one past the newest if there is none.
    /// Entries are in the order of their times.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn journal_since(&self, at: Millis) -> Result<u64> {
        let (mut low, mut high) = (1, self.journal_last()? + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            // What was pruned has no time: the next one has.
            let next = self.journal(middle - 1, 1)?.into_iter().next();
            match next {
                Some((number, entry)) if entry.at < at => low = number + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The newest `limit` journal entries of a record, ascending.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn journal_of(&self, entity: EntityId, record: RecordId, limit: usize) -> Result<Vec<(u64, JournalEntry)>> {
        let mut prefix = Vec::with_capacity(KEY_USUAL);
        key::record(&mut prefix, entity, record);
        let mut found = Vec::new();
        'runs: for row in self.prefix(Table::History, &prefix)?.rev() {
            let (key, more) = row?;
            for number in numbers(key.value(), more.value())?.rev() {
                if found.len() >= limit {
                    break 'runs;
                }
                let at = number.to_be_bytes();
                let row = self.value(Table::Journal, &at)?.ok_or_else(|| orphan(Table::History, key.value()))?;
                found.extend(entry(&at, row.value())?.map(|entry| (number, entry)));
            }
        }
        found.reverse();
        Ok(found)
    }

    /// How runs began, the newest `limit` of those up to `last`, newest first, each with its entry's number.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn runs(&self, last: Run, limit: usize) -> Result<Vec<(u64, JournalEntry)>> {
        let mut runs = Vec::new();
        for row in self.range(Table::Runs, Bound::Unbounded, Bound::Included(&last.0.to_be_bytes()))?.rev().take(limit)
        {
            let (_, number) = row?;
            let number = sequence(number.value())?;
            runs.extend(self.journal(number.saturating_sub(1), 1)?.into_iter().filter(|(found, _)| *found == number));
        }
        Ok(runs)
    }

    /// Sizes per table.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn stats(&self) -> Result<Vec<TableStats>> {
        let stats = |table: Table| {
            let stats = self.rows(table)?.stats().map_err(failed)?;
            let rows = self.rows(table)?.len().map_err(failed)?;
            let (stored_bytes, unused_bytes) = (stats.stored_bytes(), stats.fragmented_bytes());
            Ok(TableStats { name: table.name(), rows, stored_bytes, unused_bytes })
        };
        Table::ALL.into_iter().map(stats).collect()
    }

    pub(super) fn rows(&self, table: Table) -> Result<&Rows> {
        let Open { transaction, tables } = &*self.0;
        let place = &tables[table as usize];
        match place.get() {
            Some(rows) => Ok(rows),
            None => {
                let rows = transaction.open_table(table.definition()).map_err(failed)?;
                Ok(place.get_or_init(|| rows))
            }
        }
    }

    pub(super) fn value(&self, table: Table, key: &[u8]) -> Result<Option<Bytes<'_>>> {
        ReadableTable::get(self.rows(table)?, key).map_err(failed)
    }

    pub(super) fn range<'a>(
        &'a self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> Result<impl DoubleEndedIterator<Item = Result<(Bytes<'a>, Bytes<'a>)>> + use<'a>> {
        let rows = ReadableTable::range::<&[u8]>(self.rows(table)?, (from, to)).map_err(failed)?;
        Ok(rows.map(|row| row.map_err(failed)))
    }

    /// The rows of one entity in a table whose keys begin with it.
    pub(super) fn of_entity<'a>(
        &'a self,
        table: Table,
        entity: EntityId,
    ) -> Result<impl DoubleEndedIterator<Item = Result<(Bytes<'a>, Bytes<'a>)>> + use<'a>> {
        self.prefix(table, &entity.0.to_be_bytes())
    }

    fn prefix<'a>(
        &'a self,
        table: Table,
        prefix: &[u8],
    ) -> Result<impl DoubleEndedIterator<Item = Result<(Bytes<'a>, Bytes<'a>)>> + use<'a>> {
        let end = key::after(prefix);
        self.range(table, Bound::Included(prefix), end.as_deref().map_or(Bound::Unbounded, Bound::Excluded))
    }

    pub(super) fn counters(&self) -> Result<Meta> {
        Ok(self.stored(Table::Meta, |out| out.extend_from_slice(META_COUNTERS))?.unwrap_or_default())
    }

    fn stored<T: Stored>(&self, table: Table, write: impl FnOnce(&mut Vec<u8>)) -> Result<Option<T>> {
        let mut key = Vec::with_capacity(KEY_USUAL);
        write(&mut key);
        self.value(table, &key)?.map(|bytes| read(table, &key, bytes.value())).transpose()
    }

    fn count(&self, what: u8, entity: EntityId) -> Result<u64> {
        let mut key = Vec::with_capacity(KEY_USUAL);
        key::count(&mut key, what, entity);
        match self.value(Table::Meta, &key)? {
            Some(bytes) => Ok(u64::from_be_bytes(read_array(Table::Meta, &key, bytes.value())?)),
            None => Ok(0),
        }
    }

    /// Rows of an entity after a record, ascending.
    fn beyond(
        &self,
        table: Table,
        entity: EntityId,
        after: Option<RecordId>,
    ) -> Result<impl Iterator<Item = Result<(Bytes<'_>, Bytes<'_>)>>> {
        let mut from = Vec::with_capacity(KEY_USUAL);
        key::entity(&mut from, entity);
        let end = key::after(&from);
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        match after {
            Some(id) => {
                from.extend_from_slice(&id.0);
                self.range(table, Bound::Excluded(&from), to)
            }
            None => self.range(table, Bound::Included(&from), to),
        }
    }

    /// One pass over two ascending lists. Where the ids stand close together the rows between them are stepped over; where
    /// they stand apart each is searched for, and from time to time the other way is tried again.
    fn digests_of(
        &self,
        entity: EntityId,
        system: SystemId,
        object: ObjectId,
        ids: &[&RemoteId],
    ) -> Result<Vec<Option<DigestRow>>> {
        debug_assert!(ids.is_sorted(), "ids must ascend");
        let Some(first) = ids.first() else { return Ok(Vec::new()) };
        let mut out = Vec::with_capacity(ids.len());
        let mut wanted = Vec::with_capacity(KEY_USUAL);
        key::place(&mut wanted, entity, system, object);
        let place = wanted.len();
        let end = key::after(&wanted);
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        wanted.extend_from_slice(first.as_str().as_bytes());
        if ids.len() == 1 {
            return Ok(vec![self.digest_at(&wanted)?]);
        }

        let mut range = self.range(Table::Digests, Bound::Included(&wanted), end)?;
        // The row in hand is the first that is not before the last id that was wanted.
        let mut row = range.next().transpose()?;
        let (mut searches, mut searches_next) = (0, SEARCHES_MIN);
        for (at, id) in ids.iter().enumerate() {
            wanted.truncate(place);
            wanted.extend_from_slice(id.as_str().as_bytes());
            if searches > 0 {
                out.push(self.digest_at(&wanted)?);
                searches -= 1;
                if searches == 0 && at + 1 < ids.len() {
                    range = self.range(Table::Digests, Bound::Included(&wanted), end)?;
                    row = range.next().transpose()?;
                }
                continue;
            }
            let before = |row: &Option<(Bytes<'_>, Bytes<'_>)>| {
                row.as_ref().is_some_and(|(key, _)| key.value() < wanted.as_slice())
            };
            let mut steps = 0;
            while steps < STEPS_MAX && before(&row) {
                row = range.next().transpose()?;
                steps += 1;
            }
            if before(&row) {
                out.push(self.digest_at(&wanted)?);
                searches = searches_next;
                searches_next = (searches_next * 2).min(SEARCHES_MAX);
            } else {
                let found = row.as_ref().filter(|(key, _)| key.value() == wanted.as_slice());
                out.push(found.map(|(_, row)| read(Table::Digests, &wanted, row.value())).transpose()?);
                searches_next = SEARCHES_MIN;
            }
        }
        Ok(out)
    }

    fn review_rows(&self, prefix: &[u8], limit: usize) -> Result<Vec<(EntityId, RecordId, FieldId, Review)>> {
        let mut reviews = Vec::new();
        for row in self.prefix(Table::Reviews, prefix)?.take(limit) {
            let (key, bytes) = row?;
            let parse = |parts: &mut key::Parts| Some((parts.entity()?, parts.record()?, parts.field()?));
            let (entity, record, field) = read_key(Table::Reviews, key.value(), parse)?;
            reviews.push((entity, record, field, read(Table::Reviews, key.value(), bytes.value())?));
        }
        Ok(reviews)
    }

    fn digest_at(&self, key: &[u8]) -> Result<Option<DigestRow>> {
        self.value(Table::Digests, key)?.map(|bytes| read(Table::Digests, key, bytes.value())).transpose()
    }
}

const KEY_USUAL: usize = 48;
/// A search costs as much as about four steps.
const STEPS_MAX: usize = 4;
const SEARCHES_MIN: usize = 8;
const SEARCHES_MAX: usize = 64;

fn entry(key: &[u8], row: &[u8]) -> Result<Option<JournalEntry>> {
    let (_, entry) = chain::split(key, row)?;
    entry.map(|entry| read(Table::Journal, key, entry)).transpose()
}

pub(super) fn sequence(key: &[u8]) -> Result<u64> {
    read_array(Table::Journal, key, key).map(u64::from_be_bytes)
}

impl From<StoreError> for ViewError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

type Seen<T> = std::result::Result<T, ViewError>;

impl View for Snapshot {
    fn record(&self, entity: EntityId, id: RecordId) -> Seen<Option<Arc<Record>>> {
        let mut key = Vec::with_capacity(KEY_USUAL);
        key::record(&mut key, entity, id);
        let body = self.value(Table::Records, &key)?;
        Ok(body.map(|body| read_record(&key, body.value())).transpose()?.map(Arc::new))
    }

    fn lately(&self, entity: EntityId, id: RecordId) -> Seen<Option<Arc<Lately>>> {
        Ok(self.stored(Table::Lately, |out| key::record(out, entity, id))?.map(Arc::new))
    }

    fn digests(
        &self,
        entity: EntityId,
        system: SystemId,
        object: ObjectId,
        ids: &[&RemoteId],
    ) -> Seen<Vec<Option<DigestRow>>> {
        Ok(self.digests_of(entity, system, object, ids)?)
    }

    fn index(&self, remote: &RemoteKey) -> Seen<Option<RecordId>> {
        let mut key = Vec::with_capacity(KEY_USUAL);
        key::remote(&mut key, remote);
        let found = self.value(Table::Index, &key)?;
        Ok(found.map(|bytes| read_indexed(remote, &key, bytes.value())).transpose()?)
    }

    fn keys(&self, entity: EntityId, bytes: &[u8]) -> Seen<Vec<KeyHolder>> {
        let mut prefix = Vec::with_capacity(KEY_USUAL);
        key::holders(&mut prefix, entity, bytes);
        let mut holders = Vec::new();
        for row in self.prefix(Table::Keys, &prefix)? {
            let (key, _) = row?;
            let holder = key.value().get(prefix.len()..).unwrap_or_default();
            holders.push(read_key(Table::Keys, holder, |parts| {
                Some(KeyHolder { system: parts.system()?, record: parts.record()? })
            })?);
        }
        Ok(holders)
    }

    fn outbox(&self, system: SystemId, entity: EntityId, record: RecordId) -> Seen<Option<OutboxRow>> {
        Ok(self.stored(Table::Outbox, |out| key::outbox(out, system, entity, record))?)
    }

    fn outbox_due(
        &self,
        system: SystemId,
        entity: EntityId,
        now: Millis,
        limit: usize,
    ) -> Seen<Vec<(RecordId, OutboxRow)>> {
        let mut from = Vec::with_capacity(KEY_USUAL);
        key::outbox_waiting(&mut from, system, entity);
        let mut due = Vec::new();
        for row in self.prefix(Table::OutboxDue, &from)?.take(limit) {
            let (key, _) = row?;
            let rest = key.value().get(from.len()..).unwrap_or_default();
            let (time, record) = read_key(Table::OutboxDue, rest, |parts| Some((parts.time()?, parts.record()?)))?;
            if time > now {
                break;
            }
            let row = self.outbox(system, entity, record)?;
            due.push((record, row.ok_or_else(|| orphan(Table::OutboxDue, key.value()))?));
        }
        due.sort_by_key(|(record, _)| *record);
        Ok(due)
    }

    fn outbox_flying(&self) -> Seen<Vec<(SystemId, EntityId, RecordId, OutboxRow)>> {
        let mut flying = Vec::new();
        for row in self.prefix(Table::OutboxDue, &[key::FLYING])? {
            let (key, _) = row?;
            let rest = key.value().get(1..).unwrap_or_default();
            let (system, entity, record) = read_key(Table::OutboxDue, rest, |parts| {
                let (system, entity, _) = (parts.system()?, parts.entity()?, parts.time()?);
                Some((system, entity, parts.record()?))
            })?;
            let row = self.outbox(system, entity, record)?;
            flying.push((system, entity, record, row.ok_or_else(|| orphan(Table::OutboxDue, key.value()))?));
        }
        Ok(flying)
    }

    fn outbox_len(&self, entity: EntityId) -> Seen<u64> {
        Ok(self.count(COUNT_OUTBOX, entity)?)
    }

    fn reread(&self, remote: &RemoteKey) -> Seen<Option<RereadRow>> {
        Ok(self.stored(Table::Reread, |out| key::remote(out, remote))?)
    }

    fn reread_due(
        &self,
        system: SystemId,
        entity: EntityId,
        now: Millis,
        limit: usize,
    ) -> Seen<Vec<(RemoteKey, RereadRow)>> {
        let mut from = Vec::with_capacity(KEY_USUAL);
        key::reread_pair(&mut from, system, entity);
        let mut due = Vec::new();
        for row in self.prefix(Table::RereadDue, &from)?.take(limit) {
            let (key, _) = row?;
            let rest = key.value().get(from.len()..).unwrap_or_default();
            let (time, object, remote) =
                read_key(Table::RereadDue, rest, |parts| Some((parts.time()?, parts.object()?, parts.remote()?)))?;
            if time > now {
                break;
            }
            let remote = RemoteKey { entity, system, object, remote };
            let row = self.reread(&remote)?.ok_or_else(|| orphan(Table::RereadDue, key.value()))?;
            due.push((remote, row));
        }
        due.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(due)
    }

    fn reread_len(&self) -> Seen<u64> {
        Ok(self.rows(Table::Reread)?.len().map_err(failed)?)
    }

    fn lately_scan(&self, entity: EntityId, after: Option<RecordId>, limit: usize) -> Seen<Vec<RecordId>> {
        let mut ids = Vec::new();
        for row in self.beyond(Table::Lately, entity, after)?.take(limit) {
            let (key, _) = row?;
            let (_, id) = entity_record(Table::Lately, key.value())?;
            ids.push(id);
        }
        Ok(ids)
    }

    fn record_scan(&self, entity: EntityId, after: Option<RecordId>, limit: usize) -> Seen<Vec<Record>> {
        let mut records = Vec::new();
        for row in self.beyond(Table::Records, entity, after)?.take(limit) {
            let (key, bytes) = row?;
            records.push(read_record(key.value(), bytes.value())?);
        }
        Ok(records)
    }

    fn problem(&self, entity: EntityId, record: RecordId, system: SystemId) -> Seen<Option<Problem>> {
        Ok(self.stored(Table::Problems, |out| key::problem(out, entity, record, system))?)
    }

    fn field_problems(&self, entity: EntityId, record: RecordId) -> Seen<Vec<(SystemId, FieldId, Problem)>> {
        let mut prefix = Vec::new();
        key::record(&mut prefix, entity, record);
        let mut problems = Vec::new();
        for row in self.prefix(Table::Problems, &prefix)? {
            let (key, bytes) = row?;
            let (_, _, system, field) = read_key(Table::Problems, key.value(), key::problem_parts)?;
            if let Some(field) = field {
                problems.push((system, field, read(Table::Problems, key.value(), bytes.value())?));
            }
        }
        Ok(problems)
    }

    fn reviews_of(&self, entity: EntityId, record: RecordId) -> Seen<Vec<(FieldId, Review)>> {
        let mut prefix = Vec::new();
        key::record(&mut prefix, entity, record);
        let rows = self.review_rows(&prefix, usize::MAX)?;
        Ok(rows.into_iter().map(|(_, _, field, review)| (field, review)).collect())
    }

    fn reviews(&self, limit: usize) -> Seen<Vec<(EntityId, RecordId, FieldId, Review)>> {
        Ok(self.review_rows(&[], limit)?)
    }

    fn problems(&self, limit: usize) -> Seen<Vec<(ProblemPlace, Problem)>> {
        let mut problems = Vec::new();
        for row in self.prefix(Table::Problems, &[])?.take(limit) {
            let (key, bytes) = row?;
            let (entity, record, system, field) = read_key(Table::Problems, key.value(), key::problem_parts)?;
            let place = ProblemPlace { entity, record, system, field };
            problems.push((place, read(Table::Problems, key.value(), bytes.value())?));
        }
        Ok(problems)
    }

    fn problems_len(&self) -> Seen<u64> {
        Ok(self.rows(Table::Problems)?.len().map_err(failed)?)
    }

    fn ignored(&self, place: ProblemPlace) -> Seen<Option<Ignored>> {
        Ok(self.stored(Table::Ignored, |out| key::problem_place(out, place))?)
    }

    fn ignored_len(&self) -> Seen<u64> {
        Ok(self.rows(Table::Ignored)?.len().map_err(failed)?)
    }

    fn cursor(&self, name: &str) -> Seen<Option<Vec<u8>>> {
        let mut key = Vec::with_capacity(KEY_USUAL);
        key::cursor(&mut key, name);
        Ok(self.value(Table::Meta, &key)?.map(|bytes| bytes.value().to_vec()))
    }

    fn meta(&self) -> Seen<Meta> {
        Ok(self.counters()?)
    }
}

fn orphan(table: Table, key: &[u8]) -> StoreError {
    super::tables::damaged(table, key, "it points to a row that does not exist")
}

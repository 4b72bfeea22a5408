//! From changes to sorted rows in one transaction.
//!
//! Order decides: rows in the order of their keys load several times faster than in any other, and into half the file.
//! Hence everything that a commit writes is gathered, sorted by table and key, and written in one pass; what is derived
//! from it (due indexes, counts) in a second.

use super::chain::{Chain, Link};
use super::error::{StoreError, failed};
use super::history::{Run, Told, put_more};
use super::key;
use super::tables::{
    COUNT_OUTBOX, COUNT_RECORDS, META_COUNTERS, Stored, Table, put_indexed, put_record, read, read_array, read_key,
};
use crate::codec::SIZE_MAX;
use crate::engine::{Change, Happening, JournalEntry, OutboxRow, RereadRow};
use crate::model::EntityId;
use redb::{ReadableTable, WriteTransaction};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

type Rows<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

/// Writes the changes of some steps.
pub(super) fn apply<'a>(
    transaction: &WriteTransaction,
    steps: impl Iterator<Item = &'a [Change]>,
) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    let mut chain: Option<Chain> = None;
    for changes in steps {
        batch.step(transaction, &mut chain, changes)?;
    }
    batch.history()?;
    let mut derived = Derived::default();
    batch.write(transaction, |table, key, old, new| derived.note(table, key, old, new))?;
    derived.write(transaction)
}

/// Rows to write, in one buffer; which ones, by table.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    rows: [Vec<Row>; Table::ALL.len()],
    /// Of which records the journal's new entries are.
    told: Told,
}

/// A row to write, or without a value to remove: the place of its key and, right behind it, of its value.
struct Row {
    /// The beginning of the key, as a number: it nearly always decides an order without a look at the buffer.
    lead: u128,
    from: usize,
    key_len: u32,
    value_len: Option<u32>,
}

impl Batch {
    /// The changes of one step; the chain's end is looked up when an entry goes on from it.
    fn step(
        &mut self,
        transaction: &WriteTransaction,
        chain: &mut Option<Chain>,
        changes: &[Change],
    ) -> Result<(), StoreError> {
        self.told.next_step();
        self.bytes.reserve(changes.len() * BYTES_USUAL);
        for change in changes {
            match (change, &mut *chain) {
                (Change::Journal(entry), Some(chain)) => self.journal(chain, entry)?,
                (Change::Journal(entry), none) => self.journal(none.insert(Chain::last(transaction)?), entry)?,
                (change, _) => self.add(change)?,
            }
        }
        Ok(())
    }

    /// The next entry of the journal.
    fn journal(&mut self, chain: &mut Chain, entry: &JournalEntry) -> Result<(), StoreError> {
        let number = chain.next_number().to_be_bytes();
        let (from, middle) = (self.bytes.len(), self.bytes.len() + number.len());
        self.bytes.extend_from_slice(&number);
        // The link stands before what it is made of.
        let link = middle..middle + size_of::<Link>();
        self.bytes.resize(link.end, 0);
        entry.put(&mut self.bytes);
        let made = chain.add(&self.bytes[link.end..]);
        self.bytes[link].copy_from_slice(&made);
        self.push(Table::Journal, from, middle, Some(self.bytes.len() - middle))?;
        if let Some(of) = entry.entity.zip(entry.record) {
            self.told.note(of, chain.last_number());
        }
        if let Happening::Began { .. } = entry.what {
            let run = entry.run.0.to_be_bytes();
            self.put(Table::Runs, |out| out.extend_from_slice(&run), |out| out.extend_from_slice(&number))?;
        }
        Ok(())
    }

    /// What finds the journal's new entries.
    fn history(&mut self) -> Result<(), StoreError> {
        for Run { of, first, more } in std::mem::take(&mut self.told).runs {
            self.put(Table::History, |out| key::history(out, of, first), |out| put_more(more, out))?;
        }
        Ok(())
    }

    fn add(&mut self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::PutRecord(record) => self.put(
                Table::Records,
                |out| key::record(out, record.entity, record.id),
                |out| put_record(record, out),
            ),
            Change::RemoveRecord(entity, id) => self.remove(Table::Records, |out| key::record(out, *entity, *id)),
            Change::SetLately(entity, id, lately) => {
                self.set(Table::Lately, |out| key::record(out, *entity, *id), lately.as_deref())
            }
            Change::SetDigest(remote, row) => self.set(Table::Digests, |out| key::remote(out, remote), row.as_ref()),
            Change::SetIndex(remote, Some(record)) => {
                self.put(Table::Index, |out| key::remote(out, remote), |out| put_indexed(remote, *record, out))
            }
            Change::SetIndex(remote, None) => self.remove(Table::Index, |out| key::remote(out, remote)),
            Change::AddKey(entity, bytes, holder) => {
                self.put(Table::Keys, |out| key::holder(out, *entity, bytes, holder), |_| ())
            }
            Change::RemoveKey(entity, bytes, holder) => {
                self.remove(Table::Keys, |out| key::holder(out, *entity, bytes, holder))
            }
            Change::SetOutbox(system, entity, record, row) => {
                self.set(Table::Outbox, |out| key::outbox(out, *system, *entity, *record), row.as_ref())
            }
            Change::SetReread(remote, row) => self.set(Table::Reread, |out| key::remote(out, remote), row.as_ref()),
            Change::SetProblem(entity, record, system, problem) => {
                self.set(Table::Problems, |out| key::problem(out, *entity, *record, *system), problem.as_deref())
            }
            Change::SetFieldProblem(entity, record, system, field, problem) => self.set(
                Table::Problems,
                |out| key::field_problem(out, *entity, *record, *system, *field),
                problem.as_deref(),
            ),
            Change::SetReview(entity, record, field, review) => {
                self.set(Table::Reviews, |out| key::record_field(out, *entity, *record, *field), review.as_deref())
            }
            Change::SetIgnored(place, ignored) => {
                self.set(Table::Ignored, |out| key::problem_place(out, *place), ignored.as_deref())
            }
            Change::SetCursor(name, Some(bytes)) => {
                self.put(Table::Meta, |out| key::cursor(out, name), |out| out.extend_from_slice(bytes))
            }
            Change::SetCursor(name, None) => self.remove(Table::Meta, |out| key::cursor(out, name)),
            Change::SetMeta(meta) => {
                self.put(Table::Meta, |out| out.extend_from_slice(META_COUNTERS), |out| meta.put(out))
            }
            Change::Journal(_) => unreachable!("the caller numbers journal entries"),
        }
    }

    fn set<T: Stored>(
        &mut self,
        table: Table,
        key: impl FnOnce(&mut Vec<u8>),
        value: Option<&T>,
    ) -> Result<(), StoreError> {
        match value {
            Some(value) => self.put(table, key, |out| value.put(out)),
            None => self.remove(table, key),
        }
    }

    fn put(
        &mut self,
        table: Table,
        key: impl FnOnce(&mut Vec<u8>),
        value: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), StoreError> {
        let from = self.bytes.len();
        key(&mut self.bytes);
        let middle = self.bytes.len();
        value(&mut self.bytes);
        self.push(table, from, middle, Some(self.bytes.len() - middle))
    }

    fn remove(&mut self, table: Table, key: impl FnOnce(&mut Vec<u8>)) -> Result<(), StoreError> {
        let from = self.bytes.len();
        key(&mut self.bytes);
        self.push(table, from, self.bytes.len(), None)
    }

    fn push(&mut self, table: Table, from: usize, middle: usize, value: Option<usize>) -> Result<(), StoreError> {
        // What is larger would be written, and then refused by every reader.
        let fits = |size: usize| match u32::try_from(size) {
            Ok(len) if size <= SIZE_MAX => Ok(len),
            _ => Err(StoreError::TooLarge { table: table.name(), size, max: SIZE_MAX }),
        };
        let key = &self.bytes[from..middle];
        let mut lead = [0; 16];
        let known = key.len().min(16);
        lead[..known].copy_from_slice(&key[..known]);
        self.rows[table as usize].push(Row {
            lead: u128::from_be_bytes(lead),
            from,
            key_len: fits(middle - from)?,
            value_len: value.map(fits).transpose()?,
        });
        Ok(())
    }

    fn key(&self, row: &Row) -> &[u8] {
        &self.bytes[row.from..][..row.key_len as usize]
    }

    fn value(&self, row: &Row) -> Option<&[u8]> {
        row.value_len.map(|len| &self.bytes[row.from + row.key_len as usize..][..len as usize])
    }

    fn order(&self, a: &Row, b: &Row) -> Ordering {
        a.lead.cmp(&b.lead).then_with(|| self.key(a).cmp(self.key(b)))
    }

    /// Sorts, keeps the last change of each row, and writes. `note` learns the old and the new value of each row.
    fn write(
        mut self,
        transaction: &WriteTransaction,
        mut note: impl FnMut(Table, &[u8], Option<&[u8]>, Option<&[u8]>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for (table, mut rows) in Table::ALL.into_iter().zip(std::mem::take(&mut self.rows)) {
            if rows.is_empty() {
                continue;
            }
            // Mostly they are in order already, since steps are.
            rows.sort_by(|a, b| self.order(a, b));
            // The sort is stable: of equal keys the last one is the latest change.
            rows.reverse();
            rows.dedup_by(|a, b| self.order(a, b).is_eq());
            rows.reverse();
            let mut open = transaction.open_table(table.definition()).map_err(failed)?;
            self.write_table(&mut open, &rows, |key, old, new| note(table, key, old, new))?;
        }
        Ok(())
    }

    /// Runs of new rows between two rows of the table go through a cursor, which fills pages without looking for the place
    /// of each row. Where such runs are rare, they are looked for ever more rarely.
    fn write_table(
        &self,
        table: &mut Rows<'_>,
        mut rows: &[Row],
        mut note: impl FnMut(&[u8], Option<&[u8]>, Option<&[u8]>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut stride = RUN_MIN;
        while !rows.is_empty() {
            let run = if rows.len() < RUN_MIN { 0 } else { self.new_run(table, rows)? };
            if run >= RUN_MIN {
                let (new, rest) = rows.split_at(run);
                let mut cursor = table.lower_bound_mut(Bound::Included(self.key(&new[0]))).map_err(failed)?;
                for row in new {
                    let (key, value) = (self.key(row), self.value(row).unwrap_or_default());
                    cursor.insert_before(key, value).map_err(failed)?;
                    note(key, None, Some(value))?;
                }
                cursor.close().map_err(failed)?;
                (rows, stride) = (rest, RUN_MIN);
            } else {
                let (some, rest) = rows.split_at(stride.min(rows.len()));
                for row in some {
                    let key = self.key(row);
                    let value = self.value(row);
                    let old = match value {
                        Some(value) => table.insert(key, value),
                        None => table.remove(key),
                    };
                    let old = old.map_err(failed)?;
                    note(key, old.as_ref().map(|old| old.value()), value)?;
                }
                (rows, stride) = (rest, (stride * 2).min(STRIDE_MAX));
            }
        }
        Ok(())
    }

    /// How many of the first rows are new and stand next to each other in the table.
    fn new_run(&self, table: &Rows<'_>, rows: &[Row]) -> Result<usize, StoreError> {
        let next = table.range::<&[u8]>(self.key(&rows[0])..).map_err(failed)?.next().transpose().map_err(failed)?;
        let fits =
            |row: &&Row| row.value_len.is_some() && next.as_ref().is_none_or(|(next, _)| self.key(row) < next.value());
        Ok(rows.iter().take_while(fits).count())
    }
}

/// Of the key and value of a change.
const BYTES_USUAL: usize = 160;
const RUN_MIN: usize = 8;
const STRIDE_MAX: usize = 1024;

/// What follows from the rows that were written.
#[derive(Default)]
struct Derived {
    due: Batch,
    counts: BTreeMap<(u8, EntityId), i64>,
}

impl Derived {
    fn note(&mut self, table: Table, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) -> Result<(), StoreError> {
        match table {
            Table::Records => {
                let entity = read_key(table, &key[..key.len().min(4)], |parts| parts.entity())?;
                self.count(COUNT_RECORDS, entity, old.is_some(), new.is_some());
            }
            Table::Outbox => {
                let (_, entity) =
                    read_key(table, &key[..key.len().min(8)], |parts| Some((parts.system()?, parts.entity()?)))?;
                self.count(COUNT_OUTBOX, entity, old.is_some(), new.is_some());
                let place = |bytes: &[u8]| -> Result<_, StoreError> {
                    let row: OutboxRow = read(table, key, bytes)?;
                    Ok(row.flying.is_none().then_some(row.due))
                };
                let (old, new) = (old.map(place).transpose()?, new.map(place).transpose()?);
                self.move_due(Table::OutboxDue, old, new, |out, due| key::outbox_due(out, key, due))?;
            }
            Table::Reread => {
                let place = |bytes: &[u8]| -> Result<_, StoreError> { Ok(read::<RereadRow>(table, key, bytes)?.due) };
                let (old, new) = (old.map(place).transpose()?, new.map(place).transpose()?);
                self.move_due(Table::RereadDue, old, new, |out, due| key::reread_due(out, key, due))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, what: u8, entity: EntityId, was: bool, is: bool) {
        if was != is {
            *self.counts.entry((what, entity)).or_default() += if is { 1 } else { -1 };
        }
    }

    fn move_due<P: Copy + PartialEq>(
        &mut self,
        table: Table,
        old: Option<P>,
        new: Option<P>,
        key: impl Fn(&mut Vec<u8>, P),
    ) -> Result<(), StoreError> {
        if old == new {
            return Ok(());
        }
        if let Some(old) = old {
            self.due.remove(table, |out| key(out, old))?;
        }
        match new {
            Some(new) => self.due.put(table, |out| key(out, new), |_| ()),
            None => Ok(()),
        }
    }

    fn write(self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        self.due.write(transaction, |_, _, _, _| Ok(()))?;
        if self.counts.is_empty() {
            return Ok(());
        }
        let mut table = transaction.open_table(Table::Meta.definition()).map_err(failed)?;
        for ((what, entity), change) in self.counts {
            let mut key = Vec::new();
            key::count(&mut key, what, entity);
            let now = match table.get(key.as_slice()).map_err(failed)? {
                Some(bytes) => u64::from_be_bytes(read_array(Table::Meta, &key, bytes.value())?),
                None => 0,
            };
            let next = now
                .checked_add_signed(change)
                .ok_or_else(|| super::tables::damaged(Table::Meta, &key, "fewer rows than were removed"))?;
            // Equal content is equal rows: nothing is left of what is gone.
            let written = match next {
                0 => table.remove(key.as_slice()),
                _ => table.insert(key.as_slice(), next.to_be_bytes().as_slice()),
            };
            written.map_err(failed)?;
        }
        Ok(())
    }
}

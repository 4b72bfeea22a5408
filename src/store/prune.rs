//! The journal does not grow for ever: old entries on which nothing of today rests are taken out of it.

use super::chain::split;
use super::error::{StoreError, failed};
use super::history;
use super::key;
use super::open::Store;
use super::read::Snapshot;
use super::tables::{Stored, Table, read_array};
use crate::engine::{Grounds, JournalEntry, PRUNED_CURSOR};
use crate::model::{EntityId, Millis, RecordId};
use redb::ReadableTable;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Rows of the journal that one commit looks at.
const BATCH: usize = 5_000;

/// What pruning does, or would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Entries of before the time that go.
    pub entries: u64,
    /// Those that stay, since something of today rests on them.
    pub kept: u64,
}

/// A row of the journal, with what stands behind its link.
struct Row {
    number: u64,
    entry: Option<JournalEntry>,
    goes: bool,
}

impl Store {
    /// Takes entries that were decided before a time (our clock) out of the journal, but for those on which something of today
    /// rests: the one behind each value, what happened to records themselves, how runs began. The chain of digests still
    /// holds. A time to come is as good as now. `dry` only counts. `progress` is told how many entries were looked at; false ends it where it stands.
    ///
    /// # Errors
    /// The store cannot be read or written; what was done by then is whole.
    pub fn prune(
        &self,
        before: Millis,
        dry: bool,
        mut progress: impl FnMut(u64) -> bool,
    ) -> Result<Pruned, StoreError> {
        let snapshot = self.snapshot()?;
        // Of times to come nothing is missing yet.
        let before = before.min(snapshot.counters()?.now_max.plus(1));
        let end = snapshot.journal_since(before)?;
        if !dry {
            // First, so that nobody who is asked meanwhile claims to know more than is left.
            let until = snapshot.pruned_until()?.max(Some(before)).unwrap_or(before);
            self.transact(|transaction| {
                let mut meta = transaction.open_table(Table::Meta.definition()).map_err(failed)?;
                meta.insert(&pruned_key()[..], &until.0.to_be_bytes()[..]).map_err(failed)?;
                Ok(())
            })?;
        }
        let (mut done, mut after) = (Pruned::default(), 0);
        loop {
            let rows = self.snapshot()?.prunable(after, end)?;
            let Some(last) = rows.last().map(|row| row.number) else { return Ok(done) };
            done.entries += rows.iter().filter(|row| row.goes && row.entry.is_some()).count() as u64;
            done.kept += rows.iter().filter(|row| !row.goes).count() as u64;
            if !dry {
                self.transact(|transaction| take_out(transaction, &rows))?;
            }
            after = last;
            if !progress(done.entries + done.kept) {
                return Ok(done);
            }
        }
    }
}

impl Snapshot {
    /// Up to when the journal was pruned; none = it never was.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn pruned_until(&self) -> Result<Option<Millis>, StoreError> {
        let key = pruned_key();
        let bytes = self.value(Table::Meta, &key)?;
        let bytes = bytes.map(|bytes| read_array(Table::Meta, &key, bytes.value()));
        Ok(bytes.transpose()?.map(|bytes| Millis(i64::from_be_bytes(bytes))))
    }

    /// The next rows of the journal, of numbers below `end`.
    fn prunable(&self, after: u64, end: u64) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        let mut grounds: BTreeMap<(EntityId, RecordId), Option<Grounds>> = BTreeMap::new();
        let (from, to) = (after.to_be_bytes(), end.to_be_bytes());
        for row in self.range(Table::Journal, Bound::Excluded(&from), Bound::Excluded(&to))?.take(BATCH) {
            let (at, row) = row?;
            let number = u64::from_be_bytes(read_array(Table::Journal, at.value(), at.value())?);
            let entry = split(at.value(), row.value())?.1;
            let entry = entry.map(JournalEntry::get).transpose().map_err(|error| {
                let message = format!("entry {number}: {error}");
                super::tables::damaged(Table::Journal, at.value(), &message)
            })?;
            let goes = match entry.as_ref().map(|entry| (entry, entry.entity.zip(entry.record))) {
                Some((entry, Some(of))) => {
                    if let std::collections::btree_map::Entry::Vacant(vacant) = grounds.entry(of) {
                        vacant.insert(self.grounds(of)?);
                    }
                    // Of a record that is gone nothing is left to be explained.
                    grounds.get(&of).and_then(Option::as_ref).is_none_or(|grounds| !grounds.rest_on(number, entry))
                }
                Some((entry, None)) => !Grounds::default().rest_on(number, entry),
                None => true,
            };
            rows.push(Row { number, entry, goes });
        }
        Ok(rows)
    }

    fn grounds(&self, (entity, record): (EntityId, RecordId)) -> Result<Option<Grounds>, StoreError> {
        let mut at = Vec::new();
        key::record(&mut at, entity, record);
        if self.value(Table::Records, &at)?.is_none() {
            return Ok(None);
        }
        let entries = self.journal_of(entity, record, usize::MAX)?;
        Ok(Some(Grounds::of(entries.iter().map(|(number, entry)| (*number, entry)))))
    }
}

fn pruned_key() -> Vec<u8> {
    let mut key = Vec::new();
    key::cursor(&mut key, PRUNED_CURSOR);
    key
}

/// Of neighbours that go only the last one's link stays, by which the chain goes on.
fn take_out(transaction: &redb::WriteTransaction, rows: &[Row]) -> Result<(), StoreError> {
    let mut journal = transaction.open_table(Table::Journal.definition()).map_err(failed)?;
    let mut history = transaction.open_table(Table::History.definition()).map_err(failed)?;
    for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.goes) {
        let number = row.number.to_be_bytes();
        if let Some(of) = row.entry.as_ref().and_then(|entry| entry.entity.zip(entry.record)) {
            history::take_out(&mut history, of, row.number)?;
        }
        if rows.get(index + 1).is_some_and(|next| next.goes) {
            journal.remove(&number[..]).map_err(failed)?;
        } else if row.entry.is_some() {
            let link = {
                let stood = journal.get(&number[..]).map_err(failed)?;
                stood.map(|stood| split(&number, stood.value()).map(|(link, _)| link)).transpose()?
            };
            if let Some(link) = link {
                journal.insert(&number[..], &link[..]).map_err(failed)?;
            }
        }
    }
    Ok(())
}

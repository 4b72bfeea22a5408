//! Does a store agree with itself? Every row is decoded, and what is derived is compared with what it is derived from.

use super::error::StoreError;
use super::history::numbers;
use super::key;
use super::open::Store;
use super::read::Snapshot;
use super::tables::{
    COUNT, COUNT_OUTBOX, COUNT_RECORDS, META_COUNTERS, Stored, Table, damaged, entity_record, read, read_array,
    read_key, read_record,
};
use crate::engine::{DigestRow, Ignored, JournalEntry, KeyHolder, Meta, OutboxRow, Problem, RereadRow, Review};
use crate::merge::Lately;
use crate::model::{RemoteKey, SeenSchema};
use redb::{ReadableTable, ReadableTableMetadata};
use std::collections::BTreeMap;
use std::ops::Bound;

/// What [`Store::check`] went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// Rows that were decoded.
    pub rows: u64,
    /// Records among them.
    pub records: u64,
    /// Journal entries among them.
    pub journal: u64,
}

impl Store {
    /// Reads every row and compares what is derived with its source. The first contradiction is the error.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], or what keeps the store from being read.
    pub fn check(&self) -> Result<Checked, StoreError> {
        self.snapshot()?.check()
    }
}

impl Snapshot {
    /// As [`Store::check`].
    ///
    /// # Errors
    /// As there.
    pub fn check(&self) -> Result<Checked, StoreError> {
        let mut done = Checked::default();
        let mut counts = BTreeMap::new();
        let mut due = 0;
        let mut reread_due = 0;
        let (mut told, mut named) = (0u64, 0);
        for table in Table::ALL {
            for row in self.range(table, Bound::Unbounded, Bound::Unbounded)? {
                let (key, bytes) = row?;
                let (key, bytes) = (key.value(), bytes.value());
                done.rows += 1;
                match table {
                    Table::Records => {
                        let record = read_record(key, bytes)?;
                        done.records += 1;
                        *counts.entry((COUNT_RECORDS, record.entity)).or_insert(0u64) += 1;
                    }
                    Table::Lately => {
                        entity_record(table, key)?;
                        decodes::<Lately>(table, key, bytes)?;
                    }
                    Table::Digests => {
                        remote(table, key)?;
                        decodes::<DigestRow>(table, key, bytes)?;
                    }
                    Table::Index => {
                        remote(table, key)?;
                        if !bytes.is_empty() {
                            read_array::<16>(table, key, bytes)?;
                        }
                    }
                    Table::Keys => self.check_holder(key)?,
                    Table::Outbox => {
                        let (_, entity, _) =
                            read_key(table, key, |parts| Some((parts.system()?, parts.entity()?, parts.record()?)))?;
                        *counts.entry((COUNT_OUTBOX, entity)).or_insert(0) += 1;
                        let row: OutboxRow = read(table, key, bytes)?;
                        let place = row.flying.is_none().then_some(row.due);
                        self.exists(Table::OutboxDue, |out| key::outbox_due(out, key, place))?;
                        due += 1;
                    }
                    Table::Reread => {
                        remote(table, key)?;
                        let row: RereadRow = read(table, key, bytes)?;
                        self.exists(Table::RereadDue, |out| key::reread_due(out, key, row.due))?;
                        reread_due += 1;
                    }
                    Table::Problems => {
                        read_key(table, key, super::key::problem_parts)?;
                        decodes::<Problem>(table, key, bytes)?;
                    }
                    Table::Journal => {
                        let number = read_array::<8>(table, key, key)?;
                        let (_, entry) = super::chain::split(key, bytes)?;
                        if let Some(entry) = entry {
                            let entry: JournalEntry = read(table, key, entry)?;
                            if let Some(of) = entry.entity.zip(entry.record) {
                                if !self.names(of, u64::from_be_bytes(number))? {
                                    return Err(damaged(table, key, "its record's history does not name it"));
                                }
                                told += 1;
                            }
                        }
                        done.journal += 1;
                    }
                    Table::History => {
                        read_array::<28>(table, key, key)?;
                        let run = numbers(key, bytes)?;
                        named += 1 + (run.end() - run.start());
                    }
                    Table::Runs => {
                        read_array::<4>(table, key, key)?;
                        self.exists(Table::Journal, |out| out.extend_from_slice(bytes))?;
                    }
                    Table::Schemas => {
                        read_key(table, key, |parts| Some((parts.system()?, parts.object()?)))?;
                        decodes::<SeenSchema>(table, key, bytes)?;
                    }
                    Table::Reviews => {
                        read_key(table, key, |parts| Some((parts.entity()?, parts.record()?, parts.field()?)))?;
                        decodes::<Review>(table, key, bytes)?;
                    }
                    Table::Ignored => {
                        read_key(table, key, super::key::problem_parts)?;
                        decodes::<Ignored>(table, key, bytes)?;
                    }
                    Table::Leaves => {
                        entity_record(table, key)?;
                        read_array::<16>(table, key, bytes)?;
                    }
                    Table::Roots => {
                        read_key(table, key, |parts| parts.entity())?;
                        super::roots::kept_root(key, bytes)?;
                    }
                    Table::Meta => match key {
                        [COUNT, what, entity @ ..] => {
                            let entity = read_key(table, entity, |parts| parts.entity())?;
                            let rows = u64::from_be_bytes(read_array(table, key, bytes)?);
                            if counts.remove(&(*what, entity)).unwrap_or(0) != rows {
                                return Err(damaged(table, key, "the rows are not as many as counted"));
                            }
                        }
                        key if key == META_COUNTERS => decodes::<Meta>(table, key, bytes)?,
                        _ => {}
                    },
                    Table::OutboxDue | Table::RereadDue => {}
                }
            }
        }
        if let Some(((what, entity), _)) = counts.first_key_value() {
            let mut key = Vec::new();
            key::count(&mut key, *what, *entity);
            return Err(damaged(Table::Meta, &key, "missing"));
        }
        let len = |table: Table| self.rows(table)?.len().map_err(super::error::failed);
        let outbox = (Table::OutboxDue, len(Table::OutboxDue)?, due);
        let reread = (Table::RereadDue, len(Table::RereadDue)?, reread_due);
        for (table, found, sources) in [outbox, reread, (Table::History, named, told)] {
            if found != sources {
                return Err(damaged(table, &[], "it holds rows without a source"));
            }
        }
        Ok(done)
    }

    fn exists(&self, table: Table, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), StoreError> {
        let mut key = Vec::new();
        write(&mut key);
        match ReadableTable::get(self.rows(table)?, key.as_slice()).map_err(super::error::failed)? {
            Some(_) => Ok(()),
            None => Err(damaged(table, &key, "missing")),
        }
    }

    /// The holder is the end of a key of which the middle varies in length.
    fn check_holder(&self, key: &[u8]) -> Result<(), StoreError> {
        let at = key.len().saturating_sub(20);
        let (front, holder) = key.split_at(at);
        let ends = front.len() >= 6 && front.ends_with(&[0, 0]);
        let holder =
            read_key(Table::Keys, holder, |parts| Some(KeyHolder { system: parts.system()?, record: parts.record()? }));
        if ends { holder.map(|_| ()) } else { Err(damaged(Table::Keys, key, "unreadable key")) }
    }
}

fn decodes<T: Stored>(table: Table, key: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
    read::<T>(table, key, bytes).map(|_| ())
}

fn remote(table: Table, key: &[u8]) -> Result<RemoteKey, StoreError> {
    read_key(table, key, |parts| {
        let (entity, system, object) = (parts.entity()?, parts.system()?, parts.object()?);
        Some(RemoteKey { entity, system, object, remote: parts.remote()? })
    })
}

//! The catalogue: every table, its key and its value. A name carries a number, so that a migration can hold old and new
//! side by side.

use super::error::StoreError;
use crate::codec::{self, CodecError};
use crate::engine::{DigestRow, Ignored, JournalEntry, Meta, OutboxRow, Problem, RereadRow, Review};
use crate::merge::Lately;
use crate::model::{Body, BodyOf, Digest, EntityId, RawDigest, Record, RecordId, RemoteKey, SeenSchema};
use redb::TableDefinition;

/// Version of the whole: which tables there are and what their keys mean. Raised by a migration.
pub const FORMAT: u32 = 7;

/// A table. Rows are written in the order of this enum, and within a table by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Table {
    /// `entity 4 | record 16` → [`Body`]
    Records,
    /// `entity 4 | record 16` → [`Lately`]
    Lately,
    /// `entity 4 | system 4 | object 4 | remote id` → `raw digest 8`, and `canonical digest 16` of what takes no part, without a version
    /// byte: it is read once for every record of every full read, and a row may cost 48 bytes.
    Digests,
    /// `entity 4 | system 4 | object 4 | remote id` → `record 16`, or nothing where its name derives from that key, as it does of the side
    /// that was mirrored first.
    Index,
    /// `entity 4 | match key, escaped | 0 0 | system 4 | record 16` → nothing
    Keys,
    /// `system 4 | entity 4 | record 16` → [`OutboxRow`]
    Outbox,
    /// `0 | system 4 | entity 4 | due 8 | record 16` (waiting) or `1 | system 4 | entity 4 | 0 8 | record 16` (in flight)
    /// → nothing; derived from [`Self::Outbox`]
    OutboxDue,
    /// `entity 4 | system 4 | object 4 | remote id` → [`RereadRow`]
    Reread,
    /// `system 4 | entity 4 | due 8 | object 4 | remote id` → nothing; derived from [`Self::Reread`]
    RereadDue,
    /// `entity 4 | record 16 | system 4` and, of a single field, `| field 4` → [`Problem`]
    Problems,
    /// `sequence number 8`, from 1 → `link 16`, and [`JournalEntry`] unless it was pruned
    Journal,
    /// `entity 4 | record 16 | sequence number 8` → nothing, or in one byte how many entries of the same record follow that one: the
    /// journal entries of a record
    History,
    /// `run 4` → `sequence number 8` of the entry that says how it began
    Runs,
    /// `system 4 | object 4` → [`SeenSchema`]; a store without it is given the table when it is opened
    Schemas,
    /// `entity 4 | record 16 | field 4` → [`Review`]; a store without it is given the table when it is opened
    Reviews,
    /// A key of [`Self::Problems`] → [`Ignored`]; a store without it is given the table when it is opened
    Ignored,
    /// `entity 4 | record 16` → `leaf 16` of the record as of [`Self::Roots`]; a store without it is given the table when it is
    /// opened
    Leaves,
    /// `entity 4` → `records 8 | sum 16 | journal number 8 | link 16`: a root and as of when, so that the next one costs what has
    /// moved; a store without it is given the table when it is opened
    Roots,
    /// What is small and moves with nearly every commit stands together, since a table costs a commit more than a row: `format` → `4`,
    /// `store` → `16`, `created` → `8`, `fingerprint` → bytes, `counters` → [`Meta`]; of a cursor `0x01 | name` → its bytes;
    /// `0x02 | "r" or "o" | entity 4` → `rows 8` of [`Self::Records`] or [`Self::Outbox`]
    Meta,
}

impl Table {
    pub(super) const ALL: [Self; 19] = [
        Self::Records,
        Self::Lately,
        Self::Digests,
        Self::Index,
        Self::Keys,
        Self::Outbox,
        Self::OutboxDue,
        Self::Reread,
        Self::RereadDue,
        Self::Problems,
        Self::Journal,
        Self::History,
        Self::Runs,
        Self::Schemas,
        Self::Reviews,
        Self::Ignored,
        Self::Leaves,
        Self::Roots,
        Self::Meta,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Records => "records-3",
            Self::Lately => "lately-1",
            Self::Digests => "digests-2",
            Self::Index => "index-2",
            Self::Keys => "keys-2",
            Self::Outbox => "outbox-1",
            Self::OutboxDue => "outbox-due-1",
            Self::Reread => "reread-1",
            Self::RereadDue => "reread-due-1",
            Self::Problems => "problems-1",
            Self::Journal => "journal-2",
            Self::History => "history-2",
            Self::Runs => "runs-1",
            Self::Schemas => "schemas-1",
            Self::Reviews => "reviews-1",
            Self::Ignored => "ignored-1",
            Self::Leaves => "leaves-1",
            Self::Roots => "roots-1",
            Self::Meta => "meta-1",
        }
    }

    pub(super) const fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(self.name())
    }
}

pub(super) const META_FORMAT: &[u8] = b"format";
pub(super) const META_STORE: &[u8] = b"store";
pub(super) const META_CREATED: &[u8] = b"created";
pub(super) const META_FINGERPRINT: &[u8] = b"fingerprint";
pub(super) const META_COUNTERS: &[u8] = b"counters";

/// Leads a cursor's key in [`Table::Meta`]; no name there begins so.
pub(super) const CURSOR: u8 = 1;
/// Leads a count's key in [`Table::Meta`].
pub(super) const COUNT: u8 = 2;
/// What is counted.
pub(super) const COUNT_RECORDS: u8 = b'r';
/// What is counted.
pub(super) const COUNT_OUTBOX: u8 = b'o';

/// A value with a stored form: frozen by the golden files, changed only together with its version.
pub trait Stored: Sized {
    /// Appends the stored form.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads the stored form.
    fn get(bytes: &[u8]) -> Result<Self, CodecError>;
}

macro_rules! stored {
    ($($version:tt $type:ty;)*) => {$(
        impl Stored for $type {
            fn put(&self, out: &mut Vec<u8>) {
                codec::encode_into($version, self, out);
            }

            fn get(bytes: &[u8]) -> Result<Self, CodecError> {
                codec::decode($version, bytes)
            }
        }
    )*};
}

/// Version of the stored form of a record.
const BODY: u8 = 3;

stored! {
    BODY Body;
    1 Lately;
    1 OutboxRow;
    1 RereadRow;
    1 Problem;
    1 JournalEntry;
    1 Meta;
    1 SeenSchema;
    1 Review;
    1 Ignored;
}

impl Stored for DigestRow {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.raw.0.to_be_bytes());
        out.extend(self.canonical.iter().flat_map(|canonical| canonical.0));
    }

    fn get(bytes: &[u8]) -> Result<Self, CodecError> {
        let damaged = || CodecError::Damaged(format!("{} bytes in place of 8 or 24", bytes.len()));
        let (raw, canonical) = bytes.split_first_chunk().ok_or_else(damaged)?;
        let canonical = match canonical {
            [] => None,
            canonical => Some(Digest(canonical.try_into().map_err(|_| damaged())?)),
        };
        Ok(Self { raw: RawDigest(u64::from_be_bytes(*raw)), canonical })
    }
}

/// Reads a value of a table, or says which row is damaged.
pub(super) fn read<T: Stored>(table: Table, key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
    T::get(bytes).map_err(|error| damaged(table, key, &error.to_string()))
}

/// Appends the stored form of what a remote record's name leads to; see [`read_indexed`].
pub(super) fn put_indexed(remote: &RemoteKey, record: RecordId, out: &mut Vec<u8>) {
    if RecordId::derive(remote) != record {
        out.extend_from_slice(&record.0);
    }
}

/// Reads a row of [`Table::Index`].
pub(super) fn read_indexed(remote: &RemoteKey, key: &[u8], bytes: &[u8]) -> Result<RecordId, StoreError> {
    match bytes {
        [] => Ok(RecordId::derive(remote)),
        bytes => read_array(Table::Index, key, bytes).map(RecordId),
    }
}

/// Appends the stored form of a record; see [`read_record`].
pub(super) fn put_record(record: &Record, out: &mut Vec<u8>) {
    codec::encode_into(BODY, &BodyOf(&record.registers, &record.sides), out);
}

/// Reads a row of [`Table::Records`].
pub(super) fn read_record(key: &[u8], bytes: &[u8]) -> Result<Record, StoreError> {
    let (entity, id) = entity_record(Table::Records, key)?;
    Ok(read::<Body>(Table::Records, key, bytes)?.named(entity, id))
}

/// Reads a value of fixed size.
pub(super) fn read_array<const N: usize>(table: Table, key: &[u8], bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| damaged(table, key, &format!("{} bytes in place of {N}", bytes.len())))
}

/// Reads what `parse` finds in a key.
pub(super) fn read_key<T>(
    table: Table,
    key: &[u8],
    parse: impl FnOnce(&mut super::key::Parts) -> Option<T>,
) -> Result<T, StoreError> {
    let mut parts = super::key::Parts(key);
    let found = parse(&mut parts).and_then(|found| parts.end().map(|()| found));
    found.ok_or_else(|| damaged(table, key, "unreadable key"))
}

/// The record that a row is of.
pub(super) fn entity_record(table: Table, key: &[u8]) -> Result<(EntityId, RecordId), StoreError> {
    read_key(table, key, |parts| Some((parts.entity()?, parts.record()?)))
}

pub(super) fn damaged(table: Table, key: &[u8], why: &str) -> StoreError {
    let mut hex = String::new();
    for byte in key {
        hex.push_str(&format!("{byte:02x}"));
    }
    StoreError::Damaged { what: format!("table {}, row {hex}: {why}", table.name()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_in_order_and_names_are_unique() {
        assert!(Table::ALL.is_sorted());
        assert!(Table::ALL.iter().enumerate().all(|(at, table)| *table as usize == at));
        let names: std::collections::BTreeSet<_> = Table::ALL.iter().map(|table| table.name()).collect();
        assert_eq!(names.len(), Table::ALL.len());
    }

    #[test]
    fn a_name_that_derives_from_its_key_takes_no_bytes() {
        use crate::model::{ObjectId, RemoteId, SystemId};
        let remote = RemoteId::parse("42").unwrap();
        let key = RemoteKey { entity: EntityId(1), system: SystemId(2), object: ObjectId(3), remote };
        for (record, len) in [(RecordId::derive(&key), 0), (RecordId([7; 16]), 16)] {
            let mut bytes = Vec::new();
            put_indexed(&key, record, &mut bytes);
            assert_eq!(bytes.len(), len);
            assert_eq!(read_indexed(&key, b"key", &bytes).unwrap(), record);
        }
        assert!(read_indexed(&key, b"key", &[7; 15]).is_err());
    }

    #[test]
    fn a_digest_row_is_8_bytes_or_24() {
        for (canonical, len) in [(None, 8), (Some(Digest([9; 16])), 24)] {
            let row = DigestRow { raw: RawDigest(0x0102_0304_0506_0708), canonical };
            let mut bytes = Vec::new();
            row.put(&mut bytes);
            assert_eq!(bytes.len(), len);
            assert_eq!(DigestRow::get(&bytes), Ok(row));
            assert!(DigestRow::get(&bytes[1..]).is_err());
            bytes.push(0);
            assert!(DigestRow::get(&bytes).is_err());
        }
    }
}

//! A copy of a store as a checkpoint: where in the journal it stands, and the mirror that it and the journal since then give.

use super::chain::split;
use super::error::{StoreError, failed};
use super::open::{Found, StoreId, format, guard, held};
use super::read::{Snapshot, sequence};
use super::tables::{META_FINGERPRINT, META_STORE, Table, damaged, read_array};
use crate::engine::{Rebuild, RebuildError};
use crate::model::Digest;
use redb::{Builder, ReadOnlyDatabase, ReadableDatabase, ReadableTable};
use std::fmt;
use std::path::Path;

/// A place in the journal: up to which entry, and the link of its chain there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The entry's number; 0 = before the first one.
    pub number: u64,
    /// Its link, which depends on all entries before it.
    pub link: Digest,
}

/// A copy of a store, opened to read.
pub struct Checkpoint {
    /// Read before the file is let go.
    snapshot: Snapshot,
    _file: ReadOnlyDatabase,
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checkpoint")
    }
}

/// Why a mirror cannot be rebuilt from a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// They have nothing in common.
    #[error("it is a copy of another store")]
    OtherStore,
    /// Its fields mean something else.
    #[error("it was taken under another mapping of fields")]
    OtherMapping,
    /// The journal went on otherwise from an older copy, or the checkpoint is the newer one.
    #[error("it is no earlier state of this store: entry {number} of its journal is not in the journal of today")]
    NotAncestor {
        /// The checkpoint's newest entry.
        number: u64,
    },
    /// The journal does not hold what is needed.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// One of the two cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Checkpoint {
    /// Opens a copy of a store; one that was not closed cleanly is repaired first.
    ///
    /// # Errors
    /// It is not there, is no store, or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        if !path.try_exists()? {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        let mut builder = Builder::new();
        builder.set_cache_size(64 << 20);
        guard(|| {
            let file = held(&builder, path)?;
            if format(&file, path)? == Found::Nothing {
                return Err(StoreError::NotAStore { path: path.to_owned() });
            }
            let snapshot = Snapshot::new(file.begin_read().map_err(failed)?);
            // One that lacks a table is refused here, and not by whoever reads it first.
            for table in Table::ALL {
                snapshot.rows(table)?;
            }
            Ok(Self { snapshot, _file: file })
        })
    }

    /// What it holds.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Rebuilds the mirror from it and the entries that the journal of today has gained since then.
    ///
    /// # Errors
    /// It is no checkpoint of that store, the journal does not hold all of it, or one of the two cannot be read.
    pub fn rebuild(&self, today: &Snapshot) -> Result<Rebuild<'_>, CheckpointError> {
        let then = &self.snapshot;
        if then.store_id()? != today.store_id()? {
            return Err(CheckpointError::OtherStore);
        }
        if then.fingerprint()? != today.fingerprint()? {
            return Err(CheckpointError::OtherMapping);
        }
        let (from, to) = (then.position()?, today.position()?);
        match today.link_of(from.number)? {
            Some(link) if link == from.link => {}
            None if from.number < to.number => return Err(RebuildError::Pruned { number: from.number }.into()),
            _ => return Err(CheckpointError::NotAncestor { number: from.number }),
        }
        let mut rebuild = Rebuild::new(then, from.number);
        loop {
            let entries = today.journal(rebuild.last(), BATCH)?;
            if entries.is_empty() {
                break;
            }
            for (number, entry) in entries {
                rebuild.take_in(number, &entry)?;
            }
        }
        // What was pruned last has no entry after it that shows it.
        match rebuild.last() == to.number {
            true => Ok(rebuild),
            false => Err(RebuildError::Pruned { number: rebuild.last() + 1 }.into()),
        }
    }
}

impl Snapshot {
    /// The name of the store that it is of.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn store_id(&self) -> Result<StoreId, StoreError> {
        let bytes = self.value(Table::Meta, META_STORE)?;
        let bytes = bytes.ok_or_else(|| damaged(Table::Meta, META_STORE, "missing"))?;
        Ok(StoreId(read_array(Table::Meta, META_STORE, bytes.value())?))
    }

    /// Fingerprint of the mapping that its content was made with; none = not yet set.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn fingerprint(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.value(Table::Meta, META_FINGERPRINT)?.map(|bytes| bytes.value().to_vec()))
    }

    /// How far its journal goes.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn position(&self) -> Result<Position, StoreError> {
        match self.rows(Table::Journal)?.last().map_err(failed)? {
            Some((key, row)) => {
                let number = sequence(key.value())?;
                Ok(Position { number, link: Digest(split(key.value(), row.value())?.0) })
            }
            None => Ok(Position::default()),
        }
    }

    /// The link of an entry; none = there is none, or it was pruned and its neighbour's stands for it.
    pub(super) fn link_of(&self, number: u64) -> Result<Option<Digest>, StoreError> {
        if number == 0 {
            return Ok(Some(Position::default().link));
        }
        let key = number.to_be_bytes();
        let row = self.value(Table::Journal, &key)?;
        row.map(|row| split(&key, row.value()).map(|(link, _)| Digest(link))).transpose()
    }
}

const BATCH: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Millis;
    use crate::store::{OpenOptions, Store};

    #[test]
    fn one_that_lacks_a_table_is_refused_when_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.redb");
        Store::create_or_open(&path, Millis(1), &OpenOptions::default()).unwrap().close().unwrap();
        assert!(Checkpoint::open(&path).is_ok());
        let database = redb::Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        assert!(transaction.delete_table(Table::Problems.definition()).unwrap());
        transaction.commit().unwrap();
        drop(database);
        assert!(Checkpoint::open(&path).is_err());
    }
}

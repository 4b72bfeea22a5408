//! What can go wrong with a store, each with its mend.

use std::io;
use std::path::PathBuf;

/// A store that cannot be opened, read or written. One that cannot be opened is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no file.
    #[error("there is no store at {path}: run `syncline backfill` to make one, or correct `path` under [store]")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Another process has it, or this one has it twice.
    #[error("the store {path} is open elsewhere: stop the other syncline process, or ask it instead")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{path} is not a store of syncline: correct `path` under [store], or move the file away")]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error("the store has format {found}, and this program knows formats up to {wanted}: use a newer syncline")]
    NewerFormat {
        /// Its format.
        found: u32,
        /// The newest that this program knows.
        wanted: u32,
    },
    /// A program from before the first release wrote it.
    #[error(
        "the store has format {found}, from before the first release, and this program knows format {wanted}: move the file away \
         and run `syncline backfill`"
    )]
    OlderFormat {
        /// Its format.
        found: u32,
        /// The one that this program knows.
        wanted: u32,
    },
    /// It holds what no program of ours wrote.
    #[error("the store is damaged ({what}): restore a backup, or move the file away and run `syncline backfill`")]
    Damaged {
        /// What is wrong.
        what: String,
    },
    /// One value exceeds what can be read back.
    #[error("a value of {size} bytes for table {table} is larger than {max}: leave the field that holds it unmapped")]
    TooLarge {
        /// The table.
        table: &'static str,
        /// Its size.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// The disk is full. Nothing of the step was written.
    #[error("the disk that holds the store is full: make room and start again; nothing was lost")]
    OutOfDisk,
    /// An earlier failure of the disk makes it unsafe to go on: what was committed is there, what was not is not.
    #[error("the store stopped after an earlier disk error: mend the disk, then start again")]
    Stopped,
    /// The disk refused.
    #[error("the store's disk failed ({0}): check the disk and the permissions of the file, then start again")]
    Io(#[source] io::Error),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::OutOfDisk,
            _ => Self::Io(error),
        }
    }
}

/// The library's errors, once a store is open.
pub(super) fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Io(error) => error.into(),
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => StoreError::Stopped,
        redb::Error::Corrupted(what) => StoreError::Damaged { what },
        other => StoreError::Damaged { what: other.to_string() },
    }
}

//! What a driver tells while it works.

use std::sync::Arc;

/// What a driver tells while it works, for a bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A phase begins.
    Phase(&'static str),
    /// Rows were listed and taken in.
    Rows {
        /// By which system.
        system: String,
        /// Of which entity.
        entity: String,
        /// How many.
        rows: u64,
    },
    /// Mirrored records were looked through for links.
    Looked(u64),
    /// Records were written.
    Wrote {
        /// Where.
        system: String,
        /// Of which entity.
        entity: String,
        /// Made.
        created: u64,
        /// Changed.
        updated: u64,
        /// Deleted.
        deleted: u64,
    },
    /// A record was deleted somewhere, and its link ended.
    Detached {
        /// Where.
        system: String,
        /// Of which entity.
        entity: String,
        /// Its id there.
        remote: String,
        /// What became of it: "deleted".
        what: &'static str,
    },
    /// Something failed, and is tried again.
    Failed {
        /// Where.
        system: String,
        /// What.
        cause: String,
    },
}

/// Told while a driver works. Called by the writer: must be quick.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

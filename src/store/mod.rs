//! The mirror on disk: implements the engine's [`View`](crate::engine::View) and applies a step's changes, one transaction
//! and one sync a commit.
//!
//! From the outside in: [`Store`] opens a file and hands out [`Snapshot`]s; `write` turns changes into sorted rows; `tables`
//! lists what is stored and `key` in which order. No type of the database library leaves this folder.

mod books;
mod chain;
mod check;
mod checkpoint;
mod disk;
mod error;
mod failing;
mod history;
mod key;
mod open;
mod pack;
mod prune;
mod read;
mod roots;
mod schemas;
mod tables;
mod view;
mod write;

pub use chain::ChainReport;
pub use check::Checked;
pub use checkpoint::{Checkpoint, CheckpointError, Position};
pub use disk::{Disk, MemoryDisk};
pub use error::StoreError;
pub use failing::FailingDisk;
pub use open::{OpenOptions, Store, StoreId};
pub use prune::Pruned;
pub use read::{Snapshot, Stats, TableStats};
pub use roots::FoundRoot;
pub use schemas::SeenSchemas;
pub use tables::{FORMAT, Stored};

//! The machine: one input at a time, against a view of the store, into changes and effects.

mod change;
mod journal;
mod memory;
mod view;

pub use change::{Change, DigestRow, KeyHolder, Meta, OutboxRow, Problem, RereadRow};
pub use journal::{Happening, JournalEntry, SettledBy};
pub use memory::MemoryView;
pub use view::{View, ViewError};

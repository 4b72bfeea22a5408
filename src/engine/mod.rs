//! The machine: one input at a time, against a view of the store, into changes and effects.
//!
//! [`step`] is pure: what it may read is a [`View`], what time it is an argument, what is to be done comes back. Effects
//! leave only after the changes that contain them were committed.

mod ahead;
mod answer;
mod ascending;
mod books;
mod change;
mod clock;
mod convert;
mod dated;
mod delete;
mod duplicates;
mod events;
mod explain;
mod find;
mod forget;
mod fuse;
mod held;
mod history;
mod identify;
mod ignore;
mod input;
mod journal;
mod memory;
mod named;
mod observe;
mod operate;
mod people;
mod prune;
mod quarrel;
mod reads;
mod rebuild;
mod record;
#[cfg(test)]
mod record_tests;
mod refs;
mod remap;
mod rest;
mod review;
mod root;
mod row;
mod ruled;
mod save;
mod scope;
mod send;
mod shared;
mod sweep;
mod ties;
mod timeline;
mod txn;
mod undo;
mod verify;
mod view;

pub use books::Books;
pub use change::{Change, DigestRow, Ignored, KeyHolder, Meta, OutboxRow, Problem, ProblemPlace, RereadRow, Task};
pub use clock::time;
pub use delete::HELD_MS;
pub use duplicates::{Duplicates, Twin, duplicates};
pub use explain::{Explanation, FieldAccount, SideAccount, Standing, explain};
pub use find::{Meant, find};
pub use forget::TOMBSTONE_MS;
pub use held::{OWNER_UNKNOWN, awaits_mend};
pub use history::{AsOf, Came, Held, Moment, as_of, history};
pub use ignore::Ignore;
pub use input::{
    Answer, Answers, Ask, Begin, Clocks, DeleteItem, DeletedRows, Effect, Event, Events, Input, LookedUp, Notice,
    PageRows, Pass, Reads, Step, step,
};
pub use journal::{AT_HOME, Cause, Happening, JournalEntry, Keeping, Now, Rest, Run, Stand};
pub use memory::MemoryView;
pub use operate::{Authority, Hindrance, Operate, Operation};
pub use prune::{Grounds, PRUNED_CURSOR};
pub use quarrel::WRITE_QUARREL;
pub use rebuild::{Rebuild, RebuildError, mirror_records};
pub use refs::target_of;
pub use review::{Review, ReviewSide};
pub use root::{Moved, Root, differing, leaf, root, root_of_all};
pub use ties::owed_ties;
pub use undo::{Kept, Lasting, LastingKind, Restore, Selection, UndoPlan, undo};
pub use verify::{Difference, Excluded, Remotes, ShownRow, Verdict, verify};
pub use view::{View, ViewError};

//! The merge rules as pure functions: what an edit is, what it had seen, who wins, what a side lacks.
//!
//! There is one decider, so the edits that it takes in form a line, numbered by *turns*. An edit made on a side had seen
//! everything up to the turn that this side showed when it was made (its *base*) and nothing after it; what it had not seen
//! is concurrent with it, and a policy decides over the whole set. This is a dotted version vector (Preguiça et al., 2012)
//! with one number per side instead of a vector.

pub mod identity;
pub mod policy;

mod confirm;
mod dated;
mod field;
mod link;
mod operate;
mod prune;
mod review;
mod state;
mod ties;

pub use confirm::{Evidence, Landing};
pub use field::{Arrival, Fate, FieldRules, SideRules, Snapshot, SnapshotFate};
pub use state::{
    Edit, Entry, EntryKind, FieldLately, FieldState, Flight, FlightState, Lately, Own, SettledBy, SideField,
    SideLately, Stray, Taken, Turn,
};
pub use ties::Sight;

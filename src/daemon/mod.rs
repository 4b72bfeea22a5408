//! Glue, and the only place with a runtime, a wall clock and tasks: connectors are made, the one writer drives the engine,
//! and a local socket answers who asks.

pub mod account;
mod addresses;
pub mod connect;
mod driver;
mod error;
mod people;
pub mod plan;
mod problems;
mod prune;
pub mod reviews;
pub mod schemas;
pub mod secrets;
pub mod socket;
mod status;
mod verify;

pub use addresses::read_record_urls;
pub use driver::{
    BackfillReport, Decisions, Driver, Handle, Leaving, OnProgress, Progress, Tally, Watch, recall_people, remap,
};
pub use error::DaemonError;
pub use people::read_people;
pub use problems::{Cause, Example, Wanted, causes, heeded_len, ignore_in, listed, retry_in};
pub use prune::prune_in;
pub use status::{Counts, EntityStatus, Live, Status, SystemStatus, offline};
pub use verify::{read_all, read_digests, verify_offline};

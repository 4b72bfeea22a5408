//! Deterministic simulation: the real engine over a view in memory, two or three systems at the level of values, people,
//! a lossy network and crashes; one seed for every choice; and a reference that judges the end in other words.

mod options;
mod oracle;
mod rng;
mod run;
mod world;

pub use options::{Also, Options, Policy, Report, Sources, Violation};
pub use rng::{Choices, Rng};
pub use run::{Size, every, replay, run, run_bytes};

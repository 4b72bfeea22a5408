//! Glue: the only place with a runtime, a wall clock and tasks.

pub mod secrets;

//! Syncline keeps CRMs equal.
#![forbid(unsafe_code)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod codec;
pub mod connector;
pub mod engine;
pub mod merge;
pub mod model;
pub mod rules;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod store;

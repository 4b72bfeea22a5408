//! Emulated HubSpot and Salesforce on loopback, for rehearsals, demos and tests.
//!
//! A pure world per system (records, schema, users, event log) stands under pure handlers: a [`http::Request`] and the
//! time go in, a [`http::Response`] comes out. Sockets, the wall clock and faults live in `server` alone. Nothing here is
//! shared with the connectors, so that one misreading of a vendor's documents cannot confirm itself.

pub mod clock;
pub mod csv;
pub mod faults;
pub mod http;
pub mod hubspot;
pub mod ledger;
pub mod limits;
pub mod line;
pub mod listener;
pub mod manners;
pub mod rng;
pub mod salesforce;
mod salesforce_system;
pub mod seed;
pub mod server;
pub mod system;
pub mod tokens;

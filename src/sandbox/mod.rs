//! Emulated HubSpot and Salesforce on loopback, for rehearsals, demos and tests.
//!
//! A pure world per system (records, schema, users, event log) stands under pure handlers: a [`http::Request`] and the
//! time go in, a [`http::Response`] comes out. Sockets, the wall clock and faults live in `listener` alone. Nothing here is
//! shared with the connectors, so that one misreading of a vendor's documents cannot confirm itself.

pub mod http;
pub mod ledger;
pub mod salesforce;
pub mod tokens;

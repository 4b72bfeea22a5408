//! An emulated Salesforce org: its records, schema, REST resources and query language.
//!
//! Built from the vendor's documents; where they are silent, a comment says `UNVERIFIED` and the form they mention first is
//! taken. [`SalesforceWorld::handle`] is a function of the world, a request and the time.

mod database;
mod decode;
mod error;
mod id;
mod rest;
mod schema;
mod soql;
mod standard;
mod table;
mod time;
mod value;
mod world;

pub use world::SalesforceWorld;

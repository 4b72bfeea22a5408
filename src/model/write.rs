//! What is written to a system, and what became of it.

use super::{OpId, Raw, RemoteId};

/// One record to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteItem {
    /// Names the intent; it comes back in the outcome's place and in traces.
    pub op: OpId,
    /// What it is written to.
    pub target: Target,
    /// Properties and their new values.
    pub fields: Vec<(String, Raw)>,
}

/// What a write is addressed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A record by its id.
    Update(RemoteId),
    /// The record that carries our external id, created where none does: repeating it cannot duplicate.
    Upsert {
        /// The property.
        property: String,
        /// Our external id.
        value: String,
    },
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Written. `created` says whether an upsert made the record; none where the system does not say.
    Done {
        /// The record's id.
        remote: RemoteId,
        /// Whether the record is new.
        created: Option<bool>,
    },
    /// Refused for good, or until somebody changes something.
    Refused {
        /// The system's own code.
        code: String,
        /// The system's own words.
        message: String,
        /// The properties that it names.
        properties: Vec<String>,
    },
    /// Not written; try again after the delay.
    Retry {
        /// The system's own code.
        code: String,
        /// Milliseconds to wait at least.
        after_ms: i64,
    },
    /// The record does not exist any more.
    Gone,
    /// It may or may not have been written: read back before anything else.
    Unknown,
}

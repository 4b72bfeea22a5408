//! What is written to a system, and what became of it.

use super::{Departure, OpId, Raw, RemoteId};

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
    /// A record that is made, carrying our external id in a unique property: repeating it cannot duplicate. What happens
    /// where there is one already: [`Creates`].
    Create {
        /// The property.
        property: String,
        /// Our external id.
        value: String,
    },
}

/// What a create does where a record carries our external id already: an earlier attempt whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creates {
    /// It is written over, also what people entered there since, and so is a create that lands late.
    Upsert,
    /// The create is refused, [`Outcome::Taken`]: of all attempts one lands, and the others nevermore.
    Insert,
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
    /// Written, but for some of its properties, which were refused: what goes by a call of its own may fail by itself.
    Partly {
        /// The record's id.
        remote: RemoteId,
        /// Whether the record is new.
        created: Option<bool>,
        /// The system's own code.
        code: String,
        /// The system's own words.
        message: String,
        /// The properties that were not written.
        properties: Vec<String>,
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
    /// A create was refused, since a record carries the external id already: an earlier attempt has landed.
    Taken,
    /// The record is no more there, or no more one that can be written to.
    Gone(Departure),
    /// It may or may not have been written: read back before anything else.
    Unknown,
}

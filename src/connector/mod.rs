//! Connectors: how a system is read and written. The trait is object-safe, so that an embedder's own system stands beside
//! HubSpot and Salesforce as an equal.

#[cfg(feature = "wire")]
pub mod auth;
#[cfg(feature = "wire")]
mod batch;
#[cfg(feature = "wire")]
mod beside;
#[cfg(feature = "wire")]
mod client;
#[cfg(feature = "wire")]
mod clock;
pub mod conformance;
#[cfg(feature = "wire")]
mod encode;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "wire")]
pub mod hubspot;
pub mod memory;
#[cfg(feature = "wire")]
mod overlap;
#[cfg(feature = "wire")]
mod quota;
#[cfg(feature = "wire")]
pub mod retry;
#[cfg(feature = "wire")]
mod rows;
#[cfg(feature = "wire")]
pub mod salesforce;
#[cfg(all(test, feature = "wire"))]
mod script;
#[cfg(feature = "wire")]
pub mod transport;

#[cfg(feature = "wire")]
pub use overlap::Overlap;

use crate::model::{
    Ability, ClockOffset, Departure, Millis, ObjectSchema, PageEnd, RawPage, ReadRow, RemoteId, Timing, User,
};
use std::future::Future;
use std::pin::Pin;

pub use crate::model::{Outcome, Target, WriteItem};

/// A boxed future, as object-safe async functions return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What is asked of an object: only mapped properties ever leave a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadSpec {
    /// The object.
    pub object: String,
    /// The mapped properties, in the order in which rows give their values.
    pub properties: Vec<String>,
    /// The property that holds our external id; where present its value follows the others.
    pub external_id: Option<String>,
}

/// Which records a read asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys<'a> {
    /// By their ids in the system.
    Ids(&'a [RemoteId]),
    /// Those whose property has one of the values; read freshly, never from a search index.
    Values {
        /// The property.
        property: &'a str,
        /// The values.
        values: &'a [String],
    },
}

/// The answer to a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadAnswer {
    /// What was found, in any order.
    pub rows: Vec<ReadRow>,
    /// When the request left.
    pub timing: Timing,
}

/// Records that a system says are no more there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedPage {
    /// (id, when it went by the system's clock, why).
    pub rows: Vec<(RemoteId, Millis, Departure)>,
    /// When the request left.
    pub timing: Timing,
    /// Where to go on.
    pub end: PageEnd,
}

/// Outcomes in the order of the items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteAnswer {
    /// One per item.
    pub outcomes: Vec<Outcome>,
    /// When the request left.
    pub timing: Timing,
}

/// What became of a wish for a property that holds our external id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdProperty {
    /// It is there now.
    Made,
    /// The system lets only a person make it: the steps, one sentence each.
    ByHand(Vec<String>),
}

/// So many calls in so many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls.
    pub calls: u64,
    /// Milliseconds.
    pub per_ms: u64,
}

/// A call that failed as a whole. Writes never fail so: their items become [`Outcome`]s.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectorError {
    /// The address cannot be used.
    #[error("the address of {system} cannot be used ({url}): {cause}")]
    Address {
        /// The system's name.
        system: String,
        /// The address; `?` where it may hold a secret.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// No connection, or it broke.
    #[error("{system} cannot be reached at {url}: {cause}. Check the address and the network; it is tried again")]
    Unreachable {
        /// The system's name.
        system: String,
        /// The address, without secrets.
        url: String,
        /// What the transport said.
        cause: String,
    },
    /// The credential was not accepted.
    #[error("{system} refused the credential ({code}: {message}). Put a valid token where the config's `token` points")]
    Unauthorized {
        /// The system's name.
        system: String,
        /// The system's code.
        code: String,
        /// The system's words.
        message: String,
    },
    /// A limit was hit.
    #[error("{system} limits our calls ({code}); waiting {after_ms} ms")]
    Limited {
        /// The system's name.
        system: String,
        /// The system's code.
        code: String,
        /// How long to wait.
        after_ms: i64,
    },
    /// The system refused the request.
    #[error("{system} refused {what} (HTTP {status}, {code}): {message}")]
    Refused {
        /// The system's name.
        system: String,
        /// What was asked.
        what: String,
        /// HTTP status.
        status: u16,
        /// The system's code.
        code: String,
        /// The system's words.
        message: String,
    },
    /// The answer was not what the interface promises.
    #[error("{system} answered {what} with something unexpected: {cause}")]
    Protocol {
        /// The system's name.
        system: String,
        /// What was asked.
        what: String,
        /// What was wrong.
        cause: String,
    },
}

impl ConnectorError {
    /// Without the system's own words, which may repeat values of records that the call carried.
    #[must_use]
    pub fn without_words(self) -> Self {
        const HIDDEN: &str = "its own words may repeat the values that were asked for, so they are not kept";
        match self {
            // Status 0: we refused it, and our words repeat no value.
            Self::Refused { system, what, status, code, .. } if status != 0 => {
                Self::Refused { system, what, status, code, message: HIDDEN.to_owned() }
            }
            other => other,
        }
    }
}

/// One system, as the daemon drives it. Calls may run beside each other; the engine never sees them.
pub trait Connector: Send + Sync {
    /// What the system can do.
    fn ability(&self) -> &Ability;

    /// The offset of the remote's clock to ours, as learned so far.
    fn offset(&self) -> ClockOffset;

    /// Calls made since the start, refused and repeated ones included.
    fn calls(&self) -> u64;

    /// Calls that the account may make in a day, all its programs together, as far as answers have said.
    fn daily_limit(&self) -> Option<u64> {
        None
    }

    /// How fast calls may follow each other, as far as answers have said.
    fn rate(&self) -> Option<Rate> {
        None
    }

    /// Calls that [`write`](Self::write) makes for these items when nothing goes wrong but that some of them (as many flags as
    /// items) are refused: so that they can be foretold.
    fn calls_to_write(&self, items: &[WriteItem], _refused: &[bool]) -> u64 {
        u64::from(!items.is_empty())
    }

    /// Calls that [`read`](Self::read) makes for these keys when nothing goes wrong.
    fn calls_to_read(&self, _spec: &ReadSpec, _keys: Keys<'_>, _history: bool) -> u64 {
        1
    }

    /// The properties of an object.
    fn schema<'a>(&'a self, object: &'a str) -> BoxFuture<'a, Result<ObjectSchema, ConnectorError>>;

    /// The users to whom records can belong, inactive ones included; none = the system has no such thing.
    fn users(&self) -> BoxFuture<'_, Result<Option<Vec<User>>, ConnectorError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// The rights that the credential has, by the system's names; none = the system does not say, or not in a way that we understand.
    fn granted(&self) -> BoxFuture<'_, Option<Vec<String>>> {
        Box::pin(std::future::ready(None))
    }

    /// Where people find the records of each of these objects: an address with `{id}` in it; none = the system cannot say.
    fn record_urls<'a>(&'a self, objects: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<String>>, ConnectorError>> {
        Box::pin(std::future::ready(Ok(vec![None; objects.len()])))
    }

    /// Makes the unique text property that is to hold our external id on an object; returns when the system shows it.
    fn make_id_property<'a>(
        &'a self,
        object: &'a str,
        property: &'a str,
    ) -> BoxFuture<'a, Result<IdProperty, ConnectorError>> {
        let step = format!("make `{property}` on {object}: text, unique, and writable for the credential");
        Box::pin(std::future::ready(Ok(IdProperty::ByHand(vec![step]))))
    }

    /// All records of an object, in pages; without a cursor from the beginning.
    fn scan<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<RawPage, ConnectorError>>;

    /// Records modified since the pass that ended with `cursor`, with the overlap that the system's late commits need;
    /// without a cursor from now on (an empty page whose `Done` cursor is now).
    fn changes<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<RawPage, ConnectorError>>;

    /// Records deleted since the pass that ended with `cursor`; without a cursor from now on.
    fn deleted<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<DeletedPage, ConnectorError>>;

    /// Records by id or key, at most [`BatchLimits`](crate::model::BatchLimits) of them, with history where asked.
    fn read<'a>(
        &'a self,
        spec: &'a ReadSpec,
        keys: Keys<'a>,
        history: bool,
    ) -> BoxFuture<'a, Result<ReadAnswer, ConnectorError>>;

    /// Writes a batch to one object: all items are updates, or all are creates by one property. Never fails as a whole.
    fn write<'a>(&'a self, object: &'a str, items: &'a [WriteItem]) -> BoxFuture<'a, WriteAnswer>;

    /// Deletes records of one object as a person does, so that the system's recycle bin keeps them; one that is gone already is
    /// [`Outcome::Gone`] or done. Never fails as a whole. Without it nothing is deleted there.
    fn delete<'a>(&'a self, object: &'a str, ids: &'a [RemoteId]) -> BoxFuture<'a, WriteAnswer> {
        let refused = Outcome::Refused {
            code: "CANNOT_DELETE".to_owned(),
            message: format!("this connector deletes no {object}: set on_delete = \"detach\""),
            properties: Vec::new(),
        };
        let timing = Timing { sent: Millis(0), offset: self.offset() };
        Box::pin(std::future::ready(WriteAnswer { outcomes: vec![refused; ids.len()], timing }))
    }

    /// Calls that [`delete`](Self::delete) makes for so many records when nothing goes wrong.
    fn calls_to_delete(&self, _object: &str, records: usize) -> u64 {
        records.div_ceil(self.ability().batch.write.max(1)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_remote_says_about_a_read_by_value_is_not_repeated() {
        let refused = |status| ConnectorError::Refused {
            system: "a".into(),
            what: "reading Contact".into(),
            status,
            code: "MALFORMED_QUERY".into(),
            message: "unexpected token: 'canary'".into(),
        };
        let hidden = refused(400).without_words().to_string();
        assert!(hidden.contains("MALFORMED_QUERY") && !hidden.contains("canary"), "{hidden}");
        assert_eq!(refused(0).without_words(), refused(0), "our own words repeat no value");
    }
}

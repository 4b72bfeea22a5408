//! What a system tells us, before it means anything: raw values, pages of rows, history.

use super::{ClockOffset, Creates, Millis, RawDigest, RemoteId, Text};
use crate::codec::{Decode, Encode};
use std::sync::Arc;

/// A property's value as a remote wrote it or will be sent it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Raw {
    /// Not part of the answer: says nothing.
    Absent,
    /// `null`; in a write: clear it.
    Null,
    /// Text.
    Text(Text),
    /// A number, as decimal text so that no digit is lost.
    Number(Text),
    /// True or false.
    Bool(bool),
}

/// When a request left, by our clock, and what the remote's clock may have shown then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Our clock when the request left.
    pub sent: Millis,
    /// The remote clock's offset to ours.
    pub offset: ClockOffset,
}

/// One row of a page: enough to see that nothing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRow {
    /// The record's id in its system.
    pub remote: RemoteId,
    /// The record's modified time by its system's clock.
    pub modified: Millis,
    /// Digest of the remote's own bytes of the asked properties; the modified time and the mark are not part of it.
    pub raw: RawDigest,
    /// Whose write changed the record last, whichever field it was.
    pub mark: Mark,
    /// The remote user who did, for the journal, where the source tells.
    pub who: Option<String>,
}

/// Decodes the rows that the digests could not dismiss.
pub trait RowDecoder: Send + Sync {
    /// The values of row `index`, one per property of the [`ReadSpec`](crate::connector) in its order; the external id,
    /// where the spec names one, last. An error is the text of what was wrong with the row.
    fn decode(&self, index: usize) -> Result<Vec<Raw>, String>;
}

/// Whether a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageEnd {
    /// Call again with this cursor.
    More(Vec<u8>),
    /// The pass is complete; the next one begins with this cursor.
    Done(Vec<u8>),
}

/// A page of rows and the means to decode them.
#[derive(Clone)]
pub struct RawPage {
    /// The rows, in any order: the engine sorts.
    pub rows: Vec<RawRow>,
    /// Decodes a row by its place in `rows`.
    pub decoder: Arc<dyn RowDecoder>,
    /// When this page was asked for.
    pub timing: Timing,
    /// Where to go on.
    pub end: PageEnd,
}

/// Whose write a history entry or event was, or a record's last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// The source cannot tell.
    Unknown,
    /// Made with our own credential.
    Ours,
    /// Made by somebody else.
    Theirs,
}

/// One entry of a property's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastValue {
    /// The value from then on.
    pub value: Raw,
    /// When, by the remote's clock.
    pub at: Millis,
    /// Whose write it was.
    pub mark: Mark,
    /// The remote user or source, for the journal (`userId:42`).
    pub who: Option<String>,
}

/// Why a record is no more where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Departure {
    /// It was deleted.
    Deleted,
    /// It lost a merge to this one.
    Merged(RemoteId),
    /// It became something else for good, and cannot be written to any more: a lead that was converted. What it became and what was
    /// made with it, by the objects' names there; nothing = that is not known.
    Converted(Vec<(String, RemoteId)>),
    /// It is out of scope, and the rules end the link then.
    OutOfScope,
}

/// One record, read by id or key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRow {
    /// The record's id in its system (after a merge there: the survivor's).
    pub remote: RemoteId,
    /// The record's modified time by its system's clock.
    pub modified: Millis,
    /// Whose write changed the record last, whichever field it was.
    pub mark: Mark,
    /// The remote user who did, for the journal, where the source tells.
    pub who: Option<String>,
    /// Values, one per asked property in order, the external id last where the spec names one.
    pub values: Vec<Raw>,
    /// History per asked property, newest first; empty when none was asked for.
    pub history: Vec<Vec<PastValue>>,
}

/// What a source can promise; merging and settling follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// Ordered events with positions and origin marks (Salesforce change events).
    Stream,
    /// Per-property history with times and origin marks (HubSpot).
    History,
    /// Snapshots only.
    Polled,
}

/// Items per call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Records per batch read.
    pub read: usize,
    /// Records per batch read with history.
    pub read_history: usize,
    /// Records per batch write.
    pub write: usize,
}

/// What a system can do, as far as the engine must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ability {
    /// What its source promises.
    pub source: SourceKind,
    /// Step of the times that it gives, in milliseconds (1 or 1,000).
    pub resolution_ms: i64,
    /// Longest time that a request whose answer was lost may still land, in milliseconds.
    pub stray_ms: i64,
    /// How late a listing of changes may show a change, in milliseconds (a search index lags, a transaction commits late).
    pub lag_ms: i64,
    /// Items per call.
    pub batch: BatchLimits,
    /// How a record is made that carries our external id; none = it cannot be.
    pub creates: Option<Creates>,
    /// Objects and properties by which a fresh look-up is possible before a create (`("contacts", "email")`);
    /// `None` = any property of any object.
    pub lookups: Option<Vec<(String, String)>>,
    /// Is a record read once more before it is written over, unless it has been listed since the write was decided? Then an edit
    /// that our write covers unseen was made after that reading or listing; else after the last listing, however long ago that was. For
    /// systems that are only polled: the others tell of covered edits afterwards.
    pub read_first: bool,
}

impl Ability {
    /// What a system can do of which only its source is known: its times are in milliseconds, a call takes 100 items (50 with
    /// histories), a request without an answer may land for ten minutes, records are made by upsert and looked up by anything, and
    /// those that are only polled are read before they are written over. Say what is otherwise:
    ///
    /// ```
    /// # use syncline::model::{Ability, SourceKind};
    /// let ability = Ability { resolution_ms: 1_000, ..Ability::of(SourceKind::Polled) };
    /// ```
    pub fn of(source: SourceKind) -> Self {
        Self {
            source,
            resolution_ms: 1,
            stray_ms: 600_000,
            lag_ms: 0,
            batch: BatchLimits { read: 100, read_history: 50, write: 100 },
            creates: Some(Creates::Upsert),
            lookups: None,
            read_first: source == SourceKind::Polled,
        }
    }

    /// A system that is only polled, and takes ten items a call.
    #[cfg(test)]
    pub(crate) fn polled() -> Self {
        let batch = BatchLimits { read: 10, read_history: 10, write: 10 };
        Self { stray_ms: 0, batch, read_first: false, ..Self::of(SourceKind::Polled) }
    }

    /// Can records of `object` be looked up freshly by `property`?
    pub fn can_look_up(&self, object: &str, property: &str) -> bool {
        match &self.lookups {
            None => true,
            Some(list) => list.iter().any(|(o, p)| o == object && p == property),
        }
    }
}

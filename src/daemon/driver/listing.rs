//! Listings: scans, changes and deletes of one object, page by page into the driver's queue. The queue is bounded, so that
//! pages are fetched ahead of the writer, but never far.

use super::{Event, Pair};
use crate::codec::{self, Decode, Encode};
use crate::connector::{Connector, ConnectorError, DeletedPage};
use crate::model::{ClockOffset, Millis, PageEnd, RawPage, Timing};
use std::sync::Arc;
use tokio::sync::mpsc::Sender;

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    /// Everything.
    Scan,
    /// What changed since the last pass.
    Changes,
    /// What was deleted since the last pass.
    Deleted,
}

impl Listing {
    /// Name of its cursor.
    pub fn cursor(self, system: &str, entity: &str, object: &str) -> String {
        let what = match self {
            Self::Scan => "scan",
            Self::Changes => "changes",
            Self::Deleted => "deleted",
        };
        format!("{what}:{system}:{entity}:{object}")
    }
}

/// How far a listing has come, as its cursor is stored.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Bookmark {
    /// The pass is complete; the next begins here.
    pub done: bool,
    /// When the pass under way was begun (our clock, the remote's offset): a pass that is resumed delivers what was there
    /// then, not what was there when it was resumed.
    begun: Option<(Millis, ClockOffset)>,
    /// The connector's cursor.
    pub cursor: Vec<u8>,
}

impl Bookmark {
    /// Reads a stored one.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        codec::decode(1, bytes).ok()
    }

    /// The stored form.
    pub fn write(&self) -> Vec<u8> {
        codec::encode(1, self)
    }

    /// After a page.
    pub fn of(end: &PageEnd, begun: Option<Timing>) -> Self {
        match end {
            PageEnd::Done(cursor) => Self { done: true, begun: None, cursor: cursor.clone() },
            PageEnd::More(cursor) => {
                let begun = begun.map(|timing| (timing.sent, timing.offset));
                Self { done: false, begun, cursor: cursor.clone() }
            }
        }
    }

    fn begun(&self) -> Option<Timing> {
        self.begun.filter(|_| !self.done).map(|(sent, offset)| Timing { sent, offset })
    }
}

/// One page of either kind.
pub(super) enum Listed {
    /// Rows, and when their pass was begun.
    Rows(RawPage, Timing),
    /// Deletes.
    Deleted(DeletedPage),
}

/// Runs listings of one object one after the other; tells the driver of every page, and how it ended.
pub(super) async fn run(
    at: usize,
    pair: Arc<Pair>,
    connector: Arc<dyn Connector>,
    listings: Vec<(Listing, Option<Bookmark>)>,
    events: Sender<Event>,
) {
    for (listing, bookmark) in listings {
        let result = one(at, &pair, &*connector, listing, bookmark, &events).await;
        if let Err(error) = result {
            let _ = events.send(Event::Ended { pair: at, error }).await;
            return;
        }
    }
    let _ = events.send(Event::Ended { pair: at, error: None }).await;
}

/// None = the driver has gone.
type Failed = Option<ConnectorError>;

async fn one(
    at: usize,
    pair: &Pair,
    connector: &dyn Connector,
    listing: Listing,
    bookmark: Option<Bookmark>,
    events: &Sender<Event>,
) -> Result<(), Failed> {
    let mut begun = bookmark.as_ref().and_then(Bookmark::begun);
    // A place in the middle may have been forgotten by the remote; then it is begun anew.
    let mut resumed = bookmark.as_ref().is_some_and(|bookmark| !bookmark.done);
    let mut cursor = bookmark.map(|bookmark| bookmark.cursor);
    loop {
        let from = cursor.as_deref();
        let listed = match listing {
            Listing::Scan => connector.scan(&pair.spec, from).await.map(Ok),
            Listing::Changes => connector.changes(&pair.spec, from).await.map(Ok),
            Listing::Deleted => connector.deleted(&pair.spec, from).await.map(Err),
        };
        let listed = match listed {
            Ok(listed) => listed,
            Err(ConnectorError::Refused { .. }) if resumed && listing == Listing::Scan => {
                (resumed, cursor, begun) = (false, None, None);
                continue;
            }
            Err(error) => return Err(Some(error)),
        };
        resumed = false;
        let (page, end) = match listed {
            Ok(page) => {
                let first = *begun.get_or_insert(page.timing);
                let end = page.end.clone();
                (Listed::Rows(page, first), end)
            }
            Err(page) => {
                let end = page.end.clone();
                (Listed::Deleted(page), end)
            }
        };
        events.send(Event::Page { pair: at, listing, page }).await.map_err(|_| None)?;
        match end {
            PageEnd::More(next) => cursor = Some(next),
            PageEnd::Done(_) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_that_is_resumed_keeps_its_beginning() {
        let timing = Timing { sent: Millis(7), offset: ClockOffset { low: -1, high: 2 } };
        let more = Bookmark::of(&PageEnd::More(vec![1]), Some(timing));
        assert_eq!(Bookmark::read(&more.write()).and_then(|mark| mark.begun()), Some(timing));
        let done = Bookmark::of(&PageEnd::Done(vec![2]), Some(timing));
        assert_eq!(Bookmark::read(&done.write()).map(|mark| (mark.done, mark.begun())), Some((true, None)));
        assert_eq!(Bookmark::read(&[9, 9]), None);
    }
}

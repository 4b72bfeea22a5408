//! The first full reading: begin, scan, catch up, link, write, verify. Every phase is committed, so that it goes on where it
//! was when the program is killed.

use super::listing::{Bookmark, Listing};
use super::{Driver, Event, Mode, Progress, wall_clock};
use crate::codec::{self, Decode, Encode};
use crate::connector::ConnectorError;
use crate::daemon::{DaemonError, status};
use crate::engine::{Change, Input, Pass, View};
use crate::model::{EntityId, RecordId};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Where a backfill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(super) enum Phase {
    /// The places are noted from which changes are read later; objects are scanned.
    Scan,
    /// Linked records are sought.
    Link,
    /// What is missing is written.
    Write,
    /// Done.
    Done,
}

/// What a backfill did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillReport {
    /// The mirror, by entity.
    pub counts: status::Counts,
    /// Records created by this process, by system.
    pub created: BTreeMap<String, u64>,
    /// Records updated by this process, by system.
    pub updated: BTreeMap<String, u64>,
    /// Records deleted by this process, by system.
    pub deleted: BTreeMap<String, u64>,
    /// API calls of this process, by system.
    pub calls: BTreeMap<String, u64>,
    /// Rows that were listed.
    pub rows: u64,
    /// Fields of linked records that do not show what they should, without a reason.
    pub unequal: u64,
    /// How long it took.
    pub took: Duration,
    /// Was it told to stop before it was done?
    pub stopped: bool,
}

impl BackfillReport {
    /// Is everything as it should be?
    pub fn equal(&self) -> bool {
        !self.stopped && self.unequal == 0 && self.counts.problems == 0
    }
}

impl Driver {
    /// Has a backfill been finished?
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn is_backfilled(&self) -> Result<bool, DaemonError> {
        Ok(self.phase()? == Some(Phase::Done))
    }

    fn phase(&self) -> Result<Option<Phase>, DaemonError> {
        let bytes = self.store.snapshot()?.cursor(CURSOR)?;
        let phase = bytes.map(|bytes| codec::decode::<Phase>(1, &bytes)).transpose();
        phase.map_err(|_| DaemonError::Cursor { name: CURSOR.to_owned() })
    }

    fn enter(&mut self, phase: Phase, mut with: Vec<Change>) -> Result<(), DaemonError> {
        with.push(Change::SetCursor(CURSOR.to_owned(), Some(codec::encode(1, &phase))));
        self.store.apply(&with)?;
        self.commits += 1;
        Ok(())
    }

    /// Reads everything once, links it, and makes it equal; goes on where an earlier process was.
    ///
    /// # Errors
    /// A remote fails for good, or the store cannot be used. Calling it again goes on.
    pub async fn backfill(&mut self) -> Result<BackfillReport, DaemonError> {
        self.backfill_of(true).await
    }

    /// A backfill behind the gates of a plan; unless that is `whole`, much is left out on purpose, and it does not count as
    /// finished. What was held back is due again in the end.
    ///
    /// # Errors
    /// As [`backfill`](Self::backfill).
    pub async fn apply(&mut self, whole: bool) -> Result<BackfillReport, DaemonError> {
        let report = self.backfill_of(whole).await;
        self.release_held()?;
        report
    }

    async fn backfill_of(&mut self, whole: bool) -> Result<BackfillReport, DaemonError> {
        let began = Instant::now();
        let mut listed = None;
        if self.phase()?.is_none() {
            self.tell(|| Progress::Phase("begin"));
            self.begin().await?;
        }
        if self.phase()? == Some(Phase::Scan) {
            self.mode = Mode { pass: Pass::Backfill, working: false, in_order: true, polling: None };
            self.tell(|| Progress::Phase("read"));
            for part in self.parts() {
                self.list_all(part, &[Listing::Scan]).await?;
            }
            // What happened meanwhile; records that appeared are mirrored only, and linked with all others.
            self.tell(|| Progress::Phase("catch up"));
            listed = Some(Instant::now());
            for part in self.parts() {
                self.list_all(part, &[Listing::Changes, Listing::Deleted]).await?;
            }
            if !self.stopping {
                self.enter(Phase::Link, Vec::new())?;
            }
        }
        if self.phase()? == Some(Phase::Link) {
            self.tell(|| Progress::Phase("link"));
            self.link().await?;
        }
        if self.phase()? >= Some(Phase::Write) && !self.stopping {
            self.tell(|| Progress::Phase("write"));
            // What happened meanwhile is read once more before anything is written; then only when writing is at rest, since
            // a poll would list what was just written.
            // A pass counts as later only where the remote's clock, as we know it, has moved on by a step.
            tokio::time::sleep(listed.map_or(Duration::ZERO, |at| STEPS.saturating_sub(at.elapsed()))).await;
            self.mode = Mode { pass: Pass::Changes, working: false, in_order: false, polling: Some(super::REST_MAX) };
            self.until(|driver| Ok(driver.is_polled())).await?;
            self.mode = Mode { working: true, in_order: true, polling: Some(INTERVAL), ..self.mode };
            self.worked = Instant::now();
            self.until(Self::quiet).await?;
            self.drain_if_stopped().await?;
        }
        if whole && self.phase()? == Some(Phase::Write) && !self.stopping {
            self.enter(Phase::Done, Vec::new())?;
        }
        self.mode = Mode { working: false, in_order: false, polling: None, ..self.mode };
        self.tell(|| Progress::Phase("count"));
        self.report(began)
    }

    fn report(&self, began: Instant) -> Result<BackfillReport, DaemonError> {
        let snapshot = self.store.snapshot()?;
        let by_name = |counts: &BTreeMap<_, u64>| {
            let count = |remote: &super::Remote| counts.get(&remote.id).copied().unwrap_or(0);
            self.remotes.iter().map(|remote| (remote.name.clone(), count(remote))).collect()
        };
        Ok(BackfillReport {
            counts: status::count(&self.rules, &snapshot)?,
            created: by_name(&self.tally.created),
            updated: by_name(&self.tally.updated),
            deleted: by_name(&self.tally.deleted),
            calls: self.remotes.iter().map(|remote| (remote.name.clone(), remote.connector.calls())).collect(),
            rows: self.tally.rows,
            unequal: status::unequal(&self.rules, &snapshot, wall_clock())?,
            took: began.elapsed(),
            stopped: self.stopping,
        })
    }

    /// Notes for every object from where its changes are read later, before anything is scanned. One that is read already, of
    /// which another mapping is to be taken in, goes on from where it is.
    async fn begin(&mut self) -> Result<(), DaemonError> {
        let mut marks = Vec::new();
        for (at, pair) in self.pairs.iter().enumerate() {
            if self.bookmark(at, Listing::Changes)?.is_some() {
                continue;
            }
            let connector = &self.remotes[pair.remote].connector;
            let changes = connector.changes(&pair.spec, None).await?;
            let deleted = connector.deleted(&pair.spec, None).await?;
            for (listing, end) in [(Listing::Changes, changes.end), (Listing::Deleted, deleted.end)] {
                let name = pair.cursor(listing);
                marks.push(Change::SetCursor(name, Some(Bookmark::of(&end, None).write())));
            }
        }
        self.enter(Phase::Scan, marks)
    }

    /// The pairs, by what may be listed beside each other: what is referred to is listed before what refers to it, or most
    /// records would have to be read again.
    fn parts(&self) -> Vec<Vec<usize>> {
        let mut depths: BTreeMap<EntityId, usize> = BTreeMap::new();
        for entity in &self.rules.entities {
            let depth = entity.leads_to().filter_map(|(_, to)| depths.get(&to)).map(|depth| depth + 1).max();
            depths.insert(entity.id, depth.unwrap_or(0));
        }
        let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, pair) in self.pairs.iter().enumerate() {
            parts.entry(depths.get(&pair.entity).copied().unwrap_or(0)).or_default().push(at);
        }
        parts.into_values().collect()
    }

    /// Runs listings of pairs, beside each other, to their end.
    async fn list_all(&mut self, mut open: Vec<usize>, listings: &[Listing]) -> Result<(), DaemonError> {
        let mut failures = 0;
        while !open.is_empty() && !self.stopping {
            let mut left = 0;
            for &pair in &open {
                let mut todo = Vec::new();
                for &listing in listings {
                    let mark = self.bookmark(pair, listing)?;
                    if listing != Listing::Scan || mark.as_ref().is_none_or(|mark| !mark.done) {
                        todo.push((listing, mark));
                    }
                }
                left += 1;
                self.list(pair, todo);
            }
            let mut failed = Vec::new();
            while left > 0 {
                let Some(event) = self.inbox.recv().await else { return Err(DaemonError::Ended) };
                if let Event::Ended { pair, error } = &event {
                    left -= 1;
                    failed.extend(error.clone().map(|error| (*pair, error)));
                }
                self.handle_event(event)?;
                if self.stopping {
                    return Ok(());
                }
            }
            let Some((_, error)) = failed.first().cloned() else { return Ok(()) };
            failures += 1;
            if failures >= FAILURES_MAX || !is_passing(&error) {
                return Err(error.into());
            }
            tokio::time::sleep(super::backoff(failures, Some(&error))).await;
            open = failed.into_iter().map(|(pair, _)| pair).collect();
        }
        Ok(())
    }

    async fn link(&mut self) -> Result<(), DaemonError> {
        for at in 0..self.rules.entities.len() {
            let (entity, name) = (self.rules.entities[at].id, link_cursor(&self.rules.entities[at].name));
            loop {
                let known = self.store.snapshot()?.cursor(&name)?;
                // Empty = this entity is done.
                let after = match known.as_deref() {
                    None => None,
                    Some([]) => break,
                    Some(bytes) => {
                        let id: Option<[u8; 16]> = bytes.try_into().ok();
                        Some(RecordId(id.ok_or_else(|| DaemonError::Cursor { name: name.clone() })?))
                    }
                };
                let input = Input::Link { entity, after, create: true, limit: LINK };
                let name = name.clone();
                self.take_with(input, |next| {
                    let mark = next.map_or_else(Vec::new, |id| id.0.to_vec());
                    Some(Change::SetCursor(name, Some(mark)))
                })?;
                self.tell(|| Progress::Looked(LINK as u64));
                while let Ok(event) = self.inbox.try_recv() {
                    self.handle_event(event)?;
                }
                if self.stopping {
                    return Ok(());
                }
                tokio::task::yield_now().await;
            }
        }
        self.enter(Phase::Write, Vec::new())
    }

    /// Works and polls until nothing is left to do, and every system has been read since.
    pub(super) async fn until_quiet(&mut self) -> Result<(), DaemonError> {
        self.until(|driver| Ok(driver.is_polled() && driver.quiet()?)).await
    }

    /// Has every system been read?
    fn is_polled(&self) -> bool {
        self.remotes.iter().all(|remote| remote.polls > 0)
    }

    /// Goes on until something is so, or a remote fails for good.
    async fn until(&mut self, so: impl Fn(&Self) -> Result<bool, DaemonError>) -> Result<(), DaemonError> {
        for remote in &mut self.remotes {
            (remote.polls, remote.next_poll) = (0, Instant::now());
            if let Some(polling) = &mut remote.polling {
                polling.stale = true;
            }
        }
        while !self.stopping {
            self.turn().await?;
            let giving_up = |remote: &&super::Remote| {
                remote.failures >= FAILURES_MAX
                    || (remote.failures > 0 && remote.last_error.as_ref().is_some_and(|error| !is_passing(error)))
            };
            if let Some(error) = self.remotes.iter().find(giving_up).and_then(|remote| remote.last_error.clone()) {
                return Err(error.into());
            }
            if so(self)? {
                return Ok(());
            }
        }
        Ok(())
    }

    pub(super) async fn drain_if_stopped(&mut self) -> Result<(), DaemonError> {
        if self.stopping { self.drain().await } else { Ok(()) }
    }
}

/// Cursor that holds up to where an entity's records have been linked.
pub(super) fn link_cursor(entity: &str) -> String {
    format!("link:{entity}")
}

/// May it go away by itself?
fn is_passing(error: &ConnectorError) -> bool {
    matches!(
        error,
        ConnectorError::Unreachable { .. } | ConnectorError::Limited { .. } | ConnectorError::Protocol { .. }
    )
}

pub(super) const CURSOR: &str = "backfill";
/// A step of the coarsest clock, and what may be unknown of it.
const STEPS: Duration = Duration::from_millis(2_050);
/// Between polls while records are created that cannot be looked up: what was made there meanwhile must be read first.
const INTERVAL: Duration = Duration::from_millis(500);
/// Failures in a row, each after the connector's own attempts, before it is given up.
const FAILURES_MAX: u32 = 4;
/// Records that a step of linking looks at.
const LINK: usize = 500;

//! What tasks bring: pages, answers and questions, taken in one by one.

use super::effects::Done;
use super::handle::Ask;
use super::listing::{Bookmark, Listed, Listing};
use super::{Driver, Event, FORGET, Progress, SWEEP, backoff, wall_clock};
use crate::connector::ConnectorError;
use crate::daemon::DaemonError;
use crate::daemon::status::{self, Live, SystemStatus};
use crate::engine::{DeletedRows, Input, PageRows};
use std::time::Instant;

impl Driver {
    pub(super) fn handle_event(&mut self, event: Event) -> Result<(), DaemonError> {
        match event {
            Event::Page { pair, listing, page } => self.page(pair, listing, page),
            Event::Ended { pair, error } => self.ended(pair, error),
            Event::Effect { pair, done } => self.done(pair, done),
            Event::People { remote, users } => self.told_people(remote, users),
            Event::Ask(ask) => {
                self.answer(ask);
                Ok(())
            }
            Event::Stop => {
                (self.told, self.stopping) = (true, true);
                Ok(())
            }
        }
    }

    fn page(&mut self, at: usize, listing: Listing, page: Listed) -> Result<(), DaemonError> {
        let pair = self.pairs[at].clone();
        let name = pair.cursor(listing);
        match page {
            Listed::Rows(page, begun) => {
                let bookmark = Bookmark::of(&page.end, Some(begun));
                let rows = page.rows.len() as u64;
                let input = Input::Page(PageRows {
                    entity: pair.entity,
                    home: pair.home,
                    pass: self.mode.pass,
                    rows: &page.rows,
                    decoder: &*page.decoder,
                    timing: page.timing,
                    cursor: Some((name, bookmark.write())),
                    complete: bookmark.done.then_some(begun),
                });
                self.take(input)?;
                self.tally.rows += rows;
                let (system, entity) = (pair.system_name.clone(), pair.entity_name.clone());
                self.tell(|| Progress::Rows { system, entity, rows });
            }
            Listed::Deleted(page) => {
                let cursor = Some((name, Bookmark::of(&page.end, None).write()));
                let rows = page.rows.into_iter().map(|(remote, _, why)| (remote, why)).collect();
                let input = DeletedRows { entity: pair.entity, home: pair.home, rows, cursor };
                self.take(Input::Deleted(input))?;
            }
        }
        Ok(())
    }

    /// A pair's listings have ended; with the last pair its system's poll.
    fn ended(&mut self, at: usize, error: Option<ConnectorError>) -> Result<(), DaemonError> {
        let (remote, failing) = (self.pairs[at].remote, error.is_some());
        if let Some(error) = error {
            if let Some(polling) = &mut self.remotes[remote].polling {
                polling.failed = true;
            }
            self.failed(remote, error);
        }
        let remote = &mut self.remotes[remote];
        let Some(polling) = &mut remote.polling else {
            if !failing {
                remote.last_error = None;
            }
            return Ok(());
        };
        polling.left = polling.left.saturating_sub(1);
        if polling.left > 0 {
            return Ok(());
        }
        let (began, failed, stale) = (polling.began, polling.failed, polling.stale);
        remote.polling = None;
        if failed {
            remote.failures += 1;
            remote.next_poll = Instant::now() + backoff(remote.failures, remote.last_error.as_ref());
        } else {
            (remote.failures, remote.last_error, remote.passed) = (0, None, Some(began));
            remote.polls += u64::from(!stale);
            self.sweep()?;
        }
        Ok(())
    }

    fn failed(&mut self, remote: usize, error: ConnectorError) {
        let name = self.remotes[remote].name.clone();
        tracing::warn!(system = name, %error, "a call failed; it is tried again");
        self.tell(|| Progress::Failed { system: name, cause: error.to_string() });
        self.remotes[remote].last_error = Some(error);
    }

    /// Looks after records with a recent past, some at a time.
    fn sweep(&mut self) -> Result<(), DaemonError> {
        for at in 0..self.rules.entities.len() {
            let (entity, after) = (self.rules.entities[at].id, self.swept[at]);
            let (_, next) = self.take(Input::Sweep { entity, after, limit: SWEEP })?;
            self.swept[at] = next;
            let (after, limit) = (self.forgot[at], FORGET);
            let (_, next) = self.take(Input::Forget { entity, after, limit })?;
            self.forgot[at] = next;
        }
        Ok(())
    }

    fn done(&mut self, at: usize, done: Done) -> Result<(), DaemonError> {
        let pair = self.pairs[at].clone();
        let lane = &mut self.lanes[pair.lane];
        lane.busy = lane.busy.saturating_sub(1);
        self.worked = Instant::now();
        let input = match done {
            Done::Failed(error) => {
                lane.failures += 1;
                lane.not_before = Instant::now() + backoff(lane.failures, Some(&error));
                self.failed(pair.remote, error);
                return Ok(());
            }
            Done::Read(reads) => Input::Read(reads),
            Done::LookedUp(looked) => Input::LookedUp(looked),
            Done::Wrote { answers, created, updated, deleted } => {
                self.tally.wrote(pair.home.system, created, updated, deleted);
                let (system, entity) = (pair.system_name.clone(), pair.entity_name.clone());
                self.tell(|| Progress::Wrote { system, entity, created, updated, deleted });
                Input::Answers(answers)
            }
        };
        self.lanes[pair.lane].failures = 0;
        self.take(input)?;
        Ok(())
    }

    fn answer(&mut self, ask: Ask) {
        // Who asked may have gone.
        match ask {
            Ask::Live(to) => drop(to.send(self.live_state())),
            Ask::Snapshot(to) => drop(to.send(self.store.snapshot().map_err(DaemonError::from))),
            Ask::Tally(to) => drop(to.send(self.tally.clone())),
            Ask::Retry(wanted, to) => drop(to.send(self.retry(&wanted))),
            Ask::Ignore { what, wanted, reason, answer } => {
                drop(answer.send(self.ignore(&what, &wanted, reason.as_deref())));
            }
            Ask::KeepRoots(found, to) => drop(to.send(self.store.keep_roots(&found).map_err(DaemonError::from))),
            Ask::Operate(decisions, to) => drop(to.send(self.operate(*decisions))),
        }
    }

    fn live_state(&self) -> Result<Live, DaemonError> {
        let now = wall_clock();
        let systems = self.remotes.iter().map(|remote| SystemStatus {
            name: remote.name.clone(),
            polls: remote.polls,
            passed: remote.passed,
            lag_ms: remote.passed.map(|passed| now.0.saturating_sub(passed.0).max(0)),
            calls: remote.connector.calls(),
            last_error: remote.last_error.as_ref().map(ToString::to_string),
        });
        let (snapshot, systems) = (self.store.snapshot()?, systems.collect());
        Ok(Live { quiet: self.quiet()?, systems, snapshot, commit: self.commits })
    }

    /// Is nothing left to do about what has been read?
    pub(super) fn quiet(&self) -> Result<bool, DaemonError> {
        let idle = self.lanes.iter().all(|lane| lane.busy == 0);
        Ok(idle && status::quiet(&self.store.snapshot()?, &self.rules, wall_clock())?)
    }
}

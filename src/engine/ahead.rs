//! Times that lie ahead of their own system's clock: an import that dates its rows itself, a clock that was set back since.
//!
//! Believed, such a time would hold against everything that people do until it has come: later edits of the same side would be its
//! older words, the side would count as told up to then, and a read would never be in order. So what lies further ahead than
//! [`Rules::max_drift_ms`](crate::rules::Rules) is not believed. A modified time counts as the latest that its clock can show now. An
//! entry of a history tells no time then: it is left out, and what the field shows counts as a snapshot does, made by the time of the read.

use super::Notice;
use super::txn::Txn;
use crate::model::{Millis, ReadRow, RemoteId, SystemId, Timing};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A row as far as its times are believed, and the properties (by their places) of whose histories something was left out.
pub(super) type Believed<'r> = (Cow<'r, ReadRow>, BTreeSet<usize>);

impl Txn<'_> {
    /// The latest time that a system's clock can show now.
    fn shows_now(&self, system: SystemId, timing: Timing) -> Millis {
        timing.offset.latest(self.now).max(self.clocks.offset(system).latest(self.now))
    }

    /// A record's modified time.
    pub fn believed(&mut self, system: SystemId, remote: &RemoteId, at: Millis, timing: Timing) -> Millis {
        let now = self.shows_now(system, timing);
        if at <= now.plus(self.rules.max_drift_ms) || crate::defect!("ahead") {
            return at;
        }
        self.notices.push(Notice::Ahead { system, remote: remote.clone(), at });
        now
    }

    /// A row that was read, with its history.
    pub fn believed_row<'r>(&mut self, system: SystemId, row: &'r ReadRow, timing: Timing) -> Believed<'r> {
        let limit = self.shows_now(system, timing).plus(self.rules.max_drift_ms);
        let modified = self.believed(system, &row.remote, row.modified, timing);
        let ahead = |at: Millis| at > limit && !crate::defect!("ahead");
        let histories = row.history.iter().enumerate();
        let doubted = histories.filter(|(_, history)| history.iter().any(|past| ahead(past.at)));
        let doubted: BTreeSet<usize> = doubted.map(|(place, _)| place).collect();
        if modified == row.modified && doubted.is_empty() {
            return (Cow::Borrowed(row), doubted);
        }
        let mut row = ReadRow { modified, ..row.clone() };
        for place in &doubted {
            let told = row.history[*place].iter().map(|past| past.at).filter(|at| ahead(*at)).max();
            row.history[*place].retain(|past| !ahead(past.at));
            self.notices.extend(told.map(|at| Notice::Ahead { system, remote: row.remote.clone(), at }));
        }
        (Cow::Owned(row), doubted)
    }
}

//! Our own clock: in some histories somebody sets it, by minutes or by days, while the program runs or while it is down. The
//! remotes' clocks go on, and what we know of them is how far they are from ours.

use super::setup::system_name;
use super::{Doing, Run};
use crate::engine::{Change, Clocks};
use crate::model::{ClockOffset, FieldId, Millis, RecordId, Stamp, Timing, Value};
use crate::sim::Violation;
use std::collections::BTreeMap;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// What the clock of the engine has shown: none of it may ever be taken back.
#[derive(Default)]
pub(super) struct Stamps {
    newest: BTreeMap<(RecordId, FieldId), (Stamp, Value)>,
    journal: Millis,
    /// Has one of them been lower than the one before, or the same for another value?
    stepped: bool,
}

impl Stamps {
    /// A step is committed.
    pub(super) fn take(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::PutRecord(record) => {
                    for register in &record.registers {
                        let (stamp, value) = (register.reg.marker, &register.reg.val);
                        let known = self.newest.entry((record.id, register.field));
                        let known = known.or_insert_with(|| (stamp, value.clone()));
                        self.stepped |= stamp < known.0 || (stamp == known.0 && *value != known.1);
                        *known = (stamp, value.clone());
                    }
                }
                Change::Journal(entry) => {
                    self.stepped |= entry.at < self.journal;
                    self.journal = entry.at;
                }
                _ => {}
            }
        }
    }

    pub(super) fn judge(&self) -> Option<Violation> {
        self.stepped.then_some(Violation::Stepped)
    }
}

impl Run {
    /// What our clock shows.
    pub(super) fn ours(&self) -> Millis {
        Millis(self.now + self.ahead)
    }

    /// How far a system's clock is from ours, as far as its answers tell.
    pub(super) fn offset(&self, side: usize) -> ClockOffset {
        let ClockOffset { low, high } = self.worlds[side].offset;
        ClockOffset { low: low - self.ahead, high: high - self.ahead }
    }

    pub(super) fn clocks(&self) -> Clocks {
        let sides = 0..self.worlds.len();
        let offsets = sides.map(|side| (super::system_id(side), self.offset(side))).collect();
        Clocks { now: self.ours(), offsets }
    }

    pub(super) fn timing(&self, side: usize) -> Timing {
        Timing { sent: self.ours(), offset: self.offset(side) }
    }

    /// Lays out when the clock is set, and how.
    pub(super) fn plan_jumps(&mut self) {
        for _ in 0..self.rng.range(1, 4) {
            let at = self.rng.range(0, 40_000);
            let far = if self.rng.percent(50) { MINUTE_MS } else { DAY_MS };
            let by = self.rng.range(1, 3 * far) * if self.rng.percent(50) { 1 } else { -1 };
            // Set right again, or set once more.
            let by = if self.rng.percent(20) { None } else { Some(by) };
            let down = self.rng.percent(30);
            self.after(at, Doing::Jump { by, down });
        }
    }

    /// Somebody sets our clock; none = right.
    pub(super) fn jump(&mut self, by: Option<i64>, down: bool) {
        if down && self.up {
            self.crash("as the clock is set");
        }
        self.ahead = by.map_or(0, |by| self.ahead + by);
        let first = system_name(0);
        self.say(|| format!("our clock is {} ms ahead now, {first} is {:?} from it", self.ahead, self.offset(0)));
    }
}

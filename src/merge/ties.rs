//! Ties: each of them is a flag of its own, on or off on every side. What a read shows is compared with what was known tie by tie, so
//! edits of different ties never meet, and one that a write of ours touches says nothing until that write is over.

use super::{
    Entry, EntryKind, Fate, FieldRules, FieldState, Flight, FlightState, SettledBy, SnapshotFate, Stray, Turn,
};
use crate::model::{Apart, Millis, Origin, Place, RecordId, Stamp, TieChange, Value};

/// A set of ties as one read showed it.
#[derive(Debug, Clone)]
pub struct Sight {
    /// The ties to records that are known here.
    pub value: Value,
    /// Earliest beginning of the read by the side's clock, floored to its step.
    pub begun: Millis,
    /// When it left, by our clock.
    pub asked: Millis,
    /// Records of known ties that do not stand there any more: those ties went with them, and nobody took them away.
    pub gone: Vec<RecordId>,
}

impl FieldState {
    /// A side without a base shows these: nobody took anything away, so both have what either had.
    pub(super) fn link_ties(&mut self, ix: usize, value: Value, now: Millis) {
        let all = TieChange { added: value.tied().iter().cloned().collect(), ..TieChange::default() }.on(&self.value);
        let side = &mut self.sides[ix];
        side.unbased = false;
        side.apart = None;
        side.shown = value;
        side.late = super::SideLately::default();
        if all != self.value || self.stamp == Stamp::ZERO {
            self.stamp = Stamp::mint(now, self.stamp, Origin::Engine);
            self.value = all;
        }
    }

    /// Takes in what a read showed of side `ix`.
    pub fn ties(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        sight: Sight,
        now: Millis,
        out: &mut Vec<Fate>,
    ) -> SnapshotFate {
        let side = &self.sides[ix];
        let flight = side.late.flight.clone();
        let seen = TieChange::between(&side.shown, &sight.value);
        if flight.is_none() && seen.is_empty() {
            return SnapshotFate::Same;
        }
        if sight.begun <= side.settled.time || self.known_since(rules, ix, sight.begun) {
            return SnapshotFate::Reread;
        }
        let touched = flight.as_ref().map(|flight| TieChange::between(&self.sides[ix].shown, &flight.value));
        let (landed, seen) = seen.split(touched.as_ref().unwrap_or(&TieChange::default()));
        self.tie_seen(ix, seen, &sight, now, out);
        let (Some(flight), Some(touched)) = (flight, touched) else { return SnapshotFate::Judged };
        let after = match flight.state {
            FlightState::Sent => false,
            FlightState::Answered(at) | FlightState::Unknown(at) => sight.asked >= at,
        };
        // An index may take its time to show what was answered; only then it was taken back.
        let early = |at: Millis| landed != touched && sight.asked < at.plus(GRACE_MS);
        if !after || matches!(flight.state, FlightState::Answered(at) if early(at)) {
            return SnapshotFate::Reread;
        }
        let (system, whole) = (self.sides[ix].system, landed == touched);
        self.sides[ix].late.flight = None;
        self.sides[ix].late.enter(Entry { place: Place::at(flight.sent), turn: Turn(0), kind: EntryKind::Write });
        if whole || matches!(flight.state, FlightState::Answered(_)) {
            let side = &mut self.sides[ix];
            side.shown = touched.on(&side.shown);
            if matches!(side.apart, Some(Apart::Parked { .. })) {
                side.apart = None;
            }
            out.push(Fate::Settled { system, op: flight.op, by: SettledBy::Value });
            // What an answered write does not show was taken back since.
            let back = TieChange::between(&self.sides[ix].shown, &sight.value);
            self.tie_seen(ix, back, &sight, now, out);
        } else {
            let side = &mut self.sides[ix];
            side.shown = landed.on(&side.shown);
            let Flight { op, turn, left, sent, .. } = *flight;
            let until = left.plus(rules.sides[ix].stray_ms);
            side.late.strays.push(Stray { op, value: noted(touched), turn, sent, until });
        }
        SnapshotFate::Judged
    }

    /// Ties that came or went on a side, and that no write of ours in flight touches.
    fn tie_seen(&mut self, ix: usize, seen: TieChange, sight: &Sight, now: Millis, out: &mut Vec<Fate>) {
        let side = &mut self.sides[ix];
        side.shown = seen.on(&side.shown);
        if let Some(flight) = &mut side.late.flight {
            flight.value = seen.on(&flight.value);
        }
        let mut theirs = seen;
        // A write that was given up may land yet: it is nobody's edit.
        for stray in &side.late.strays {
            theirs = theirs.split(&of_note(&stray.value)).1;
        }
        theirs.removed.retain(|tied| !sight.gone.contains(&tied.to));
        let to = theirs.on(&self.value);
        if theirs.is_empty() || to == self.value {
            return;
        }
        let (system, place) = (side.system, Place::at(sight.begun));
        // One tie that is refused must not hold back the others: whatever is new is tried at once.
        for side in &mut self.sides {
            side.apart = side.apart.filter(|apart| !matches!(apart, Apart::Parked { .. }));
        }
        let stamp = Stamp::mint(now, self.stamp, Origin::System(system));
        let from = std::mem::replace(&mut self.value, to.clone());
        out.push(Fate::Took { from, to, stamp, system, place, contested: false });
        self.stamp = stamp;
    }
}

/// How long an answered write may be without being shown, in milliseconds.
const GRACE_MS: i64 = 5_000;

/// A change as a stray remembers it.
fn noted(change: TieChange) -> Value {
    Value::group([change.added, change.removed].map(Value::ties_as_they_are))
}

fn of_note(value: &Value) -> TieChange {
    let of = |at: usize| value.member(at).tied().iter().cloned().collect();
    TieChange { added: of(0), removed: of(1) }
}

#[cfg(test)]
#[path = "ties_tests.rs"]
mod tests;

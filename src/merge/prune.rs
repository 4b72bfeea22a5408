//! What may be forgotten, and when everybody had seen everything.

use super::{Entry, EntryKind, FieldLately, FieldRules, FieldState, SideLately, Taken, Turn};
use crate::model::{Apart, Millis, Place, SourceKind, SystemId};

/// Answers with other values that are remembered of one field.
const ANSWERS_MAX: usize = 256;

impl SideLately {
    /// How far `settled` of this side may rise at most: never past an edit that waits or a write that flies.
    pub fn held_back(&self) -> Option<Place> {
        let waiting = self.waiting.iter().map(|edit| Place {
            time: edit.place.time.plus(-1),
            position: edit.place.position.map(|position| position.saturating_sub(1)),
        });
        let flight = self.flight.iter().map(|flight| Place::at(flight.sent.plus(-1)));
        waiting.chain(flight).min_by(Place::order)
    }
}

impl FieldLately {
    /// What is kept of a side.
    pub fn side(&self, system: SystemId) -> Option<&SideLately> {
        self.sides.iter().find(|(own, _)| *own == system).map(|(_, late)| late)
    }

    /// Is there surely nothing that [`FieldState::prune`] would forget? Quick, and true of most that was edited a moment ago. `settled`
    /// gives each side's.
    pub fn is_recent(&self, settled: impl Fn(SystemId) -> Option<Place>) -> bool {
        let mut least = None;
        for (system, late) in &self.sides {
            let Some(settled) = settled(*system) else { return false };
            let base = late.base_where(|entry| !settled.before(&entry.place));
            let stays = |entry: &Entry| settled.before(&entry.place) || entry.turn == base;
            if !late.strays.is_empty() || !late.ours.is_empty() || !late.entries.iter().all(stays) {
                return false;
            }
            least = Some(least.map_or(base, |least: Turn| least.min(base)));
        }
        !self.recent.is_empty() && self.recent.iter().all(|taken| least.is_some_and(|least| least < taken.turn))
    }
}

impl FieldState {
    /// Every side shows the register's value, cannot hold it or is left apart, and nothing is on its way: each side that
    /// shows it had seen everything up to now. `latest` gives the latest time that a side's clock can show now.
    pub fn close(&mut self, rules: &FieldRules<'_>, latest: impl Fn(usize) -> Millis) {
        // Who waits for a decision has not seen the other's value.
        if self.turn == Turn(0) || self.is_in_review() || crate::defect!("closing") {
            return;
        }
        let shows: Vec<bool> = (0..self.sides.len()).map(|ix| self.shows_register(rules, ix)).collect();
        let quiet = |(ix, side): (usize, &super::SideField)| {
            let late = &side.late;
            let rests = shows[ix] || side.apart.is_some() || !rules.fits(ix, &self.value);
            rests && late.flight.is_none() && late.waiting.is_empty() && !side.unbased
        };
        if !self.sides.iter().enumerate().all(quiet) {
            return;
        }
        // Whoever answered has had his way: no quarrel.
        self.answered.clear();
        let turn = self.turn;
        for (ix, side) in self.sides.iter_mut().enumerate().filter(|(ix, _)| shows[*ix]) {
            if side.late.base_where(|_| true) < turn {
                side.late.enter(Entry { place: Place::at(latest(ix)), turn, kind: EntryKind::Closing });
            }
        }
    }

    /// Forgets what can no longer matter, given each side's `settled`. Returns true when nothing is left to keep: turns go
    /// back to 0.
    pub fn prune(&mut self, rules: &FieldRules<'_>, now: Millis) -> bool {
        for (side, context) in self.sides.iter_mut().zip(&rules.sides) {
            // What landed in time may be told late, after a down time: everything up to its end must have been told first.
            let unread = |until: Millis| side.settled.time < until.plus(context.ahead_ms);
            side.late.strays.retain(|stray| stray.until > now || unread(stray.until));
        }
        let asked = self.awaits_dates();
        let in_force: Vec<Turn> =
            self.sides.iter().map(|side| side.late.base_where(|entry| !side.settled.before(&entry.place))).collect();
        let stays = |taken: &Taken| in_force.iter().any(|base| taken.turn > *base);
        // A decision stays as long as something that has lost to it unseen.
        let bases =
            self.recent.iter().filter(|taken| stays(taken) && !taken.system.is_operator()).map(|taken| taken.base);
        let beaten = bases.min();
        let decided =
            |taken: &Taken| taken.system == SystemId::OPERATOR && beaten.is_some_and(|beaten| beaten < taken.turn);
        self.recent.retain(|taken| stays(taken) || decided(taken));
        for (ix, (side, base)) in self.sides.iter_mut().zip(&in_force).enumerate() {
            let settled = side.settled;
            // A create's own history is known by its time; other writes that settled inexactly have none to come.
            let told_later = rules.sides[ix].source == SourceKind::Stream || !side.late.strays.is_empty();
            side.late.entries.retain(|entry| match super::dated::is_of_link(entry) {
                true => asked,
                false => settled.before(&entry.place) || entry.turn == *base,
            });
            let super::SideLately { ours, strays, .. } = &mut side.late;
            // The answer to an equal stray, when it comes, is told from a repeat by it.
            let twin = |own: &super::Own| strays.iter().any(|stray| stray.value == own.value);
            ours.retain(|own| settled.before(&own.place) || (told_later && settled.time < own.until) || twin(own));
        }
        self.prune_past();
        // At most as many as any budget can ask for.
        self.answered.drain(..self.answered.len().saturating_sub(ANSWERS_MAX));
        let idle = |(ix, side): (usize, &super::SideField)| {
            let late = &side.late;
            late.flight.is_none()
                && late.waiting.is_empty()
                && late.strays.is_empty()
                && late.ours.is_empty()
                && late.edited.is_none_or(|edited| !side.settled.before(&edited))
                && late.entries.iter().all(|entry| !side.settled.before(&entry.place))
                && !matches!(side.apart, Some(Apart::Review | Apart::Parked { .. }))
                && (in_force[ix] == self.turn || matches!(side.apart, Some(Apart::Split | Apart::OneWay)))
                && (side.apart.is_some() || rules.field.ties_to().is_some() || self.shows_register(rules, ix))
        };
        let done = !asked && self.recent.is_empty() && self.sides.iter().enumerate().all(idle);
        if done {
            self.turn = Turn(0);
            self.past.clear();
            self.answered.clear();
            for side in &mut self.sides {
                side.late = super::SideLately::default();
            }
        }
        done
    }

    /// Keeps those of the register's past values on which an edit rests, or may yet.
    fn prune_past(&mut self) {
        if self.past.is_empty() {
            return;
        }
        let mut bases: Vec<Turn> = self.recent.iter().map(|taken| taken.base).collect();
        for side in &self.sides {
            let late = &side.late;
            // No entries are one of turn 0.
            bases.extend(late.entries.is_empty().then_some(Turn(0)));
            bases.extend(late.entries.iter().map(|entry| entry.turn));
            bases.extend(late.flight.iter().map(|flight| flight.turn));
            bases.extend(late.strays.iter().map(|stray| stray.turn));
        }
        let from: Vec<Turn> = self.past.iter().map(|(from, _)| *from).collect();
        let mut at = 0;
        self.past.retain(|(own, _)| {
            at += 1;
            // The last of them holds now.
            from.get(at).is_none_or(|next| bases.iter().any(|base| own <= base && base < next))
        });
    }
}

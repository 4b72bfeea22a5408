//! What became of our own writes: settled by their own event, by history or by a read-back; never by the answer alone.

use super::{
    Edit, Entry, EntryKind, Fate, FieldRules, FieldState, Flight, FlightState, Own, SettledBy, Snapshot, SnapshotFate,
    Stray, Turn,
};
use crate::model::{Apart, FieldKind, Mark, Millis, OpId, Place, SourceKind, Value};

/// What a call's answer said about one field's write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// Done.
    Answered,
    /// No answer.
    Unknown,
    /// Certainly not written; another attempt will be made.
    NotWritten,
    /// Refused: left as it is until then (our clock).
    Refused {
        /// When to try again.
        until: Millis,
    },
}

/// A timed value of one side, from history or a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Where on its side.
    pub place: Place,
    /// The value from there on, in canonical form.
    pub value: Value,
    /// Whose write it was.
    pub mark: Mark,
}

impl FieldState {
    /// A write leaves: the field flies.
    pub fn fly(&mut self, ix: usize, op: OpId, value: Value, (left, sent): (Millis, Millis), deadline: Millis) {
        let (stamp, turn) = (self.stamp, self.turn);
        let side = &mut self.sides[ix];
        debug_assert!(side.late.flight.is_none(), "one write in flight per record and side");
        let state = FlightState::Sent;
        side.late.flight = Some(Box::new(Flight { op, value, stamp, turn, left, sent, state, deadline }));
    }

    /// A write that was given up is waited for again: it has landed.
    pub fn recall(&mut self, ix: usize, op: Option<OpId>, now: Millis) {
        let strays = &mut self.sides[ix].late.strays;
        let Some(at) = strays.iter().position(|stray| Some(stray.op) == op) else { return };
        let Stray { op, value, turn, sent, until } = strays.remove(at);
        let (stamp, state) = (self.stamp, FlightState::Unknown(now));
        let flight = Flight { op, value, stamp, turn, left: until, sent, state, deadline: until };
        self.sides[ix].late.flight = Some(Box::new(flight));
    }

    /// The call came back, or did not.
    pub fn answered(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        op: OpId,
        landing: Landing,
        now: Millis,
        out: &mut Vec<Fate>,
    ) {
        let side = &mut self.sides[ix];
        let Some(flight) = side.late.flight.as_mut().filter(|flight| flight.op == op) else {
            // It settled by its value, or was given up, before the answer came; an answered write cannot land any more.
            match landing {
                Landing::Answered => {
                    let ours = &side.late.ours;
                    let shown =
                        |stray: &Stray| ours.iter().any(|own| own.value == stray.value && own.place.time >= stray.sent);
                    side.late.strays.retain(|stray| stray.op != op || !shown(stray));
                    for stray in side.late.strays.iter_mut().filter(|stray| stray.op == op) {
                        stray.until = stray.until.min(now);
                    }
                }
                Landing::NotWritten | Landing::Refused { .. } => side.late.strays.retain(|stray| stray.op != op),
                Landing::Unknown => {}
            }
            return;
        };
        match landing {
            Landing::Answered if crate::defect!("answer-settles") => {
                let place = Place::at(flight.sent);
                self.settle(rules, ix, place, SettledBy::Answer, out);
            }
            Landing::Answered => flight.state = FlightState::Answered(now),
            Landing::Unknown => flight.state = FlightState::Unknown(now),
            Landing::NotWritten => {
                side.late.flight = None;
                self.release(rules, ix, out);
            }
            Landing::Refused { until } => {
                // What is owed by now is another value: that is tried.
                let outdated = self.is_outdated(rules, ix);
                let side = &mut self.sides[ix];
                side.late.flight = None;
                if !outdated {
                    side.apart = Some(Apart::Parked { until });
                }
                self.release(rules, ix, out);
            }
        }
    }

    /// Has the register taken a value since the write in flight was built that this side would show otherwise?
    pub fn is_outdated(&self, rules: &FieldRules<'_>, ix: usize) -> bool {
        let side = &self.sides[ix];
        let own = |value: &Value| side.wanted.as_ref() == Some(value);
        let ties = matches!(rules.field.kind, FieldKind::Refs { .. });
        let flight = side.late.flight.as_ref().filter(|flight| !ties && !own(&flight.value));
        flight.is_some_and(|flight| flight.value != rules.project(ix, &self.value))
    }

    /// The write in flight landed at `place`.
    pub fn settle(&mut self, rules: &FieldRules<'_>, ix: usize, place: Place, by: SettledBy, out: &mut Vec<Fate>) {
        let last = self.turn;
        let side = &mut self.sides[ix];
        let Some(flight) = side.late.flight.take() else { return };
        // One at a time: what was sent after another write had settled landed after it. (Elsewhere one that was given up may
        // have been told of meanwhile.)
        let writes = side.late.entries.iter().filter(|entry| entry.kind == EntryKind::Write);
        let last_write = writes.map(|entry| entry.place).max_by(Place::order);
        let polled = rules.sides[ix].source == SourceKind::Polled;
        let place = last_write.filter(|last| polled && place.before(last)).unwrap_or(place);
        let turn = if crate::defect!("turn-of-now") { last } else { flight.turn };
        side.late.enter(Entry { place, turn, kind: EntryKind::Write });
        let exact = matches!(by, SettledBy::Mark | SettledBy::Late);
        let until = if exact { place.time } else { rules.sides[ix].latest.max(place.time) };
        // An equal save leaves no trace of its own: what is at its place is a person's.
        if by != SettledBy::EqualSave {
            side.late.ours.push(Own { place, until, value: flight.value.clone(), over: side.shown.clone() });
        }
        side.show_from(place, &flight.value);
        if matches!(side.apart, Some(Apart::Parked { .. })) {
            side.apart = None;
        }
        out.push(Fate::Settled { system: side.system, op: flight.op, by });
        let answered = matches!(flight.state, FlightState::Answered(_));
        let twin = side.late.strays.iter().any(|stray| stray.value == flight.value);
        // An equal value is no proof: without an answer the write itself may still be on its way. And of two equal writes one
        // has landed: which, nobody knows.
        if !answered && (twin || matches!(by, SettledBy::Value | SettledBy::EqualSave)) {
            self.stray(rules, ix, *flight);
        }
        self.release(rules, ix, out);
    }

    fn stray(&mut self, rules: &FieldRules<'_>, ix: usize, flight: Flight) {
        if crate::defect!("strays") {
            return;
        }
        let Flight { op, value, turn, left, sent, .. } = flight;
        let until = left.plus(rules.sides[ix].stray_ms);
        self.sides[ix].late.strays.push(Stray { op, value, turn, sent, until });
    }

    /// Edits that waited are taken in, in the order of their places.
    fn release(&mut self, rules: &FieldRules<'_>, ix: usize, out: &mut Vec<Fate>) {
        let mut waiting = std::mem::take(&mut self.sides[ix].late.waiting);
        if !crate::defect!("release-order") {
            waiting.sort_by(|a, b| a.place.order(&b.place));
        }
        for edit in waiting {
            self.edit(rules, ix, edit, false, out);
        }
    }

    /// A snapshot of a field whose write is in flight.
    pub(super) fn snapshot_in_flight(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        snapshot: Snapshot,
        now: Millis,
        out: &mut Vec<Fate>,
    ) -> SnapshotFate {
        let side = &self.sides[ix];
        let Some(flight) = &side.late.flight else { return SnapshotFate::Same };
        let asked_after = match flight.state {
            FlightState::Sent => false,
            FlightState::Answered(at) | FlightState::Unknown(at) => snapshot.asked >= at,
        };
        let polled = rules.sides[ix].source == SourceKind::Polled;
        if snapshot.modified >= snapshot.told {
            return SnapshotFate::Reread;
        }
        // A stream tells by itself, up to the deadline.
        if asked_after && (polled || flight.deadline <= now) {
            return self.read_back(rules, ix, snapshot, out);
        }
        let after = snapshot.modified >= flight.sent && snapshot.begun >= flight.sent;
        if polled && snapshot.value == flight.value && after {
            let (place, by) = (Place::at(snapshot.modified), shown_by(&snapshot, flight));
            self.settle(rules, ix, place, by, out);
            return SnapshotFate::Judged;
        }
        let expected = snapshot.value == side.shown
            || snapshot.value == flight.value
            || side.late.strays.iter().any(|stray| stray.value == snapshot.value);
        if expected || !polled {
            return SnapshotFate::Reread;
        }
        if self.out_of_order(rules, ix, &snapshot) {
            self.take_covered(rules, ix, snapshot, out);
            return SnapshotFate::Reread;
        }
        if !crate::defect!("snapshot-waits") {
            let place = Place::at(snapshot.modified);
            self.edit(rules, ix, Edit { value: snapshot.value, place, since: Some(snapshot.since) }, true, out);
        }
        SnapshotFate::Reread
    }

    /// A read that was asked for after the answer, or after we stopped waiting for one.
    fn read_back(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        snapshot: Snapshot,
        out: &mut Vec<Fate>,
    ) -> SnapshotFate {
        let side = &mut self.sides[ix];
        let Some(flight) = side.late.flight.clone() else { return SnapshotFate::Same };
        let answered = matches!(flight.state, FlightState::Answered(_));
        let modified_since = snapshot.modified >= flight.sent;
        let sent = Place::at(flight.sent);
        if snapshot.value == flight.value && (answered || modified_since) {
            let by = if answered && !modified_since { SettledBy::EqualSave } else { shown_by(&snapshot, &flight) };
            let place = if modified_since { Place::at(snapshot.modified) } else { sent };
            self.settle(rules, ix, place, by, out);
        } else if answered || (snapshot.landed && snapshot.value != side.shown) {
            // It landed and was covered, or the system changed the value in our transaction: either way an edit of that side
            // whose people had seen what we wrote.
            self.settle(rules, ix, sent, SettledBy::Covered, out);
            let place = Place::at(snapshot.modified);
            let known = self.sides[ix].shown == snapshot.value;
            if !known && !self.snapshot_of_stray(rules, ix, &snapshot, out) {
                self.answered.push((self.sides[ix].system, rules.sides[ix].latest));
                let since = Some(snapshot.since.max(flight.sent));
                self.edit(rules, ix, Edit { value: snapshot.value, place, since }, true, out);
            }
            return SnapshotFate::Judged;
        } else {
            side.late.flight = None;
            self.stray(rules, ix, *flight);
            self.release(rules, ix, out);
        }
        match self.judge(rules, ix, snapshot, out) {
            SnapshotFate::Same => SnapshotFate::Judged,
            fate => fate,
        }
    }

    /// Does a snapshot show a write that was given up, and may yet have landed?
    pub(super) fn snapshot_of_stray(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        snapshot: &Snapshot,
        out: &mut Vec<Fate>,
    ) -> bool {
        let place = Place::at(snapshot.modified);
        let may_be = rules.sides[ix].source != SourceKind::History && !snapshot.theirs;
        may_be && self.stray_landed(rules, ix, place, snapshot.alone, &snapshot.value, SettledBy::Guessed, out)
    }

    /// A write that was given up turns out to have landed. `exact` = it landed at the place, if it is the one, and not before.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn stray_landed(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        place: Place,
        exact: bool,
        value: &Value,
        by: SettledBy,
        out: &mut Vec<Fate>,
    ) -> bool {
        let side = &mut self.sides[ix];
        let ahead = rules.sides[ix].ahead_ms;
        let fits = |stray: &Stray| {
            let in_time = !exact || place.time <= stray.until.plus(ahead);
            stray.value == *value && place.time >= stray.sent && in_time
        };
        let Some(at) = side.late.strays.iter().position(fits) else { return false };
        let stray = side.late.strays.remove(at);
        side.late.enter(Entry { place, turn: stray.turn, kind: EntryKind::Write });
        side.late.ours.push(Own { place, until: place.time, value: value.clone(), over: side.shown.clone() });
        out.push(Fate::Settled { system: side.system, op: stray.op, by });
        let system = side.system;
        // An edit made after it had seen it.
        let after = |taken: &&super::Taken| taken.system == system && place.before(&taken.edit.place);
        let newest = self.recent.iter().filter(after).max_by_key(|taken| taken.turn).map(|taken| taken.turn);
        match newest.and_then(|turn| self.recent.iter().position(|taken| taken.turn == turn)) {
            Some(at) => {
                self.recent[at].base = self.recent[at].base.max(stray.turn);
                self.decide_again(rules, at, out);
            }
            None => self.sides[ix].show_from(place, value),
        }
        true
    }

    /// A timed value of side `ix`, from a stream or a history. Returns true when it is one of our own writes.
    pub fn evidence(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        evidence: &Evidence,
        current: bool,
        out: &mut Vec<Fate>,
    ) {
        let Evidence { place, value, mark } = evidence;
        let known = self.sides[ix].late.ours.iter().any(|own| own.place == *place && own.value == *value);
        let old = !self.sides[ix].settled.before(place);
        if *mark == Mark::Ours && self.placed(ix, place, value) {
            return;
        }
        if *mark != Mark::Theirs && !known && !old {
            let step = rules.sides[ix].step_ms;
            let flight = self.sides[ix].late.flight.as_ref();
            let flies = flight.is_some();
            let lands = flight.is_some_and(|f| f.value == *value && place.time >= f.sent.floor(step));
            if lands {
                let by = if *mark == Mark::Ours { SettledBy::Mark } else { SettledBy::Value };
                self.settle(rules, ix, *place, by, out);
                return;
            }
            let by = if *mark == Mark::Ours { SettledBy::Late } else { SettledBy::Guessed };
            if self.stray_landed(rules, ix, *place, true, value, by, out) {
                return;
            }
            // What carries our mark before the create was heard of is that create, unless somebody has edited what it made.
            let edited = self.sides[ix].late.edited.as_ref().is_some_and(|edited| edited.before(place));
            if *mark == Mark::Ours && place.time <= self.sides[ix].made && !edited {
                return;
            }
            if *mark == Mark::Ours && (flies || !self.sides[ix].late.ours.is_empty()) {
                // In the transaction of a write of ours the system wrote something else.
                self.answered.push((self.sides[ix].system, rules.sides[ix].latest));
            }
            if *mark == Mark::Ours {
                out.push(Fate::Alarm { system: self.sides[ix].system, place: *place });
            }
        }
        self.edit(rules, ix, Edit { value: value.clone(), place: *place, since: None }, current, out);
    }

    /// An event tells that a write of ours had landed on the record that side `ix` was before a merge.
    pub fn landed_before(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        (place, value): (Place, &Value),
        out: &mut Vec<Fate>,
    ) {
        let step = rules.sides[ix].step_ms;
        let side = &mut self.sides[ix];
        let known = side.late.ours.iter().any(|own| own.place == place && own.value == *value);
        if known || !side.settled.before(&place) {
            return;
        }
        let lands = |flight: &Flight| flight.value == *value && place.time >= flight.sent.floor(step);
        if side.late.flight.as_deref().is_some_and(lands) {
            self.was_seen(rules, ix, place, SettledBy::Mark, out);
            return;
        }
        let fits = |stray: &Stray| stray.value == *value && place.time >= stray.sent;
        let Some(at) = side.late.strays.iter().position(fits) else { return };
        let stray = side.late.strays.remove(at);
        out.push(Fate::Settled { system: side.system, op: stray.op, by: SettledBy::Late });
        self.see_before(rules, ix, (place, stray.turn), out);
    }

    /// A write to the record that side `ix` was before a merge was answered as done.
    pub fn answered_before(&mut self, rules: &FieldRules<'_>, ix: usize, op: OpId, out: &mut Vec<Fate>) {
        let late = &mut self.sides[ix].late;
        if let Some(sent) = late.flight.as_ref().filter(|flight| flight.op == op).map(|flight| flight.sent) {
            self.was_seen(rules, ix, Place::at(sent), SettledBy::Answer, out);
        } else if let Some(at) = late.strays.iter().position(|stray| stray.op == op) {
            let stray = late.strays.remove(at);
            out.push(Fate::Settled { system: self.sides[ix].system, op, by: SettledBy::Late });
            self.see_before(rules, ix, (Place::at(stray.sent), stray.turn), out);
        }
    }

    /// The write in flight had landed on the record that side `ix` was before a merge.
    fn was_seen(&mut self, rules: &FieldRules<'_>, ix: usize, place: Place, by: SettledBy, out: &mut Vec<Fate>) {
        let side = &mut self.sides[ix];
        let Some(flight) = side.late.flight.take() else { return };
        out.push(Fate::Settled { system: side.system, op: flight.op, by });
        self.see_before(rules, ix, (place, flight.turn), out);
        self.release(rules, ix, out);
    }

    /// The side is another record from now on, and what that shows is what whoever merged chose. Where the loser was owed something, or
    /// a write was on its way, nothing is known to be there until it is read; elsewhere the value that was there is chosen until a read
    /// shows another. What was answered so far whoever merged had seen. What the loser's people did after it last told something is
    /// told no more, so that all agreed since then is not sure.
    pub fn await_choice(&mut self, rules: &FieldRules<'_>, ix: usize, out: &mut Vec<Fate>) {
        let known = self.shows_register(rules, ix) && self.sides[ix].late.flight.is_none();
        let fits = rules.fits(ix, &self.value);
        let side = &mut self.sides[ix];
        let told = side.settled;
        side.late.entries.retain(|entry| entry.kind != EntryKind::Closing || !told.before(&entry.place));
        if fits && side.apart.is_none() && !side.unbased {
            match known {
                true if !self.value.is_null() => self.choose_same(rules, ix),
                _ => side.shown = Value::Null,
            }
        }
        let late = &self.sides[ix].late;
        let answered = late.flight.as_ref().filter(|flight| matches!(flight.state, FlightState::Answered(_)));
        if let Some(op) = answered.map(|flight| flight.op) {
            self.answered_before(rules, ix, op, out);
        }
    }

    /// A choice that changed nothing: an edit all the same, but before all others, so that it prevails over no change by its time.
    fn choose_same(&mut self, rules: &FieldRules<'_>, ix: usize) {
        let side = &self.sides[ix];
        let (system, value, base) = (side.system, side.shown.clone(), side.late.base_where(|_| true));
        self.note_past(rules.policy.is_three_way());
        self.turn = Turn(self.turn.0 + 1);
        let edit = Edit { value, place: Place::at(Millis::MIN), since: None };
        self.recent.push(super::Taken { system, edit, base, turn: self.turn });
    }

    /// Whoever merged had seen what had landed on the loser; and that covers nothing of what the winner shows.
    fn see_before(&mut self, rules: &FieldRules<'_>, ix: usize, (place, turn): (Place, Turn), out: &mut Vec<Fate>) {
        let side = &mut self.sides[ix];
        let system = side.system;
        side.late.enter(Entry { place, turn, kind: EntryKind::Edit });
        let after = |taken: &&super::Taken| taken.system == system && !taken.edit.place.before(&place);
        let newest = self.recent.iter().filter(after).max_by_key(|taken| taken.turn).map(|taken| taken.turn);
        if let Some(at) = newest.and_then(|turn| self.recent.iter().position(|taken| taken.turn == turn)) {
            self.recent[at].base = self.recent[at].base.max(turn);
            self.decide_again(rules, at, out);
        }
    }

    /// A read shows a value that the type cannot hold. All that it tells is that a write in flight is over.
    pub fn illegible(&mut self, rules: &FieldRules<'_>, ix: usize, asked: Millis, now: Millis, out: &mut Vec<Fate>) {
        let side = &mut self.sides[ix];
        let Some(flight) = side.late.flight.clone() else { return };
        let polled = rules.sides[ix].source == SourceKind::Polled;
        match flight.state {
            FlightState::Answered(at) | FlightState::Unknown(at)
                if asked < at || !(polled || flight.deadline <= now) => {}
            FlightState::Sent => {}
            FlightState::Answered(_) => {
                self.settle(rules, ix, Place::at(flight.sent), SettledBy::Covered, out);
            }
            FlightState::Unknown(_) => {
                side.late.flight = None;
                self.stray(rules, ix, *flight);
                self.release(rules, ix, out);
            }
        }
    }

    /// The field's whole history as one read gave it, oldest first, and the value that it shows; none = one that the type
    /// cannot hold. Returns false when the record has to be read again before its order is clear.
    #[allow(clippy::too_many_arguments)]
    pub fn history(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        entries: &[Evidence],
        shown: Option<&Value>,
        modified: Millis,
        begun: Millis,
        asked: Millis,
        out: &mut Vec<Fate>,
    ) -> bool {
        let in_order = begun > self.sides[ix].settled.time && !self.known_since(rules, ix, begun);
        // Own writes first: what the people did is judged by where those landed.
        let (own, rest): (Vec<&Evidence>, Vec<&Evidence>) =
            entries.iter().partition(|entry| self.may_be_own(rules, ix, entry));
        for entry in own {
            self.evidence(rules, ix, entry, false, out);
        }
        let newest = entries.last();
        for entry in rest {
            let current =
                in_order && newest.is_some_and(|newest| std::ptr::eq(newest, entry)) && Some(&entry.value) == shown;
            let side = &self.sides[ix];
            if current && !side.settled.before(&entry.place) && side.shown != entry.value {
                // The record has become another one, which had shown this before: of that the history tells no time.
                let place = Place::at(modified.max(entry.place.time));
                let at_last = Evidence { place, value: entry.value.clone(), mark: Mark::Theirs };
                self.evidence(rules, ix, &at_last, true, out);
                continue;
            }
            self.evidence(rules, ix, entry, current, out);
        }
        let after = |at: Millis| asked >= at;
        let side = &self.sides[ix];
        match side.late.flight.as_ref().map(|flight| flight.state) {
            Some(FlightState::Answered(at) | FlightState::Unknown(at)) if after(at) => self.no_trace(rules, ix, out),
            Some(_) => return true,
            None => {}
        }
        // The history has told everything. What the field shows all the same was made after all that we know, or cannot be
        // put in order yet.
        let side = &self.sides[ix];
        let Some(shown) = shown else { return true };
        if side.shown == *shown || side.late.flight.is_some() {
            return true;
        }
        if in_order {
            let place = entries.last().map_or(Place::at(begun), |newest| newest.place);
            self.edit(rules, ix, Edit { value: shown.clone(), place, since: None }, true, out);
        }
        in_order
    }

    /// Could this entry be a write of ours that has not been accounted for?
    fn may_be_own(&self, rules: &FieldRules<'_>, ix: usize, entry: &Evidence) -> bool {
        let late = &self.sides[ix].late;
        let step = rules.sides[ix].step_ms;
        let flies =
            late.flight.as_ref().is_some_and(|f| f.value == entry.value && entry.place.time >= f.sent.floor(step));
        let strays = late.strays.iter().any(|s| s.value == entry.value && entry.place.time >= s.sent);
        entry.mark != Mark::Theirs && (flies || strays)
    }

    /// The own event of a write that a read-back has settled: its entry moves to its place.
    fn placed(&mut self, ix: usize, place: &Place, value: &Value) -> bool {
        let late = &mut self.sides[ix].late;
        let fits = |own: &&mut Own| {
            let inexact = own.place.position.is_none() && (place.position.is_some() || own.until > own.place.time);
            inexact && own.value == *value && own.place.time <= place.time && place.time <= own.until
        };
        let Some(own) = late.ours.iter_mut().find(fits) else { return false };
        own.until = place.time;
        let old = std::mem::replace(&mut own.place, *place);
        for entry in late.entries.iter_mut().filter(|entry| entry.kind == EntryKind::Write && entry.place == old) {
            entry.place = *place;
        }
        // It landed over what was taken for newer.
        if late.edited.is_none_or(|edited| edited.before(place)) {
            self.sides[ix].show_from(*place, value);
        }
        true
    }

    /// All evidence of side `ix` has been taken in up to a moment after the answer, or after we stopped waiting for one: a
    /// write that left no trace was an equal save, or has not landed.
    pub fn no_trace(&mut self, rules: &FieldRules<'_>, ix: usize, out: &mut Vec<Fate>) {
        let side = &self.sides[ix];
        let Some(flight) = side.late.flight.clone() else { return };
        match flight.state {
            FlightState::Sent => {}
            FlightState::Answered(_) => {
                let place = if crate::defect!("equal-save") { None } else { self.equal_save(rules, ix, &flight) };
                let by = SettledBy::EqualSave;
                let place = place.unwrap_or_else(|| self.sending(rules, ix, &flight));
                self.settle(rules, ix, place, by, out);
            }
            FlightState::Unknown(_) => {
                match self.equal_shown(rules, ix, &flight).filter(|_| !crate::defect!("equal-save")) {
                    // Landed or not, its value is there for the people to see.
                    Some(place) => {
                        self.settle(rules, ix, place, SettledBy::EqualSave, out);
                    }
                    None => {
                        self.sides[ix].late.flight = None;
                        self.stray(rules, ix, *flight);
                        self.release(rules, ix, out);
                    }
                }
            }
        }
    }

    /// From where on the field shows the flight's value, whether that has landed or not.
    fn equal_shown(&self, rules: &FieldRules<'_>, ix: usize, flight: &Flight) -> Option<Place> {
        let late = &self.sides[ix].late;
        let sent = self.sending(rules, ix, flight);
        let Some(last) = late.waiting.iter().max_by(|a, b| a.place.order(&b.place)) else {
            return (self.sides[ix].shown == flight.value).then_some(sent);
        };
        let covered = |entry: &Entry| entry.kind == EntryKind::Write && last.place.before(&entry.place);
        let shows = last.value == flight.value && !late.entries.iter().any(covered);
        shows.then_some(if last.place.before(&sent) { sent } else { last.place })
    }

    /// The last place after the sending at which the field showed the flight's value.
    fn equal_save(&self, rules: &FieldRules<'_>, ix: usize, flight: &Flight) -> Option<Place> {
        let side = &self.sides[ix];
        let mut waiting: Vec<&Edit> = side.late.waiting.iter().collect();
        waiting.sort_by(|a, b| a.place.order(&b.place));
        let before = waiting.iter().rev().find(|edit| edit.place.time < flight.sent);
        // A write of ours that landed after it covered it, and is what the side shows.
        let covers = |edit: &Edit| {
            let covers = |entry: &Entry| {
                let after = edit.place.before(&entry.place) && !Place::at(flight.sent).before(&entry.place);
                entry.kind == EntryKind::Write && after
            };
            side.late.entries.iter().any(covers)
        };
        let at_sending = before.filter(|edit| !covers(edit)).map_or(&side.shown, |edit| &edit.value);
        let later = waiting.iter().rev().find(|edit| edit.place.time >= flight.sent && edit.value == flight.value);
        match later {
            Some(edit) => Some(edit.place),
            None => (*at_sending == flight.value).then_some(self.sending(rules, ix, flight)),
        }
    }

    /// The sending, for a write that changed nothing: after all that is known to have been there by then, and before whatever
    /// a stream tells later. By its time alone it would lie beside an edit of the same second, and seem to cover that.
    fn sending(&self, rules: &FieldRules<'_>, ix: usize, flight: &Flight) -> Place {
        let late = &self.sides[ix].late;
        let waiting = late.waiting.iter().map(|edit| edit.place);
        let known = late.entries.iter().map(|entry| entry.place).chain(late.edited).chain(waiting);
        let by_then = known.filter(|place| place.time < flight.sent).filter_map(|place| place.position);
        let first = (rules.sides[ix].source == SourceKind::Stream).then_some(0);
        Place { time: flight.sent, position: by_then.max().or(first) }
    }
}

/// How a read shows that the write in flight has landed: its value proves nothing, since a person may have entered the same. But if we
/// changed the record last, after it had left, that was it.
fn shown_by(snapshot: &Snapshot, flight: &Flight) -> SettledBy {
    match snapshot.ours && snapshot.modified > flight.sent && !crate::defect!("row-mark") {
        true => SettledBy::Mark,
        false => SettledBy::Value,
    }
}

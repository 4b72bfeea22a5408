//! Answers to writes: what each says of the write, of its side, and of what is still owed there.

use super::delete::goes_on;
use super::record::{Work, remote_key};
use super::send::{PARK_MS, PAUSE_MS};
use super::txn::Txn;
use super::{Answer, Answers, Happening, OutboxRow, Problem, ViewError};
use crate::merge::{Fate, FieldRules, FieldState, FlightState, Landing, SettledBy};
use crate::model::{
    Departure, Home, Millis, OpId, Outcome, Place, RecordId, RemoteId, RemoteKey, Side, SideState, SourceKind, SystemId,
};
use crate::rules::{Binding, Entity, Field, FieldBinding};

impl Txn<'_> {
    /// Calls `act` for every field of a side that has a flight of this operation.
    pub fn each_flight(
        &mut self,
        entity: &Entity,
        work: &mut Work,
        system: SystemId,
        op: Option<OpId>,
        mut act: impl FnMut(&mut FieldState, &FieldRules<'_>, usize, Millis, &mut Vec<Fate>),
    ) {
        let ids: Vec<_> = work.lately.fields.iter().map(|field| field.field).collect();
        for field in ids.into_iter().filter_map(|id| entity.field(id)) {
            let mut state = work.state(field);
            let Some(ix) = state.ix(system) else { continue };
            let late = &state.sides[ix].late;
            let flies = late.flight.as_ref().is_some_and(|flight| op.is_none_or(|op| op == flight.op));
            let strays = late.strays.iter().any(|stray| Some(stray.op) == op);
            if flies || strays {
                let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
                act(&mut state, &context, ix, self.now, &mut fates);
                work.put_state(field, state, fates);
            }
        }
    }

    /// Answers to writes.
    pub fn answers(&mut self, answers: Answers) -> Result<(), ViewError> {
        let (entity, system) = (self.entity(answers.entity)?, answers.system);
        for answer in answers.answers {
            let written = answer.written().cloned();
            let at = |remote: &RemoteId| self.named_by(entity, system, remote);
            let named = written.as_ref().map(at).transpose()?.flatten();
            let (id, work) = match self.take(entity.id, answer.record)? {
                Some(work) => (answer.record, Some(work)),
                // It has become one with another since it was written, and its names lead there.
                None => match named {
                    Some(id) => (id, self.take(entity.id, id)?),
                    None => continue,
                },
            };
            let Some(mut work) = work else { continue };
            let side = work.record.side(system).filter(|side| side.state != SideState::Creating);
            let stands = |side: &Side| written.as_ref().is_some_and(|written| *written != side.remote);
            if named == Some(id) && side.is_some_and(stands) {
                self.answered_by_loser(entity, system, &mut work, &answer);
            } else {
                self.answer(entity, system, &mut work, answer)?;
            }
            self.put(work);
        }
        Ok(())
    }

    /// The record that a remote record is a side of, or was.
    fn named_by(&self, entity: &Entity, system: SystemId, remote: &RemoteId) -> Result<Option<RecordId>, ViewError> {
        for home in entity.bindings_in(system).map(Binding::home) {
            let (object, remote) = (home.object, remote.clone());
            if let Some(id) = self.index_of(&RemoteKey { entity: entity.id, system, object, remote })? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// What was sent to the loser of a merge, or to what was converted since, says nothing of the side that is there now: it had landed
    /// before, or lands nowhere any more.
    fn answered_by_loser(&mut self, entity: &Entity, system: SystemId, work: &mut Work, answer: &Answer) {
        let op = answer.op;
        self.each_flight(entity, work, system, Some(op), |state, context, ix, now, fates| {
            let landing = match &answer.outcome {
                Outcome::Done { .. } => Landing::Answered,
                Outcome::Partly { properties, .. } if !names(properties, context.sides[ix].binding) => {
                    Landing::Answered
                }
                Outcome::Unknown => Landing::Unknown,
                _ => Landing::NotWritten,
            };
            match landing {
                Landing::Answered => state.answered_before(context, ix, op, fates),
                landing => state.answered(context, ix, op, landing, now, fates),
            }
        });
    }

    fn answer(&mut self, entity: &Entity, system: SystemId, work: &mut Work, answer: Answer) -> Result<(), ViewError> {
        let (id, op) = (work.record.id, answer.op);
        let at = (system, entity.id, id);
        let Some(side) = work.record.side(system).cloned() else { return Ok(()) };
        let creating = side.state == SideState::Creating;
        let row = self.outbox(at)?;
        if let Some(row) = row.filter(|row| row.is_delete() && row.flying == Some(op)) {
            return self.delete_answered(entity, work, &remote_key(entity.id, &side), row, answer);
        }
        let land = |txn: &mut Self, work: &mut Work, landing: Landing| {
            txn.each_flight(entity, work, system, Some(op), |state, context, ix, now, fates| {
                state.answered(context, ix, op, landing, now, fates);
            });
        };
        let outcome = self.doubted(entity, work, system, answer);
        match outcome {
            Outcome::Done { remote, created } if creating => {
                let key = RemoteKey { entity: entity.id, system, object: side.object, remote };
                if created != Some(true) {
                    land(self, work, Landing::Answered);
                    return self.adopt(entity, work, &key, None);
                }
                self.landed(entity, work, &key, Some(op));
                // Events of the first moments passed while the record was nobody's. And what only comes from there, no create
                // carries; the system may have filled it in itself.
                let own = |field: &Field| field.conflict.owner() == Some(system);
                let home = Home { system, object: side.object };
                if self.source(system) == SourceKind::Stream || entity.leaves_at(home).any(|(field, _)| own(field)) {
                    self.read_again(&key, 0)?;
                }
            }
            Outcome::Taken => {
                // An earlier attempt has landed: its row tells which.
                land(self, work, Landing::NotWritten);
                let row = row.map(|row| OutboxRow { due: self.now, flying: None, probe: Some(op), ..row });
                self.set_outbox(at, row)?;
            }
            Outcome::Done { .. } => {
                land(self, work, Landing::Answered);
                self.set_problem(entity.id, id, system, None);
                if self.rules.system(system).is_some_and(|s| s.ability.source != SourceKind::Stream) {
                    self.read_again(&remote_key(entity.id, &side), 0)?;
                }
            }
            Outcome::Partly { remote, created, code, message, properties } => {
                let attempts = row.map_or(0, |row| row.attempts);
                let until = self.now.plus(PARK_MS << attempts.min(8));
                self.each_flight(entity, work, system, Some(op), |state, context, ix, now, fates| {
                    if names(&properties, context.sides[ix].binding) {
                        state.answered(context, ix, op, Landing::Refused { until }, now, fates);
                    }
                });
                if let Some(row) = row {
                    self.set_outbox(at, Some(OutboxRow { attempts: attempts + 1, ..row }))?;
                }
                let outcome = Outcome::Done { remote, created };
                let done = Answer { op, record: id, target: Some(side.remote), outcome };
                self.answer(entity, system, work, done)?;
                self.refused(entity, system, (id, op), code, &message, &properties);
            }
            Outcome::Unknown => {
                land(self, work, Landing::Unknown);
                if creating {
                    let due = self.now.plus(PAUSE_MS);
                    let row = row.map(|row| OutboxRow { due, flying: None, probe: Some(op), ..row });
                    self.set_outbox(at, row)?;
                } else if self.rules.system(system).is_some_and(|s| s.ability.source != SourceKind::Stream) {
                    self.read_again(&remote_key(entity.id, &side), 0)?;
                }
            }
            Outcome::Retry { after_ms, .. } => {
                let row = row.map(|row| OutboxRow {
                    due: self.now.plus(after_ms.max(PAUSE_MS)),
                    flying: None,
                    attempts: row.attempts + 1,
                    ..row
                });
                land(self, work, Landing::NotWritten);
                self.set_outbox(at, row)?;
            }
            Outcome::Refused { code, message, properties } => {
                let attempts = row.map_or(0, |row| row.attempts);
                let until = self.now.plus(PARK_MS << attempts.min(8));
                let home = side.home();
                let named = |field: &Field| field.binding(home).is_some_and(|at| names(&properties, at));
                let any = !creating && entity.fields_at(home).any(|(field, _)| named(field));
                let mut outdated = false;
                self.each_flight(entity, work, system, Some(op), |state, context, ix, now, fates| {
                    outdated |= state.is_outdated(context, ix);
                    let parked = !any || named(context.field);
                    let landing = if parked && !creating { Landing::Refused { until } } else { Landing::NotWritten };
                    state.answered(context, ix, op, landing, now, fates);
                });
                let due = if any || outdated { self.now } else { until };
                let row = row.map(|row| OutboxRow { due, flying: None, attempts: attempts + 1, ..row });
                self.set_outbox(at, row)?;
                self.refused(entity, system, (id, op), code, &message, &properties);
            }
            Outcome::Gone(Departure::Converted(_)) if entity.bindings_in(system).nth(1).is_some() => {
                land(self, work, Landing::NotWritten);
                // What it has become the list of departures tells; then this goes there, unless it has by now.
                if side.state == SideState::Live && row.is_some_and(|row| row.object == side.object) {
                    self.set_outbox(at, None)?;
                    if let Some(side) = work.record.side_mut(system) {
                        side.state = SideState::Frozen;
                    }
                }
            }
            // It was given up or settled meanwhile: the side has been read since.
            Outcome::Gone(_) if row.is_none_or(|row| row.flying != Some(op)) => {
                land(self, work, Landing::NotWritten);
            }
            // A delete may go on to the counterparts from here, or is said to be taken back: the list of deletes, which knows whether it
            // was one, is waited for once.
            Outcome::Gone(Departure::Deleted)
                if let Some(row) = row.filter(|row| row.attempts == 0 && goes_on(entity, side.home())) =>
            {
                land(self, work, Landing::NotWritten);
                let due = self.now.plus(PARK_MS);
                self.set_outbox(at, Some(OutboxRow { due, flying: None, attempts: 1, ..row }))?;
            }
            Outcome::Gone(why) => {
                land(self, work, Landing::NotWritten);
                self.set_outbox(at, None)?;
                // It carried what nobody there had seen, and why it is gone the list of deletes knows better.
                self.detach(work, &remote_key(entity.id, &side), why, true)?;
            }
        }
        Ok(())
    }

    /// A write that carried a reference may be answered as one to a record that is gone because of the record that it refers to:
    /// then it is tried without the reference.
    fn doubted(&self, entity: &Entity, work: &Work, system: SystemId, answer: Answer) -> Outcome {
        let carries = |field: &Field| {
            work.flight(field, system).is_some_and(|flight| flight.op == answer.op && !flight.value.is_null())
        };
        let carried = entity.references().map(|(field, _)| field).filter(|field| carries(field));
        let properties: Vec<String> =
            carried.filter_map(|field| Some(field.first_in(system)?.property()?.to_owned())).collect();
        if answer.outcome != Outcome::Gone(Departure::Deleted) || properties.is_empty() {
            return answer.outcome;
        }
        let message = "the record that it is to refer to is not there any more, or the record itself".to_owned();
        Outcome::Refused { code: "REFERENCE_REFUSED".to_owned(), message, properties }
    }

    /// Lists what a system refused.
    pub fn refused(
        &mut self,
        entity: &Entity,
        system: SystemId,
        (id, op): (RecordId, OpId),
        code: String,
        message: &str,
        properties: &[String],
    ) {
        self.journal(entity.id, Some(id), Happening::Refused { system, op, code: code.clone() });
        let (message, fields) = (entity.words(system, message, properties), entity.named(system, properties));
        let problem = Problem { since: self.now, code, message, fields };
        self.set_problem(entity.id, id, system, Some(problem));
    }

    /// A create has landed, and nobody else can have touched the record before: so that settles it.
    pub fn landed(&mut self, entity: &Entity, work: &mut Work, key: &RemoteKey, op: Option<OpId>) {
        let mut sent = None;
        let only = self.inserts(key.system);
        self.each_flight(entity, work, key.system, op, |state, context, ix, now, fates| {
            state.recall(ix, op, now);
            let Some(flight) = &mut state.sides[ix].late.flight else { return };
            let place = Place::at(flight.sent);
            sent = Some(flight.sent);
            flight.state = FlightState::Answered(now);
            // One entry at the sending, with the turn as of which it was built.
            state.settle(context, ix, place, SettledBy::Answer, fates);
        });
        if only {
            // A unique external id lets none of the others land any more.
            let sides = work.lately.fields.iter_mut().flat_map(|field| &mut field.sides);
            sides.filter(|(system, _)| *system == key.system).for_each(|(_, late)| late.strays.clear());
        }
        self.take_part(work, key, sent);
    }

    /// The side of a create takes part from its earliest sending on.
    pub fn take_part(&mut self, work: &mut Work, key: &RemoteKey, sent: Option<Millis>) {
        let made = self.clocks.offset(key.system).latest(self.now);
        if let Some(side) = work.record.side_mut(key.system) {
            side.state = SideState::Live;
            side.remote = key.remote.clone();
            side.made = made;
            side.settled = sent.map_or(side.settled, |sent| Place::at(sent.plus(-1)));
        }
        self.set_index(key.clone(), Some(work.record.id));
        self.set_problem(work.record.entity, work.record.id, key.system, None);
    }
}

/// Is a field among the properties that a system has refused?
fn names(properties: &[String], binding: &FieldBinding) -> bool {
    binding.properties.iter().any(|property| properties.contains(property))
}

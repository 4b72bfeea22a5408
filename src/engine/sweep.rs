//! Passes over the mirror: linking after a first full read, and looking after records with a recent past.

use super::identify::{AMBIGUOUS, Candidates};
use super::record::{Work, remote_key};
use super::txn::Txn;
use super::{Happening, ViewError};
use crate::merge::FlightState;
use crate::model::{EntityId, FieldId, Home, Millis, Place, RecordId, RemoteKey, Side, SourceKind, SystemId, Value};
use crate::rules::{Entity, Field};

impl Txn<'_> {
    /// Links records that share a match key. Run when every system has been read in full: only then is it known which keys
    /// are ambiguous.
    pub fn link_records(
        &mut self,
        id: EntityId,
        after: Option<RecordId>,
        create: bool,
        limit: usize,
    ) -> Result<(), ViewError> {
        let entity = self.entity(id)?;
        let records = self.view.record_scan(id, after, limit)?;
        self.next = (records.len() == limit).then(|| records.last().map(|record| record.id)).flatten();
        for record in records {
            if let Some(work) = self.take(id, record.id)? {
                self.link_record(entity, work, create)?;
            }
        }
        Ok(())
    }

    /// Links one record that stands alone with those that match it, or queues its creation elsewhere.
    pub fn link_record(&mut self, entity: &Entity, mut work: Work, create: bool) -> Result<(), ViewError> {
        let id = entity.id;
        let complete = entity.systems().all(|system| work.record.side(system).is_some());
        // What is out of scope everywhere waits for others to find it.
        let idle = entity.is_scoped() && work.record.live_sides().next().is_none();
        if complete || idle {
            self.put(work);
            return Ok(());
        }
        let sides: Vec<RemoteKey> = work.record.live_sides().map(|side| remote_key(id, side)).collect();
        let mut found = Candidates::None;
        let mut of = None;
        for key in sides {
            let values = values(entity, &work, key.home());
            found = self.matching(entity, &key, &values, Some(&work.record))?;
            of = Some(key.system);
            if found != Candidates::None {
                break;
            }
        }
        match (found, of) {
            (Candidates::Ambiguous(by), Some(system)) => {
                let listed = self.problem(id, work.record.id, system)?.is_some();
                if !listed {
                    self.ambiguous(entity, &work, system, by);
                }
            }
            (Candidates::Of(others, by), _) => {
                for other in others {
                    let Some(other) = self.take(id, other)? else { continue };
                    work = self.join_records(entity, work, other, Some(by))?;
                }
                if create {
                    self.queue_creates(entity, &work)?;
                }
            }
            _ if create => self.queue_creates(entity, &work)?,
            _ => {}
        }
        self.put(work);
        Ok(())
    }

    /// Two mirrored records are one: the one with the side of the highest rank keeps its name and takes the other's sides.
    pub fn join_records(&mut self, entity: &Entity, a: Work, b: Work, by: Option<FieldId>) -> Result<Work, ViewError> {
        let rank = |work: &Work| {
            let ranks = work.record.live_sides().map(|side| self.rules.rank(side.system));
            ranks.min().unwrap_or(usize::MAX)
        };
        let clash = b.record.sides.iter().any(|side| a.record.side(side.system).is_some());
        if clash {
            self.put(b);
            return Ok(a);
        }
        let (mut kept, absorbed) = if rank(&a) <= rank(&b) { (a, b) } else { (b, a) };
        for side in absorbed.record.live_sides() {
            let key = remote_key(entity.id, side);
            // What could not be read is linked when it can be.
            let readable = |(field, _): (&Field, _)| {
                side.unbased.binary_search(&field.id).is_err().then(|| absorbed.shown(field, side.system))
            };
            let values: Vec<Option<Value>> = entity.fields_at(side.home()).map(readable).collect();
            // From where it was linked before: a millisecond earlier, and its last change from before the link would be an edit.
            let from = Place { time: side.settled.time.plus(1), position: side.settled.position };
            let values: Vec<Option<&Value>> = values.iter().map(Option::as_ref).collect();
            kept.link_side(self.rules, entity, &key, &values, from, self.now);
            self.set_index(key, Some(kept.record.id));
            let (system, remote) = (side.system, side.remote.clone());
            self.journal(entity.id, Some(kept.record.id), Happening::Linked { system, remote, by });
            if kept.awaits_target(entity, system) {
                self.read_again(&remote_key(entity.id, side), 0)?;
            }
        }
        self.put_all_beside(entity, &mut kept, &absorbed)?;
        self.follow_alias(&mut kept, absorbed.record.id)?;
        for system in entity.systems() {
            self.set_outbox((system, entity.id, absorbed.record.id), None)?;
            for id in [absorbed.record.id, kept.record.id] {
                // Which of several it is, is known now.
                if self.problem(entity.id, id, system)?.is_some_and(|problem| problem.code == AMBIGUOUS) {
                    self.set_problem(entity.id, id, system, None);
                }
            }
        }
        for (at, problem) in self.field_problems(entity.id, absorbed.record.id)? {
            self.set_field_problem((entity.id, absorbed.record.id), at, None);
            self.set_field_problem((entity.id, kept.record.id), at, Some(problem));
        }
        // Whoever is looked at next in this step must find the one, not the other beside it.
        self.save_keys(entity, Some(&absorbed.record), Some(&kept.record));
        self.remove(absorbed);
        Ok(kept)
    }

    /// Looks after records with a recent past: saving one closes it, forgets what can no longer matter, and re-reads it when
    /// a write's deadline has come.
    pub fn sweep(&mut self, entity: EntityId, after: Option<RecordId>, limit: usize) -> Result<(), ViewError> {
        let ids = self.view.lately_scan(entity, after, limit)?;
        self.next = (ids.len() == limit).then(|| ids.last().copied()).flatten();
        for id in ids {
            let Some(mut work) = self.take(entity, id)? else { continue };
            self.traceless(&mut work)?;
            self.lapse_reviews(self.entity(entity)?, &mut work)?;
            let overdue: Vec<RemoteKey> = work
                .record
                .live_sides()
                .filter(|side| flight_deadline(&work, side.system).is_some_and(|deadline| deadline <= self.now))
                .map(|side| remote_key(entity, side))
                .collect();
            for key in overdue {
                if self.reread(&key)?.is_none() {
                    self.read_again(&key, 0)?;
                }
            }
            self.catch_up(entity, &work)?;
            self.put(work);
        }
        Ok(())
    }

    /// What is kept can be forgotten once a history has been read beyond it: so it is, when nothing else is on its way.
    fn catch_up(&mut self, entity: EntityId, work: &Work) -> Result<(), ViewError> {
        for side in work.record.live_sides() {
            let lates = work.lately.fields.iter().flat_map(|field| &field.sides);
            let lates: Vec<_> = lates.filter(|(system, _)| *system == side.system).map(|(_, late)| late).collect();
            if self.source(side.system) != SourceKind::History || lates.is_empty() {
                continue;
            }
            let idle = lates.iter().all(|late| late.flight.is_none() && late.waiting.is_empty());
            let entries = lates.iter().flat_map(|late| &late.entries).map(|entry| entry.place.time);
            let strays = lates.iter().flat_map(|late| &late.strays).filter(|stray| stray.until <= self.now);
            let strays = strays.map(|stray| self.clocks.offset(side.system).latest(stray.until));
            let newest = entries.chain(strays).fold(side.settled.time, Millis::max);
            let key = remote_key(entity, side);
            let known = self.clocks.offset(side.system).earliest(self.now).floor(self.step_ms(side.system));
            if idle && newest > side.settled.time && known > newest && self.reread(&key)?.is_none() {
                self.read_again(&key, 0)?;
            }
        }
        Ok(())
    }

    /// A stream that has told everything up to after a write's answer, and not told the write, tells that there is none.
    fn traceless(&mut self, work: &mut Work) -> Result<(), ViewError> {
        let entity = self.entity(work.record.entity)?;
        let streams: Vec<Home> = work
            .record
            .live_sides()
            .map(Side::home)
            .filter(|home| self.source(home.system) == SourceKind::Stream)
            .collect();
        for home in streams {
            let system = home.system;
            let Some(told) = self.delivered(home, entity.id)? else { continue };
            let offset = self.clocks.offset(system);
            self.each_flight(entity, work, system, None, |state, context, ix, now, fates| {
                // Past its deadline a read tells: some of the stream may have passed while the record was nobody's.
                let flight = state.sides[ix].late.flight.as_ref().filter(|flight| flight.deadline > now);
                let told = flight.is_some_and(|flight| match flight.state {
                    FlightState::Sent => false,
                    FlightState::Answered(at) | FlightState::Unknown(at) => told.time > offset.latest(at),
                });
                if told {
                    state.no_trace(context, ix, fates);
                }
            });
        }
        Ok(())
    }
}

/// The earliest deadline of a side's writes whose call has come back, or was given up.
fn flight_deadline(work: &Work, system: SystemId) -> Option<Millis> {
    let sides = work.lately.fields.iter().flat_map(|field| &field.sides).filter(|(s, _)| *s == system);
    let flights = sides.filter_map(|(_, late)| late.flight.as_ref());
    flights.filter(|flight| flight.state != FlightState::Sent).map(|flight| flight.deadline).min()
}

/// What a side shows, in the order of its fields.
fn values(entity: &Entity, work: &Work, home: Home) -> Vec<Value> {
    entity.fields_at(home).map(|(field, _)| work.shown(field, home.system)).collect()
}

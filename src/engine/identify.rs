//! A remote record that the mirror does not know yet: whose is it?

use super::record::{Work, remote_key};
use super::row::Shown;
use super::scope::Seen;
use super::txn::Txn;
use super::{Happening, OutboxRow, Pass, Problem, Task, ViewError};
use crate::merge::FlightState;
use crate::merge::identity::{match_key, parse_external_id};
use crate::model::{
    Creates, FieldId, Home, Millis, OpId, Place, RawDigest, RecordId, RemoteKey, SideState, SystemId, Value,
};
use crate::rules::{Entity, Mode};
use std::collections::BTreeMap;

/// What an unknown row turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A record of its own.
    New,
    /// A side of a known record.
    Linked,
    /// The side of a known record that we were about to create.
    Adopted,
    /// Nothing that takes part.
    Outside,
}

/// Code of the problem that a record matches several, and linking it would be a guess.
pub(super) const AMBIGUOUS: &str = "AMBIGUOUS_MATCH";
/// Code of the problem that a record cannot be created for want of an external-id property.
pub(super) const NO_EXTERNAL_ID: &str = "NO_EXTERNAL_ID";

/// Who holds the same match key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Candidates {
    /// Nobody.
    None,
    /// These records, at most one per system.
    Of(Vec<RecordId>, FieldId),
    /// Too many to link without a guess.
    Ambiguous(FieldId),
}

impl Txn<'_> {
    /// As [`Self::identify`], for a row whose name leads to a record of which it is no side.
    pub fn identify_again(
        &mut self,
        entity: &Entity,
        key: &RemoteKey,
        shown: &Shown,
        begun: Millis,
        pass: Pass,
        raw: RawDigest,
    ) -> Result<Found, ViewError> {
        if let Some(id) = self.is_becoming(key)?
            && let Some(work) = self.take(entity.id, id)?
        {
            if work.record.side(key.system).is_some() {
                self.become_other(entity, work, key, shown)?;
                return Ok(Found::Adopted);
            }
            if self.in_scope(entity, key.home(), shown) == Some(true) {
                if let Some(found) = self.join_side(entity, work, key, shown, begun, None, raw)? {
                    return Ok(found);
                }
            } else {
                self.put(work);
            }
        }
        self.identify(entity, key, shown, begun, pass, raw)
    }

    /// Finds or makes the record behind an unknown row.
    pub fn identify(
        &mut self,
        entity: &Entity,
        key: &RemoteKey,
        shown: &Shown,
        begun: Millis,
        pass: Pass,
        raw: RawDigest,
    ) -> Result<Found, ViewError> {
        let external = shown.external.as_deref().and_then(parse_external_id).map(|(id, _)| id);
        let derived = RecordId::derive(key);
        let mut name = derived;
        if self.in_scope(entity, key.home(), shown) != Some(true)
            && !self.creates_one_of(entity, key, [external, Some(derived)])?
        {
            return self.shelve(entity, key, shown, Seen { from: begun, pass, raw: Some(raw) });
        }
        for id in [external, Some(derived)].into_iter().flatten() {
            match self.take(entity.id, id)? {
                Some(work) => match self.join_side(entity, work, key, shown, begun, None, raw)? {
                    Some(found) => return Ok(found),
                    None => continue,
                },
                // Restored store: the remote record remembers its name.
                None if external == Some(id) => name = id,
                None => {}
            }
        }
        if pass == Pass::Changes {
            let values = shown.or_blank();
            let named = self.named(entity, key, &values, None)?;
            let waits = named.found == Candidates::None && !named.unread.is_empty();
            self.ask_for(named.unread)?;
            if waits {
                // Whoever it names may be there: until that is known nothing is made of it.
                let work = self.mirror(entity, name, key, shown, begun, raw)?;
                let remote = key.remote.clone();
                self.journal(entity.id, Some(name), Happening::Mirrored { system: key.system, remote });
                self.put(work);
                return Ok(Found::New);
            }
            match self.matching(entity, key, &values, None)? {
                Candidates::Of(ids, by) if ids.len() == 1 => {
                    if let Some(work) = self.take(entity.id, ids[0])? {
                        // For one outside nobody has asked yet where it should stand.
                        // Nor of one that waited to know whom it names.
                        let anew = work.record.live_sides().next().is_none() || entity.is_link(by);
                        if let Some(found) = self.join_side(entity, work, key, shown, begun, Some(by), raw)? {
                            if anew && let Some(work) = self.take(entity.id, ids[0])? {
                                self.queue_creates(entity, &work)?;
                                self.put(work);
                            }
                            return Ok(found);
                        }
                    }
                }
                Candidates::Of(_, by) | Candidates::Ambiguous(by) => {
                    let work = self.mirror(entity, name, key, shown, begun, raw)?;
                    self.ambiguous(entity, &work, key.system, by);
                    self.put(work);
                    return Ok(Found::New);
                }
                Candidates::None => {}
            }
        }
        let work = self.mirror(entity, name, key, shown, begun, raw)?;
        if pass == Pass::Changes {
            let remote = key.remote.clone();
            self.journal(entity.id, Some(name), Happening::Mirrored { system: key.system, remote });
            self.queue_creates(entity, &work)?;
        }
        self.put(work);
        Ok(Found::New)
    }

    fn mirror(
        &mut self,
        entity: &Entity,
        id: RecordId,
        key: &RemoteKey,
        shown: &Shown,
        begun: Millis,
        raw: RawDigest,
    ) -> Result<Work, ViewError> {
        let mut work = Work::new(id, entity.id);
        work.link_side(self.rules, entity, key, &shown.readable(), Place::at(begun), self.now);
        work.raws.push((key.system, raw));
        self.set_index(key.clone(), Some(id));
        self.note_unreadable(entity, &work, key.home(), shown)?;
        Ok(work)
    }

    /// Makes the row a side of a known record, unless that one has another record there. Gives the record back either way.
    #[allow(clippy::too_many_arguments)]
    fn join_side(
        &mut self,
        entity: &Entity,
        mut work: Work,
        key: &RemoteKey,
        shown: &Shown,
        begun: Millis,
        by: Option<FieldId>,
        raw: RawDigest,
    ) -> Result<Option<Found>, ViewError> {
        let mut found = Found::Linked;
        let here = work.record.side(key.system).is_some_and(|side| side.object == key.object);
        match work.record.side(key.system).map(|side| side.state) {
            Some(SideState::Live | SideState::Frozen) => {
                self.put(work);
                return Ok(None);
            }
            Some(SideState::Creating) if !here && work.may_land(key.system) => {
                // A create of ours in another object may land yet.
                self.put(work);
                return Ok(None);
            }
            Some(SideState::Creating) if here => {
                let op = self.attempt_shown(entity, &work, key.home(), shown);
                self.adopt(entity, &mut work, key, op)?;
                found = Found::Adopted;
            }
            Some(SideState::Creating | SideState::Detached | SideState::Outside) | None => {
                // What stood there before is not this record any more.
                let before = work.record.side(key.system).cloned();
                let before = before.map(|side| (remote_key(entity.id, &side), side)).filter(|(at, _)| at != key);
                if let Some((at, side)) = before {
                    let own = RecordId::derive(&at);
                    self.set_index(at, None);
                    if side.state == SideState::Outside && own != work.record.id {
                        self.reshelve(entity, own, side);
                    }
                }
                work.link_side(self.rules, entity, key, &shown.readable(), Place::at(begun), self.now);
                work.raws.push((key.system, raw));
                self.set_index(key.clone(), Some(work.record.id));
                self.set_problem(entity.id, work.record.id, key.system, None);
                self.note_unreadable(entity, &work, key.home(), shown)?;
            }
        }
        let remote = key.remote.clone();
        self.journal(entity.id, Some(work.record.id), Happening::Linked { system: key.system, remote, by });
        self.put(work);
        Ok(Some(found))
    }

    /// Is the row one that we are creating for one of these records?
    fn creates_one_of(
        &mut self,
        entity: &Entity,
        key: &RemoteKey,
        ids: [Option<RecordId>; 2],
    ) -> Result<bool, ViewError> {
        let mut creates = false;
        for id in ids.into_iter().flatten() {
            if let Some(work) = self.take(entity.id, id)? {
                creates |= work.record.side(key.system).is_some_and(|side| side.state == SideState::Creating);
                self.put(work);
            }
        }
        Ok(creates)
    }

    /// Of several inserts one has landed: the one whose values a row shows most of, if in doubt the last.
    fn attempt_shown(&self, entity: &Entity, work: &Work, home: Home, shown: &Shown) -> Option<OpId> {
        let system = home.system;
        if !self.inserts(system) {
            return None;
        }
        let shows = |field: FieldId| {
            let at = entity.fields_at(home).position(|(other, _)| other.id == field)?;
            shown.values.get(at)?.as_ref().ok()
        };
        let mut attempts: BTreeMap<OpId, usize> = BTreeMap::new();
        for field in &work.lately.fields {
            for (_, late) in field.sides.iter().filter(|(of, _)| *of == system) {
                let strays = late.strays.iter().map(|stray| (stray.op, &stray.value));
                for (op, value) in strays.chain(late.flight.iter().map(|flight| (flight.op, &flight.value))) {
                    *attempts.entry(op).or_default() += usize::from(shows(field.field) == Some(value));
                }
            }
        }
        attempts.into_iter().max_by_key(|(op, equal)| (*equal, *op)).map(|(op, _)| op)
    }

    /// Is a create refused where the record is there already?
    pub fn inserts(&self, system: SystemId) -> bool {
        self.rules.system(system).is_some_and(|system| system.ability.creates == Some(Creates::Insert))
    }

    /// A create whose answer was lost has landed: the side takes part, and a read-back tells what it shows. `op` = the attempt
    /// that it was, where that is known.
    pub fn adopt(
        &mut self,
        entity: &Entity,
        work: &mut Work,
        key: &RemoteKey,
        op: Option<OpId>,
    ) -> Result<(), ViewError> {
        let lates = || work.lately.fields.iter().flat_map(|field| &field.sides);
        let mut lates = lates().filter(|(system, _)| *system == key.system);
        if op.is_some() || lates.all(|(_, late)| late.strays.is_empty()) {
            // It is the one that landed, and everything there came after it.
            self.landed(entity, work, key, op);
        } else {
            let now = self.now;
            let mut sent = None::<Millis>;
            for field in &mut work.lately.fields {
                for (_, late) in field.sides.iter_mut().filter(|(system, _)| *system == key.system) {
                    if let Some(flight) = &mut late.flight {
                        // Which of several attempts it was that landed is not known: only a read can tell, since a stream
                        // told of it while it was nobody's.
                        flight.state = FlightState::Unknown(now);
                        flight.deadline = Millis::MIN;
                    }
                    let strays = late.strays.iter().map(|stray| stray.sent);
                    sent = strays.chain(late.flight.iter().map(|flight| flight.sent)).chain(sent).min();
                }
            }
            self.take_part(work, key, sent);
        }
        work.unjudged.push(key.system);
        self.read_again(key, 0)
    }

    /// Who else holds one of these keys? `values` in the order of the object's fields; `own` is the record itself.
    pub fn candidates(
        &mut self,
        entity: &Entity,
        home: Home,
        values: &[Value],
        own: Option<RecordId>,
    ) -> Result<Candidates, ViewError> {
        let system = home.system;
        for by in &entity.match_keys {
            let position = entity.fields_at(home).position(|(field, _)| field.id == *by);
            let (Some(position), Some(field)) = (position, entity.field(*by)) else { continue };
            let Some(key) = values.get(position).and_then(|value| match_key(field, value)) else { continue };
            let holders = self.holders(entity.id, &key)?.to_vec();
            let others = self.rivals(entity, system, holders, own)?;
            if others.is_empty() {
                continue;
            }
            let mut systems: Vec<SystemId> = others.iter().map(|holder| holder.system).collect();
            let total = systems.len();
            systems.sort_unstable();
            systems.dedup();
            if systems.contains(&system) || systems.len() < total {
                return Ok(Candidates::Ambiguous(*by));
            }
            let mut records: Vec<RecordId> = others.iter().map(|holder| holder.record).collect();
            records.sort_unstable();
            records.dedup();
            return Ok(Candidates::Of(records, *by));
        }
        Ok(Candidates::None)
    }

    /// Lists a record that cannot be linked without a guess.
    pub fn ambiguous(&mut self, entity: &Entity, work: &Work, system: SystemId, by: FieldId) {
        let name = entity.field(by).map(|field| field.name.clone()).unwrap_or_default();
        let message = match entity.is_link(by) {
            false => format!("several records share this {name}: make it unique, or merge them in their system"),
            true => format!(
                "whom {name} names is the counterpart of another record already, or named by several: clear it in those that are \
                 not meant, or merge them in their system"
            ),
        };
        let problem = Problem { since: self.now, code: AMBIGUOUS.into(), message, fields: vec![name] };
        let remote = work.record.side(system).map(|side| side.remote.clone());
        if let Some(remote) = remote {
            self.journal(entity.id, Some(work.record.id), Happening::Ambiguous { system, remote, by });
        }
        self.set_problem(entity.id, work.record.id, system, Some(problem));
    }

    /// Queues creates in every system that should hold this record and does not.
    pub fn queue_creates(&mut self, entity: &Entity, work: &Work) -> Result<(), ViewError> {
        for binding in entity.bindings.iter().filter(|binding| binding.create) {
            let Some(system) = self.rules.system(binding.system) else { continue };
            if system.mode == Mode::Read || work.record.side(system.id).is_some() {
                continue;
            }
            if !self.may_create(entity, binding, &work.record) {
                continue;
            }
            if binding.external_id.is_none() || system.ability.creates.is_none() {
                let message = format!(
                    "{} has no property for our external id, so that a repeated create could duplicate: run \
                     `syncline check`, add the property, and name it in `at.{}`",
                    binding.object, system.name
                );
                let problem = Problem { since: self.now, code: NO_EXTERNAL_ID.into(), message, fields: Vec::new() };
                self.set_problem(entity.id, work.record.id, system.id, Some(problem));
                continue;
            }
            let at = (system.id, entity.id, work.record.id);
            if self.outbox(at)?.is_none() {
                let row = OutboxRow {
                    object: binding.object_id,
                    due: self.now,
                    task: Task::Create,
                    seen: self.now,
                    looked: None,
                    probe: None,
                    flying: None,
                    attempts: 0,
                };
                self.set_outbox(at, Some(row))?;
            }
        }
        Ok(())
    }
}

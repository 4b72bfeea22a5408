//! Records that became one of another object in their system: a lead that was converted. Its side moves to the record that it has
//! become, with what its people had seen; what was born with it belongs to whom the record already belongs to elsewhere.
//!
//! Until that record has been read the side is frozen: nothing can be written to a converted lead, and what it is owed is kept.

use super::record::{Work, remote_key};
use super::row::Shown;
use super::txn::Txn;
use super::{Happening, Notice, ViewError};
use crate::model::{
    Departure, EntityId, FieldId, ObjectId, RecordId, RemoteId, RemoteKey, Side, SideState, SourceKind, SystemId, Value,
};
use crate::rules::{Entity, Field};

impl Txn<'_> {
    /// A record became another one there. Its side goes on as that, where the entity lives in its object.
    pub fn converted(
        &mut self,
        entity: &Entity,
        mut work: Work,
        key: &RemoteKey,
        into: Vec<(String, RemoteId)>,
    ) -> Result<(), ViewError> {
        let stands = |side: &Side| {
            remote_key(entity.id, side) == *key && matches!(side.state, SideState::Live | SideState::Frozen)
        };
        let there = becomes(entity, key, &into).filter(|_| work.record.side(key.system).is_some_and(stands));
        let Some(there) = there else {
            self.depart(entity, &mut work, key, Departure::Converted(into))?;
            self.put(work);
            return Ok(());
        };
        let id = work.record.id;
        match self.index_of(&there)? {
            // Told a second time.
            Some(known) if known == id => {}
            Some(known) if self.is_side(&there, known)? => {
                let Some(other) = self.take(entity.id, known)? else {
                    self.put(work);
                    return Ok(());
                };
                if other.record.sides.len() > 1 {
                    // It became somebody who has a counterpart already, as in a merge.
                    self.put(other);
                    return self.fuse_with(entity, work, key, &there, known);
                }
                self.forget_twin(entity, &mut work, other)?;
                self.move_on(&mut work, key, &there)?;
            }
            _ => self.move_on(&mut work, key, &there)?,
        }
        self.born_with(entity, &work, key, &into)?;
        self.put(work);
        Ok(())
    }

    /// It was mirrored by itself before anybody knew what it had been.
    fn forget_twin(&mut self, entity: &Entity, work: &mut Work, twin: Work) -> Result<(), ViewError> {
        let gone = twin.record.id;
        for system in entity.systems() {
            self.set_outbox((system, entity.id, gone), None)?;
            self.set_problem(entity.id, gone, system, None);
            let listed = self.problem(entity.id, work.record.id, system)?;
            if listed.is_some_and(|problem| problem.code == super::identify::AMBIGUOUS) {
                self.set_problem(entity.id, work.record.id, system, None);
            }
        }
        for at in self.field_problems(entity.id, gone)?.into_keys() {
            self.set_field_problem((entity.id, gone), at, None);
        }
        self.follow_alias(work, gone)?;
        self.save_keys(entity, twin.before(), None);
        self.remove(twin);
        Ok(())
    }

    /// The name of what it became leads to it from now on, and that is read.
    fn move_on(&mut self, work: &mut Work, key: &RemoteKey, there: &RemoteKey) -> Result<(), ViewError> {
        if let Some(side) = work.record.side_mut(key.system) {
            side.state = SideState::Frozen;
        }
        self.set_index(there.clone(), Some(work.record.id));
        self.set_digest(there.clone(), None);
        self.set_reread(key.clone(), None)?;
        self.read_again(there, 0)
    }

    /// Is this the name of what a record's side there is about to become?
    pub fn is_becoming(&mut self, key: &RemoteKey) -> Result<Option<RecordId>, ViewError> {
        let Some(id) = self.index_of(key)? else { return Ok(None) };
        let Some(work) = self.take(key.entity, id)? else { return Ok(None) };
        let waits = match work.record.side(key.system) {
            Some(side) => side.state == SideState::Frozen && side.object != key.object,
            // Born with one that was converted.
            None => true,
        };
        self.put(work);
        Ok(waits.then_some(id))
    }

    /// What a side has become is read for the first time. What it shows as the old one did is as before; what it does not show any more
    /// was not taken over, which is nobody's edit; what it shows else somebody has entered.
    pub fn become_other(
        &mut self,
        entity: &Entity,
        mut work: Work,
        key: &RemoteKey,
        shown: &Shown,
    ) -> Result<(), ViewError> {
        let (system, id) = (key.system, work.record.id);
        let Some(old) = work.record.side(system).map(|side| remote_key(entity.id, side)) else {
            self.put(work);
            return Ok(());
        };
        let mut anew: Vec<FieldId> = Vec::new();
        for ((field, _), value) in entity.fields_at(key.home()).zip(&shown.values) {
            let lost = field.binding(old.home()).is_some()
                && value.as_ref().is_ok_and(Value::is_null)
                && !work.shown(field, system).is_null();
            if lost || field.binding(old.home()).is_none() {
                anew.push(field.id);
            }
        }
        let gone: Vec<FieldId> = entity
            .fields_at(old.home())
            .filter(|(field, _)| field.binding(key.home()).is_none())
            .map(|(field, _): (&Field, _)| field.id)
            .collect();
        gone.into_iter().for_each(|field| work.forget(system, field));
        if let Some(side) = work.record.side_mut(system) {
            (side.object, side.remote, side.state) = (key.object, key.remote.clone(), SideState::Live);
        }
        anew.into_iter().for_each(|field| work.unbase(system, field));
        work.recheck = true;
        self.set_index(key.clone(), Some(id));
        self.set_digest(old.clone(), None);
        self.set_problem(entity.id, id, system, None);
        let (remote, into) = (old.remote, key.remote.clone());
        self.journal(
            entity.id,
            Some(id),
            Happening::Converted { system, remote: remote.clone(), object: key.object, into: into.clone() },
        );
        self.notices.push(Notice::Converted { entity: entity.id, record: id, system, remote, into });
        if self.source(system) != SourceKind::Polled {
            work.unjudged.push(system);
            self.read_again(key, 0)?;
        }
        self.put(work);
        Ok(())
    }

    /// What a record was to become is not there: it was converted, and nothing is left of it.
    pub fn became_nothing(&mut self, entity: &Entity, key: &RemoteKey, id: RecordId) -> Result<(), ViewError> {
        self.set_index(key.clone(), None);
        let Some(mut work) = self.take(entity.id, id)? else { return Ok(()) };
        if let Some(old) = work.record.side(key.system).map(|side| remote_key(entity.id, side)) {
            self.depart(entity, &mut work, &old, Departure::Converted(Vec::new()))?;
        }
        self.put(work);
        Ok(())
    }

    /// What was made with a conversion belongs to whom the record belongs to: its account is the one that the record refers to
    /// already, its opportunity the only one that refers to it, unless those stand in the system as others.
    fn born_with(
        &mut self,
        entity: &Entity,
        work: &Work,
        key: &RemoteKey,
        into: &[(String, RemoteId)],
    ) -> Result<(), ViewError> {
        let rules = self.rules;
        for (object, remote) in into {
            for born in rules.entities.iter().filter(|born| born.id != entity.id) {
                let mut there = born.bindings_in(key.system);
                let Some(binding) = there.find(|binding| binding.object.eq_ignore_ascii_case(object)) else { continue };
                let at = RemoteKey {
                    entity: born.id,
                    system: key.system,
                    object: binding.object_id,
                    remote: remote.clone(),
                };
                if let Some(id) = self.owner_of(entity, work, born.id, key.system)? {
                    self.give(born, id, at)?;
                }
            }
        }
        Ok(())
    }

    /// The one record of an entity that belongs to this one and does not stand in a system.
    fn owner_of(
        &mut self,
        entity: &Entity,
        work: &Work,
        of: EntityId,
        system: SystemId,
    ) -> Result<Option<RecordId>, ViewError> {
        let referred = entity.references().filter(|(_, to)| *to == of);
        let referred = referred.filter_map(|(field, _)| match work.record.register(field.id).map(|reg| &reg.val) {
            Some(Value::Ref(id)) => Some(*id),
            _ => None,
        });
        let mut found: Vec<RecordId> = referred.collect();
        if found.is_empty() {
            let referrers = self.referrers(entity.id, work.record.id)?;
            found = referrers.iter().filter(|(by, ..)| by.id == of).map(|(.., holder)| holder.record).collect();
        }
        let mut missing = Vec::new();
        found.sort_unstable();
        found.dedup();
        for id in found {
            let Some(other) = self.take(of, id)? else { continue };
            if other.record.side(system).is_none() && other.record.live_sides().next().is_some() {
                missing.push(id);
            }
            self.put(other);
        }
        Ok(match missing[..] {
            [id] => Some(id),
            _ => None,
        })
    }

    /// A remote record is the counterpart of this one, unless somebody else has it already.
    fn give(&mut self, entity: &Entity, id: RecordId, at: RemoteKey) -> Result<(), ViewError> {
        let known = self.index_of(&at)?;
        let Some(known) = known else {
            self.set_index(at.clone(), Some(id));
            return self.read_again(&at, 0);
        };
        if known == id || !self.is_side(&at, known)? {
            return Ok(());
        }
        let (Some(own), Some(other)) = (self.take(entity.id, id)?, self.take(entity.id, known)?) else { return Ok(()) };
        let busy = [&own, &other].iter().any(|work| entity.systems().any(|system| work.may_land(system)));
        if busy || other.record.sides.len() > 1 {
            self.put(own);
            self.put(other);
            return Ok(());
        }
        let own = self.join_records(entity, own, other, None)?;
        self.put(own);
        Ok(())
    }
}

/// The record that a converted one has become, in the same system and another object of the same entity.
fn becomes(entity: &Entity, key: &RemoteKey, into: &[(String, RemoteId)]) -> Option<RemoteKey> {
    into.iter().find_map(|(object, remote)| {
        let mut others = entity.bindings_in(key.system).filter(|binding| binding.object_id != key.object);
        let binding = others.find(|binding| binding.object.eq_ignore_ascii_case(object))?;
        let object: ObjectId = binding.object_id;
        Some(RemoteKey { object, remote: remote.clone(), ..key.clone() })
    })
}

//! Which records take part: those outside are known by their keys only, so that nothing is created beside them; those that
//! left keep what they had seen, until they return.

use super::identify::{AMBIGUOUS, Found};
use super::record::{Work, remote_key};
use super::row::{Shown, digest_of};
use super::txn::Txn;
use super::{DigestRow, Happening, KeyHolder, Notice, Pass, ViewError};
use crate::merge::identity::parse_external_id;
use crate::model::{
    Departure, Differs, Home, Millis, Place, RawDigest, Record, RecordId, RemoteKey, Side, SideState, SystemId, Value,
};
use crate::rules::{Binding, Entity, Field, Leaves, Scope};

/// A row that was read, beside its values.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    /// From where on what happens to it is news.
    pub from: Millis,
    pub pass: Pass,
    /// The digest of its bytes, where it has one.
    pub raw: Option<RawDigest>,
}

impl Txn<'_> {
    /// Does the record behind a row take part? None = its condition reads what cannot be read.
    pub fn in_scope(&self, entity: &Entity, home: Home, shown: &Shown) -> Option<bool> {
        let Some(scope) = entity.binding(home).and_then(|binding| binding.scope.as_ref()) else { return Some(true) };
        let mut unreadable = entity.fields_at(home).zip(&shown.values).filter(|(_, value)| value.is_err());
        if unreadable.any(|((field, _), _)| scope.reads(field)) {
            return None;
        }
        let blank = Value::Null;
        Some(scope.holds(entity, |field| {
            let at = entity.fields_at(home).position(|(other, _)| other.id == field.id);
            at.and_then(|at| shown.values.get(at)?.as_ref().ok()).unwrap_or(&blank)
        }))
    }

    /// An unknown row that does not take part: only its keys are kept.
    pub fn shelve(&mut self, entity: &Entity, key: &RemoteKey, shown: &Shown, seen: Seen) -> Result<Found, ViewError> {
        let values = shown.or_blank();
        let side = shelf(entity, key, &values);
        self.set_digest_of(entity, key, shown, seen.raw);
        if seen.pass == Pass::Changes
            && let super::identify::Candidates::Of(ids, _) = self.matching(entity, key, &values, None)?
            && let [id] = ids[..]
            && let Some(mut work) = self.take(entity.id, id)?
        {
            if work.record.side(key.system).is_none() {
                self.put_beside(entity, &mut work, side)?;
                self.put(work);
                return Ok(Found::Outside);
            }
            self.put(work);
        }
        let external = shown.external.as_deref().and_then(parse_external_id).map(|(id, _)| id);
        let derived = RecordId::derive(key);
        let mut id = derived;
        if let Some(external) = external {
            match self.take(entity.id, external)? {
                Some(work) => self.put(work),
                None => id = external,
            }
        }
        self.reshelve(entity, id, side);
        Ok(Found::Outside)
    }

    /// A record of its own for what stands outside.
    pub fn reshelve(&mut self, entity: &Entity, id: RecordId, side: Side) {
        let mut work = Work::new(id, entity.id);
        self.set_index(remote_key(entity.id, &side), Some(id));
        work.record.put_side(side);
        self.put(work);
    }

    /// What stands outside is one with a record that takes part elsewhere: nothing is created there.
    pub fn put_beside(&mut self, entity: &Entity, work: &mut Work, side: Side) -> Result<(), ViewError> {
        let id = work.record.id;
        self.set_index(remote_key(entity.id, &side), Some(id));
        self.set_outbox((side.system, entity.id, id), None)?;
        self.set_problem(entity.id, id, side.system, None);
        work.record.put_side(side);
        Ok(())
    }

    /// As [`Self::put_beside`], for all that stands outside of a record that turned out to be one with this one.
    pub fn put_all_beside(&mut self, entity: &Entity, kept: &mut Work, lost: &Work) -> Result<(), ViewError> {
        let outside = |side: &&Side| matches!(side.state, SideState::Frozen | SideState::Outside);
        for side in lost.record.sides.iter().filter(outside) {
            let shown = entity.fields_at(side.home()).map(|(field, _)| lost.shown(field, side.system));
            let values: Vec<Value> = shown.collect();
            self.put_beside(entity, kept, shelf(entity, &remote_key(entity.id, side), &values))?;
        }
        Ok(())
    }

    /// A row of a known record: does its side take part, or does it from now on? The record, to be judged; none = all is done.
    pub fn admit(
        &mut self,
        entity: &Entity,
        mut work: Work,
        key: &RemoteKey,
        shown: &Shown,
        seen: Seen,
    ) -> Result<Option<Work>, ViewError> {
        let Some(side) = work.record.side(key.system) else { return Ok(Some(work)) };
        let (state, here) = (side.state, remote_key(entity.id, side) == *key);
        if matches!(state, SideState::Live | SideState::Creating) || !here {
            return Ok(Some(work));
        }
        if self.in_scope(entity, key.home(), shown) != Some(true) {
            // Not news: the next row like it is passed over.
            self.set_digest_of(entity, key, shown, seen.raw);
            self.set_reread(key.clone(), None)?;
            if state == SideState::Outside {
                let values = shown.or_blank();
                work.record.put_side(shelf(entity, key, &values));
            }
            self.put(work);
            return Ok(None);
        }
        let (system, remote) = (key.system, key.remote.clone());
        match state {
            SideState::Outside if !work.record.sides.iter().any(|side| side.state != SideState::Outside) => {
                // Who it is, is asked as of any record that appears.
                let shell = work.record.id;
                self.save_keys(entity, Some(&work.record), None);
                self.set_index(key.clone(), None);
                self.remove(work);
                self.identify(entity, key, shown, seen.from, seen.pass, seen.raw.unwrap_or(RawDigest(0)))?;
                if let Some(id) = self.index_of(key)?.filter(|id| *id != shell)
                    && let Some(mut work) = self.take(entity.id, id)?
                {
                    self.follow_alias(&mut work, shell)?;
                    self.put(work);
                }
                Ok(None)
            }
            SideState::Frozen => {
                self.journal(entity.id, Some(work.record.id), Happening::Returned { system, remote });
                if let Some(side) = work.record.side_mut(system) {
                    side.state = SideState::Live;
                }
                Ok(Some(work))
            }
            // A first link, as of what was deleted and appears again.
            _ => Ok(Some(work)),
        }
    }

    fn set_digest_of(&mut self, entity: &Entity, key: &RemoteKey, shown: &Shown, raw: Option<RawDigest>) {
        let row = digest_of(entity, key.home(), shown).zip(raw);
        self.set_digest(key.clone(), row.map(|(canonical, raw)| DigestRow { raw, canonical: Some(canonical) }));
    }

    /// Sides that show something outside their scope leave it, once nothing of ours is on its way there; returns those that
    /// keep a place.
    pub fn leave_scope(&mut self, entity: &Entity, work: &mut Work) -> Result<Vec<SystemId>, ViewError> {
        let mut left = Vec::new();
        if !entity.is_scoped() {
            return Ok(left);
        }
        let live: Vec<RemoteKey> = work.record.live_sides().map(|side| remote_key(entity.id, side)).collect();
        for key in live {
            let system = key.system;
            let Some(scope) = entity.binding(key.home()).and_then(|binding| binding.scope.as_ref()) else { continue };
            let busy = work.flies(system) || work.unjudged.contains(&system) || self.reread(&key)?.is_some();
            if busy || scope.leaves == Leaves::Kept || shows_scope(entity, scope, &work.record, key.home()) {
                continue;
            }
            if matches!(scope.leaves, Leaves::Detached | Leaves::Archived) {
                self.depart(entity, work, &key, Departure::OutOfScope)?;
                continue;
            }
            let (record, remote) = (work.record.id, key.remote.clone());
            self.journal(entity.id, Some(record), Happening::LeftScope { system, remote: remote.clone() });
            self.notices.push(Notice::LeftScope { entity: entity.id, record, system, remote });
            self.set_problem(entity.id, record, system, None);
            for at in self.field_problems(entity.id, record)?.into_keys().filter(|(of, _)| *of == system) {
                self.set_field_problem((entity.id, record), at, None);
            }
            let alone = work.record.sides.iter().all(|side| side.system == system);
            if alone {
                // Nobody else has it, so there is nothing to come back to.
                let values: Vec<Value> =
                    entity.fields_at(key.home()).map(|(field, _)| work.shown(field, system)).collect();
                work.record.put_side(shelf(entity, &key, &values));
                work.forget_all();
            } else if let Some(side) = work.record.side_mut(system) {
                side.state = SideState::Frozen;
            }
            left.push(system);
        }
        Ok(left)
    }

    /// May this record be created in an object: does it stand anywhere, and would it be in scope there?
    pub fn may_create(&self, entity: &Entity, binding: &Binding, record: &Record) -> bool {
        let stands = record.live_sides().next().is_some() || !entity.is_scoped();
        stands && binding.scope.as_ref().is_none_or(|scope| would_hold(entity, scope, record, binding.home()))
    }

    /// A record that has changed may come to be in the scope of a system in which it does not stand.
    pub fn queue_scoped(&mut self, entity: &Entity, work: &Work) -> Result<(), ViewError> {
        let missing = |binding: &&Binding| binding.create && work.record.side(binding.system).is_none();
        if !entity.is_scoped() || !entity.bindings.iter().any(|binding| missing(&binding)) {
            return Ok(());
        }
        for side in work.record.live_sides() {
            let problem = self.problem(entity.id, work.record.id, side.system)?;
            if problem.is_some_and(|problem| problem.code == AMBIGUOUS) {
                return Ok(());
            }
        }
        self.queue_creates(entity, work)
    }

    /// Of those who hold a key all but the record itself, and but those outside where it or another one of them takes part;
    /// `system` is the one that asks.
    pub fn rivals(
        &mut self,
        entity: &Entity,
        system: SystemId,
        holders: Vec<KeyHolder>,
        own: Option<RecordId>,
    ) -> Result<Vec<KeyHolder>, ViewError> {
        let (own, others): (Vec<_>, Vec<_>) = holders.into_iter().partition(|holder| Some(holder.record) == own);
        if !entity.is_scoped() {
            return Ok(others);
        }
        let mut inside: Vec<SystemId> = own.iter().map(|holder| holder.system).chain([system]).collect();
        let mut outside = Vec::new();
        for holder in &others {
            let work = self.take(entity.id, holder.record)?;
            let side = work.as_ref().and_then(|work| work.record.side(holder.system));
            match side.is_some_and(|side| side.state == SideState::Outside) {
                true => outside.push(*holder),
                false => inside.push(holder.system),
            }
            work.into_iter().for_each(|work| self.put(work));
        }
        Ok(others.into_iter().filter(|other| !outside.contains(other) || !inside.contains(&other.system)).collect())
    }
}

/// A side of which only the keys are known.
pub(super) fn shelf(entity: &Entity, key: &RemoteKey, values: &[Value]) -> Side {
    let home = key.home();
    let is_key = |field: &Field| entity.match_keys.contains(&field.id) || entity.is_link(field.id);
    let shown = entity.fields_at(home).map(|(field, _)| field).zip(values);
    let keys = shown.filter(|(field, value)| is_key(field) && !value.is_null());
    Side {
        system: key.system,
        object: key.object,
        remote: key.remote.clone(),
        state: SideState::Outside,
        settled: Place::at(Millis::MIN),
        made: Millis::MIN,
        unbased: entity.fields_at(home).map(|(field, _)| field.id).collect(),
        differs: keys
            .map(|(field, value)| Differs { field: field.id, shown: value.clone(), apart: None, wanted: None })
            .collect(),
    }
}

/// Does a side show what its scope asks for, or is it owed it?
fn shows_scope(entity: &Entity, scope: &Scope, record: &Record, home: Home) -> bool {
    let Some(side) = record.side(home.system) else { return true };
    let read = || entity.fields_at(home).filter(|(field, _)| scope.reads(field));
    if read().any(|(field, _)| side.unbased.binary_search(&field.id).is_ok()) {
        return true;
    }
    let values: Vec<(&Field, Value)> =
        read().map(|(field, _)| (field, super::record::shown(record, field, home.system))).collect();
    holds(entity, scope, &values) || would_hold(entity, scope, record, home)
}

/// Would a side be in scope if it showed what the record says?
fn would_hold(entity: &Entity, scope: &Scope, record: &Record, home: Home) -> bool {
    let read = entity.fields_at(home).filter(|(field, _)| scope.reads(field));
    let projected = read.map(|(field, binding)| {
        let value = record.register(field.id).map_or(&Value::Null, |reg| &reg.val);
        (field, field.project(binding, value))
    });
    let values: Vec<(&Field, Value)> = projected.collect();
    holds(entity, scope, &values)
}

fn holds(entity: &Entity, scope: &Scope, values: &[(&Field, Value)]) -> bool {
    let blank = Value::Null;
    scope
        .holds(entity, |field| values.iter().find(|(other, _)| other.id == field.id).map_or(&blank, |(_, value)| value))
}

//! Records that were merged in their system: the loser's record becomes one with the winner's, and its names lead there.

use super::record::{Work, remote_key};
use super::txn::Txn;
use super::{Happening, Notice, Problem, ViewError};
use crate::model::{Departure, Place, RecordId, RemoteId, RemoteKey, Side, SideState, SystemId, Value};
use crate::rules::{Entity, Field};

/// Code of the problem that records were merged in one system and still are two in another.
pub(super) const MERGED_ELSEWHERE: &str = "MERGED_ELSEWHERE";

impl Txn<'_> {
    /// Is a remote record a side of this record, and not only a name that leads to it?
    pub fn is_side(&mut self, key: &RemoteKey, id: RecordId) -> Result<bool, ViewError> {
        let Some(work) = self.take(key.entity, id)? else { return Ok(false) };
        let is_it = work.record.side(key.system).is_some_and(|side| remote_key(key.entity, side) == *key);
        self.put(work);
        Ok(is_it)
    }

    /// A record lost a merge there. Its record goes on as the winner, or becomes one with the winner's record.
    pub fn lost_merge(
        &mut self,
        entity: &Entity,
        mut work: Work,
        key: &RemoteKey,
        winner: &RemoteId,
    ) -> Result<(), ViewError> {
        let own = |side: &&Side| remote_key(entity.id, side) == *key;
        // An answer to a write may have said before that it is gone; why, only this list says.
        let stands = |side: &Side| matches!(side.state, SideState::Live | SideState::Frozen | SideState::Detached);
        if !work.record.side(key.system).filter(own).is_some_and(stands) {
            self.depart(entity, &mut work, key, Departure::Merged(winner.clone()))?;
            self.put(work);
            return Ok(());
        }
        let there = RemoteKey { remote: winner.clone(), ..key.clone() };
        let known = match self.index_of(&there)? {
            Some(id) if self.is_side(&there, id)? => Some(id),
            _ => None,
        };
        let Some(survivor) = known else {
            // The merge made a new record, which nobody has seen yet: it is this one, and what it shows else is an edit.
            self.rename_side(&mut work, key, &there)?;
            self.put(work);
            return Ok(());
        };
        self.fuse_with(entity, work, key, &there, survivor)
    }

    /// Its side ends, and what it has elsewhere goes to the record that it has become one with there.
    pub fn fuse_with(
        &mut self,
        entity: &Entity,
        mut work: Work,
        key: &RemoteKey,
        there: &RemoteKey,
        survivor: RecordId,
    ) -> Result<(), ViewError> {
        self.detach(&mut work, key, Departure::Merged(there.remote.clone()), false)?;
        let Some(kept) = self.take(entity.id, survivor)? else {
            self.put(work);
            return Ok(());
        };
        match clash(&kept, &work) {
            Some(system) => {
                self.list_clash(entity, (&kept, &work), (key, &there.remote), system);
                self.put(work);
                self.put(kept);
                Ok(())
            }
            None => self.absorb(entity, kept, work, key, there),
        }
    }

    fn rename_side(&mut self, work: &mut Work, key: &RemoteKey, there: &RemoteKey) -> Result<(), ViewError> {
        let id = work.record.id;
        if let Some(side) = work.record.side_mut(key.system) {
            side.remote = there.remote.clone();
        }
        self.set_index(there.clone(), Some(id));
        self.set_digest(key.clone(), None);
        self.set_reread(key.clone(), None)?;
        work.unjudged.push(key.system);
        let (system, remote, into) = (key.system, key.remote.clone(), there.remote.clone());
        self.journal(key.entity, Some(id), Happening::Merged { system, remote, into, record: id });
        self.read_again(there, 0)
    }

    /// Lists that two records of a system belong to one of another.
    fn list_clash(
        &mut self,
        entity: &Entity,
        (kept, lost): (&Work, &Work),
        (key, winner): (&RemoteKey, &RemoteId),
        system: SystemId,
    ) {
        let name = |id| self.rules.system(id).map(|system| system.name.clone()).unwrap_or_default();
        let remote = |work: &Work| work.record.side(system).map(|side| side.remote.to_string()).unwrap_or_default();
        let (here, other) = (name(key.system), name(system));
        let message = format!(
            "it was merged into {winner} in {here}, but {other} has a record for each of the two, {} and {}: merge them there, too; \
             until then this one is left alone",
            remote(kept),
            remote(lost)
        );
        let problem = Problem { since: self.now, code: MERGED_ELSEWHERE.into(), message, fields: Vec::new() };
        self.set_problem(entity.id, lost.record.id, system, Some(problem));
        self.notices.push(Notice::Detached {
            entity: entity.id,
            record: lost.record.id,
            system: key.system,
            remote: key.remote.clone(),
            why: Departure::Merged(winner.clone()),
        });
    }

    /// Takes a record's sides over. What they show was known to whoever merged, so the survivor's values are owed to them; where it
    /// has none, theirs fill it.
    fn absorb(
        &mut self,
        entity: &Entity,
        mut kept: Work,
        lost: Work,
        key: &RemoteKey,
        there: &RemoteKey,
    ) -> Result<(), ViewError> {
        let (id, gone) = (kept.record.id, lost.record.id);
        let (system, remote, into) = (key.system, key.remote.clone(), there.remote.clone());
        self.journal(entity.id, Some(id), Happening::Merged { system, remote, into, record: gone });
        for side in lost.record.live_sides() {
            let at = remote_key(entity.id, side);
            // A write of ours that may yet land there would look like an edit: what it shows is linked when it has been read.
            let known = !lost.may_land(side.system);
            let fields: Vec<(&Field, Value)> = entity
                .fields_at(side.home())
                .filter(|(field, _)| known && side.unbased.binary_search(&field.id).is_err())
                .map(|(field, _)| (field, lost.shown(field, side.system)))
                .collect();
            let has = |kept: &Work, field: &Field| kept.record.register(field.id).is_some_and(|reg| !reg.val.is_null());
            let linked: Vec<Option<Value>> = entity
                .fields_at(side.home())
                .map(|(field, _)| {
                    let shown = fields.iter().find(|(of, _)| of.id == field.id)?;
                    (!has(&kept, field)).then(|| shown.1.clone())
                })
                .collect();
            let from = Place { time: side.settled.time.plus(1), position: side.settled.position };
            kept.link_side(self.rules, entity, &at, &linked, from, self.now);
            for (field, shown) in fields.into_iter().filter(|(field, _)| has(&kept, field)).collect::<Vec<_>>() {
                let mut state = kept.state(field);
                let Some(ix) = state.ix(side.system) else { continue };
                (state.sides[ix].shown, state.sides[ix].unbased) = (shown, false);
                kept.put_state(field, state, Vec::new());
            }
            self.set_index(at.clone(), Some(id));
            self.set_digest(at.clone(), None);
            self.read_again(&at, 0)?;
        }
        self.put_all_beside(entity, &mut kept, &lost)?;
        for side in lost.record.sides.iter().filter(|side| side.state == SideState::Detached) {
            let at = remote_key(entity.id, side);
            if self.index_of(&at)? == Some(gone) {
                // Its old names lead here.
                self.set_index(at, Some(id));
            }
        }
        self.follow_alias(&mut kept, gone)?;
        let mut creates = false;
        for system in entity.systems() {
            let row = self.outbox((system, entity.id, gone))?;
            creates |= row.is_some_and(|row| row.is_create());
            self.set_outbox((system, entity.id, gone), None)?;
            self.set_problem(entity.id, gone, system, None);
        }
        // That several shared its keys, or were two elsewhere, is over.
        for system in entity.systems() {
            let over = |problem: &Problem| [super::identify::AMBIGUOUS, MERGED_ELSEWHERE].contains(&&*problem.code);
            if self.problem(entity.id, id, system)?.is_some_and(|problem| over(&problem)) {
                self.set_problem(entity.id, id, system, None);
            }
        }
        for at in self.field_problems(entity.id, gone)?.into_keys() {
            self.set_field_problem((entity.id, gone), at, None);
        }
        self.save_keys(entity, Some(&lost.record), Some(&kept.record));
        self.remove(lost);
        if creates {
            self.queue_creates(entity, &kept)?;
        }
        self.put(kept);
        self.read_again(there, 0)
    }
}

/// A system in which both stand, or are about to.
fn clash(a: &Work, b: &Work) -> Option<SystemId> {
    let stands = |side: &&Side| side.state != SideState::Detached;
    let of = |work: &Work, system| work.record.side(system).filter(stands).is_some();
    // A create of ours would come back under a name that nobody has any more.
    let creating = b.record.sides.iter().find(|side| side.state == SideState::Creating).map(|side| side.system);
    b.record.sides.iter().filter(stands).map(|side| side.system).find(|system| of(a, *system)).or(creating)
}

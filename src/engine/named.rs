//! Link fields: what another tool says about who is whose counterpart. It is a claim, and verified: the record that it names must be
//! mirrored, stand there, and be nobody else's counterpart; nobody else may name it. Whom it names is asked for where it is not mirrored yet.
//!
//! Who names whom is kept beside the match keys, under the link field: so a record that appears finds those that name it.

use super::identify::{AMBIGUOUS, Candidates};
use super::record::{Work, remote_key};
use super::txn::Txn;
use super::{KeyHolder, ViewError};
use crate::model::{FieldId, Record, RecordId, RemoteId, RemoteKey, Side, SideState, SystemId, Value};
use crate::rules::{Entity, LinkField};
use std::collections::BTreeMap;

/// What link fields say of a record.
pub(super) struct Named {
    /// Who its counterparts are.
    pub found: Candidates,
    /// Records that it names and that are not mirrored: nobody knows yet whether they are there.
    pub unread: Vec<RemoteKey>,
}

/// Where those stand who name a record.
pub(super) fn link_key(link: &LinkField, remote: &RemoteId) -> Vec<u8> {
    let mut key = link.field.0.to_be_bytes().to_vec();
    key.push(0xfe); // no canonical value begins so
    key.extend_from_slice(&link.system.0.to_be_bytes());
    key.extend_from_slice(remote.as_str().as_bytes());
    key
}

/// Whom the values of a side name, in the order of its link fields.
fn says<'e>(entity: &'e Entity, at: &RemoteKey, values: &[Value]) -> Vec<(&'e LinkField, RemoteId)> {
    let home = at.home();
    let links = entity.binding(home).map(|binding| &*binding.links).unwrap_or_default();
    let said = links.iter().filter_map(|link| {
        let place = entity.fields_at(home).position(|(field, _)| field.id == link.field)?;
        Some((link, link.names(values.get(place)?)?))
    });
    said.collect()
}

/// The objects in which a record may stand that a link field names.
fn targets<'e>(entity: &'e Entity, link: &'e LinkField, remote: &'e RemoteId) -> impl Iterator<Item = RemoteKey> + 'e {
    let there = entity.bindings.iter().filter(|binding| link.leads_to(binding.home()));
    there.map(|binding| RemoteKey {
        entity: entity.id,
        system: binding.system,
        object: binding.object_id,
        remote: remote.clone(),
    })
}

/// Does a side's record stand in its system?
fn stands(side: &Side) -> bool {
    matches!(side.state, SideState::Live | SideState::Frozen | SideState::Outside)
}

/// Is there somebody already, or about to be?
fn is_taken(side: &Side) -> bool {
    matches!(side.state, SideState::Live | SideState::Frozen | SideState::Creating)
}

/// What a side shows, in the order of its fields.
fn values(entity: &Entity, work: &Work, side: &Side) -> Vec<Value> {
    entity.fields_at(side.home()).map(|(field, _)| work.shown(field, side.system)).collect()
}

impl Txn<'_> {
    /// What link fields say of a remote record, its own and those of others. `own` is the record of which it is a side.
    pub fn named(
        &mut self,
        entity: &Entity,
        key: &RemoteKey,
        values: &[Value],
        own: Option<&Record>,
    ) -> Result<Named, ViewError> {
        let mut named = Named { found: Candidates::None, unread: Vec::new() };
        if !entity.has_links() {
            return Ok(named);
        }
        let is_own = |id: RecordId| own.is_some_and(|own| own.id == id);
        let mut found: BTreeMap<RecordId, FieldId> = BTreeMap::new();
        let mut known: Vec<SystemId> = Vec::new();
        for (link, remote) in says(entity, key, values) {
            match self.named_record(entity, link, &remote)? {
                Told::Is(id) => {
                    known.push(link.system);
                    let others = self.holders(entity.id, &link_key(link, &remote))?.to_vec();
                    if others.iter().any(|other| !is_own(other.record) && other.record != id) {
                        named.found = Candidates::Ambiguous(link.field);
                        return Ok(named);
                    }
                    if !is_own(id) {
                        found.entry(id).or_insert(link.field);
                    }
                }
                Told::Unread => named.unread.extend(targets(entity, link, &remote)),
                Told::Gone => {}
            }
        }
        // Who was a lead once may be named as such beside the contact that he has become.
        named.unread.retain(|key| !known.contains(&key.system));
        for (holder, by) in self.namers(entity, key)? {
            if !is_own(holder.record) {
                found.entry(holder.record).or_insert(by);
            }
        }
        let mut systems = vec![key.system];
        systems.extend(own.iter().flat_map(|own| &own.sides).filter(|side| is_taken(side)).map(|side| side.system));
        for (id, by) in &found {
            let Some(work) = self.take(entity.id, *id)? else { continue };
            let taken: Vec<SystemId> =
                work.record.sides.iter().filter(|side| is_taken(side)).map(|side| side.system).collect();
            self.put(work);
            // It is somebody else's counterpart, or two name one.
            if taken.iter().any(|system| systems.contains(system)) {
                named.found = Candidates::Ambiguous(*by);
                return Ok(named);
            }
            systems.extend(taken);
        }
        if let Some(by) = found.values().next().copied() {
            named.found = Candidates::Of(found.into_keys().collect(), by);
        }
        Ok(named)
    }

    /// The record that a link field names.
    fn named_record(&mut self, entity: &Entity, link: &LinkField, remote: &RemoteId) -> Result<Told, ViewError> {
        let mut told = Told::Unread;
        for key in targets(entity, link, remote) {
            // What was merged into another one, or has become one, leads to that.
            let Some(id) = self.index_of(&key)? else { continue };
            let Some(work) = self.take(entity.id, id)? else { continue };
            let there = work.record.side(link.system).is_some_and(stands);
            self.put(work);
            if there {
                return Ok(Told::Is(id));
            }
            told = Told::Gone;
        }
        Ok(told)
    }

    /// Who names a remote record, and by which field.
    fn namers(&mut self, entity: &Entity, key: &RemoteKey) -> Result<Vec<(KeyHolder, FieldId)>, ViewError> {
        let mut namers: Vec<(KeyHolder, FieldId)> = Vec::new();
        for (_, link) in entity.links().filter(|(_, link)| link.leads_to(key.home())) {
            for holder in self.holders(entity.id, &link_key(link, &key.remote))?.to_vec() {
                if !namers.iter().any(|(known, _)| *known == holder) {
                    namers.push((holder, link.field));
                }
            }
        }
        Ok(namers)
    }

    /// Who the counterparts of a remote record are: by link fields, else by match keys. A match by a key does not hold where a link
    /// field says of one of the two that it is somebody else's.
    pub fn matching(
        &mut self,
        entity: &Entity,
        key: &RemoteKey,
        values: &[Value],
        own: Option<&Record>,
    ) -> Result<Candidates, ViewError> {
        let named = self.named(entity, key, values, own)?.found;
        if named != Candidates::None {
            return Ok(named);
        }
        let found = self.candidates(entity, key.home(), values, own.map(|own| own.id))?;
        if let Candidates::Of(ids, by) = &found
            && self.disputed(entity, key, own.map(|own| own.id), ids)?
        {
            return Ok(Candidates::Ambiguous(*by));
        }
        Ok(found)
    }

    /// Does a link field say of one of these that it is the counterpart of another one than of this remote record?
    fn disputed(
        &mut self,
        entity: &Entity,
        key: &RemoteKey,
        own: Option<RecordId>,
        ids: &[RecordId],
    ) -> Result<bool, ViewError> {
        if !entity.has_links() {
            return Ok(false);
        }
        for id in ids {
            let Some(work) = self.take(entity.id, *id)? else { continue };
            let sides = work.record.sides.iter().filter(|side| stands(side));
            let sides: Vec<_> = sides.map(|side| (remote_key(entity.id, side), values(entity, &work, side))).collect();
            self.put(work);
            for (at, values) in sides {
                let namers = self.namers(entity, &at)?;
                let own = |record: RecordId| record == *id || Some(record) == own;
                if namers.iter().any(|(holder, _)| holder.system == key.system && !own(holder.record)) {
                    return Ok(true);
                }
                for (link, remote) in
                    says(entity, &at, &values).into_iter().filter(|(link, _)| link.system == key.system)
                {
                    let other = match self.named_record(entity, link, &remote)? {
                        Told::Is(record) => !own(record),
                        Told::Unread => {
                            remote != key.remote && self.is_awaited(targets(entity, link, &remote).collect())?
                        }
                        Told::Gone => false,
                    };
                    if other {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    fn is_awaited(&mut self, keys: Vec<RemoteKey>) -> Result<bool, ViewError> {
        for key in keys {
            if self.reread(&key)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Records that a row names and nobody has seen are asked for.
    pub fn ask_for(&mut self, unread: Vec<RemoteKey>) -> Result<(), ViewError> {
        unread.iter().try_for_each(|key| self.read_again(key, 0))
    }

    /// Does a record name one of a system that is being asked for? Until that is known, nothing is created there.
    pub fn awaits_named(&mut self, entity: &Entity, work: &Work, system: SystemId) -> Result<bool, ViewError> {
        if !entity.has_links() {
            return Ok(false);
        }
        for side in work.record.live_sides() {
            let at = remote_key(entity.id, side);
            for (link, remote) in says(entity, &at, &values(entity, work, side)) {
                let keys: Vec<RemoteKey> = targets(entity, link, &remote).collect();
                if link.system == system && self.is_awaited(keys)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Is a remote record that is not mirrored named by anybody?
    pub fn is_named(&mut self, entity: &Entity, key: &RemoteKey) -> Result<bool, ViewError> {
        Ok(entity.has_links() && !self.namers(entity, key)?.is_empty())
    }

    /// A record that others name is not there: they are matched as if they did not.
    pub fn named_nobody(&mut self, entity: &Entity, key: &RemoteKey) -> Result<(), ViewError> {
        if !entity.has_links() {
            return Ok(());
        }
        for (holder, _) in self.namers(entity, key)? {
            let Some(work) = self.take(entity.id, holder.record)? else { continue };
            if self.awaits_named(entity, &work, key.system)? {
                // It may stand in another object.
                self.put(work);
                continue;
            }
            self.link_record(entity, work, true)?;
        }
        Ok(())
    }

    /// Known records whose link fields name somebody else than before are linked, if they are not yet; and so is whoever else names
    /// the one that they named.
    pub fn follow_links(&mut self) -> Result<(), ViewError> {
        let rules = self.rules;
        let mut renamed = Vec::new();
        for (entity, id) in self.moved_of(|id| rules.entity(id).is_some_and(Entity::has_links)) {
            let entity = self.entity(entity)?;
            let Some(work) = self.take(entity.id, id)? else { continue };
            let moved = work.renamed(entity);
            if !moved.is_empty() {
                // Who names whom is asked before the step is done.
                self.save_keys(entity, work.before(), Some(&work.record));
                renamed.push((entity, id, moved));
            }
            self.put(work);
        }
        for (entity, id, moved) in renamed {
            for Renamed { at, from, to } in moved {
                self.look_again(entity, id, (&at, to))?;
                let others = from.iter().map(|key| self.namers(entity, key)).collect::<Result<Vec<_>, _>>()?;
                for (holder, _) in others.into_iter().flatten().filter(|(holder, _)| holder.record != id) {
                    let Some(work) = self.take(entity.id, holder.record)? else { continue };
                    let at = work.record.side(holder.system).map(|side| remote_key(entity.id, side));
                    self.put(work);
                    if let Some(at) = at {
                        self.look_again(entity, holder.record, (&at, true))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whom does a record match, now that it names another one, or another one no longer names whom it does?
    fn look_again(&mut self, entity: &Entity, id: RecordId, (at, names): (&RemoteKey, bool)) -> Result<(), ViewError> {
        let Some(work) = self.take(entity.id, id)? else { return Ok(()) };
        let listed = self.problem(entity.id, id, at.system)?.is_some_and(|problem| problem.code == AMBIGUOUS);
        if listed {
            self.set_problem(entity.id, id, at.system, None);
        }
        match (names, listed) {
            (true, _) => self.follow_link(entity, work, at),
            (false, true) => self.link_record(entity, work, true),
            (false, false) => {
                self.put(work);
                Ok(())
            }
        }
    }

    fn follow_link(&mut self, entity: &Entity, work: Work, key: &RemoteKey) -> Result<(), ViewError> {
        let Some(side) = work.record.side(key.system).cloned() else {
            self.put(work);
            return Ok(());
        };
        let shown = values(entity, &work, &side);
        let Named { found, unread } = self.named(entity, key, &shown, Some(&work.record))?;
        match found {
            Candidates::None => self.ask_for(unread)?,
            Candidates::Ambiguous(by) => self.ambiguous(entity, &work, key.system, by),
            Candidates::Of(ids, by) => {
                let mut own = work;
                for id in ids {
                    let Some(other) = self.take(entity.id, id)? else { continue };
                    // What is on its way is answered to the name that it has.
                    let busy = [&own, &other].iter().any(|work| entity.systems().any(|system| work.may_land(system)));
                    let clash = other.record.sides.iter().any(|side| own.record.side(side.system).is_some());
                    if clash {
                        self.ambiguous(entity, &own, key.system, by);
                    }
                    if busy || clash {
                        self.put(other);
                    } else {
                        own = self.join_records(entity, own, other, Some(by))?;
                    }
                }
                self.put(own);
                return Ok(());
            }
        }
        self.put(work);
        Ok(())
    }
}

/// What the mirror knows of a record that a link field names.
enum Told {
    /// It is this one.
    Is(RecordId),
    /// It was there, and is gone.
    Gone,
    /// It is not mirrored.
    Unread,
}

/// A side of which a link field names another one than before this step, in a system where its record does not stand.
struct Renamed {
    at: RemoteKey,
    /// Whom it named.
    from: Vec<RemoteKey>,
    /// Does it name somebody now?
    to: bool,
}

impl Work {
    fn renamed(&self, entity: &Entity) -> Vec<Renamed> {
        let Some(before) = self.before() else { return Vec::new() };
        let mut renamed = Vec::new();
        for side in self.record.live_sides() {
            let links = entity.binding(side.home()).map(|binding| &*binding.links).unwrap_or_default();
            let (mut from, mut to, mut moved) = (Vec::new(), false, false);
            for link in links.iter().filter(|link| self.record.side(link.system).is_none()) {
                let Some(field) = entity.field(link.field) else { continue };
                let now = link.names(&self.shown(field, side.system));
                let then = link.names(&super::record::shown(before, field, side.system));
                moved |= now != then;
                to |= now.is_some();
                from.extend(
                    then.filter(|then| now.as_ref() != Some(then))
                        .into_iter()
                        .flat_map(|then| targets(entity, link, &then).collect::<Vec<_>>()),
                );
            }
            if moved {
                renamed.push(Renamed { at: remote_key(entity.id, side), from, to });
            }
        }
        renamed
    }
}

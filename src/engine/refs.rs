//! References between records. A system holds the id of its own record; the mirror holds ours, so the one is found by the other
//! on the way in and on the way out.
//!
//! On the way in a reference may lead to a record that is not mirrored, or not yet: it is neither an edit nor a blank, and
//! nothing of it is stored but who waits for whom, so that the waiting record is read again when the other is there. On the way
//! out the other may not stand in the target yet: see [`Away`]. Both kinds of waiting are kept beside the match keys, under
//! the reference's own field: a reference is no match key, so they never meet one.

use super::record::{Work, remote_key};
use super::row::{Shown, canonical};
use super::txn::Txn;
use super::{KeyHolder, Problem, View, ViewError};
use crate::merge::identity::match_key;
use crate::model::{
    EntityId, FieldId, Home, Millis, Raw, RecordId, RemoteId, RemoteKey, SideState, SystemId, Value, ValueError,
};
use crate::rules::{Amiss, Entity, Field, Mode, Rules};

/// Code of the problem that a side refers to a record that is not mirrored.
pub(super) const UNKNOWN_TARGET: &str = "REFERENCE_UNKNOWN";
/// Code of the problem that a side is owed a reference to a record that does not stand there.
pub(super) const MISSING_TARGET: &str = "REFERENCE_NOT_THERE";
/// How long a write waits for the record that it refers to, unless that arrives before, in milliseconds.
pub(super) const WAIT_MS: i64 = 60_000;
/// Attempts at creating a record after which nothing waits for it any more.
const ATTEMPTS_MAX: u32 = 3;

/// Why a reference that a side is owed cannot be written now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Away {
    /// The other record is about to be created there, before ours: the whole write waits for it.
    Soon,
    /// It is about to be created there, but may itself wait for ours: a second write follows.
    Later,
    /// Nobody is going to create it there: the rest is written without it, and it is listed.
    Missing,
}

/// The record behind a system's own id, among the objects of an entity.
pub(super) fn resolve(
    rules: &Rules,
    (to, system): (EntityId, SystemId),
    id: &str,
    index: impl Fn(&RemoteKey) -> Result<Option<RecordId>, ViewError>,
) -> Result<Option<RecordId>, ViewError> {
    let (Some(entity), Some(remote)) = (rules.entity(to), RemoteId::parse(id)) else { return Ok(None) };
    for binding in entity.bindings.iter().filter(|binding| binding.system == system) {
        let key = RemoteKey { entity: to, system, object: binding.object_id, remote: remote.clone() };
        if let Some(id) = index(&key)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The record behind a system's own id, among the objects of an entity.
///
/// # Errors
/// The view cannot be read.
pub fn target_of(
    rules: &Rules,
    view: &dyn View,
    (to, system): (EntityId, SystemId),
    id: &str,
) -> Result<Option<RecordId>, ViewError> {
    resolve(rules, (to, system), id, |key| view.index(key))
}

/// Where those wait that show a reference to a remote record that is not mirrored.
fn waiting_key(field: FieldId, system: SystemId, remote: &str) -> Vec<u8> {
    let mut key = field.0.to_be_bytes().to_vec();
    key.push(0xff); // no canonical value begins so
    key.extend_from_slice(&system.0.to_be_bytes());
    key.extend_from_slice(remote.as_bytes());
    key
}

impl<'a> Txn<'a> {
    /// A row in canonical form, with the records that its references lead to.
    pub fn shown(&self, entity: &Entity, at: (Home, &RemoteId), raws: &[Raw]) -> Result<Shown, ViewError> {
        let (mut shown, home) = (canonical(entity, at, raws), at.0);
        for ((field, _), value) in entity.fields_at(home).zip(&mut shown.values) {
            let Some(to) = field.refers_to() else { continue };
            let Ok(Value::Text(id)) = &*value else { continue };
            let found = resolve(self.rules, (to, home.system), id, |key| self.index_of(key))?;
            if found.is_none() {
                shown.unresolved.push((field.id, id.clone().into()));
            }
            *value = found.map(Value::Ref).ok_or(Amiss { field: field.id, error: ValueError::UNRESOLVED });
        }
        self.resolve_shown(entity, home, &mut shown)?;
        Ok(shown)
    }

    /// A single value as read, with the record that it leads to if it is a reference.
    pub fn resolved(&self, field: &Field, system: SystemId, value: Value) -> Result<Option<Value>, ViewError> {
        match (field.refers_to(), &value) {
            (Some(to), Value::Text(id)) => {
                Ok(resolve(self.rules, (to, system), id, |key| self.index_of(key))?.map(Value::Ref))
            }
            _ => Ok(Some(value)),
        }
    }

    /// Notes that a record waits for those that one of its sides refers to.
    pub fn await_targets(&mut self, work: &Work, system: SystemId, shown: &Shown) {
        for (field, remote) in shown.unresolved.iter().chain(&shown.waiting) {
            let holder = KeyHolder { system, record: work.record.id };
            self.hold_key(work.record.entity, waiting_key(*field, system, remote), holder, true);
        }
    }

    /// Who shows a reference or a tie to a record, or is to be given one back, by which field and in which system, in the order of the rules.
    pub fn referrers(
        &mut self,
        to: EntityId,
        id: RecordId,
    ) -> Result<Vec<(&'a Entity, &'a Field, KeyHolder)>, ViewError> {
        let (rules, mut referrers) = (self.rules, Vec::new());
        for entity in &rules.entities {
            for (field, _) in entity.leads_to().filter(|(_, of)| *of == to) {
                let Some(referring) = match_key(field, &Value::Ref(id)) else { continue };
                referrers.extend(self.holders(entity.id, &referring)?.iter().map(|holder| (entity, field, *holder)));
            }
        }
        Ok(referrers)
    }

    /// Remote records have become known, or have come to stand in a system: who waits for one of them goes on.
    pub fn wake(&mut self) -> Result<(), ViewError> {
        let rules = self.rules;
        for (key, id) in std::mem::take(&mut self.arrived) {
            for entity in &rules.entities {
                for (field, _) in entity.leads_to().filter(|(_, to)| *to == key.entity) {
                    let waiting = waiting_key(field.id, key.system, key.remote.as_str());
                    for holder in self.holders(entity.id, &waiting)?.to_vec() {
                        self.hold_key(entity.id, waiting.clone(), holder, false);
                        self.read_side_again(entity.id, holder)?;
                    }
                }
            }
            for (entity, _, holder) in self.referrers(key.entity, id)? {
                if let Some(mut work) = self.take(entity.id, holder.record)? {
                    work.recheck = true;
                    self.put(work);
                }
            }
        }
        Ok(())
    }

    fn read_side_again(&mut self, entity: EntityId, holder: KeyHolder) -> Result<(), ViewError> {
        let Some(work) = self.take(entity, holder.record)? else { return Ok(()) };
        let side = work.record.side(holder.system).filter(|side| side.state == SideState::Live);
        let key = side.map(|side| remote_key(entity, side));
        self.put(work);
        key.map_or(Ok(()), |key| self.read_again(&key, 0))
    }

    /// Finds out which references a record's sides are owed and cannot be written yet; lists those that nobody brings about.
    pub fn look_ahead(&mut self, entity: &Entity, work: &mut Work) -> Result<(), ViewError> {
        work.away.clear();
        self.look_ahead_ties(entity, work)?;
        let fields: Vec<(&Field, EntityId)> = entity.references().collect();
        if fields.is_empty() {
            return Ok(());
        }
        let mut missing = Vec::new();
        for side in work.record.present_sides().filter(|side| side.state != SideState::Frozen) {
            for (field, to) in &fields {
                let owed = side.differs(field.id).is_some_and(|differs| {
                    let given_back = differs.wanted.is_some() && side.unbased.binary_search(&field.id).is_err();
                    given_back || super::held::is_owed(side, differs)
                });
                if !owed || field.binding(side.home()).is_none() || self.is_read_only(side.system) {
                    continue;
                }
                if let Err(away) = self.reach(entity, work, (field, *to), side.system)? {
                    missing.extend((away == Away::Missing).then_some((side.system, field.id)));
                    work.away.push((side.system, field.id, away));
                }
            }
        }
        if missing.is_empty() && !self.any_problems()? {
            return Ok(());
        }
        let of = (entity.id, work.record.id);
        let known = self.field_problems(of.0, of.1)?;
        for (field, to) in fields {
            for binding in &field.bindings {
                let at = (binding.system, field.id);
                let listed = known.get(&at).is_some_and(|row| row.code == MISSING_TARGET);
                match (missing.contains(&at), listed) {
                    (true, false) => {
                        let target = self.rules.entity(to).map(|target| target.name.as_str()).unwrap_or_default();
                        let system = self.rules.system(binding.system).map(|s| s.name.as_str()).unwrap_or_default();
                        let message = format!(
                            "{}: the {target} that it refers to does not stand in {system}, and is not going to be created \
                             there: create it there, or let its own problem be mended",
                            field.name
                        );
                        let (code, fields) = (MISSING_TARGET.into(), vec![field.name.clone()]);
                        self.set_field_problem(of, at, Some(Problem { since: self.now, code, message, fields }));
                    }
                    (false, true) => self.set_field_problem(of, at, None),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// As [`Self::look_ahead`], for every record that this step has moved: what each refers to is then as the step leaves it.
    pub fn look_ahead_all(&mut self) -> Result<(), ViewError> {
        for (entity, id) in self.moved_referrers() {
            let entity = self.entity(entity)?;
            if let Some(mut work) = self.take(entity.id, id)? {
                self.look_ahead(entity, &mut work)?;
                self.put(work);
            }
        }
        Ok(())
    }

    fn is_read_only(&self, system: SystemId) -> bool {
        self.rules.system(system).is_none_or(|system| system.mode == Mode::Read)
    }

    /// What is written to a system for a reference: the other record's id there; none for a blank.
    pub fn reach(
        &mut self,
        entity: &Entity,
        work: &Work,
        (field, to): (&Field, EntityId),
        system: SystemId,
    ) -> Result<Result<Option<RemoteId>, Away>, ViewError> {
        let wanted = work.record.side(system).and_then(|side| side.differs(field.id)?.wanted.as_ref());
        let value = wanted.or(work.record.register(field.id).map(|reg| &reg.val));
        let Some(Value::Ref(id)) = value else { return Ok(Ok(None)) };
        let id = *id;
        let side = if (to, id) == (entity.id, work.record.id) {
            work.record.side(system).map(|side| (side.state, side.remote.clone()))
        } else {
            let Some(target) = self.take(to, id)? else { return Ok(Err(Away::Missing)) };
            let side = target.record.side(system).map(|side| (side.state, side.remote.clone()));
            self.put(target);
            side
        };
        match side {
            // A record out of scope is there all the same.
            Some((SideState::Live | SideState::Frozen | SideState::Outside, remote)) => return Ok(Ok(Some(remote))),
            Some((SideState::Detached, _)) => return Ok(Err(Away::Missing)),
            Some((SideState::Creating, _)) | None => {}
        }
        let row = self.outbox((system, to, id))?.filter(|row| row.is_create() && row.attempts < ATTEMPTS_MAX);
        if row.is_none() || self.problem(to, id, system)?.is_some() {
            return Ok(Err(Away::Missing));
        }
        let place = |id: EntityId| self.rules.entities.iter().position(|entity| entity.id == id);
        Ok(Err(if place(to) < place(entity.id) { Away::Soon } else { Away::Later }))
    }

    /// Must the creation of a record wait for one that it refers to?
    pub fn waits(&mut self, entity: &Entity, work: &Work, system: SystemId) -> Result<bool, ViewError> {
        for (field, to) in entity.references().filter(|(field, _)| field.first_in(system).is_some()) {
            if self.reach(entity, work, (field, to), system)? == Err(Away::Soon) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Two records turned out to be one: whoever refers to the one that goes refers to the other from now on. This is where
    /// aliases are followed.
    pub fn follow_alias(&mut self, kept: &mut Work, gone: RecordId) -> Result<(), ViewError> {
        let (of, to) = (kept.record.entity, kept.record.id);
        for (entity, field, holder) in self.referrers(of, gone)? {
            if let Some(mut work) = self.take(entity.id, holder.record)? {
                work.rename(field, gone, to);
                self.put(work);
            }
        }
        for (field, _) in self.entity(of)?.leads_to().filter(|(_, to)| *to == of) {
            kept.rename(field, gone, to);
        }
        Ok(())
    }
}

impl Work {
    /// One of the records that a field refers to has another name now; nobody edited anything.
    fn rename(&mut self, field: &Field, from: RecordId, to: RecordId) {
        let mut renamed = false;
        let mut rename = |value: &mut Value| {
            renamed |= value.rename_record(from, to);
        };
        for register in self.record.registers.iter_mut().filter(|register| register.field == field.id) {
            rename(&mut register.reg.val);
        }
        let differs = self.record.sides.iter_mut().flat_map(|side| &mut side.differs);
        for differs in differs.filter(|differs| differs.field == field.id) {
            rename(&mut differs.shown);
            differs.wanted.iter_mut().for_each(&mut rename);
        }
        for lately in self.lately.fields.iter_mut().filter(|lately| lately.field == field.id) {
            lately.recent.iter_mut().for_each(|taken| rename(&mut taken.edit.value));
            for (_, late) in &mut lately.sides {
                late.flight.iter_mut().for_each(|flight| rename(&mut flight.value));
                late.strays.iter_mut().for_each(|stray| rename(&mut stray.value));
                late.waiting.iter_mut().for_each(|edit| rename(&mut edit.value));
                for own in &mut late.ours {
                    rename(&mut own.value);
                    rename(&mut own.over);
                }
            }
        }
        if renamed {
            // What differed by the name alone is equal now.
            let state = self.state(field);
            self.put_state(field, state, Vec::new());
        }
    }

    /// Does a write to this side wait, and until when at the latest?
    pub fn waits_at(&self, system: SystemId, now: Millis) -> Option<Millis> {
        let soon = self.away.iter().any(|(at, _, away)| *at == system && *away == Away::Soon);
        soon.then(|| now.plus(WAIT_MS))
    }

    /// Is a reference not to be written there now?
    pub fn is_away(&self, system: SystemId, field: FieldId) -> bool {
        self.away.iter().any(|(at, id, _)| (*at, *id) == (system, field))
    }

    /// Is a side without this field's base for want of the record that it refers to? Then reading it again may tell.
    pub fn awaits_target(&self, entity: &Entity, system: SystemId) -> bool {
        let unbased = |field: FieldId| self.record.side(system).is_some_and(|side| side.unbased.contains(&field));
        entity.references().any(|(field, _)| unbased(field.id))
    }
}

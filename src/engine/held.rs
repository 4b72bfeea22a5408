//! Problems of single fields: what a side is owed and cannot hold, and what it shows and cannot be read. The rest of the record
//! flows, and each goes when somebody mends it.

use super::record::{Work, remote_key};
use super::refs::{MISSING_TARGET, UNKNOWN_TARGET};
use super::row::Shown;
use super::txn::Txn;
use super::{DigestRow, Problem, ViewError};
use crate::model::{
    Apart, Differs, FieldId, Home, Millis, RawDigest, Record, RemoteKey, Side, SideState, SystemId, Value, ValueError,
};
use crate::rules::{Amiss, ConflictPolicy, Entity, Field, FieldBinding, Mode, OneWayEdits, Rules, Unfit};

/// Code of the problem that a side shows what a field's type cannot hold.
pub(super) const UNREADABLE: &str = "UNREADABLE_VALUE";

/// Code of the problem that a system does not show a property any more.
pub(super) const NOT_SHOWN: &str = "PROPERTY_NOT_SHOWN";

/// Code of the problem that a side shows an owner who is no user that its system lists.
pub const OWNER_UNKNOWN: &str = "OWNER_UNKNOWN";

/// Code of the problem that a one-way field was edited where it only arrives.
pub(super) const ONE_WAY_EDIT: &str = "ONE_WAY_EDIT";

impl Txn<'_> {
    /// Lists, or no longer, what people edited where a one-way field only arrives and the rules call that a problem.
    pub fn note_one_way(&mut self, entity: &Entity, work: &Work) -> Result<(), ViewError> {
        let asked =
            |field: &&Field| matches!(field.conflict, ConflictPolicy::OneWay { edits: OneWayEdits::Problem, .. });
        if !entity.fields.iter().any(|field| asked(&field)) {
            return Ok(());
        }
        let of = (entity.id, work.record.id);
        let known = self.field_problems(of.0, of.1)?;
        for side in work.record.live_sides() {
            for field in entity.fields.iter().filter(asked).filter(|field| field.conflict.writes_to(side.system)) {
                let at = (side.system, field.id);
                let kept = side.differs(field.id).and_then(|differs| differs.apart) == Some(Apart::OneWay);
                let listed = known.get(&at).map(|problem| problem.code == ONE_WAY_EDIT);
                if kept && listed.is_none() {
                    let message = "edited where it only arrives: edit it in its source, or take the edit back";
                    let (code, fields) = (ONE_WAY_EDIT.into(), vec![field.name.clone()]);
                    let problem = Problem { since: self.now, code, message: message.into(), fields };
                    self.set_field_problem(of, at, Some(problem));
                } else if !kept && listed == Some(true) {
                    self.set_field_problem(of, at, None);
                }
            }
        }
        Ok(())
    }

    /// Lists what a side is owed and cannot hold, and takes off the list what it is not owed any more.
    pub fn save_held(&mut self, entity: &Entity, before: Option<&Record>, work: &Work) -> Result<(), ViewError> {
        let of = (entity.id, work.record.id);
        let now = held(self.rules, entity, &work.record);
        let mut was = before.map(|before| held(self.rules, entity, before)).unwrap_or_default();
        if !work.recheck && now == was {
            return Ok(());
        }
        let rows = self.field_problems(of.0, of.1)?;
        if work.recheck {
            was.clear();
        }
        for (at, unfit) in now.iter().filter(|held| !was.contains(held)) {
            let Some(field) = entity.field(at.1) else { continue };
            let problem = unfit_problem((at.0, field), unfit, self.now);
            let listed = rows.get(at).is_some_and(|row| (&row.code, &row.fields) == (&problem.code, &problem.fields));
            if !listed {
                self.set_field_problem(of, *at, Some(problem));
            }
        }
        let over = |at: &(SystemId, FieldId)| now.iter().all(|(other, _)| other != at);
        for (at, _) in rows.iter().filter(|(at, row)| Unfit::is_code(&row.code) && over(at)) {
            self.set_field_problem(of, *at, None);
        }
        Ok(())
    }

    /// Lists the fields in which a side shows what a type cannot hold, and takes off the list those that it shows well again.
    pub fn note_unreadable(
        &mut self,
        entity: &Entity,
        work: &Work,
        home: Home,
        shown: &Shown,
    ) -> Result<(), ViewError> {
        let system = home.system;
        self.await_targets(work, system, shown);
        let shown = &shown.values;
        if shown.iter().all(Result::is_ok) && !self.any_problems()? {
            return Ok(());
        }
        if shown.iter().any(Result::is_err)
            && let Some(key) = work.record.side(system).map(|side| remote_key(entity.id, side))
            && let Some(row) = self.digest(&key)?
        {
            // Once it shows again what it was last listed with, that row must not be passed over.
            self.set_digest(key, Some(DigestRow { raw: RawDigest(0), ..row }));
        }
        let known = self.field_problems(entity.id, work.record.id)?;
        for ((field, _), value) in entity.fields_at(home).zip(shown) {
            self.note_field(entity, work, (system, field), value.as_ref().err(), known.get(&(system, field.id)));
        }
        Ok(())
    }

    pub fn note_field(
        &mut self,
        entity: &Entity,
        work: &Work,
        (system, field): (SystemId, &Field),
        amiss: Option<&Amiss<ValueError>>,
        known: Option<&Problem>,
    ) {
        let (of, at) = ((entity.id, work.record.id), (system, field.id));
        let listed = known.filter(|problem| is_reading(&problem.code));
        match amiss {
            Some(amiss) => {
                let code = match amiss.error {
                    ValueError::NOT_SHOWN => NOT_SHOWN,
                    ValueError::UNRESOLVED => UNKNOWN_TARGET,
                    ValueError::NO_OWNER => OWNER_UNKNOWN,
                    _ => UNREADABLE,
                };
                let message = format!("{}: {}", place(system, field, amiss.field), amiss.error);
                if listed.is_none_or(|problem| problem.message != message) {
                    let fields = vec![field.leaf(amiss.field).name.clone()];
                    let problem = Problem { since: self.now, code: code.into(), message, fields };
                    self.set_field_problem(of, at, Some(problem));
                }
            }
            None if listed.is_some() => {
                let held = held(self.rules, entity, &work.record).into_iter().find(|(other, _)| *other == at);
                self.set_field_problem(of, at, held.map(|(_, unfit)| unfit_problem((system, field), &unfit, self.now)));
            }
            None => {}
        }
    }

    /// A row shows again what it showed before something in it could not be read.
    pub fn legible_again(&mut self, entity: &Entity, key: &RemoteKey) -> Result<(), ViewError> {
        if !self.any_problems()? {
            return Ok(());
        }
        let Some(id) = self.index_of(key)? else { return Ok(()) };
        let known = self.field_problems(entity.id, id)?;
        if !known.iter().any(|((system, _), row)| *system == key.system && is_reading(&row.code)) {
            return Ok(());
        }
        let Some(work) = self.take(entity.id, id)? else { return Ok(()) };
        for (field, _) in entity.fields_at(key.home()) {
            self.note_field(entity, &work, (key.system, field), None, known.get(&(key.system, field.id)));
        }
        self.put(work);
        Ok(())
    }
}

/// Is it about what a system shows?
fn is_reading(code: &str) -> bool {
    [UNREADABLE, NOT_SHOWN, UNKNOWN_TARGET, OWNER_UNKNOWN].contains(&code)
}

/// Fields that a side is owed and cannot hold, and why.
fn held(rules: &Rules, entity: &Entity, record: &Record) -> Vec<((SystemId, FieldId), Amiss<Unfit>)> {
    let mut held = Vec::new();
    for side in record.present_sides().filter(|side| side.state != SideState::Frozen) {
        if rules.system(side.system).is_none_or(|system| system.mode == Mode::Read) {
            continue;
        }
        for differs in side.differs.iter().filter(|differs| is_owed(side, differs)) {
            let Some(field) = entity.field(differs.field) else { continue };
            let Some(binding) = field.binding(side.home()) else { continue };
            let value = record.register(field.id).map_or(&Value::Null, |reg| &reg.val);
            if field.is_content(side.home(), value, &differs.shown) {
                continue;
            }
            held.extend(field.fits(binding, value).err().map(|unfit| ((side.system, field.id), unfit)));
        }
    }
    held
}

/// Is a field of a side listed as a problem until somebody mends it: one that cannot be read there, or not be held?
pub fn awaits_mend(entity: &Entity, record: &Record, side: &Side, field: FieldId) -> bool {
    let unread = side.unbased.binary_search(&field).is_ok();
    let fits = || {
        let field = entity.field(field)?;
        let value = record.register(field.id).map_or(&Value::Null, |reg| &reg.val);
        Some(field.fits(field.binding(side.home())?, value).is_ok())
    };
    unread || fits() == Some(false)
}

/// Is a value not shown by a side because the side cannot hold it, or not yet?
pub(super) fn is_held(problem: &Problem) -> bool {
    Unfit::is_code(&problem.code) || problem.code == MISSING_TARGET
}

pub(super) fn is_owed(side: &Side, differs: &Differs) -> bool {
    !matches!(differs.apart, Some(Apart::Split | Apart::Review | Apart::OneWay))
        && side.unbased.binary_search(&differs.field).is_err()
}

/// What is listed of a field that a side cannot hold.
fn unfit_problem((system, field): (SystemId, &Field), amiss: &Amiss<Unfit>, since: Millis) -> Problem {
    let unfit = &amiss.error;
    let message = format!("{}: {unfit}; {}", place(system, field, amiss.field), unfit.mend());
    Problem { since, code: unfit.code().into(), message, fields: vec![field.leaf(amiss.field).name.clone()] }
}

/// A field by its name; a group's member with its property, since the group has several.
fn place(system: SystemId, field: &Field, id: FieldId) -> String {
    let leaf = field.leaf(id);
    let property = leaf.first_in(system).and_then(FieldBinding::property);
    match property.filter(|_| leaf.id != field.id) {
        Some(property) => format!("{} ({property})", leaf.name),
        None => leaf.name.clone(),
    }
}

//! Ties to several records, on the way in and out. Systems tell them by ids of their own; those that lead to records which are not
//! mirrored are no part of the value, neither as edits nor as blanks, and come in when the other end is there. On the way out only
//! ties whose other end stands in the system can be written, so a write says what comes and what goes, and not what there is.

use super::record::Work;
use super::refs::{Away, resolve};
use super::row::Shown;
use super::txn::Txn;
use super::{View, ViewError};
use crate::merge::{Sight, SnapshotFate};
use crate::model::{
    EntityId, Home, Millis, Raw, Record, RecordId, RemoteId, RemoteKey, Side, SideState, SystemId, TieChange, Tied,
    Timing, Value, parse_tie,
};
use crate::rules::{Entity, Field, Rules};

/// The ties that a system tells by ids of its own, and those of the ids that lead nowhere.
pub(super) fn resolve_ties(
    rules: &Rules,
    to: (EntityId, SystemId),
    told: &Value,
    index: impl Fn(&RemoteKey) -> Result<Option<RecordId>, ViewError>,
) -> Result<(Value, Vec<String>), ViewError> {
    let Value::Set(told) = told else { return Ok((Value::Null, Vec::new())) };
    let (mut ties, mut unresolved) = (Vec::with_capacity(told.len()), Vec::new());
    for tie in told {
        let (id, label) = parse_tie(tie);
        match resolve(rules, to, id, &index)? {
            Some(to) => ties.push(Tied { to, label: label.to_owned() }),
            None => unresolved.push(id.to_owned()),
        }
    }
    Ok((Value::ties(ties), unresolved))
}

/// Where a record of the other entity stands in a system; none = nothing can be tied to it there.
fn stands(record: &Record, system: SystemId) -> Option<&RemoteId> {
    let there = |side: &&Side| matches!(side.state, SideState::Live | SideState::Frozen | SideState::Outside);
    record.side(system).filter(there).map(|side| &side.remote)
}

/// Of ties that are to come or to go on a side those whose other end stands there: the others are nobody's to write.
///
/// # Errors
/// The view cannot be read.
pub fn owed_ties(
    view: &dyn View,
    record: &Record,
    field: &Field,
    (home, shown): (Home, &Value),
) -> Result<TieChange, ViewError> {
    let (Some(to), Some(binding)) = (field.ties_to(), field.binding(home)) else { return Ok(TieChange::default()) };
    let wanted = record.register(field.id).map(|reg| field.project(binding, &reg.val)).unwrap_or_default();
    let mut change = TieChange::between(shown, &wanted);
    let reached = |tied: &Tied| -> Result<bool, ViewError> {
        let other = view.record(to, tied.to)?;
        Ok(other.as_ref().is_some_and(|other| stands(other, home.system).is_some()))
    };
    for ties in [&mut change.added, &mut change.removed] {
        let all = std::mem::take(ties);
        for tied in all {
            if reached(&tied)? {
                ties.insert(tied);
            }
        }
    }
    Ok(change)
}

impl Txn<'_> {
    /// The id of a tied record in a system.
    fn tied_id(
        &mut self,
        to: EntityId,
        id: RecordId,
        system: SystemId,
        own: &Work,
    ) -> Result<Option<RemoteId>, ViewError> {
        if (to, id) == (own.record.entity, own.record.id) {
            return Ok(stands(&own.record, system).cloned());
        }
        let Some(work) = self.take(to, id)? else { return Ok(None) };
        let remote = stands(&work.record, system).cloned();
        self.put(work);
        Ok(remote)
    }

    /// The ties of a row, resolved in place.
    pub fn resolve_shown(&self, entity: &Entity, home: Home, shown: &mut Shown) -> Result<(), ViewError> {
        for ((field, _), value) in entity.fields_at(home).zip(&mut shown.values) {
            let (Some(to), Ok(told)) = (field.ties_to(), &*value) else { continue };
            let (ties, unresolved) = resolve_ties(self.rules, (to, home.system), told, |key| self.index_of(key))?;
            *value = Ok(ties);
            shown.waiting.extend(unresolved.into_iter().map(|id| (field.id, id)));
        }
        Ok(())
    }

    /// Ties as a read showed them.
    pub fn sight(
        &mut self,
        (work, field): (&mut Work, &Field),
        (system, to): (SystemId, EntityId),
        entity: &Entity,
        value: &Value,
        begun: Millis,
        timing: Timing,
    ) -> Result<SnapshotFate, ViewError> {
        let mut gone = Vec::new();
        for tied in TieChange::between(&work.shown(field, system), value).removed {
            if self.tied_id(to, tied.to, system, work)?.is_none() {
                gone.push(tied.to);
            }
        }
        let mut state = work.state(field);
        let Some(ix) = state.ix(system) else { return Ok(SnapshotFate::Same) };
        let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
        let sight = Sight { value: value.clone(), begun, asked: timing.sent, gone };
        let fate = state.ties(&context, ix, sight, self.now, &mut fates);
        work.put_state(field, state, fates);
        Ok(fate)
    }

    /// What is sent of a side's ties, and what it shows once that has landed; none = nothing can be sent now.
    pub fn tie_up(
        &mut self,
        work: &Work,
        (field, to): (&Field, EntityId),
        (home, shown): (Home, &Value),
    ) -> Result<Option<(Raw, Value)>, ViewError> {
        let Some(binding) = field.binding(home) else { return Ok(None) };
        let wanted = work.record.register(field.id).map(|reg| field.project(binding, &reg.val)).unwrap_or_default();
        let change = TieChange::between(shown, &wanted);
        let (mut sent, mut lines) = (TieChange::default(), Vec::new());
        for (sign, ties) in [('+', &change.added), ('-', &change.removed)] {
            for tied in ties {
                let remote = self.tied_id(to, tied.to, home.system, work)?;
                let (Some(remote), Some(label)) = (remote, binding.label(tied)) else { continue };
                let tab = if label.is_empty() { "" } else { "\t" };
                lines.push(format!("{sign}{remote}{tab}{label}"));
                let of = if sign == '+' { &mut sent.added } else { &mut sent.removed };
                of.insert(tied.clone());
            }
        }
        Ok((!lines.is_empty()).then(|| (Raw::Text(lines.join("\n").into()), sent.on(shown))))
    }

    /// Finds out which sides are owed ties of which none can be written yet.
    pub fn look_ahead_ties(&mut self, entity: &Entity, work: &mut Work) -> Result<(), ViewError> {
        let fields: Vec<(&Field, EntityId)> = entity.ties().collect();
        for (field, to) in fields {
            let sides = work.record.present_sides().filter(|side| side.differs(field.id).is_some());
            for (system, home) in sides.map(|side| (side.system, side.home())).collect::<Vec<_>>() {
                let shown = work.shown(field, system);
                if self.tie_up(work, (field, to), (home, &shown))?.is_none() {
                    work.away.push((system, field.id, Away::Later));
                }
            }
        }
        Ok(())
    }
}

//! One record at work: its fields taken apart for the merge rules, and put together again. What follows from it stands in `save`.

use super::refs::Away;
use super::shared::Shared;
use crate::merge::{Fate, FieldLately, FieldRules, FieldState, Flight, Lately, SideField, SideRules, Turn};
use crate::model::{
    Apart, Differs, Digest, EntityId, FieldId, Home, Millis, Origin, Place, RawDigest, Record, RecordId, Register,
    RemoteKey, Side, SideState, SourceKind, Stamp, SystemId, Value,
};
use crate::rules::{Entity, Field, FieldBinding, Rules};
use crdts::LWWReg;
use std::borrow::Cow;
use std::sync::Arc;

/// A record taken out of the store for one step.
pub(super) struct Work {
    pub record: Shared<Record>,
    pub lately: Shared<Lately>,
    /// Raw digests that this step read, by system.
    pub raws: Vec<(SystemId, RawDigest)>,
    /// Sides whose digest must stay as it is, because not all that was read could be judged.
    pub unjudged: Vec<SystemId>,
    /// Look again at what its systems can hold and where its references lead: rules or other records may have changed.
    pub recheck: bool,
    /// Has one of its sides become another record in this step? What its people did unread before that is told no more.
    pub merged: bool,
    /// References that sides are owed and cannot be written now.
    pub away: Vec<(SystemId, FieldId, Away)>,
    /// What the journal has to be told of this step.
    pub fates: Vec<(FieldId, Fate)>,
    /// As this step found it; none = it is first mirrored now.
    pub loaded: Option<(Shared<Record>, Shared<Lately>)>,
    gone: bool,
}

impl Work {
    /// A record of the store.
    pub fn loaded(record: Arc<Record>, lately: Arc<Lately>) -> Self {
        let (record, lately) = (Shared::of(record), Shared::of(lately));
        let loaded = Some((record.clone(), lately.clone()));
        Self::of(record, lately, loaded)
    }

    fn of(record: Shared<Record>, lately: Shared<Lately>, loaded: Option<(Shared<Record>, Shared<Lately>)>) -> Self {
        Self {
            record,
            lately,
            raws: Vec::new(),
            unjudged: Vec::new(),
            recheck: false,
            merged: false,
            away: Vec::new(),
            fates: Vec::new(),
            loaded,
            gone: false,
        }
    }

    /// What is known of it now, to look at while it changes.
    pub fn beside(&self) -> Self {
        Self { loaded: None, ..Self::loaded(self.record.clone().into_shared(), self.lately.clone().into_shared()) }
    }

    /// A record that is first mirrored now.
    pub fn new(id: RecordId, entity: EntityId) -> Self {
        let record = Shared::new(Record::new(id, entity));
        let lately = Shared::new(Lately::default());
        Self::of(record, lately, None)
    }

    /// Must what its systems are owed be looked at again?
    pub fn is_moved(&self) -> bool {
        !self.gone && (self.recheck || self.loaded.as_ref().is_none_or(|loaded| loaded.0 != self.record))
    }

    /// Is a remote record one of its sides, and not only a name that leads to it?
    pub fn is_side(&self, key: &RemoteKey) -> bool {
        let side = self.record.side(key.system);
        side.is_some_and(|side| (side.object, &side.remote) == (key.object, &key.remote))
    }

    /// The record as this step found it.
    pub fn before(&self) -> Option<&Record> {
        self.loaded.as_ref().filter(|_| !self.gone).map(|(record, _)| &**record)
    }

    /// Absorbed by another record in this step?
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    pub fn removed(mut self) -> Self {
        self.gone = true;
        self
    }

    /// What a side shows of a field.
    pub fn shown(&self, field: &Field, system: SystemId) -> Value {
        shown(&self.record, field, system)
    }

    /// Does a side show this value?
    pub fn shows(&self, field: &Field, system: SystemId, value: &Value) -> bool {
        *shown_of(&self.record, field, system) == *value
    }

    /// The write in flight to a field of a side.
    pub fn flight(&self, field: &Field, system: SystemId) -> Option<&Flight> {
        let at = self.lately.fields.binary_search_by_key(&field.id, |f| f.field).ok()?;
        let (_, late) = self.lately.fields[at].sides.iter().find(|(s, _)| *s == system)?;
        late.flight.as_deref()
    }

    /// Takes a field apart.
    pub fn state(&self, field: &Field) -> FieldState {
        let lately = self.lately.fields.binary_search_by_key(&field.id, |f| f.field).ok();
        let lately = lately.map(|at| self.lately.fields[at].clone());
        let (past, answered) = (self.lately.past(field.id).to_vec(), self.lately.answered(field.id).to_vec());
        self.apart(field, lately, past, answered)
    }

    /// As [`Self::state`], without a copy: what is kept of the field is gone until [`Self::put_state`].
    pub fn take_state(&mut self, field: &Field) -> FieldState {
        let lately = &mut *self.lately;
        let at = lately.fields.binary_search_by_key(&field.id, |f| f.field);
        let kept = at.ok().map(|at| lately.fields.remove(at));
        let (past, answered) = (lately.take_past(field.id), lately.take_answered(field.id));
        self.apart(field, kept, past, answered)
    }

    fn apart(
        &self,
        field: &Field,
        lately: Option<FieldLately>,
        past: Vec<(Turn, Value)>,
        answered: Vec<(SystemId, Millis)>,
    ) -> FieldState {
        let register = self.record.register(field.id);
        let (turn, recent, mut lates) = lately.map(|kept| (kept.turn, kept.recent, kept.sides)).unwrap_or_default();
        let sides = self.record.present_sides().filter(|side| field.binding(side.home()).is_some());
        let sides = sides.map(|side| {
            let differs = side.differs(field.id);
            let late = lates.iter_mut().find(|(system, _)| *system == side.system);
            SideField {
                system: side.system,
                object: side.object,
                shown: self.shown(field, side.system),
                apart: differs.and_then(|differs| differs.apart),
                wanted: differs.and_then(|differs| differs.wanted.clone()),
                unbased: side.unbased.binary_search(&field.id).is_ok(),
                settled: side.settled,
                made: side.made,
                late: late.map(|(_, late)| std::mem::take(late)).unwrap_or_default(),
            }
        });
        let sides = sides.collect();
        FieldState {
            field: field.id,
            value: register.map(|reg| reg.val.clone()).unwrap_or_default(),
            stamp: register.map_or(Stamp::ZERO, |reg| reg.marker),
            turn,
            recent,
            past,
            answered,
            sides,
        }
    }

    /// Is there surely nothing to be closed or forgotten of a field? Some side is owed its value, and what was edited was edited a moment
    /// ago.
    pub fn stays(&self, field: &Field) -> bool {
        let Ok(at) = self.lately.fields.binary_search_by_key(&field.id, |kept| kept.field) else { return false };
        let kept = &self.lately.fields[at];
        let sides = || self.record.present_sides().filter_map(|side| Some((side, field.binding(side.home())?)));
        let quiet = self.lately.past(field.id).is_empty() && self.lately.answered(field.id).is_empty();
        let whole = || kept.sides.iter().map(|(system, _)| *system).eq(sides().map(|(side, _)| side.system));
        let value = self.record.register(field.id).map(|register| &register.val);
        let owed = |(side, binding): (&Side, &FieldBinding)| {
            let apart = side.differs(field.id).is_some_and(|differs| differs.apart.is_none());
            apart && value.is_some_and(|value| field.fits(binding, value).is_ok())
        };
        quiet
            && whole()
            && sides().any(owed)
            && kept.is_recent(|system| self.record.side(system).map(|side| side.settled))
    }

    /// Puts a field back together.
    pub fn put_state(&mut self, field: &Field, state: FieldState, fates: Vec<Fate>) {
        let stamp = self.record.register(field.id).map(|reg| reg.marker);
        if stamp.is_none_or(|stamp| stamp < state.stamp) {
            let stamp = state.stamp.max(Stamp::mint(Millis(0), Stamp::ZERO, state.stamp.origin));
            self.record.set(field.id, state.value.clone(), stamp);
        }
        let (mut sides, mut late) = (Vec::with_capacity(state.sides.len()), false);
        for side in state.sides {
            let shows = |binding| *field.projected(binding, &state.value) == side.shown;
            let differs = field.binding(side.home()).is_some_and(|binding| !shows(binding));
            late |= !side.late.is_empty();
            sides.push((side.system, side.late));
            let Some(own) = self.record.side_mut(side.system) else { continue };
            let wanted = side.wanted.filter(|wanted| side.apart == Some(Apart::Split) && *wanted != side.shown);
            let differs = (differs || wanted.is_some()).then_some(Differs {
                field: field.id,
                shown: side.shown,
                apart: side.apart,
                wanted,
            });
            match (own.differs.binary_search_by_key(&field.id, |d| d.field), differs) {
                (Ok(at), Some(entry)) => own.differs[at] = entry,
                (Ok(at), None) => drop(own.differs.remove(at)),
                (Err(at), Some(entry)) => own.differs.insert(at, entry),
                (Err(_), None) => {}
            }
            match (own.unbased.binary_search(&field.id), side.unbased) {
                (Ok(at), false) => drop(own.unbased.remove(at)),
                (Err(at), true) => own.unbased.insert(at, field.id),
                _ => {}
            }
        }
        let kept = late || state.turn != Default::default() || !state.recent.is_empty();
        let lately = &mut *self.lately;
        lately.set_past(field.id, state.past);
        lately.set_answered(field.id, state.answered);
        let row = kept.then_some(FieldLately { field: field.id, turn: state.turn, recent: state.recent, sides });
        match (lately.fields.binary_search_by_key(&field.id, |f| f.field), row) {
            (Ok(at), Some(row)) => lately.fields[at] = row,
            (Ok(at), None) => drop(lately.fields.remove(at)),
            (Err(at), Some(row)) => lately.fields.insert(at, row),
            (Err(_), None) => {}
        }
        self.fates.extend(fates.into_iter().map(|fate| (field.id, fate)));
    }

    /// The side of a system takes part from now on; `shown` gives its values, in the order of `fields_at`; none = one that
    /// the
    /// type cannot hold: that field is linked when it can be read.
    pub fn link_side(
        &mut self,
        rules: &Rules,
        entity: &Entity,
        key: &RemoteKey,
        shown: &[Option<&Value>],
        begun: Place,
        now: Millis,
    ) {
        let mut others = self.record.sides.iter().filter(|side| side.system != key.system);
        let only = others.next().is_none();
        if only && self.record.registers.is_empty() && self.lately.fields.is_empty() {
            self.link_first(entity, key, shown, begun, now);
        } else {
            self.record.put_side(unlinked(entity, key, begun));
        }
        for field in &mut self.lately.fields {
            field.sides.retain(|(system, _)| *system != key.system);
        }
        self.link_fields(rules, entity, key.home(), shown, begun, now);
    }

    /// What the only side of a record that holds nothing shows is what there is: what [`Self::link_fields`] comes to in that
    /// case, in one pass. Ties are left to it, since their other ends may know of them.
    fn link_first(&mut self, entity: &Entity, key: &RemoteKey, shown: &[Option<&Value>], begun: Place, now: Millis) {
        let stamp = Stamp::mint(now, Stamp::ZERO, Origin::Engine);
        let (mut side, mut registers) = (side_from(key, begun), Vec::with_capacity(shown.len()));
        for ((field, binding), value) in entity.fields_at(key.home()).zip(shown) {
            let Some(value) = value.filter(|_| field.ties_to().is_none()) else {
                side.unbased.push(field.id);
                continue;
            };
            if *field.projected(binding, value) != *value {
                side.differs.push(Differs { field: field.id, shown: value.clone(), apart: None, wanted: None });
            }
            registers.push(Register { field: field.id, reg: LWWReg { val: value.clone(), marker: stamp } });
        }
        self.record.registers = registers;
        self.record.put_side(side);
    }

    /// First link of every field of a side that has no base yet.
    pub fn link_fields(
        &mut self,
        rules: &Rules,
        entity: &Entity,
        home: Home,
        shown: &[Option<&Value>],
        begun: Place,
        now: Millis,
    ) {
        let unbased = self.record.side(home.system).map(|side| side.unbased.clone());
        let Some(mut unbased) = unbased.filter(|unbased| !unbased.is_empty()) else { return };
        let mut equal = false;
        for ((field, binding), value) in entity.fields_at(home).zip(shown) {
            let Ok(at) = unbased.binary_search(&field.id) else { continue };
            if value.is_some_and(|value| self.is_equal(field, binding, value)) {
                unbased.remove(at);
                equal = true;
            }
        }
        if equal && let Some(side) = self.record.side_mut(home.system) {
            side.unbased = unbased;
        }
        for ((field, _), value) in entity.fields_at(home).zip(shown) {
            let (Some(side), Some(value)) = (self.record.side(home.system), value) else { continue };
            if side.unbased.binary_search(&field.id).is_ok() {
                self.link_field(rules, entity, (home.system, field), value, begun, now);
            }
        }
    }

    /// Does a side that has no base in a field show there what there is, and somebody else, too, of whom nothing recent is known? Then
    /// it has a base from now on, which is all that [`Self::link_field`] comes to. Ties are left to that.
    pub(super) fn is_equal(&self, field: &Field, binding: &FieldBinding, value: &Value) -> bool {
        let mut others = self.record.present_sides().filter(|side| side.system != binding.system);
        let register = self.record.register(field.id);
        let quiet = self.lately.fields.binary_search_by_key(&field.id, |kept| kept.field).is_err()
            && self.lately.past(field.id).is_empty()
            && self.lately.answered(field.id).is_empty();
        quiet
            && field.ties_to().is_none()
            && register.is_some_and(|register| *field.projected(binding, &register.val) == *value)
            && others.any(|side| field.binding(side.home()).is_some())
            && self.record.side(binding.system).is_some_and(|side| side.differs(field.id).is_none())
    }

    /// First link of one field of a side that has no base yet.
    pub(super) fn link_field(
        &mut self,
        rules: &Rules,
        entity: &Entity,
        (system, field): (SystemId, &Field),
        value: &Value,
        begun: Place,
        now: Millis,
    ) {
        let mut state = self.state(field);
        let Some(ix) = state.ix(system) else { return };
        let (mut fates, context) = (Vec::new(), field_rules(rules, entity, field, &state));
        state.link(&context, ix, value.clone(), begun, now, &mut fates);
        self.put_state(field, state, fates);
    }

    /// The systems whose people edited something in this step.
    pub fn editors(&self) -> impl Iterator<Item = SystemId> {
        self.fates.iter().filter_map(|(_, fate)| match fate {
            Fate::Took { system, .. } | Fate::Lost { system, at_home: false, .. } => Some(*system),
            _ => None,
        })
    }

    /// Does this side hold a write in flight?
    pub fn flies(&self, system: SystemId) -> bool {
        let sides = self.lately.fields.iter().flat_map(|field| &field.sides);
        sides.clone().any(|(s, late)| *s == system && late.flight.is_some())
    }

    /// Nothing of its values is known any more, nor when they were written.
    pub fn forget_all(&mut self) {
        self.record.registers.clear();
        self.lately = Shared::new(Lately::default());
        self.fates.clear();
        self.away.clear();
    }

    /// Is a write to this side in flight, or may one that was given up land yet?
    pub fn may_land(&self, system: SystemId) -> bool {
        let mut sides = self.lately.fields.iter().flat_map(|field| &field.sides);
        sides.any(|(s, late)| *s == system && (late.flight.is_some() || !late.strays.is_empty()))
    }

    /// May another write of ours than one in flight have changed the record in a system at this time, or later?
    pub fn other_landed(&self, system: SystemId, at: Millis) -> bool {
        let mut lates = self.lately.fields.iter().filter_map(|field| field.side(system));
        lates.any(|late| !late.strays.is_empty() || late.ours.iter().any(|own| own.until >= at))
    }

    /// Fields that a write to a system would carry now, with what it would show then, without those that it cannot hold;
    /// and the earliest time at which a
    /// parked one is due.
    pub fn patch<'e>(
        &self,
        entity: &'e Entity,
        system: SystemId,
        now: Millis,
    ) -> (Vec<(&'e Field, Value)>, Option<Millis>) {
        let Some(side) = self.record.side(system) else { return (Vec::new(), None) };
        if let Some(until) = self.waits_at(system, now) {
            return (Vec::new(), Some(until));
        }
        let (mut fields, mut later) = (Vec::new(), None::<Millis>);
        for differs in &side.differs {
            let Some(field) = entity.field(differs.field) else { continue };
            let Some(binding) = field.binding(side.home()) else { continue };
            match differs.apart {
                Some(Apart::Split) if differs.wanted.is_some() => {}
                Some(Apart::Split | Apart::Review | Apart::OneWay) => continue,
                Some(Apart::Parked { until }) if until > now => {
                    later = Some(later.map_or(until, |known| known.min(until)));
                    continue;
                }
                Some(Apart::Parked { .. }) | None => {}
            }
            let unbased = side.unbased.binary_search(&field.id).is_ok();
            if unbased || !field.conflict.writes_to(system) || self.is_away(system, field.id) {
                continue;
            }
            if let Some(wanted) = &differs.wanted {
                fields.push((field, wanted.clone()));
                continue;
            }
            let value = self.record.register(field.id).map(|reg| reg.val.clone()).unwrap_or_default();
            let is_there = field.is_content(side.home(), &value, &differs.shown);
            if !is_there && field.fits(binding, &value).is_ok() {
                fields.push((field, field.project(binding, &value)));
            }
        }
        (fields, later)
    }
}

/// What a side shows of a field, as far as we know.
pub(super) fn shown(record: &Record, field: &Field, system: SystemId) -> Value {
    shown_of(record, field, system).into_owned()
}

/// As [`shown`], without a copy where the side shows what the record holds.
pub(super) fn shown_of<'r>(record: &'r Record, field: &'r Field, system: SystemId) -> Cow<'r, Value> {
    const BLANK: &Value = &Value::Null;
    let Some(side) = record.side(system) else { return Cow::Borrowed(BLANK) };
    let Some(binding) = field.binding(side.home()) else { return Cow::Borrowed(BLANK) };
    match side.differs(field.id) {
        Some(differs) => Cow::Borrowed(&differs.shown),
        None => field.projected(binding, record.register(field.id).map_or(BLANK, |reg| &reg.val)),
    }
}

/// What the side in an object shows of all its fields, in the order of `fields_at`; none where it has no such side. One pass,
/// since fields, registers and differences all ascend by field.
pub(super) fn shown_row<'r>(
    entity: &'r Entity,
    record: &'r Record,
    home: Home,
) -> Option<impl Iterator<Item = (FieldId, Cow<'r, Value>)>> {
    const BLANK: &Value = &Value::Null;
    let side = record.side(home.system).filter(|side| side.object == home.object)?;
    let (mut registers, mut differs) = (record.registers.iter().peekable(), side.differs.iter().peekable());
    Some(entity.fields_at(home).map(move |(field, binding)| {
        while registers.next_if(|register| register.field < field.id).is_some() {}
        while differs.next_if(|differs| differs.field < field.id).is_some() {}
        if let Some(differs) = differs.next_if(|differs| differs.field == field.id) {
            return (field.id, Cow::Borrowed(&differs.shown));
        }
        let value = registers.next_if(|register| register.field == field.id).map_or(BLANK, |of| &of.reg.val);
        (field.id, field.projected(binding, value))
    }))
}

/// The surroundings of a field, in the order of its state's sides.
pub(super) fn field_rules<'r>(
    rules: &'r Rules,
    entity: &'r Entity,
    field: &'r Field,
    state: &FieldState,
) -> FieldRules<'r> {
    let coarse = entity.bindings.iter().filter_map(|binding| rules.system(binding.system));
    let sides = state.sides.iter().filter_map(|side| {
        let system = rules.system(side.system)?;
        let binding = field.binding(side.home())?;
        Some(SideRules {
            rank: rules.rank(side.system),
            step_ms: system.ability.resolution_ms.max(1),
            source: if binding.is_unrecorded() { SourceKind::Polled } else { system.ability.source },
            stray_ms: system.ability.stray_ms,
            latest: Millis(0),
            ahead_ms: 0,
            binding,
        })
    });
    FieldRules {
        policy: &field.conflict,
        coarse_ms: coarse.map(|system| system.ability.resolution_ms).max().unwrap_or(1).max(1),
        field,
        sides: sides.collect(),
    }
}

/// Where a side's record lives.
pub(super) fn remote_key(entity: EntityId, side: &Side) -> RemoteKey {
    RemoteKey { entity, system: side.system, object: side.object, remote: side.remote.clone() }
}

/// Digest of what a side shows, over the fields that it holds.
pub(super) fn shown_digest(entity: &Entity, record: &Record, home: Home) -> Digest {
    match shown_row(entity, record, home) {
        Some(row) => Digest::of_fields(row),
        None => Digest::of_fields(entity.fields_at(home).map(|(field, _)| (field.id, &Value::Null))),
    }
}

/// A side that takes part from now on, none of whose fields has a base.
pub(super) fn unlinked(entity: &Entity, key: &RemoteKey, begun: Place) -> Side {
    Side { unbased: entity.fields_at(key.home()).map(|(field, _)| field.id).collect(), ..side_from(key, begun) }
}

/// A side that takes part from now on, before anything is known of its fields.
fn side_from(key: &RemoteKey, begun: Place) -> Side {
    Side {
        system: key.system,
        object: key.object,
        remote: key.remote.clone(),
        state: SideState::Live,
        // What happened in the step of the read's beginning may be in it or not.
        settled: Place { time: begun.time.plus(-1), position: begun.position },
        made: Millis::MIN,
        unbased: Vec::new(),
        differs: Vec::new(),
    }
}

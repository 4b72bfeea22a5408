//! One record at work: its fields taken apart for the merge rules, and put together again.

use super::named::link_key;
use super::refs::Away;
use super::shared::Shared;
use super::txn::Txn;
use super::{AT_HOME, Change, DigestRow, Happening, KeyHolder, OutboxRow, Task, ViewError};
use crate::merge::identity::match_key;
use crate::merge::{Fate, FieldLately, FieldRules, FieldState, Flight, Lately, SideField, SideRules, Turn, policy};
use crate::model::{
    Apart, Differs, Digest, EntityId, FieldId, Home, Millis, Origin, Place, RawDigest, Record, RecordId, Register,
    RemoteKey, Side, SideState, SourceKind, Stamp, SystemId, Value,
};
use crate::rules::{Entity, Field, Mode, Rules};
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
    /// References that sides are owed and cannot be written now.
    pub away: Vec<(SystemId, FieldId, Away)>,
    fates: Vec<(FieldId, Fate)>,
    loaded: Option<(Shared<Record>, Shared<Lately>)>,
    gone: bool,
}

impl Work {
    /// A record of the store.
    pub fn loaded(record: Arc<Record>, lately: Arc<Lately>) -> Self {
        let (record, lately) = (Shared::of(record), Shared::of(lately));
        let loaded = Some((record.clone(), lately.clone()));
        let (raws, unjudged, fates) = (Vec::new(), Vec::new(), Vec::new());
        Self { record, lately, raws, unjudged, recheck: false, away: Vec::new(), fates, loaded, gone: false }
    }

    /// What is known of it now, to look at while it changes.
    pub fn beside(&self) -> Self {
        Self { loaded: None, ..Self::loaded(self.record.clone().into_shared(), self.lately.clone().into_shared()) }
    }

    /// A record that is first mirrored now.
    pub fn new(id: RecordId, entity: EntityId) -> Self {
        let record = Shared::new(Record::new(id, entity));
        let lately = Shared::new(Lately::default());
        let (raws, unjudged, fates) = (Vec::new(), Vec::new(), Vec::new());
        Self { record, lately, raws, unjudged, recheck: false, away: Vec::new(), fates, loaded: None, gone: false }
    }

    /// Must what its systems are owed be looked at again?
    pub fn is_moved(&self) -> bool {
        !self.gone && (self.recheck || self.loaded.as_ref().is_none_or(|loaded| loaded.0 != self.record))
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
        late.flight.as_ref()
    }

    /// Takes a field apart.
    pub fn state(&self, field: &Field) -> FieldState {
        let lately = self.lately.fields.binary_search_by_key(&field.id, |f| f.field).ok();
        let lately = lately.map(|at| self.lately.fields[at].clone());
        let (past, answered) = (self.lately.past(field.id).to_vec(), self.lately.answered(field.id).to_vec());
        self.apart(field, lately, past, answered)
    }

    /// As [`Self::state`], without a copy: what is kept of the field is gone until [`Self::put_state`].
    fn take_state(&mut self, field: &Field) -> FieldState {
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

    /// Puts a field back together.
    pub fn put_state(&mut self, field: &Field, state: FieldState, fates: Vec<Fate>) {
        let stamp = self.record.register(field.id).map(|reg| reg.marker);
        if stamp.is_none_or(|stamp| stamp < state.stamp) {
            let stamp = state.stamp.max(Stamp::mint(Millis(0), Stamp::ZERO, state.stamp.origin));
            self.record.set(field.id, state.value.clone(), stamp);
        }
        for side in &state.sides {
            let projected = field.binding(side.home()).map(|binding| field.project(binding, &state.value));
            let Some(own) = self.record.side_mut(side.system) else { continue };
            let wanted = side.wanted.clone().filter(|wanted| side.apart == Some(Apart::Split) && *wanted != side.shown);
            let differs = wanted.is_some() || projected.is_some_and(|projected| projected != side.shown);
            let differs =
                differs.then(|| Differs { field: field.id, shown: side.shown.clone(), apart: side.apart, wanted });
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
        let kept = state.turn != Default::default()
            || !state.recent.is_empty()
            || state.sides.iter().any(|side| !side.late.is_empty());
        self.lately.set_past(field.id, state.past);
        self.lately.set_answered(field.id, state.answered);
        let row = kept.then(|| FieldLately {
            field: field.id,
            turn: state.turn,
            recent: state.recent,
            sides: state.sides.into_iter().map(|side| (side.system, side.late)).collect(),
        });
        match (self.lately.fields.binary_search_by_key(&field.id, |f| f.field), row) {
            (Ok(at), Some(row)) => self.lately.fields[at] = row,
            (Ok(at), None) => drop(self.lately.fields.remove(at)),
            (Err(at), Some(row)) => self.lately.fields.insert(at, row),
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
        shown: &[Option<Value>],
        begun: Place,
        now: Millis,
    ) {
        self.record.put_side(Side {
            system: key.system,
            object: key.object,
            remote: key.remote.clone(),
            state: SideState::Live,
            // What happened in the step of the read's beginning may be in it or not.
            settled: Place { time: begun.time.plus(-1), position: begun.position },
            made: Millis::MIN,
            unbased: entity.fields_at(key.home()).map(|(field, _)| field.id).collect(),
            differs: Vec::new(),
        });
        if self.record.registers.is_empty() && self.record.sides.len() == 1 && self.lately.fields.is_empty() {
            self.link_first(entity, key.home(), shown, now);
        }
        for field in &mut self.lately.fields {
            field.sides.retain(|(system, _)| *system != key.system);
        }
        self.link_fields(rules, entity, key.home(), shown, begun, now);
    }

    /// What the only side of a record that holds nothing shows is what there is: what [`Self::link_fields`] comes to in that
    /// case, in one pass. Ties are left to it, since their other ends may know of them.
    fn link_first(&mut self, entity: &Entity, home: Home, shown: &[Option<Value>], now: Millis) {
        let stamp = Stamp::mint(now, Stamp::ZERO, Origin::Engine);
        let Record { registers, sides, .. } = &mut *self.record;
        let Some(side) = sides.first_mut() else { return };
        side.unbased.clear();
        registers.reserve_exact(shown.len());
        for ((field, binding), value) in entity.fields_at(home).zip(shown) {
            let Some(value) = value.as_ref().filter(|_| field.ties_to().is_none()) else {
                side.unbased.push(field.id);
                continue;
            };
            if *field.projected(binding, value) != *value {
                side.differs.push(Differs { field: field.id, shown: value.clone(), apart: None, wanted: None });
            }
            registers.push(Register { field: field.id, reg: LWWReg { val: value.clone(), marker: stamp } });
        }
    }

    /// First link of every field of a side that has no base yet.
    pub fn link_fields(
        &mut self,
        rules: &Rules,
        entity: &Entity,
        home: Home,
        shown: &[Option<Value>],
        begun: Place,
        now: Millis,
    ) {
        let system = home.system;
        for ((field, _), value) in entity.fields_at(home).zip(shown) {
            let (Some(side), Some(value)) = (self.record.side(system), value) else { continue };
            if side.unbased.binary_search(&field.id).is_err() {
                continue;
            }
            let mut state = self.state(field);
            let Some(ix) = state.ix(system) else { continue };
            let (mut fates, context) = (Vec::new(), field_rules(rules, entity, field, &state));
            state.link(&context, ix, value.clone(), begun, now, &mut fates);
            self.put_state(field, state, fates);
        }
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

impl<'a> Txn<'a> {
    /// A field's surroundings at this moment.
    pub fn context<'r>(&self, entity: &'r Entity, field: &'r Field, state: &FieldState) -> FieldRules<'r>
    where
        'a: 'r,
    {
        let mut context = field_rules(self.rules, entity, field, state);
        for (rules, side) in context.sides.iter_mut().zip(&state.sides) {
            rules.latest = self.clocks.offset(side.system).latest(self.now);
            rules.ahead_ms = self.clocks.offset(side.system).high;
        }
        context
    }

    /// Closes, forgets, and writes a record with everything that follows from it.
    pub fn save(&mut self, mut work: Work) -> Result<(), ViewError> {
        let entity = self.entity(work.record.entity)?;
        let before = work.loaded.take();
        self.note_stood(&work, before.as_ref().map(|before| &before.0));
        let left = if work.gone { Vec::new() } else { self.leave_scope(entity, &mut work)? };
        if work.gone {
            if let Some(before) = before {
                self.save_keys(entity, Some(&before.0), None);
                self.drop_reviews(entity.id, work.record.id)?;
                self.record_changes.push(Change::RemoveRecord(entity.id, work.record.id));
                self.record_changes.push(Change::SetLately(entity.id, work.record.id, None));
            }
            return Ok(());
        }
        let stood: Option<&Record> = before.as_ref().map(|before| &*before.0);
        self.save_held(entity, stood, &work)?;
        let was_quiet = before.as_ref().is_some_and(|before| before.1.is_empty());
        if was_quiet && !work.lately.is_empty() {
            self.close_quiet_past(entity, &mut work)?;
        }
        self.close_and_prune(entity, &mut work)?;
        self.take_back(entity, stood, &mut work)?;
        self.note_quarrels(entity, &mut work)?;
        self.note_rules(entity, work.record.id, &work.fates)?;
        self.note_reviews(entity, stood, &work)?;
        let fates = std::mem::take(&mut work.fates);
        let filled = before.as_ref().map(|before| filled(&before.0, &work.record, &fates)).unwrap_or_default();
        for (field, fate) in fates {
            self.journal_fate(entity, work.record.id, field, fate);
        }
        for what in filled {
            self.journal(entity.id, Some(work.record.id), what);
        }
        let (old, old_lately) = match &before {
            Some(before) => (Some(&before.0), Some(&before.1)),
            None => (None, None),
        };
        let changed = old != Some(&work.record);
        if changed {
            self.note_one_way(entity, &work)?;
            if before.is_some() {
                self.queue_scoped(entity, &work)?;
            }
        }
        if changed || work.recheck || old_lately != Some(&work.lately) {
            self.save_outbox(entity, &work, (changed, before.is_none()))?;
        }
        if changed && stood.is_none_or(|stood| !finds_same(entity, stood, &work.record)) {
            self.save_keys(entity, stood, Some(&work.record));
        }
        self.save_digests(entity, (stood, &work), changed, &left)?;
        if old_lately.map_or(!work.lately.is_empty(), |old| *old != work.lately) {
            let lately = (!work.lately.is_empty()).then(|| work.lately.into_shared());
            self.record_changes.push(Change::SetLately(entity.id, work.record.id, lately));
        }
        if changed {
            self.record_changes.push(Change::PutRecord(work.record.into_shared()));
        }
        Ok(())
    }

    fn close_and_prune(&mut self, entity: &Entity, work: &mut Work) -> Result<(), ViewError> {
        if work.lately.fields.is_empty() {
            work.lately = Shared::new(Lately::default());
            return Ok(());
        }
        let mut doubtful = false;
        let live: Vec<RemoteKey> = work.record.live_sides().map(|side| remote_key(entity.id, side)).collect();
        let mut settled = Vec::new();
        for key in &live {
            let history = self.source(key.system) == SourceKind::History;
            let pending = self.reread(key)?.is_some();
            doubtful |= pending;
            // What a stream has yet to tell, a read does not take in: an equal save shows nothing. And a listing under way
            // may show what a write covered before it was read back.
            let read = work.lately.read_at(key.system).filter(|_| history).map(Place::at);
            // A listing does not tell what came and went between two of them; a history does, but only when it is read.
            let listed = !pending && !history;
            let passed = if listed { self.delivered(key.home(), entity.id)? } else { None };
            let upto = [read, passed].into_iter().flatten().max_by(Place::order);
            settled.extend(upto.map(|upto| (key.system, upto)));
        }
        let fields: Vec<&Field> = work.lately.fields.iter().filter_map(|f| entity.field(f.field)).collect();
        let mut states: Vec<(&Field, FieldState)> = fields.into_iter().map(|f| (f, work.take_state(f))).collect();
        for (system, upto) in &mut settled {
            for (_, state) in &states {
                let held = state.ix(*system).and_then(|ix| state.held_back(ix));
                if let Some(held) = held.filter(|held| held.before(upto)) {
                    *upto = held;
                }
            }
            if let Some(side) = work.record.side_mut(*system)
                && side.settled.leads_to(upto)
            {
                side.settled = *upto;
            }
        }
        for (field, state) in &mut states {
            for side in &mut state.sides {
                side.settled = work.record.side(side.system).map_or(side.settled, |own| own.settled);
            }
            let context = self.context(entity, field, state);
            if !doubtful {
                let systems: Vec<SystemId> = state.sides.iter().map(|side| side.system).collect();
                state.close(&context, |ix| self.clocks.offset(systems[ix]).latest(self.now));
            }
            state.prune(&context, self.now);
        }
        for (field, state) in states {
            work.put_state(field, state, Vec::new());
        }
        if work.lately.fields.is_empty() {
            work.lately = Shared::new(Lately::default());
        }
        Ok(())
    }

    fn save_outbox(&mut self, entity: &Entity, work: &Work, (changed, new): (bool, bool)) -> Result<(), ViewError> {
        let id = work.record.id;
        for system in entity.systems() {
            let at = (system, entity.id, id);
            let writable = self.rules.system(system).is_some_and(|system| system.mode == Mode::ReadWrite);
            let known = if new { self.outbox_of_new(at) } else { self.outbox(at)? };
            let side = work.record.side(system);
            let row = known;
            let row = match side {
                // A create is queued where it is decided, and kept until the side is there.
                None | Some(Side { state: SideState::Creating, .. }) => {
                    row.filter(|row| row.is_create() && writable).map(|row| {
                        let waits = row.flying.is_none() && row.probe.is_none();
                        let due = if (changed || work.recheck) && waits { self.now } else { row.due };
                        OutboxRow { due, ..row }
                    })
                }
                Some(Side { state: SideState::Detached | SideState::Frozen | SideState::Outside, .. }) => None,
                // A delete is queued where it is decided, and kept until it is done or taken back.
                Some(_) if row.is_some_and(|row| row.is_delete()) => row.filter(|_| writable),
                Some(_) if work.flies(system) => row.map(|row| OutboxRow { task: Task::Update, ..row }),
                Some(Side { object, .. }) => {
                    let (fields, later) = work.patch(entity, system, self.now);
                    let due = if fields.is_empty() { later } else { Some(self.now) };
                    due.filter(|_| writable).map(|due| match row {
                        Some(row) if row.flying.is_none() && !row.is_create() => {
                            // What was refused or put off is tried at once when somebody has changed it since.
                            let anew = fields.is_empty() || changed || work.recheck;
                            let due = if anew { due } else { row.due };
                            OutboxRow { object: *object, due, ..row }
                        }
                        _ => OutboxRow {
                            object: *object,
                            due,
                            task: Task::Update,
                            seen: self.now,
                            looked: None,
                            probe: None,
                            flying: None,
                            attempts: row.map_or(0, |row| row.attempts),
                        },
                    })
                }
            };
            if row != known {
                self.set_outbox(at, row)?;
            }
        }
        Ok(())
    }

    /// Makes a record's keys find it, as it stands now instead of before.
    pub fn save_keys(&mut self, entity: &Entity, old: Option<&Record>, new: Option<&Record>) {
        let keys = |record: &Record| {
            let mut keys = Vec::new();
            for side in record.standing_sides() {
                let matching = entity.match_keys.iter().filter_map(|id| entity.field(*id));
                // By what it refers to a record is found, but never matched.
                for (field, _) in entity.ties() {
                    for tied in shown(record, field, side.system).tied() {
                        let key = match_key(field, &Value::Ref(tied.to));
                        let holder = KeyHolder { system: side.system, record: record.id };
                        let to = field.refers_to().map(|entity| (entity, tied.to));
                        keys.extend(key.map(|key| (key, holder, to)).filter(|held| !keys.contains(held)));
                    }
                }
                let links = entity.binding(side.home()).map(|binding| &*binding.links).unwrap_or_default();
                for link in links {
                    let value = entity.field(link.field).map(|field| shown(record, field, side.system));
                    let key = value.and_then(|value| link.names(&value)).map(|remote| link_key(link, &remote));
                    keys.extend(key.map(|key| (key, KeyHolder { system: side.system, record: record.id }, None)));
                }
                for field in matching.chain(entity.references().map(|(field, _)| field)) {
                    if field.binding(side.home()).is_none() {
                        continue;
                    }
                    let given_back = side.differs(field.id).and_then(|differs| differs.wanted.clone());
                    let given_back = given_back.filter(|_| field.refers_to().is_some());
                    for value in std::iter::once(shown(record, field, side.system)).chain(given_back) {
                        let to = field.refers_to().zip(if let Value::Ref(id) = value { Some(id) } else { None });
                        let key = match_key(field, &value);
                        keys.extend(key.map(|key| (key, KeyHolder { system: side.system, record: record.id }, to)));
                    }
                }
            }
            keys
        };
        let (old, new) = (old.map(keys).unwrap_or_default(), new.map(keys).unwrap_or_default());
        for (key, holder, to) in old.iter().filter(|held| !new.contains(held)) {
            self.hold_key(entity.id, key.clone(), *holder, false);
            // A delete there may have waited for that.
            self.released.extend(to.map(|(entity, record)| (holder.system, entity, record)));
        }
        for (key, holder, _) in new.into_iter().filter(|held| !old.contains(held)) {
            self.hold_key(entity.id, key, holder, true);
        }
    }

    /// The canonical digest of a side's row is always that of what we think it shows.
    fn save_digests(
        &mut self,
        entity: &Entity,
        (before, work): (Option<&Record>, &Work),
        changed: bool,
        left: &[SystemId],
    ) -> Result<(), ViewError> {
        let judged = |side: &&Side| side.state == SideState::Live || left.contains(&side.system);
        for side in work.record.sides.iter().filter(judged) {
            let raw = work.raws.iter().find(|(system, _)| *system == side.system).map(|(_, raw)| *raw);
            let unjudged = work.unjudged.contains(&side.system);
            let raw = raw.filter(|_| !unjudged);
            let flies = work.flies(side.system);
            if !flies && !changed && raw.is_none() {
                continue;
            }
            let key = remote_key(entity.id, side);
            let known = self.digest(&key)?;
            // The other side of an edit shows what it showed; and what could not be judged must not look as if it had been.
            let stays = || before.is_some_and(|before| shows_same(entity, before, &work.record, side.home()));
            if !flies && raw.is_none() && (if known.is_some() { stays() } else { unjudged }) {
                continue;
            }
            if flies {
                // A row as it was before a write is news then.
                if known.is_some() {
                    self.set_digest(key, None);
                }
                continue;
            }
            let canonical = shown_digest(entity, &work.record, side.home());
            let raw = match (raw, known) {
                (Some(raw), _) => raw,
                (None, Some(known)) if known.canonical == canonical => known.raw,
                (None, _) => RawDigest(0),
            };
            let row = DigestRow { raw, canonical };
            if known != Some(row) {
                self.set_digest(key, Some(row));
            }
        }
        Ok(())
    }

    fn journal_fate(&mut self, entity: &Entity, record: RecordId, field: FieldId, fate: Fate) {
        let rule = || {
            let policy = entity.field(field).map(|field| &field.conflict);
            let name = |id| self.rules.system(id).map(|system| system.name.clone()).unwrap_or_default();
            policy.map(|policy| policy::name(policy, &name)).unwrap_or_default()
        };
        let what = match fate {
            Fate::Took { from, to, stamp, system, place, contested } => {
                let rule = contested.then(rule);
                let who = self.author(record, (system, field), place);
                Happening::Value { field, from, to, stamp, system, place, rule, who }
            }
            Fate::Lost { value, system, place, at_home } => {
                let rule = if at_home { AT_HOME.to_owned() } else { rule() };
                let who = self.author(record, (system, field), place);
                Happening::Lost { field, value, system, place, rule, who }
            }
            Fate::Linked { system, from, to, other, split, over } => {
                Happening::LinkDecided { field, from, to, other, system, split, over }
            }
            Fate::Settled { system, op, by } => Happening::Settled { system, op, field, by },
            Fate::Alarm { system, place } => Happening::Alarm { system, field, place },
            // It is listed, not journaled: what became of the edits is.
            Fate::RuleFailed { .. } => return,
        };
        self.journal(entity.id, Some(record), what);
    }
}

/// Values that registers took without a fate that says so.
fn filled(before: &Record, after: &Record, fates: &[(FieldId, Fate)]) -> Vec<Happening> {
    const BLANK: &Value = &Value::Null;
    let told = |field: FieldId, value: &Value| {
        let to = fates.iter().rev().filter(|(of, _)| *of == field).find_map(|(_, fate)| match fate {
            Fate::Took { to, .. } | Fate::Linked { to, .. } => Some(to),
            _ => None,
        });
        to == Some(value)
    };
    let from = |field| before.register(field).map_or(BLANK, |reg| &reg.val);
    let moved = after.registers.iter().map(|register| (register.field, from(register.field), &register.reg));
    let moved = moved.filter(|(field, from, reg)| **from != reg.val && !told(*field, &reg.val));
    let filled = moved.map(|(field, from, reg)| Happening::Filled {
        field,
        from: from.clone(),
        to: reg.val.clone(),
        stamp: reg.marker,
    });
    filled.collect()
}

/// Is a record found by the same keys before and after?
fn finds_same(entity: &Entity, before: &Record, after: &Record) -> bool {
    let place = |side: &Side| (side.system, side.object, side.state);
    let stands = before.sides.iter().map(place).eq(after.sides.iter().map(place));
    let leads = |field: &Field| field.refers_to().is_some() || field.ties_to().is_some();
    let finds = |field: &&Field| leads(field) || entity.match_keys.contains(&field.id) || entity.is_link(field.id);
    let finding = entity.fields.iter().filter(finds);
    let same = |field: &Field| {
        let value = |record: &'_ Record| record.register(field.id).map(|reg| reg.val.clone());
        let differs = before.sides.iter().zip(&after.sides).any(|(a, b)| a.differs(field.id) != b.differs(field.id));
        value(before) == value(after) && !differs
    };
    stands && finding.into_iter().all(same)
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

/// Does the side in an object show the same before and after?
fn shows_same(entity: &Entity, before: &Record, after: &Record, home: Home) -> bool {
    match (shown_row(entity, before, home), shown_row(entity, after, home)) {
        (Some(before), Some(after)) => before.eq(after),
        _ => false,
    }
}

//! A record that was at work is put back into the store, with everything that follows from it.

use super::named::link_key;
use super::record::{Work, field_rules, remote_key, shown, shown_digest, shown_of};
use super::shared::Shared;
use super::txn::Txn;
use super::{AT_HOME, Change, DigestRow, Happening, KeyHolder, OutboxRow, Task, ViewError};
use crate::merge::identity::match_key;
use crate::merge::{Fate, FieldRules, FieldState, Lately, policy};
use crate::model::{
    FieldId, Home, Place, RawDigest, Record, RecordId, RemoteKey, Side, SideState, SourceKind, SystemId, Value,
};
use crate::rules::{Entity, Field, Mode};

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
        let left = if work.is_gone() { Vec::new() } else { self.leave_scope(entity, &mut work)? };
        if work.is_gone() {
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
        if was_quiet && !work.merged && !work.lately.is_empty() {
            self.close_quiet_past(entity, &mut work)?;
        }
        self.close_and_prune(entity, &mut work)?;
        self.take_back(entity, stood, &mut work)?;
        self.note_quarrels(entity, &mut work)?;
        self.note_rules(entity, work.record.id, &work.fates)?;
        self.note_reviews(entity, stood, &work)?;
        self.ask_dates(entity, &work)?;
        let fates = std::mem::take(&mut work.fates);
        let moves = stood.map(|stood| Moves::between(stood, &work.record));
        let filled = stood.zip(moves.as_ref());
        let filled = filled.map(|(stood, moves)| moves.filled(stood, &work.record, &fates)).unwrap_or_default();
        for (field, fate) in fates {
            self.journal_fate(entity, work.record.id, field, fate);
        }
        for what in filled {
            self.journal(entity.id, Some(work.record.id), what);
        }
        let old_lately = before.as_ref().map(|before| &before.1);
        let same = |(stood, moves): (&Record, &Moves)| !moves.any() && stood.sides == work.record.sides;
        let changed = !stood.zip(moves.as_ref()).is_some_and(same);
        if changed {
            self.note_one_way(entity, &work)?;
            if before.is_some() {
                self.queue_scoped(entity, &work)?;
            }
        }
        if changed || work.recheck || old_lately != Some(&work.lately) {
            let moved = moves.as_ref().is_none_or(|moves| !moves.fields.is_empty());
            self.save_outbox(entity, &work, (changed, moved, before.is_none()))?;
        }
        let finds_same = |(stood, moves)| finds_same(entity, stood, &work.record, moves);
        if changed && !stood.zip(moves.as_ref()).is_some_and(finds_same) {
            self.save_keys(entity, stood, Some(&work.record));
        }
        self.save_digests(entity, (stood.zip(moves.as_ref()), &work), changed, &left)?;
        if old_lately.map_or(!work.lately.is_empty(), |old| *old != work.lately) {
            let lately = (!work.lately.is_empty()).then(|| work.lately.into_shared());
            self.record_changes.push(Change::SetLately(entity.id, work.record.id, lately));
        }
        if let Some(moves) = moves {
            self.note_moves(moves);
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
        for (system, upto) in &mut settled {
            for late in work.lately.fields.iter().filter_map(|field| field.side(*system)) {
                if let Some(held) = late.held_back().filter(|held| held.before(upto)) {
                    *upto = held;
                }
            }
            let rises = |side: &Side| side.settled.leads_to(upto);
            if work.record.side(*system).is_some_and(rises)
                && let Some(side) = work.record.side_mut(*system)
            {
                side.settled = *upto;
            }
        }
        let fields: Vec<&Field> = work.lately.fields.iter().filter_map(|kept| entity.field(kept.field)).collect();
        for field in fields {
            let stays = work.stays(field);
            if stays && !cfg!(debug_assertions) {
                continue;
            }
            let was = stays.then(|| work.state(field));
            let mut state = work.take_state(field);
            let context = self.context(entity, field, &state);
            if !doubtful {
                let systems: Vec<SystemId> = state.sides.iter().map(|side| side.system).collect();
                state.close(&context, |ix| self.clocks.offset(systems[ix]).latest(self.now));
            }
            state.prune(&context, self.now);
            debug_assert!(was.is_none_or(|was| was == state), "what stays stays: {state:?}");
            work.put_state(field, state, Vec::new());
        }
        if work.lately.fields.is_empty() {
            work.lately = Shared::new(Lately::default());
        }
        Ok(())
    }

    /// `moved`: registers have other values than before.
    fn save_outbox(
        &mut self,
        entity: &Entity,
        work: &Work,
        (changed, moved, new): (bool, bool, bool),
    ) -> Result<(), ViewError> {
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
                            let seen = if moved { self.now } else { row.seen };
                            OutboxRow { object: *object, due, seen, ..row }
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
                self.change_outbox(at, known, row);
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

    /// A side whose digest is known shows what its record says; one that leaves its scope, what it did then.
    fn save_digests(
        &mut self,
        entity: &Entity,
        (before, work): (Option<(&Record, &Moves)>, &Work),
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
            let known = if before.is_none() { self.digest_of_new(&key) } else { self.digest(&key)? };
            // The other side of an edit shows what it showed; and what could not be judged must not look as if it had been.
            let same = |(before, moves): (&Record, &Moves)| moves.shows_same(entity, before, &work.record, side.home());
            let stays = || before.is_some_and(same);
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
            let leaves = side.state != SideState::Live;
            let row = DigestRow {
                raw: raw.unwrap_or(RawDigest(0)),
                canonical: leaves.then(|| shown_digest(entity, &work.record, side.home())),
            };
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

/// Registers of a record that a step has moved.
#[derive(Default)]
pub(super) struct Moves {
    /// Those that are not as they stood, ascending.
    pub fields: Vec<FieldId>,
    /// Are there any that stood and are no more?
    pub dropped: bool,
}

impl Moves {
    pub fn between(before: &Record, after: &Record) -> Self {
        let (mut fields, mut added) = (Vec::new(), 0);
        for (was, register) in after.moved_since(before) {
            added += usize::from(was.is_none());
            fields.push(register.field);
        }
        Self { fields, dropped: before.registers.len() + added != after.registers.len() }
    }

    /// Have any?
    pub fn any(&self) -> bool {
        self.dropped || !self.fields.is_empty()
    }

    /// Values that registers took without a fate that says so.
    fn filled(&self, before: &Record, after: &Record, fates: &[(FieldId, Fate)]) -> Vec<Happening> {
        const BLANK: &Value = &Value::Null;
        let told = |field: FieldId, value: &Value| {
            let to = fates.iter().rev().filter(|(of, _)| *of == field).find_map(|(_, fate)| match fate {
                Fate::Took { to, .. } | Fate::Linked { to, .. } => Some(to),
                _ => None,
            });
            to == Some(value)
        };
        let filled = self.fields.iter().filter_map(|&field| {
            let (from, reg) = (before.register(field).map_or(BLANK, |from| &from.val), after.register(field)?);
            (*from != reg.val && !told(field, &reg.val)).then(|| Happening::Filled {
                field,
                from: from.clone(),
                to: reg.val.clone(),
                stamp: reg.marker,
            })
        });
        filled.collect()
    }

    /// Does the side in an object show the same before and after? Only fields whose register has moved, or of which something is told
    /// apart, can show something else.
    pub fn shows_same(&self, entity: &Entity, before: &Record, after: &Record, home: Home) -> bool {
        let sides = before.side(home.system).zip(after.side(home.system));
        let Some((old, new)) = sides.filter(|(old, new)| old.object == home.object && new.object == home.object) else {
            return false;
        };
        let mut suspects = self.fields.clone();
        if old.differs != new.differs {
            suspects.extend(old.differs.iter().chain(&new.differs).map(|differs| differs.field));
        }
        if self.dropped {
            let stood = before.registers.iter().map(|register| register.field);
            suspects.extend(stood.filter(|of| after.register(*of).is_none()));
        }
        suspects.sort_unstable();
        suspects.dedup();
        let mut fields = suspects.into_iter().filter_map(|id| entity.field(id));
        fields.all(|field| shown_of(before, field, home.system) == shown_of(after, field, home.system))
    }
}

/// Is a record found by the same keys before and after?
fn finds_same(entity: &Entity, before: &Record, after: &Record, moves: &Moves) -> bool {
    let place = |side: &Side| (side.system, side.object, side.state);
    let stands = before.sides.iter().map(place).eq(after.sides.iter().map(place));
    let leads = |field: &Field| field.refers_to().is_some() || field.ties_to().is_some();
    let finds = |field: &Field| leads(field) || entity.match_keys.contains(&field.id) || entity.is_link(field.id);
    let mut sides = before.sides.iter().zip(&after.sides);
    let same = |field: &Field| {
        let value = |record| Record::register(record, field.id).map(|reg| &reg.val);
        value(before) == value(after)
    };
    let told = |(before, after): (&Side, &Side)| {
        let mut told = before.differs.iter().chain(&after.differs);
        before.differs == after.differs
            || told.all(|of| {
                !entity.field(of.field).is_some_and(finds) || before.differs(of.field) == after.differs(of.field)
            })
    };
    let mut moved = moves.fields.iter().filter_map(|id| entity.field(*id)).filter(|field| finds(field));
    stands && !moves.dropped && moved.all(same) && sides.all(told)
}

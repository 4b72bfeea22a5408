//! Writes: built and sent; and the reads and look-ups that they need.

use super::record::{Work, remote_key};
use super::refs::WAIT_MS;
use super::txn::Txn;
use super::{Ask, Effect, Happening, LookedUp, OutboxRow, Pass, Problem, ProblemPlace, Task, ViewError};
use crate::merge::identity::external_id;
use crate::merge::{FlightState, Landing};
use crate::model::{
    Apart, EntityId, FieldKind, Home, Millis, ObjectId, OpId, Place, Raw, RawDigest, RecordId, RemoteId, RemoteKey,
    Side, SideState, SourceKind, SystemId, Target, WriteItem,
};
use crate::rules::{Binding, Entity, Field, Mode, Unfit};

/// How long edits wait behind a write before it is read back, in milliseconds.
const DEADLINE_MS: i64 = 60_000;
/// A look-up is fresh for this long, in milliseconds.
const FRESH_MS: i64 = 30_000;
/// So long after it was read a record may be written over, in milliseconds.
const LOOKED_MS: i64 = 5_000;
/// First pause before a refused write is tried again, in milliseconds; doubles up to a day.
pub(super) const PARK_MS: i64 = 5 * 60_000;
/// Pause of a row that has to wait for something that is under way, in milliseconds.
pub(super) const PAUSE_MS: i64 = 250;
/// Problems that are looked at when the program starts.
const HELD_MAX: usize = 100_000;
/// Batches' worth of due rows that are looked at.
const WINDOW: usize = 16;
/// After so many attempts at a create that nobody sees the result of, it is listed; it goes on, ever more slowly.
const UNSEEN_ATTEMPTS: u32 = 6;
/// Code of that problem.
pub(super) const UNSEEN: &str = "CREATE_NOT_SEEN";
/// The generation of our external ids; undelete and recreate will raise it.
const GENERATION: u32 = 0;

impl Txn<'_> {
    /// What is to be done for one entity on one system: reads first, since what is unread may change what is written.
    pub fn work(&mut self, id: EntityId, system: SystemId, create: bool) -> Result<(), ViewError> {
        let entity = self.entity(id)?;
        let Some(rules) = self.rules.system(system) else { return Ok(()) };
        let limits = rules.ability.batch;
        let history = rules.ability.source == SourceKind::History;
        let limit = if history { limits.read_history } else { limits.read };
        let objects = entity.bindings_in(system).count();
        let due = self.view.reread_due(system, id, self.now, limit.saturating_mul(objects))?;
        for home in entity.bindings_in(system).map(Binding::home) {
            let ids = due.iter().filter(|(key, _)| key.object == home.object).map(|(key, _)| key.remote.clone());
            let ids: Vec<RemoteId> = ids.take(limit).collect();
            if !ids.is_empty() {
                self.effects.push(Effect::Read { entity: id, home, ids });
            }
        }
        // More than a batch is looked at, so that those of each kind are full, and updates do not wait behind creates that may
        // not leave yet.
        let due = self.view.outbox_due(system, id, self.now, limits.write.saturating_mul(WINDOW))?;
        for binding in entity.bindings_in(system) {
            let here = due.iter().filter(|(_, row)| row.object == binding.object_id).copied();
            let (deletes, here): (Vec<_>, Vec<_>) = here.partition(|(_, row)| row.is_delete());
            let (mut creates, mut updates): (Vec<_>, Vec<_>) = here.into_iter().partition(|(_, row)| row.is_create());
            if rules.mode != Mode::ReadWrite {
                // Queued before the rules said so. Only whether a create has landed is still asked.
                let probes = creates.extract_if(.., |(_, row)| row.probe.is_none());
                for (record, _) in probes.chain(updates.drain(..)) {
                    self.set_outbox((system, id, record), None)?;
                }
            }
            // While one batch of creates leaves, the next is looked up.
            let (creates, updates) = (batch(creates, limits.write.saturating_mul(2)), batch(updates, limits.write));
            let mut items = Vec::new();
            for (record, row) in updates {
                items.extend(self.build_update(entity, system, record, row)?.map(|item| (record, item)));
            }
            if !items.is_empty() {
                self.effects.push(Effect::Write { entity: id, home: binding.home(), items });
            }
            if create && !creates.is_empty() {
                self.build_creates(entity, binding, creates, limits.write)?;
            }
            if !deletes.is_empty() {
                self.build_deletes(entity, binding, deletes, limits.write)?;
            }
        }
        Ok(())
    }

    fn build_update(
        &mut self,
        entity: &Entity,
        system: SystemId,
        id: RecordId,
        row: OutboxRow,
    ) -> Result<Option<WriteItem>, ViewError> {
        let at = (system, entity.id, id);
        let Some(mut work) = self.take(entity.id, id)? else {
            self.set_outbox(at, None)?;
            return Ok(None);
        };
        let Some(side) = work.record.side(system).filter(|side| side.state == SideState::Live).cloned() else {
            self.set_outbox(at, None)?;
            self.put(work);
            return Ok(None);
        };
        // What is known to have moved there is read before it is written over.
        let unread = self.reread(&remote_key(entity.id, &side))?.is_some();
        if unread || work.flies(system) {
            self.set_outbox(at, Some(OutboxRow { due: self.now.plus(PAUSE_MS), ..row }))?;
            self.put(work);
            return Ok(None);
        }
        if self.reads_first(entity, &side, row)? {
            self.read_again(&remote_key(entity.id, &side), 0)?;
            self.set_outbox(at, Some(OutboxRow { due: self.now.plus(PAUSE_MS), ..row }))?;
            self.put(work);
            return Ok(None);
        }
        self.look_ahead(entity, &mut work)?;
        let (patch, _) = work.patch(entity, system, self.now);
        if patch.is_empty() {
            // It waits for what it refers to, or nothing is left that could be written.
            work.recheck = true;
            self.put(work);
            return Ok(None);
        }
        let op = self.mint_op();
        let fields = patch.iter().map(|(field, _)| field.id).collect();
        let raws = self.fly(entity, &mut work, side.home(), op, &patch)?;
        self.journal(entity.id, Some(id), Happening::Sent { system, op, fields, create: false });
        let (due, flying, task) = (Millis(i64::MAX), Some(op), Task::Update);
        self.set_outbox(at, Some(OutboxRow { due, flying, task, looked: None, ..row }))?;
        self.put(work);
        Ok(Some(WriteItem { op, target: Target::Update(side.remote), fields: raws }))
    }

    /// Is a record to be read before it is written over? What was listed since the write was decided shows what there was to be seen.
    fn reads_first(&mut self, entity: &Entity, side: &Side, row: OutboxRow) -> Result<bool, ViewError> {
        let asked = self.rules.system(side.system).is_some_and(|system| system.ability.read_first);
        if !asked || crate::defect!("read-first") {
            return Ok(false);
        }
        let looked = row.looked.is_some_and(|looked| self.now.0 - looked.0 < LOOKED_MS);
        Ok(!looked && self.passed(side.home(), entity.id)?.is_none_or(|passed| passed <= row.seen))
    }

    /// A record was read: what is to be written there may leave.
    pub fn looked(&mut self, work: &Work, system: SystemId) -> Result<(), ViewError> {
        let at = (system, work.record.entity, work.record.id);
        let waits = |row: &OutboxRow| row.task == Task::Update && row.flying.is_none();
        if self.rules.system(system).is_some_and(|system| system.ability.read_first)
            && let Some(row) = self.outbox(at)?.filter(waits)
        {
            // What was put off for another reason stays so.
            let due = if row.due <= self.now.plus(PAUSE_MS) { self.now } else { row.due };
            self.set_outbox(at, Some(OutboxRow { due, looked: Some(self.now), ..row }))?;
        }
        Ok(())
    }

    /// Marks the fields of a write as flying; returns what is sent.
    fn fly(
        &mut self,
        entity: &Entity,
        work: &mut Work,
        home: Home,
        op: OpId,
        patch: &[(&Field, crate::model::Value)],
    ) -> Result<Vec<(String, Raw)>, ViewError> {
        let system = home.system;
        let sent = self.clocks.offset(system).earliest(self.now).floor(self.step_ms(system));
        let mut raws = Vec::new();
        for (field, projected) in patch {
            let Some(binding) = field.binding(home) else { continue };
            let mut state = work.state(field);
            let Some(ix) = state.ix(system) else { continue };
            if let Some(to) = field.ties_to() {
                let Some((raw, shows)) = self.tie_up(work, (field, to), (home, &state.sides[ix].shown))? else {
                    continue;
                };
                state.fly(ix, op, shows, (self.now, sent), self.now.plus(DEADLINE_MS));
                raws.extend(binding.properties.first().cloned().map(|property| (property, raw)));
                work.put_state(field, state, Vec::new());
                continue;
            }
            // What cannot be held there is in no patch.
            let written = match field.refers_to() {
                Some(to) => self.reach(entity, work, (field, to), system)?.ok().map(|there| match there {
                    Some(remote) => vec![Raw::Text(remote.as_str().into())],
                    None => vec![Raw::Null],
                }),
                None => field.write(binding, state.sides[ix].wanted.as_ref().unwrap_or(&state.value)).ok(),
            };
            let Some(written) = written else { continue };
            state.fly(ix, op, projected.clone(), (self.now, sent), self.now.plus(DEADLINE_MS));
            raws.extend(binding.properties.iter().cloned().zip(written));
            work.put_state(field, state, Vec::new());
        }
        Ok(raws)
    }

    fn build_creates(
        &mut self,
        entity: &Entity,
        binding: &Binding,
        due: Vec<(RecordId, OutboxRow)>,
        limit: usize,
    ) -> Result<(), ViewError> {
        let system = binding.system;
        let Some(external) = &binding.external_id else { return Ok(()) };
        let (mut items, mut probes, mut asks) = (Vec::new(), Vec::new(), Vec::new());
        let mut questions = None;
        for (id, row) in due {
            let at = (system, entity.id, id);
            let Some(mut work) = self.take(entity.id, id)? else {
                self.set_outbox(at, None)?;
                continue;
            };
            if row.probe.is_some() {
                // The answer was lost: ask whether it landed.
                if probes.len() < limit {
                    probes.push((id, vec![external_id(id, GENERATION)]));
                }
                self.put(work);
                continue;
            }
            let created = work.record.side(system).is_some_and(|side| side.state == SideState::Creating);
            if !created && !self.may_create(entity, binding, &work.record) {
                // It has changed since it was queued.
                self.set_outbox(at, None)?;
                self.put(work);
                continue;
            }
            if self.awaits_named(entity, &work, system)? {
                self.set_outbox(at, Some(OutboxRow { due: self.now.plus(PAUSE_MS), ..row }))?;
                self.put(work);
                continue;
            }
            if self.waits(entity, &work, system)? {
                self.set_outbox(at, Some(OutboxRow { due: self.now.plus(WAIT_MS), ..row }))?;
                self.put(work);
                continue;
            }
            let fresh = row.looked.is_some_and(|looked| self.now.0 - looked.0 < FRESH_MS);
            // The record may stand in any of the system's objects.
            let (mut keys, mut unseen) = (Vec::new(), false);
            for binding in entity.bindings_in(system) {
                match self.lookup_key(entity, binding, &work) {
                    Some((name, value)) => keys.push(((binding.object_id, name), value)),
                    // No key to ask by: what was made there meanwhile must have been read first.
                    None => unseen |= self.passed(binding.home(), entity.id)?.is_none_or(|passed| passed <= row.seen),
                }
            }
            if unseen {
                self.set_outbox(at, Some(OutboxRow { due: self.now.plus(PAUSE_MS), ..row }))?;
                self.put(work);
                continue;
            }
            if !keys.is_empty() && !fresh {
                let (asked, values): (Vec<_>, Vec<String>) = keys.into_iter().unzip();
                if asks.len() < limit && *questions.get_or_insert_with(|| asked.clone()) == asked {
                    asks.push((id, values));
                }
                self.put(work);
                continue;
            }
            if items.len() == limit {
                self.put(work);
                continue;
            }
            if let Some(item) = self.build_create(entity, binding, external, &mut work)? {
                self.set_outbox(at, Some(OutboxRow { due: Millis(i64::MAX), flying: Some(item.op), ..row }))?;
                items.push((id, item));
            }
            self.put(work);
        }
        let mut look_up = |questions: Vec<(ObjectId, String)>, of: Vec<(RecordId, Vec<String>)>| {
            let values = |at: usize| of.iter().filter_map(|(_, values)| values.get(at).cloned()).collect();
            let asks = questions.into_iter().enumerate();
            let asks = asks.map(|(at, (object, property))| Ask { object, property, values: values(at) }).collect();
            let records = of.iter().map(|(record, _)| *record).collect();
            self.effects.push(Effect::LookUp { entity: entity.id, system, asks, records });
        };
        if !probes.is_empty() {
            look_up(vec![(binding.object_id, external.clone())], probes);
        }
        if let Some(questions) = questions.filter(|_| !asks.is_empty()) {
            look_up(questions, asks);
        }
        if !items.is_empty() {
            self.effects.push(Effect::Write { entity: entity.id, home: binding.home(), items });
        }
        Ok(())
    }

    fn build_create(
        &mut self,
        entity: &Entity,
        binding: &Binding,
        external: &str,
        work: &mut Work,
    ) -> Result<Option<WriteItem>, ViewError> {
        let (system, id) = (binding.system, work.record.id);
        if work.record.side(system).is_some_and(|side| side.state != SideState::Creating) {
            return Ok(None);
        }
        let value = external_id(id, GENERATION);
        let Some(stand_in) = RemoteId::parse(&value) else { return Ok(None) };
        if work.record.side(system).is_none() {
            work.record.put_side(Side {
                system,
                object: binding.object_id,
                remote: stand_in,
                state: SideState::Creating,
                settled: Place::at(Millis::MIN),
                made: Millis::MIN,
                unbased: Vec::new(),
                differs: Vec::new(),
            });
            // A side that is not there yet shows nothing.
            for (field, _) in entity.fields_at(binding.home()) {
                let mut state = work.state(field);
                let Some(ix) = state.ix(system) else { continue };
                state.sides[ix].shown = Default::default();
                if !field.conflict.writes_to(system) {
                    state.sides[ix].apart = Some(Apart::OneWay);
                }
                work.put_state(field, state, Vec::new());
            }
        }
        let op = self.mint_op();
        let mut patch = Vec::new();
        for (field, at) in entity.fields_at(binding.home()).filter(|(field, _)| field.conflict.writes_to(system)) {
            let value = work.record.register(field.id).map(|reg| reg.val.clone()).unwrap_or_default();
            let reached = match field.refers_to() {
                Some(to) => self.reach(entity, work, (field, to), system)?.is_ok(),
                None => true,
            };
            if reached && field.fits(at, &value).is_ok() {
                patch.push((field, field.project(at, &value)));
            }
        }
        let raws = self.fly(entity, work, binding.home(), op, &patch)?;
        let fields = patch.iter().filter(|(_, value)| !value.is_null()).map(|(field, _)| field.id).collect();
        self.journal(entity.id, Some(id), Happening::Sent { system, op, fields, create: true });
        let constants = binding.on_create.iter().cloned();
        let fields = raws.into_iter().filter(|(_, raw)| *raw != Raw::Null).chain(constants).collect();
        let target = Target::Create { property: external.to_owned(), value };
        Ok(Some(WriteItem { op, target, fields }))
    }

    /// The property and the value by which the target can be asked freshly whether it holds this record.
    fn lookup_key(&self, entity: &Entity, binding: &Binding, work: &Work) -> Option<(String, String)> {
        let ability = &self.rules.system(binding.system)?.ability;
        entity.match_keys.iter().filter_map(|id| entity.field(*id)).find_map(|field| {
            let at = field.binding(binding.home())?;
            let property = at.property()?;
            // Phones and domains are written in many ways: asking for one of them proves nothing.
            let exact = matches!(field.kind, FieldKind::Email | FieldKind::Text);
            if !exact || !ability.can_look_up(&binding.object, property) {
                return None;
            }
            match field.write(at, &work.record.register(field.id)?.val).ok()?.pop() {
                Some(Raw::Text(value)) => Some((property.to_owned(), value.into())),
                _ => None,
            }
        })
    }

    /// The answer to a look-up: what is there is linked, what is not may be created.
    pub fn looked_up(&mut self, looked: LookedUp) -> Result<(), ViewError> {
        let entity = self.entity(looked.entity)?;
        let begun = self.earliest(looked.system, looked.timing);
        for (object, row) in &looked.rows {
            let (system, object, remote) = (looked.system, *object, row.remote.clone());
            let key = RemoteKey { entity: entity.id, system, object, remote };
            if self.index_of(&key)?.is_none() {
                let shown = self.shown(entity, (key.home(), &key.remote), &row.values)?;
                let modified = self.believed(looked.system, &row.remote, row.modified, looked.timing);
                let from = self.linked_from(looked.system, begun, modified);
                self.identify(entity, &key, &shown, from, Pass::Changes, RawDigest(0))?;
            }
        }
        for id in looked.records {
            let at = (looked.system, entity.id, id);
            let Some(row) = self.outbox(at)? else { continue };
            let Some(mut work) = self.take(entity.id, id)? else { continue };
            let present = work.record.side(looked.system).is_some_and(|side| side.state != SideState::Creating);
            if present || !row.is_create() {
                // Linked meanwhile.
            } else if row.probe.is_some() {
                // The create has not landed so far; it still may, so its values are remembered.
                self.each_flight(entity, &mut work, looked.system, row.probe, |state, context, ix, _, fates| {
                    state.no_trace(context, ix, fates);
                });
                let attempts = row.attempts + 1;
                let due = self.now.plus(PAUSE_MS << attempts.min(10) >> 1);
                if attempts == UNSEEN_ATTEMPTS {
                    let home = Home { system: looked.system, object: row.object };
                    if let Some(binding) = entity.binding(home) {
                        self.unseen(entity, binding, id);
                    }
                }
                self.set_outbox(at, Some(OutboxRow { due, probe: None, looked: None, attempts, ..row }))?;
            } else {
                let home = Home { system: looked.system, object: row.object };
                let values: Vec<_> = entity
                    .fields_at(home)
                    .map(|(field, _)| work.record.register(field.id).map(|reg| reg.val.clone()).unwrap_or_default())
                    .collect();
                let there = self.candidates(entity, home, &values, Some(id))?;
                let taken = match there {
                    super::identify::Candidates::None => None,
                    super::identify::Candidates::Of(_, by) | super::identify::Candidates::Ambiguous(by) => Some(by),
                };
                if let Some(by) = taken {
                    let system = work.record.live_sides().next().map_or(looked.system, |side| side.system);
                    self.ambiguous(entity, &work, system, by);
                    self.set_outbox(at, None)?;
                } else {
                    // It keeps its place: behind all the others the look-up would be stale when its turn comes.
                    self.set_outbox(at, Some(OutboxRow { looked: Some(self.now), ..row }))?;
                }
            }
            self.put(work);
        }
        Ok(())
    }

    /// Lists a create that is made again and again, and never seen.
    fn unseen(&mut self, entity: &Entity, binding: &Binding, id: RecordId) {
        let object = &binding.object;
        let message = format!(
            "{UNSEEN_ATTEMPTS} attempts at creating it were not answered, or refused because a record of {object} carries its \
             external id already, yet no such record is shown to us: let the credential see all records of {object}, and look \
             there for {}",
            external_id(id, GENERATION)
        );
        let problem = Problem { since: self.now, code: UNSEEN.to_owned(), message, fields: Vec::new() };
        self.set_problem(entity.id, id, binding.system, Some(problem));
    }

    /// The rules may have changed since a system could not hold a value.
    fn check_held(&mut self) -> Result<(), ViewError> {
        for (ProblemPlace { entity, record, .. }, problem) in self.view.problems(HELD_MAX)? {
            if Unfit::is_code(&problem.code)
                && self.rules.entity(entity).is_some()
                && let Some(mut work) = self.take(entity, record)?
            {
                work.recheck = true;
                self.put(work);
            }
        }
        Ok(())
    }

    /// The program starts: nobody knows what became of the writes that were in flight, so each is read back first.
    pub fn start(&mut self) -> Result<(), ViewError> {
        self.check_held()?;
        self.start_deletes()?;
        for (system, entity, id, row) in self.view.outbox_flying()? {
            let Some(entity) = self.rules.entity(entity) else { continue };
            let Some(mut work) = self.take(entity.id, id)? else { continue };
            let landing = if crate::defect!("start-readback") { Landing::NotWritten } else { Landing::Unknown };
            self.each_flight(entity, &mut work, system, row.flying, |state, context, ix, now, fates| {
                let flight = &state.sides[ix].late.flight;
                let Some(op) = flight.as_ref().filter(|f| f.state == FlightState::Sent).map(|f| f.op) else { return };
                state.answered(context, ix, op, landing, now, fates);
            });
            match work.record.side(system) {
                Some(side) if row.is_delete() => {
                    // Deleting what is gone does no harm; but it is looked at again first.
                    let key = remote_key(entity.id, side);
                    self.set_outbox((system, entity.id, id), Some(OutboxRow { due: self.now, flying: None, ..row }))?;
                    self.read_again(&key, 0)?;
                }
                Some(side) if side.state == SideState::Live => {
                    let key = remote_key(entity.id, side);
                    if self.rules.system(system).is_some_and(|s| s.ability.source != SourceKind::Stream) {
                        self.read_again(&key, 0)?;
                    }
                }
                _ => {
                    let due = self.now;
                    let row = OutboxRow { due, probe: row.flying, flying: None, ..row };
                    self.set_outbox((system, entity.id, id), Some(row))?;
                }
            }
            self.put(work);
        }
        Ok(())
    }
}

/// The rows that have been due longest, as many as a batch holds, ascending by record.
pub(super) fn batch(mut rows: Vec<(RecordId, OutboxRow)>, limit: usize) -> Vec<(RecordId, OutboxRow)> {
    rows.sort_by_key(|(record, row)| (row.due, *record));
    rows.truncate(limit);
    rows.sort_by_key(|(record, _)| *record);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_of_those_that_have_been_due_longest() {
        let row = |due| OutboxRow {
            object: ObjectId(0),
            due: Millis(due),
            task: Task::Update,
            seen: Millis(0),
            looked: None,
            probe: None,
            flying: None,
            attempts: 0,
        };
        let rows = [(1, 30), (2, 10), (3, 20), (4, 10)].map(|(id, due)| (RecordId([id; 16]), row(due)));
        let taken = |limit| batch(rows.to_vec(), limit).iter().map(|(id, _)| id.0[0]).collect::<Vec<_>>();
        assert_eq!((taken(2), taken(3), taken(9)), (vec![2, 4], vec![2, 3, 4], vec![1, 2, 3, 4]));
    }
}

//! Deletes: what one does to a record's other sides, and the deletes of ours that follow from it.
//!
//! That a record is to be deleted somewhere is a row of the outbox, kept until it is done or taken back. Its side goes on like any
//! other until then: it is read once more, and an edit that is found there keeps it.

use super::record::{Work, remote_key};
use super::send::{PARK_MS, PAUSE_MS, batch};
use super::txn::Txn;
use super::{Answer, DeleteItem, DeletedRows, Effect, Happening, Keeping, Notice, OutboxRow, Problem, Task, ViewError};
use crate::codec::{self, Decode, Encode};
use crate::merge::{FlightState, Landing};
use crate::model::{
    Departure, Home, Millis, Outcome, Place, Record, RecordId, RemoteKey, Side, SideState, SystemId, Value,
};
use crate::rules::{Binding, EditAgainstDelete, Entity, Field, Leaves, Mode, OnDelete};

/// Code of the problem that a record which is to be deleted is referred to where it stands.
pub(super) const HAS_CHILDREN: &str = "DELETE_HAS_CHILDREN";
/// Code of the problem that more is to be deleted than a system gets in an hour.
pub(super) const DELETE_LIMIT: &str = "DELETE_LIMIT";
/// For so long a write is put off that waits for a person or a plan: for longer than any driver lives, in milliseconds. It is due
/// again when the next one begins.
pub const HELD_MS: i64 = 100 * 365 * 86_400_000;
/// Over this time deletes are counted, in milliseconds.
const HOUR_MS: i64 = 3_600_000;
/// Pause before it is looked again whether nothing refers to a record any more; after that time those that are to be deleted with it
/// hold it back no longer, since two may refer to each other. In milliseconds.
const CHILDREN_MS: i64 = 60_000;

/// How many deletes a system got lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
struct Spent {
    /// From when on they are counted, by our clock.
    since: Millis,
    /// Those that have left.
    sent: u32,
    /// Those that were too many, and wait for the next start.
    held: u32,
}

fn spent_cursor(system: SystemId) -> String {
    format!("deletes:{:08x}", system.0)
}

impl Txn<'_> {
    /// Records that a system says are deleted: the link ends, and the rules say what becomes of the other sides.
    pub fn deleted(&mut self, deleted: DeletedRows) -> Result<(), ViewError> {
        let entity = self.entity(deleted.entity)?;
        let Home { system, object } = deleted.home;
        for (remote, why) in deleted.rows {
            let key = RemoteKey { entity: entity.id, system, object, remote };
            let Some(id) = self.index_of(&key)? else { continue };
            let Some(mut work) = self.take(entity.id, id)? else { continue };
            match why {
                Departure::Merged(winner) => self.lost_merge(entity, work, &key, &winner)?,
                Departure::Converted(into) => self.converted(entity, work, &key, into)?,
                Departure::Deleted | Departure::OutOfScope => {
                    self.depart(entity, &mut work, &key, why)?;
                    self.put(work);
                }
            }
        }
        if let Some((name, bytes)) = deleted.cursor {
            self.set_cursor(name, Some(bytes));
        }
        Ok(())
    }

    /// Ends a side's link, and says so.
    pub fn detach(&mut self, work: &mut Work, key: &RemoteKey, why: Departure, tell: bool) -> Result<(), ViewError> {
        if !self.end_side(work, key)? {
            return Ok(());
        }
        let (entity, record, system, remote) = (key.entity, work.record.id, key.system, key.remote.clone());
        self.journal(entity, Some(record), Happening::Detached { system, remote: remote.clone() });
        if tell {
            self.notices.push(Notice::Detached { entity, record, system, remote, why });
        }
        Ok(())
    }

    /// Makes a side a tombstone; false where it is none of this remote record any more.
    pub fn end_side(&mut self, work: &mut Work, key: &RemoteKey) -> Result<bool, ViewError> {
        let (entity, id, now) = (work.record.entity, work.record.id, self.now);
        let there = |side: &&mut Side| matches!(side.state, SideState::Live | SideState::Frozen | SideState::Outside);
        let Some(side) = work.record.side_mut(key.system).filter(there) else { return Ok(false) };
        if remote_key(entity, side) != *key {
            // The record has moved on to another one there.
            return Ok(false);
        }
        side.state = SideState::Detached;
        side.settled = Place::at(now);
        side.differs.clear();
        side.unbased.clear();
        for field in &mut work.lately.fields {
            field.sides.retain(|(system, _)| *system != key.system);
            field.recent.retain(|taken| taken.system != key.system);
        }
        self.set_digest(key.clone(), None);
        self.set_reread(key.clone(), None)?;
        self.set_outbox((key.system, entity, id), None)?;
        self.set_problem(entity, id, key.system, None);
        for at in self.field_problems(entity, id)?.into_keys().filter(|(system, _)| *system == key.system) {
            self.set_field_problem((entity, id), at, None);
        }
        Ok(true)
    }

    /// A system says that a record is not there any more, or it has left the scope for good: its link ends, and the rules say what
    /// becomes of its counterparts.
    pub fn depart(
        &mut self,
        entity: &Entity,
        work: &mut Work,
        key: &RemoteKey,
        why: Departure,
    ) -> Result<(), ViewError> {
        let Some(side) = work.record.side(key.system).filter(|side| remote_key(entity.id, side) == *key) else {
            return Ok(());
        };
        let binding = entity.binding(key.home());
        // What happens out of scope is nobody's concern elsewhere.
        let follows = side.state == SideState::Live && binding.is_some_and(|binding| takes_along(binding, &why));
        let quiet = why == Departure::Deleted && binding.is_some_and(|binding| binding.on_delete == OnDelete::Ignore);
        let unseen = entity.edit_against_delete == EditAgainstDelete::EditWins && is_owed(entity, work, key.system);
        self.detach(work, key, why, !quiet && (unseen || !follows))?;
        match (follows, unseen) {
            (false, _) => Ok(()),
            (true, false) => self.doom(entity, work, key.system),
            (true, true) => {
                let others: Vec<SystemId> = work.record.live_sides().map(|side| side.system).collect();
                for system in others {
                    let what = Happening::DeleteDropped { system, why: Keeping::Edited };
                    self.journal(entity.id, Some(work.record.id), what);
                }
                Ok(())
            }
        }
    }

    /// Queues the delete of a record wherever else it stands and may be written.
    fn doom(&mut self, entity: &Entity, work: &mut Work, from: SystemId) -> Result<(), ViewError> {
        let id = work.record.id;
        for system in entity.systems() {
            if self.rules.system(system).is_none_or(|system| system.mode == Mode::Read) {
                continue;
            }
            let at = (system, entity.id, id);
            let Some(side) = work.record.side(system) else {
                // One that is about to be created there is not needed any more.
                if self.outbox(at)?.is_some_and(|row| row.flying.is_none() && row.probe.is_none()) {
                    self.set_outbox(at, None)?;
                }
                continue;
            };
            if side.state != SideState::Live {
                continue;
            }
            let key = remote_key(entity.id, side);
            let row = OutboxRow {
                object: key.object,
                due: self.now,
                task: Task::Delete,
                seen: self.now,
                looked: None,
                probe: None,
                flying: None,
                attempts: 0,
            };
            self.set_outbox(at, Some(row))?;
            self.journal(entity.id, Some(id), Happening::DeleteDue { system, remote: key.remote.clone(), from });
            // What is on its way there is found out by the read that its people's edits need anyway.
            self.doubt_flights(entity, work, system);
            self.read_again(&key, 0)?;
        }
        Ok(())
    }

    /// Nobody waits for the answers to writes any more.
    pub fn doubt_flights(&mut self, entity: &Entity, work: &mut Work, system: SystemId) {
        self.each_flight(entity, work, system, None, |state, context, ix, now, fates| {
            let flight = state.sides[ix].late.flight.as_ref().filter(|flight| flight.state == FlightState::Sent);
            if let Some(op) = flight.map(|flight| flight.op) {
                state.answered(context, ix, op, Landing::Unknown, now, fates);
            }
        });
    }

    /// Takes deletes back that an edit, a restored record or other rules have overtaken.
    pub fn take_back(&mut self, entity: &Entity, before: Option<&Record>, work: &mut Work) -> Result<(), ViewError> {
        if !entity.bindings.iter().any(Binding::takes_along) {
            return Ok(());
        }
        let stands = |system: &SystemId| work.record.side(*system).is_some_and(|side| side.state == SideState::Live);
        let was_gone = |system: &SystemId| {
            let side = before.and_then(|before| before.side(*system));
            side.is_some_and(|side| side.state == SideState::Detached)
        };
        let restored = entity.systems().any(|system| was_gone(&system) && stands(&system));
        let edited = entity.edit_against_delete == EditAgainstDelete::EditWins && work.editors().any(|by| stands(&by));
        match (restored, edited) {
            (true, _) => self.drop_deletes(entity, work, Keeping::Restored),
            (false, true) => self.drop_deletes(entity, work, Keeping::Edited),
            (false, false) => Ok(()),
        }
    }

    fn drop_deletes(&mut self, entity: &Entity, work: &mut Work, why: Keeping) -> Result<(), ViewError> {
        let id = work.record.id;
        for system in entity.systems() {
            let at = (system, entity.id, id);
            if self.outbox(at)?.is_some_and(|row| row.is_delete()) {
                self.set_outbox(at, None)?;
                self.set_problem(entity.id, id, system, None);
                self.journal(entity.id, Some(id), Happening::DeleteDropped { system, why });
                work.recheck = true;
            }
        }
        Ok(())
    }

    /// Sends deletes: not more than the system gets in an hour, and none of what is edited unread or referred to.
    pub fn build_deletes(
        &mut self,
        entity: &Entity,
        binding: &Binding,
        due: Vec<(RecordId, OutboxRow)>,
        limit: usize,
    ) -> Result<(), ViewError> {
        let Some(system) = self.rules.system(binding.system) else { return Ok(()) };
        let mut spent = self.spent(system.id)?;
        if self.now.0 - spent.since.0 >= HOUR_MS {
            spent = Spent { since: self.now, sent: 0, ..spent };
        }
        let due_len = u32::try_from(due.len()).unwrap_or(u32::MAX);
        let wanted = spent.sent.saturating_add(spent.held).saturating_add(due_len);
        let stopped = wanted > system.max_deletes;
        let due = if stopped { due } else { batch(due, limit) };
        let mut items = Vec::new();
        for (id, row) in due {
            let at = (system.id, entity.id, id);
            let Some(mut work) = self.take(entity.id, id)? else {
                self.set_outbox(at, None)?;
                continue;
            };
            let side = work.record.side(system.id).filter(|side| side.state == SideState::Live);
            let Some(key) = side.map(|side| remote_key(entity.id, side)) else {
                self.set_outbox(at, None)?;
                self.put(work);
                continue;
            };
            if system.mode == Mode::Read || !is_asked_for(entity, &work.record) {
                self.drop_deletes(entity, &mut work, Keeping::Rules)?;
            } else if stopped {
                spent.held += 1;
                self.set_outbox(at, Some(OutboxRow { due: self.now.plus(HELD_MS), ..row }))?;
                let message = format!(
                    "more records are to be deleted in {0} within an hour than its max_deletes, {1}, so none of them is. If that is \
                     right, raise max_deletes in [systems.{0}] and start again; if not, restore them where they were deleted, or set \
                     on_delete = \"detach\"",
                    system.name, system.max_deletes
                );
                self.list(entity, id, system.id, DELETE_LIMIT, message);
            } else if work.flies(system.id) || self.is_unread(entity, &work)? {
                self.set_outbox(at, Some(OutboxRow { due: self.now.plus(PAUSE_MS), ..row }))?;
            } else if let Some(until) = self.children(entity, (id, row), system.id)? {
                self.set_outbox(at, Some(OutboxRow { due: until, ..row }))?;
            } else {
                let (op, remote) = (self.mint_op(), key.remote);
                spent.sent += 1;
                let what = Happening::DeleteSent { system: system.id, op, remote: remote.clone() };
                self.journal(entity.id, Some(id), what);
                self.set_outbox(at, Some(OutboxRow { due: Millis(i64::MAX), flying: Some(op), ..row }))?;
                items.push((id, DeleteItem { op, remote }));
            }
            self.put(work);
        }
        self.set_spent(system.id, spent);
        if !items.is_empty() {
            self.effects.push(Effect::Delete { entity: entity.id, home: binding.home(), items });
        }
        Ok(())
    }

    /// Is something to be read of the record, wherever it stands? An edit in one system keeps it in all.
    fn is_unread(&mut self, entity: &Entity, work: &Work) -> Result<bool, ViewError> {
        for side in work.record.live_sides() {
            if self.reread(&remote_key(entity.id, side))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Until when a delete waits for others: for those that refer to the record there, and are listed, and for those that are about to
    /// be deleted themselves.
    fn children(
        &mut self,
        entity: &Entity,
        (id, row): (RecordId, OutboxRow),
        system: SystemId,
    ) -> Result<Option<Millis>, ViewError> {
        let (mut staying, mut going) = (Vec::<(&str, u32)>::new(), false);
        for (other, field, holder) in self.referrers(entity.id, id)? {
            // Ties go with either end.
            let counts = field.refers_to().is_some() && holder.system == system;
            if !counts || (other.id, holder.record) == (entity.id, id) {
                continue;
            }
            let row = self.outbox((system, other.id, holder.record))?;
            if row.is_some_and(|row| row.is_delete()) && self.problem(other.id, holder.record, system)?.is_none() {
                going = true;
                continue;
            }
            match staying.last_mut().filter(|(name, _)| *name == other.name) {
                Some((_, count)) => *count += 1,
                None => staying.push((&other.name, 1)),
            }
        }
        if !staying.is_empty() {
            let name = self.rules.system(system).map(|system| system.name.as_str()).unwrap_or_default();
            let message = format!(
                "it is to be deleted in {name}, where others refer to it ({}): delete those or let them refer to another; it stays \
                 until then",
                staying.iter().map(|(name, count)| format!("{count} of {name}")).collect::<Vec<_>>().join(", ")
            );
            self.list(entity, id, system, HAS_CHILDREN, message);
            return Ok(Some(self.now.plus(CHILDREN_MS)));
        }
        let waits = going && self.now.0 - row.seen.0 < CHILDREN_MS;
        if !waits && self.problem(entity.id, id, system)?.is_some_and(|problem| problem.is_ours()) {
            self.set_problem(entity.id, id, system, None);
        }
        Ok(waits.then(|| self.now.plus(PAUSE_MS)))
    }

    /// Deletes that waited for somebody who referred to their record are looked at again.
    pub fn hasten_deletes(&mut self) -> Result<(), ViewError> {
        for at in std::mem::take(&mut self.released) {
            let now = self.now;
            let waits = |row: &OutboxRow| row.is_delete() && row.flying.is_none() && row.due < now.plus(HELD_MS / 2);
            if let Some(row) = self.outbox(at)?.filter(waits) {
                self.set_outbox(at, Some(OutboxRow { due: row.due.min(now), ..row }))?;
            }
        }
        Ok(())
    }

    fn list(&mut self, entity: &Entity, id: RecordId, system: SystemId, code: &str, message: String) {
        let problem = Problem { since: self.now, code: code.to_owned(), message, fields: Vec::new() };
        self.set_problem(entity.id, id, system, Some(problem));
    }

    /// What became of a delete.
    pub fn delete_answered(
        &mut self,
        entity: &Entity,
        work: &mut Work,
        key: &RemoteKey,
        row: OutboxRow,
        Answer { op, record: id, outcome, .. }: Answer,
    ) -> Result<(), ViewError> {
        let (system, at) = (key.system, (key.system, entity.id, id));
        let attempts = row.attempts + 1;
        let later = |ms: i64, now: Millis| OutboxRow { due: now.plus(ms), flying: None, attempts, ..row };
        match outcome {
            Outcome::Done { .. } | Outcome::Partly { .. } | Outcome::Taken | Outcome::Gone(_) => {
                self.end_side(work, key)?;
                let remote = key.remote.clone();
                self.journal(entity.id, Some(id), Happening::Deleted { system, op, remote: remote.clone() });
                self.notices.push(Notice::Deleted { entity: entity.id, record: id, system, remote });
            }
            // Deleting what is gone does no harm.
            Outcome::Unknown => self.set_outbox(at, Some(later(PAUSE_MS << attempts.min(10), self.now)))?,
            Outcome::Retry { after_ms, .. } => {
                // It has not been deleted, so it does not count.
                let spent = self.spent(system)?;
                self.set_spent(system, Spent { sent: spent.sent.saturating_sub(1), ..spent });
                self.set_outbox(at, Some(later(after_ms.max(PAUSE_MS), self.now)))?;
            }
            Outcome::Refused { code, message, properties } => {
                self.set_outbox(at, Some(later(PARK_MS << row.attempts.min(8), self.now)))?;
                self.refused(entity, system, (id, op), code, &message, &properties);
            }
        }
        Ok(())
    }

    /// The program starts: what was held back is counted anew.
    pub fn start_deletes(&mut self) -> Result<(), ViewError> {
        for system in &self.rules.systems {
            let spent = self.spent(system.id)?;
            if spent.held > 0 {
                self.set_spent(system.id, Spent { held: 0, ..spent });
            }
        }
        Ok(())
    }

    fn spent(&self, system: SystemId) -> Result<Spent, ViewError> {
        let bytes = self.cursor(&spent_cursor(system))?;
        let spent = bytes.map(|bytes| codec::decode::<Spent>(1, &bytes)).transpose();
        let spent = spent.map_err(|error| ViewError(format!("count of deletes in {system:?}: {error}")))?;
        Ok(spent.unwrap_or_default())
    }

    fn set_spent(&mut self, system: SystemId, spent: Spent) {
        self.set_cursor(spent_cursor(system), Some(codec::encode(1, &spent)));
    }
}

/// Does a delete here take the counterparts along, unless somebody edits them meanwhile?
pub(super) fn goes_on(entity: &Entity, home: Home) -> bool {
    entity.binding(home).is_some_and(|binding| takes_along(binding, &Departure::Deleted))
}

/// Does what happened to a record of an object take its counterparts along?
fn takes_along(binding: &Binding, why: &Departure) -> bool {
    match why {
        Departure::Deleted => binding.on_delete == OnDelete::Propagate,
        Departure::OutOfScope => binding.scope.as_ref().is_some_and(|scope| scope.leaves == Leaves::Archived),
        // Its record goes on as another one.
        Departure::Merged(_) | Departure::Converted(_) => false,
    }
}

/// Has the record gone somewhere from where the rules take it along?
fn is_asked_for(entity: &Entity, record: &Record) -> bool {
    let gone = record.sides.iter().filter(|side| side.state == SideState::Detached);
    gone.filter_map(|side| entity.binding(side.home())).any(Binding::takes_along)
}

/// Was an edit from elsewhere on its way to this side, so that its people had not seen it?
fn is_owed(entity: &Entity, work: &Work, system: SystemId) -> bool {
    let Some(side) = work.record.side(system) else { return false };
    let owed = |field: &Field, shown: &Value| {
        let value = work.record.register(field.id).map_or(&Value::Null, |reg| &reg.val);
        field.conflict.writes_to(system) && !field.is_content(side.home(), value, shown)
    };
    let differs = side.differs.iter().filter(|differs| super::held::is_owed(side, differs));
    work.flies(system)
        || differs.into_iter().any(|differs| entity.field(differs.field).is_some_and(|f| owed(f, &differs.shown)))
}

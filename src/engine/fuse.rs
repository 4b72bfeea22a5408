//! Records that were merged in their system: the loser's record becomes one with the winner's, and its names lead there.

use super::record::{Work, remote_key};
use super::timeline::timeline;
use super::txn::Txn;
use super::{Happening, Notice, OutboxRow, Problem, ViewError};
use crate::merge::{Entry, EntryKind, FieldState, SideField, SideLately, Taken, Turn};
use crate::model::{
    Departure, Mark, Place, ReadRow, RecordId, RemoteId, RemoteKey, Side, SideState, Stamp, SystemId, Value,
};
use crate::rules::{Entity, Field};

/// Code of the problem that records were merged in one system and still are two in another.
pub(super) const MERGED_ELSEWHERE: &str = "MERGED_ELSEWHERE";

impl Txn<'_> {
    /// Is a remote record a side of this record, and not only a name that leads to it?
    pub fn is_side(&mut self, key: &RemoteKey, id: RecordId) -> Result<bool, ViewError> {
        let Some(work) = self.take(key.entity, id)? else { return Ok(false) };
        let is_it = work.is_side(key);
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
            self.rename_side(entity, &mut work, key, &there)?;
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
        let was = work.beside();
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
            None => self.absorb(entity, kept, (&was, work), key, there),
        }
    }

    /// Its side goes on as the winner. A write on its way there may yet be answered as one to the loser, which says nothing of the
    /// winner; and a side that such an answer has ended takes part again, as it would if the list had come first.
    fn rename_side(
        &mut self,
        entity: &Entity,
        work: &mut Work,
        key: &RemoteKey,
        there: &RemoteKey,
    ) -> Result<(), ViewError> {
        let (id, system) = (work.record.id, key.system);
        self.doubt_flights(entity, work, system);
        let at = (system, entity.id, id);
        if let Some(row) = self.outbox(at)?.filter(|row| row.flying.is_some() && !row.is_create()) {
            self.set_outbox(at, Some(OutboxRow { due: self.now, flying: None, ..row }))?;
        }
        work.merged = true;
        let since = self.clocks.offset(system);
        let mut ended = false;
        if let Some(side) = work.record.side_mut(system) {
            side.remote = there.remote.clone();
            ended = side.state == SideState::Detached;
            if ended {
                side.state = SideState::Live;
                side.settled = Place::at(since.earliest(side.settled.time));
            }
        }
        for (field, _) in entity.fields_at(key.home()).filter(|(field, _)| field.ties_to().is_none()) {
            let mut state = work.state(field);
            if let Some(ix) = state.ix(system) {
                let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
                if ended && context.fits(ix, &state.value) {
                    // What it showed is forgotten.
                    state.sides[ix].shown = Value::Null;
                }
                state.await_choice(&context, ix, &mut fates);
                work.put_state(field, state, fates);
            }
        }
        self.set_index(there.clone(), Some(id));
        self.set_digest(key.clone(), None);
        self.set_reread(key.clone(), None)?;
        let (remote, into) = (key.remote.clone(), there.remote.clone());
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

    /// A read that was under way shows what a record was that has lost a merge: what of ours had landed there, whoever merged had seen.
    pub fn read_of_loser(
        &mut self,
        entity: &Entity,
        key: &RemoteKey,
        id: RecordId,
        row: &ReadRow,
    ) -> Result<(), ViewError> {
        let Some(mut work) = self.take(entity.id, id)? else { return Ok(()) };
        for (field, binding, place) in entity.placed_at(key.home()).filter(|(_, at, _)| !at.is_unrecorded()) {
            let mut state = work.state(field);
            let Some(ix) = state.ix(key.system) else { continue };
            let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
            let histories = row.history.get(place.clone()).unwrap_or_default();
            let moments = timeline(histories, row.values.get(place).unwrap_or_default());
            for moment in moments.into_iter().filter(|moment| moment.mark == Mark::Ours) {
                let Ok(value) = field.read(binding, &moment.raws) else { continue };
                let Some(value) = self.resolved(field, key.system, value)? else { continue };
                state.landed_before(&context, ix, (Place::at(moment.at), &value), &mut fates);
            }
            work.put_state(field, state, fates);
        }
        self.put(work);
        Ok(())
    }

    /// Takes a record's sides over, and what is known of their past: an edit or a write of ours of before the merge must be known
    /// when it is told late.
    fn absorb(
        &mut self,
        entity: &Entity,
        mut kept: Work,
        (was, lost): (&Work, Work),
        key: &RemoteKey,
        there: &RemoteKey,
    ) -> Result<(), ViewError> {
        let (id, gone) = (kept.record.id, lost.record.id);
        let (system, remote, into) = (key.system, key.remote.clone(), there.remote.clone());
        self.journal(entity.id, Some(id), Happening::Merged { system, remote, into, record: gone });
        let alone = kept.record.standing_sides().all(|side| side.system == key.system);
        let goes_on = alone && key.home() == there.home();
        kept.merged = true;
        let taken: Vec<Side> = lost.record.live_sides().cloned().collect();
        self.take_sides(entity, &mut kept, &taken, &lost);
        for side in &taken {
            if let Some(read) = lost.lately.read_at(side.system) {
                kept.lately.note_read(side.system, read);
            }
        }
        if let (true, Some(side)) = (goes_on, was.record.side(key.system).filter(|side| side.state == SideState::Live))
        {
            let (settled, made) = (side.settled, side.made);
            if let Some(side) = kept.record.side_mut(key.system) {
                (side.settled, side.made) = (settled, side.made.max(made));
            }
            kept.lately.reads.retain(|(system, _)| *system != key.system);
            if let Some(read) = was.lately.read_at(key.system) {
                kept.lately.note_read(key.system, read);
            }
        }
        for field in entity.fields.iter().filter(|field| field.ties_to().is_none()) {
            if was.record.register(field.id).is_none() || taken.is_empty() {
                // It brings nothing of it along.
                continue;
            }
            match goes_on {
                true => self.keep_past(entity, &mut kept, was, key.system, field),
                false => self.join_past(&mut kept, (was, &taken), key.system, field),
            }
        }
        for side in &taken {
            let at = remote_key(entity.id, side);
            self.set_index(at.clone(), Some(id));
            self.set_digest(at.clone(), None);
            self.read_again(&at, 0)?;
        }
        // Answers to what is on its way come to a record that is gone: what became of it, reads and events tell.
        for system in entity.systems() {
            self.doubt_flights(entity, &mut kept, system);
        }
        if !taken.is_empty() {
            kept.recheck = true;
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

    /// Its sides are the other's from now on. Ties are linked anew, since their other ends may know of them.
    fn take_sides(&mut self, entity: &Entity, kept: &mut Work, taken: &[Side], lost: &Work) {
        for side in taken {
            let mut unbased = side.unbased.clone();
            unbased.extend(
                entity.fields_at(side.home()).filter(|(field, _)| field.ties_to().is_some()).map(|(f, _)| f.id),
            );
            unbased.sort_unstable();
            unbased.dedup();
            kept.record.put_side(Side { unbased, ..side.clone() });
            for field in &mut kept.lately.fields {
                field.sides.retain(|(system, _)| *system != side.system);
            }
            let ties = |(field, _): (&Field, _)| {
                let legible = side.unbased.binary_search(&field.id).is_err();
                (legible && field.ties_to().is_some()).then(|| lost.shown(field, side.system))
            };
            let values: Vec<Option<Value>> = entity.fields_at(side.home()).map(ties).collect();
            let from = Place { time: side.settled.time.plus(1), position: side.settled.position };
            let values: Vec<Option<&Value>> = values.iter().map(Option::as_ref).collect();
            kept.link_fields(self.rules, entity, side.home(), &values, from, self.now);
        }
    }

    /// A field of a record whose winner stood alone: the loser's past goes on, and what the winner shows is an edit of whoever merged,
    /// which is taken in when it is read. A blank of it is filled.
    fn keep_past(&mut self, entity: &Entity, kept: &mut Work, was: &Work, system: SystemId, field: &Field) {
        let (winner, mut state) = (kept.state(field), was.state(field));
        let (stamp, known) = (winner.stamp, state.value == winner.value);
        let recent = winner.recent;
        let Some(own) = winner.sides.into_iter().find(|side| side.system == system) else {
            return set_state(kept, field, state, (stamp, known));
        };
        let ix = state.ix(system).unwrap_or_else(|| {
            let at = state.sides.partition_point(|side| side.system < system);
            let (apart, late) = (None, SideLately::default());
            state.sides.insert(at, SideField { shown: Value::Null, apart, late, ..own.clone() });
            at
        });
        state.sides[ix].unbased |= own.unbased;
        if own.unbased {
            return set_state(kept, field, state, (stamp, known));
        }
        if own.shown.is_null() {
            (state.sides[ix].shown, state.sides[ix].apart) = (Value::Null, None);
        }
        let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
        state.await_choice(&context, ix, &mut fates);
        set_state(kept, field, state, (stamp, known));
        kept.fates.extend(fates.into_iter().map(|fate| (field.id, fate)));
        if own.shown.is_null() {
            return;
        }
        // The last word there, where it is known, has its own place.
        let said = recent.into_iter().filter(|taken| taken.system == system).max_by_key(|taken| taken.turn);
        let Some(said) = said.filter(|said| said.edit.value == own.shown) else { return };
        let mut state = kept.state(field);
        let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
        let (from, to, stamp) = (winner.value, state.value.clone(), state.stamp);
        if let Some(ix) = state.ix(system) {
            state.edit(&context, ix, said.edit, false, &mut fates);
        }
        if state.value != to && from != to {
            // Where the record stood before that edit, no fate tells.
            let what = Happening::Filled { field: field.id, from, to, stamp };
            self.journal(entity.id, Some(kept.record.id), what);
        }
        kept.put_state(field, state, fates);
    }

    /// A field of a record whose winner stands elsewhere, too: the winner's value is owed to the loser's sides, unless one of them owns
    /// the field; a blank of it is filled. What their people have done that the loser did not show is new to the winner.
    fn join_past(&mut self, kept: &mut Work, (was, taken): (&Work, &[Side]), system: SystemId, field: &Field) {
        let (mut state, before) = (kept.state(field), was.state(field));
        let (stamp, known) = (state.stamp, state.value.clone());
        let of = |other: SystemId| taken.iter().any(|side| side.system == other);
        let owned = field.conflict.owner().is_some_and(|owner| of(owner) && before.ix(owner).is_some());
        if !before.value.is_null() && (owned || state.value.is_null()) {
            state.value = before.value.clone();
            state.stamp = state.stamp.max(before.stamp);
        }
        let seen = before.ix(system).map_or(before.turn, |ix| before.sides[ix].late.base_where(|_| true));
        let mut joined = false;
        let mut turns = vec![(Turn(0), Turn(0))];
        for edit in before.recent.iter().filter(|edit| of(edit.system)) {
            state.turn = Turn(state.turn.0 + 1);
            turns.push((edit.turn, state.turn));
            state.recent.push(Taken { base: Turn(0), turn: state.turn, ..edit.clone() });
            joined |= edit.turn > seen;
        }
        let turn_of = |old: Turn| turns.iter().rev().find(|(from, _)| *from <= old).map_or(Turn(0), |(_, to)| *to);
        for side in before.sides.into_iter().filter(|side| of(side.system)) {
            let Some(ix) = state.ix(side.system) else { continue };
            let SideField { shown, apart, wanted, mut late, .. } = side;
            // None of them has seen what was done to the winner.
            late.entries.iter_mut().for_each(|entry| entry.turn = turn_of(entry.turn));
            late.flight.iter_mut().for_each(|flight| flight.turn = turn_of(flight.turn));
            late.strays.iter_mut().for_each(|stray| stray.turn = turn_of(stray.turn));
            let own = &mut state.sides[ix];
            (own.shown, own.apart, own.wanted, own.late) = (shown, apart, wanted, late);
        }
        if !joined && let Some(ix) = state.ix(system) {
            // Whoever merged had seen both.
            let place = Place::at(self.clocks.offset(system).latest(self.now));
            let turn = state.turn;
            if turn > Turn(0) {
                state.sides[ix].late.enter(Entry { place, turn, kind: EntryKind::Closing });
            }
        }
        let known = known == state.value;
        set_state(kept, field, state, (stamp, known));
    }
}

/// Puts a field back that goes on with another record's past; its stamp rises above the one that the record had.
fn set_state(kept: &mut Work, field: &Field, mut state: FieldState, (stamp, known): (Stamp, bool)) {
    if known {
        state.stamp = state.stamp.max(stamp);
    } else if state.stamp <= stamp {
        state.stamp = Stamp::mint(state.stamp.hlc.millis(), stamp, state.stamp.origin);
    }
    kept.put_state(field, state, Vec::new());
}

/// A system in which both stand, or are about to.
fn clash(a: &Work, b: &Work) -> Option<SystemId> {
    let stands = |side: &&Side| side.state != SideState::Detached;
    let of = |work: &Work, system| work.record.side(system).filter(stands).is_some();
    // A create of ours would come back under a name that nobody has any more.
    let creating = b.record.sides.iter().find(|side| side.state == SideState::Creating).map(|side| side.system);
    b.record.sides.iter().filter(stands).map(|side| side.system).find(|system| of(a, *system)).or(creating)
}

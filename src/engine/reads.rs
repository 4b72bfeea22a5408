//! Records that were read by id, with the histories of their properties.

use super::identify::Found;
use super::observe::{is_stale, lose_base};
use super::record::{Work, remote_key};
use super::scope::Seen;
use super::timeline::timeline;
use super::txn::Txn;
use super::{Pass, Reads, ViewError};
use crate::merge::{Evidence, Snapshot, SnapshotFate};
use crate::model::{
    Mark, Millis, PastValue, Place, Raw, RawDigest, ReadRow, RemoteKey, Side, SideState, SourceKind, Timing, Value,
};
use crate::rules::{Entity, Field, FieldBinding};
use std::collections::BTreeSet;

impl Txn<'_> {
    /// Records read by id.
    pub fn reads(&mut self, reads: Reads) -> Result<(), ViewError> {
        let entity = self.entity(reads.entity)?;
        let (home, system) = (reads.home, reads.home.system);
        if entity.binding(home).is_none() {
            return Ok(());
        }
        let begun = self.earliest(system, reads.timing);
        for remote in &reads.asked {
            let key = RemoteKey { entity: entity.id, system, object: home.object, remote: remote.clone() };
            let row = reads.rows.iter().find(|row| row.remote == *remote);
            let believed = row.map(|row| self.believed_row(system, row, reads.timing));
            let doubted = believed.as_ref().map(|(_, doubted)| doubted.clone()).unwrap_or_default();
            let row = believed.as_ref().map(|(row, _)| &**row);
            let record = self.index_of(&key)?;
            let work = match record {
                Some(id) => self.take(entity.id, id)?,
                None => None,
            };
            let is_it = |work: &Work| work.record.side(system).is_some_and(|side| remote_key(entity.id, side) == key);
            let (work, other) = match work {
                Some(work) if !is_it(&work) => (None, Some(work)),
                work => (work, None),
            };
            other.into_iter().for_each(|other| self.put(other));
            let (Some(mut work), Some(row)) = (work, row) else {
                // Not there, or not ours: the list of deletes will say. Unless it was asked for because somebody names it.
                let again = record.is_some() && self.reread(&key)?.is_some_and(|row| row.since <= reads.timing.sent);
                self.set_reread(key.clone(), None)?;
                let becoming = self.is_becoming(&key)?;
                if let (Some(row), Some(id)) = (row.filter(|row| !row.history.is_empty()), record) {
                    self.read_of_loser(entity, &key, id, row)?;
                }
                match row {
                    // Its name leads to another record, but asked since that is so, it stands by itself again.
                    Some(row)
                        if becoming.is_some() || again || (record.is_none() && self.is_named(entity, &key)?) =>
                    {
                        let shown = self.shown(entity, (home, remote), &row.values)?;
                        let from = self.linked_from(system, begun, row.modified);
                        let found = self.identify_again(entity, &key, &shown, from, Pass::Changes, RawDigest(0))?;
                        if found == Found::Adopted {
                            // It is judged as a row of a record that is known.
                            self.read_again(&key, 0)?;
                        }
                    }
                    None if let Some(id) = becoming => self.became_nothing(entity, &key, id)?,
                    None if record.is_none() => self.named_nobody(entity, &key)?,
                    _ => {}
                }
                continue;
            };
            let live = work.record.side(system).is_some_and(|side| side.state == SideState::Live);
            if !live {
                let shown = self.shown(entity, (home, remote), &row.values)?;
                let from = self.linked_from(system, begun, row.modified);
                let seen = Seen { from, pass: Pass::Changes, raw: None };
                let Some(admitted) = self.admit(entity, work, &key, &shown, seen)? else {
                    self.set_reread(key, None)?;
                    continue;
                };
                work = admitted;
                if is_stale(&work, &key, reads.timing) {
                    self.put(work);
                    self.read_again(&key, 1)?;
                    continue;
                }
                let unlinked = |side: &Side| {
                    let away = matches!(side.state, SideState::Outside | SideState::Detached);
                    away && remote_key(entity.id, side) == key
                };
                if work.record.side(system).is_some_and(unlinked) {
                    self.came_back(&work, &key);
                    work.link_side(self.rules, entity, &key, &shown.readable(), Place::at(from), self.now);
                }
            }
            let steady = work.lately.is_empty();
            let history = !row.history.is_empty();
            let settled = work.record.side(system).map(|side| side.settled);
            let unbased = work.record.side(system).map_or(0, |side| side.unbased.len());
            if steady && history {
                self.close_quiet_past(entity, &mut work)?;
            }
            let mut linked_until = None;
            let judged = self.read_row(entity, &mut work, &key, (row, &doubted), begun, reads.timing)?;
            if judged {
                self.date_link(entity, &mut work, &key, (row, &doubted), begun)?;
                // A history is told in full up to its newest entry, even if our idea of the remote's clock lags.
                let newest = row.history.iter().filter_map(|past| past.first()).map(|past| past.at).max();
                let begun = begun.plus(-1);
                let told = newest.map_or(begun, |newest| newest.max(begun));
                work.lately.note_read(system, told);
                let linked = work.record.side(system).is_some_and(|side| side.unbased.len() < unbased);
                linked_until = (history && linked).then_some(Place::at(told));
                if self.reread(&key)?.is_none_or(|row| row.since <= reads.timing.sent) {
                    self.set_reread(key, None)?;
                    self.looked(&work, system)?;
                }
            } else {
                work.unjudged.push(system);
                self.read_again(&key, 1)?;
            }
            if let (Some(told), Some(side)) = (linked_until, work.record.side_mut(system)) {
                // What a field held before it was linked is no edit, whenever its history is read again.
                if side.settled.leads_to(&told) {
                    side.settled = told;
                }
            } else if steady && work.lately.is_empty() {
                // Nothing came of it: the body stays as it was.
                if let (Some(side), Some(settled)) = (work.record.side_mut(system), settled) {
                    side.settled = settled;
                }
            }
            self.put(work);
        }
        Ok(())
    }

    fn read_row(
        &mut self,
        entity: &Entity,
        work: &mut Work,
        key: &RemoteKey,
        (row, doubted): (&ReadRow, &BTreeSet<usize>),
        begun: Millis,
        timing: Timing,
    ) -> Result<bool, ViewError> {
        let shown = self.shown(entity, (key.home(), &key.remote), &row.values)?;
        self.note_unreadable(entity, work, key.home(), &shown)?;
        if shown.values.iter().any(Result::is_err) {
            // A row as before must not be passed over by its bytes: it says that what is listed was mended.
            work.raws.push((key.system, RawDigest(0)));
        }
        if self.source(key.system) != SourceKind::History || row.history.is_empty() {
            self.note_last(work.record.id, key.system, (row.modified, row.mark), row.who.as_ref());
            let modified = (row.modified, row.mark);
            return self.snapshots(entity, work, key.home(), (&shown, None), modified, begun, timing);
        }
        let mut judged = true;
        if entity.fields_at(key.home()).any(|(_, binding)| binding.is_unrecorded()) {
            judged &= self.snapshots_of(entity, work, key.home(), (&shown, None), None, begun, timing)?;
        }
        for ((field, binding, place), value) in entity.placed_at(key.home()).zip(&shown.values) {
            if binding.is_unrecorded() {
                continue;
            }
            let flies = work.flight(field, key.system).is_some();
            if let Err(amiss) = value
                && !flies
            {
                lose_base(work, (key.system, field), &amiss.error);
                continue;
            }
            let value = value.as_ref().ok();
            let histories = row.history.get(place.clone()).unwrap_or_default();
            let timeless = place.clone().any(|at| doubted.contains(&at));
            if value.is_some_and(|value| {
                !flies && !timeless && is_anew(field, value, &work.shown(field, key.system), histories)
            }) {
                work.unbase(key.system, field.id);
            }
            let Some(side) = work.record.side(key.system) else { return Ok(true) };
            let settled = side.settled;
            let unbased = side.unbased.binary_search(&field.id).is_ok();
            let kept = work.lately.fields.binary_search_by_key(&field.id, |f| f.field).is_ok();
            let mut newest = histories.iter().filter_map(|history| history.first());
            let news = newest.any(|newest| settled.before(&Place::at(newest.at)));
            if !kept && !unbased && !news && value.is_some_and(|value| work.shows(field, key.system, value)) {
                continue;
            }
            let mut state = work.state(field);
            let Some(ix) = state.ix(key.system) else { continue };
            let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
            if let Some(value) = value.filter(|_| unbased) {
                state.link(&context, ix, value.clone(), Place::at(begun), self.now, &mut fates);
                work.put_state(field, state, fates);
                continue;
            }
            // What the type cannot hold is skipped, as a snapshot of it is.
            let past = self.past((field, binding), histories, row.values.get(place).unwrap_or_default())?;
            let mut entries = Vec::with_capacity(past.len());
            for (entry, who) in past {
                if let Some(who) = who.filter(|_| entry.mark != Mark::Ours && settled.before(&entry.place)) {
                    self.note_author((work.record.id, key.system), Some(field.id), entry.place.time, who);
                }
                entries.push(entry);
            }
            let told = value.filter(|_| !timeless);
            judged &= state.history(&context, ix, &entries, told, row.modified, begun, timing.sent, &mut fates);
            if let Some(value) = value.filter(|_| timeless) {
                let read = work.lately.read_at(key.system).unwrap_or(Millis::MIN).min(row.modified);
                let snapshot = Snapshot {
                    value: value.clone(),
                    begun,
                    modified: row.modified,
                    since: entries.last().map_or(read, |last| last.place.time.max(read)).min(row.modified),
                    asked: timing.sent,
                    alone: false,
                    landed: false,
                    theirs: false,
                    ours: false,
                    told: Snapshot::ALL_TOLD,
                };
                judged &= state.snapshot(&context, ix, snapshot, self.now, &mut fates) != SnapshotFate::Reread;
            }
            work.put_state(field, state, fates);
        }
        Ok(judged)
    }

    /// What the histories of a field's properties say that it was, oldest first, and whose word that is. What the type cannot hold is
    /// skipped, as a snapshot of it is.
    pub(super) fn past(
        &self,
        (field, binding): (&Field, &FieldBinding),
        histories: &[Vec<PastValue>],
        now: &[Raw],
    ) -> Result<Vec<(Evidence, Option<String>)>, ViewError> {
        let mut entries = Vec::new();
        for moment in timeline(histories, now) {
            let Ok(value) = field.read(binding, &moment.raws) else { continue };
            let Some(value) = self.resolved(field, binding.system, value)? else { continue };
            entries.push((Evidence { place: Place::at(moment.at), value, mark: moment.mark }, moment.who));
        }
        Ok(entries)
    }
}

/// Blank without a history was never filled: what we knew of it was another property's of the same name.
fn is_anew(field: &Field, value: &Value, known: &Value, histories: &[Vec<PastValue>]) -> bool {
    let lost = |value: &Value, known: &Value, histories: &[Vec<PastValue>]| {
        value.is_null() && !known.is_null() && histories.iter().all(Vec::is_empty)
    };
    if field.members.is_empty() {
        return lost(value, known, histories);
    }
    histories
        .iter()
        .enumerate()
        .any(|(at, history)| lost(value.member(at), known.member(at), std::slice::from_ref(history)))
}

//! What systems show: the pages of their listings. What is read by id stands in `reads`.

use super::identify::Found;
use super::record::{Work, remote_key, shown_row};
use super::row::{Shown, digest_of};
use super::scope::Seen;
use super::txn::{Delivered, Txn, delivered_cursor};
use super::{DigestRow, Happening, Notice, PageRows, Pass, RereadRow, ViewError};
use crate::merge::{FlightState, Snapshot, SnapshotFate};
use crate::model::{
    EntityId, FieldId, Home, Mark, Millis, Place, RecordId, RemoteKey, Side, SideState, SourceKind, SystemId, Timing,
    ValueError,
};
use crate::rules::{Entity, Field};

impl Txn<'_> {
    pub fn earliest(&self, system: SystemId, timing: Timing) -> Millis {
        let step = self.step_ms(system);
        timing.offset.earliest(timing.sent).floor(step)
    }

    pub fn step_ms(&self, system: SystemId) -> i64 {
        self.rules.system(system).map_or(1, |system| system.ability.resolution_ms.max(1))
    }

    pub fn source(&self, system: SystemId) -> SourceKind {
        self.rules.system(system).map_or(SourceKind::Polled, |system| system.ability.source)
    }

    /// From where on edits of a side that is linked now are news. A history gives the remote's own times, so what is not
    /// later than the row's modified time is in the row, however little is known of the remote's clock.
    pub fn linked_from(&self, system: SystemId, begun: Millis, modified: Millis) -> Millis {
        match self.source(system) {
            SourceKind::History => begun.max(modified.plus(1)),
            SourceKind::Stream | SourceKind::Polled => begun,
        }
    }

    /// A page of rows.
    pub fn page(&mut self, page: PageRows<'_>) -> Result<(), ViewError> {
        let entity = self.entity(page.entity)?;
        let (home, system) = (page.home, page.home.system);
        if entity.binding(home).is_none() {
            return Ok(());
        }
        let mut order: Vec<usize> = (0..page.rows.len()).collect();
        order.sort_by(|a, b| page.rows[*a].remote.cmp(&page.rows[*b].remote));
        let ids: Vec<_> = order.iter().map(|at| &page.rows[*at].remote).collect();
        let known = self.view.digests(entity.id, system, home.object, &ids)?;
        let begun = self.earliest(system, page.timing);
        let (mut mirrored, mut linked) = (0, 0);
        for (at, known) in order.into_iter().zip(known) {
            let row = &page.rows[at];
            if known.is_some_and(|known| known.raw == row.raw && row.raw.0 != 0) {
                continue;
            }
            let remote = row.remote.clone();
            let raws = match page.decoder.decode(at) {
                Ok(raws) => raws,
                Err(cause) => {
                    self.notices.push(Notice::Undecodable { system, remote, cause });
                    continue;
                }
            };
            let shown = self.shown(entity, (home, &remote), &raws)?;
            let key = RemoteKey { entity: entity.id, system: page.home.system, object: home.object, remote };
            let index = self.index_of(&key)?;
            let work = self.take_named(entity.id, index)?;
            let alike = work.as_ref().map_or(Alike::Unknown, |work| alike(entity, work, &key, &shown));
            let as_known = |known: &DigestRow| match &alike {
                Alike::Fields(same) => same.iter().all(|same| *same),
                Alike::Unsure => false,
                Alike::Unknown => known.canonical.is_some() && digest_of(entity, home, &shown) == known.canonical,
            };
            if let Some(known) = known.filter(as_known) {
                work.into_iter().for_each(|work| self.put(work));
                self.legible_again(entity, &key)?;
                self.set_digest(key, Some(DigestRow { raw: shown.raw(row.raw), ..known }));
                continue;
            }
            if index.is_some() {
                self.note_digest(key.clone(), known);
            }
            let same = if let Alike::Fields(same) = alike { Some(same) } else { None };
            let modified = self.believed(system, &row.remote, row.modified, page.timing);
            let (from, raw) = (self.linked_from(system, begun, modified), shown.raw(row.raw));
            let (side, other) = match work {
                Some(work) if work.is_side(&key) => (Some(work), None),
                other => (None, other),
            };
            other.into_iter().for_each(|other| self.put(other));
            let known = match side {
                Some(side) => Some((side, same)),
                // The row may be from before we knew of a merge: whether it is a record of its own again, a read tells.
                None if index.is_some() && self.is_becoming(&key)?.is_none() => {
                    self.read_again(&key, 0)?;
                    None
                }
                None => {
                    let found = match index {
                        Some(_) => self.identify_again(entity, &key, &shown, from, page.pass, raw)?,
                        None => self.identify(entity, &key, &shown, from, page.pass, raw)?,
                    };
                    mirrored += u32::from(found == Found::New);
                    linked += u32::from(matches!(found, Found::Linked | Found::Adopted));
                    let polled = found == Found::Adopted && self.source(system) == SourceKind::Polled;
                    let index = if polled { self.index_of(&key)? } else { None };
                    self.take_named(entity.id, index)?.map(|adopted| (adopted, None))
                }
            };
            if let Some((work, same)) = known {
                let seen = Seen { from, pass: page.pass, raw: Some(raw) };
                self.note_last(work.record.id, system, (modified, row.mark), row.who.as_ref());
                self.moved(entity, &key, work, (&shown, same), seen, (modified, row.mark), begun, page.timing)?;
            }
        }
        if page.pass == Pass::Backfill && !page.rows.is_empty() {
            let rows = page.rows.len() as u32;
            self.journal(entity.id, None, Happening::Page { system, rows, mirrored, linked });
        }
        if let Some((name, bytes)) = page.cursor {
            self.set_cursor(name, Some(bytes));
        }
        if let Some(timing) = page.complete {
            let lag = self.rules.system(system).map_or(0, |system| system.ability.lag_ms);
            let place = Place::at(self.earliest(system, timing).plus(-lag - 1));
            self.advance(home, page.entity, Delivered { place, begun: timing.sent })?;
        }
        Ok(())
    }

    /// Takes out the record that a name leads to.
    fn take_named(&mut self, entity: EntityId, id: Option<RecordId>) -> Result<Option<Work>, ViewError> {
        id.map_or(Ok(None), |id| self.take(entity, id))
    }

    /// A known record does not show what it showed.
    #[allow(clippy::too_many_arguments)]
    fn moved(
        &mut self,
        entity: &Entity,
        key: &RemoteKey,
        work: Work,
        (shown, same): (&Shown, Option<Vec<bool>>),
        seen: Seen,
        modified: (Millis, Mark),
        begun: Millis,
        timing: Timing,
    ) -> Result<(), ViewError> {
        let Some(mut work) = self.admit(entity, work, key, shown, seen)? else { return Ok(()) };
        let live = work.record.side(key.system).is_some_and(|side| side.state == SideState::Live);
        if !live {
            if is_stale(&work, key, timing) {
                self.put(work);
                return self.read_again(key, 1);
            }
            self.came_back(&work, key);
            let from = self.linked_from(key.system, begun, modified.0);
            work.link_side(self.rules, entity, key, &shown.readable(), Place::at(from), self.now);
            self.note_unreadable(entity, &work, key.home(), shown)?;
            self.put(work);
            return Ok(());
        }
        if self.source(key.system) == SourceKind::History {
            // Its history tells who changed what, and when.
            self.put(work);
            return self.read_again(key, 0);
        }
        let judged = self.snapshots(entity, &mut work, key.home(), (shown, same), modified, begun, timing)?;
        if judged {
            work.raws.extend(seen.raw.map(|raw| (key.system, raw)));
            work.lately.note_read(key.system, begun.plus(-1));
        } else {
            work.unjudged.push(key.system);
            // A read that is due anyway is not put off by every listing that shows the same again.
            let tries = u32::from(self.reread(key)?.is_none());
            self.read_again(key, tries)?;
        }
        self.note_unreadable(entity, &work, key.home(), shown)?;
        self.put(work);
        Ok(())
    }

    /// What was deleted in a system is there again.
    pub(super) fn came_back(&mut self, work: &Work, key: &RemoteKey) {
        if work.record.side(key.system).is_some_and(|side| side.state == SideState::Detached) {
            let (system, remote) = (key.system, key.remote.clone());
            self.journal(key.entity, Some(work.record.id), Happening::Returned { system, remote });
        }
    }

    /// Puts a record on the list of those to read again.
    pub fn read_again(&mut self, key: &RemoteKey, tries: u32) -> Result<(), ViewError> {
        let known = self.reread(key)?;
        let attempts = known.map_or(tries, |row| row.attempts + tries.min(1));
        // The remote's clock must have moved on by a step before a read can be put in order.
        let wait = if attempts == 0 { 0 } else { (self.step_ms(key.system).max(100)) << attempts.min(6) >> 1 };
        let due = self.now.plus(wait);
        let due = known.filter(|_| tries == 0).map_or(due, |row| row.due.min(due));
        let since = known.filter(|_| tries > 0).map_or(self.now, |row| row.since);
        let known = match known {
            Some(row) => row.known,
            None => self.told_until(key.home(), key.entity)?,
        };
        self.set_reread(key.clone(), Some(RereadRow { due, known, since, attempts }))
    }

    /// Until when (our clock, at the latest certain moment) an object's changes have been taken in.
    fn told_until(&mut self, home: Home, entity: EntityId) -> Result<Millis, ViewError> {
        let place = self.delivered(home, entity)?;
        let high = self.clocks.offset(home.system).high;
        Ok(place.map_or(Millis::MIN, |place| place.time.plus(-high)))
    }

    /// A record without a recent past showed the register's value on all sides until some moment: an edit made before it,
    /// which left no trace because the value came back, was seen by everybody. Such edits are no news: `settled` of sides
    /// with a history rises to that moment.
    pub fn close_quiet_past(&mut self, entity: &Entity, work: &mut Work) -> Result<(), ViewError> {
        let steady = |side: &Side| side.state == SideState::Live && side.differs.is_empty() && side.unbased.is_empty();
        if !work.record.present_sides().all(steady) {
            return Ok(());
        }
        let keys: Vec<RemoteKey> = work.record.live_sides().map(|side| remote_key(entity.id, side)).collect();
        let mut until = Millis(i64::MAX);
        for key in &keys {
            let known = match self.reread(key)? {
                Some(row) => row.known,
                None => self.told_until(key.home(), key.entity)?,
            };
            until = until.min(known);
        }
        for key in keys.iter().filter(|key| self.source(key.system) == SourceKind::History) {
            let place = Place::at(self.clocks.offset(key.system).earliest(until));
            if let Some(side) = work.record.side_mut(key.system)
                && side.settled.before(&place)
            {
                side.settled = place;
            }
        }
        Ok(())
    }

    /// Every field of a side as a read showed it. Returns false when something could not be put in order.
    #[allow(clippy::too_many_arguments)]
    pub fn snapshots(
        &mut self,
        entity: &Entity,
        work: &mut Work,
        home: Home,
        (shown, same): (&Shown, Option<Vec<bool>>),
        modified: (Millis, Mark),
        begun: Millis,
        timing: Timing,
    ) -> Result<bool, ViewError> {
        let [recorded, unrecorded] =
            [false, true].map(|unrecorded| entity.fields_at(home).any(|(_, at)| at.is_unrecorded() == unrecorded));
        let mut judged = true;
        if recorded {
            judged &= self.snapshots_of(entity, work, home, (shown, same), Some(modified), begun, timing)?;
        }
        if unrecorded {
            judged &= self.snapshots_of(entity, work, home, (shown, None), None, begun, timing)?;
        }
        Ok(judged)
    }

    /// Of those fields whose changes move the record's modified time; without one, of the others: they may have changed at any
    /// time up to the read.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn snapshots_of(
        &mut self,
        entity: &Entity,
        work: &mut Work,
        home: Home,
        (shown, same): (&Shown, Option<Vec<bool>>),
        modified: Option<(Millis, Mark)>,
        begun: Millis,
        timing: Timing,
    ) -> Result<bool, ViewError> {
        let (system, unrecorded) = (home.system, modified.is_none());
        let (modified, mark) = modified.unwrap_or((begun, Mark::Unknown));
        let passed = self.delivered(home, entity.id)?.map_or(Millis::MIN, |place| place.time);
        // A listing of changes delivers none that the modified time does not show.
        let passed_here = if unrecorded { Millis::MIN } else { passed };
        let since = work.lately.read_at(system).unwrap_or(Millis::MIN).max(passed_here).min(modified);
        let told = if self.source(system) == SourceKind::Stream { passed } else { Snapshot::ALL_TOLD };
        let same = same.unwrap_or_else(|| same_fields(entity, work, home, shown));
        let other = || entity.fields_at(home).zip(shown.values.iter().zip(&same)).filter(|(_, (_, same))| !**same);
        let differing: Vec<FieldId> =
            other().filter(|(_, (value, _))| value.is_ok()).map(|((field, _), _)| field.id).collect();
        let flies = work.flies(system);
        let moved: Vec<FieldId> = match flies {
            true => moved_fields(entity, work, home, (shown, &same), timing.sent),
            false => other().map(|((field, _), _)| field.id).collect(),
        };
        // What goes by a call of its own lands by itself.
        let landed = match flies && !unrecorded {
            true => landed_fields(entity, work, home, (shown, &same), modified),
            false => Vec::new(),
        };
        let ours = mark == Mark::Ours && !work.other_landed(system, modified);
        let mut judged = true;
        // Of most records nothing else is to be looked at than what differs.
        let Some(side) = work.record.side(system) else { return Ok(true) };
        let quiet = side.unbased.is_empty() && work.lately.fields.is_empty();
        let fields = entity.fields_at(home).zip(shown.values.iter().zip(&same));
        for ((field, at), (value, &same)) in fields.filter(|(_, (_, same))| !quiet || !**same) {
            if at.is_unrecorded() != unrecorded {
                continue;
            }
            let value = match value {
                Ok(value) => value,
                Err(error) => {
                    self.illegible(entity, work, (system, field), timing.sent);
                    lose_base(work, (system, field), &error.error);
                    continue;
                }
            };
            let kept = work.lately.fields.binary_search_by_key(&field.id, |f| f.field).is_ok();
            let Some(side) = work.record.side(system) else { return Ok(true) };
            let unbased = side.unbased.binary_search(&field.id).is_ok();
            if !kept && !unbased && same {
                continue;
            }
            if let Some(to) = field.ties_to().filter(|_| !unbased) {
                judged &=
                    self.sight((work, field), (system, to), entity, value, begun, timing)? != SnapshotFate::Reread;
                continue;
            }
            let mut state = work.state(field);
            let Some(ix) = state.ix(system) else { continue };
            let own = &mut state.sides[ix];
            // Whom a system makes the owner by itself of what we created without one is nobody's choice.
            if field.kind == crate::model::FieldKind::Owner
                && !state.value.is_null()
                && own.shown.is_null()
                && own.late.flight.is_none()
                && own.made > Millis::MIN
                && (mark == Mark::Ours || modified <= own.made)
            {
                own.shown = value.clone();
                work.put_state(field, state, Vec::new());
                continue;
            }
            let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
            if unbased {
                state.link(&context, ix, value.clone(), Place::at(begun), self.now, &mut fates);
            } else {
                // Whoever changed the record last changed what moved, if no more than one field did.
                let theirs = mark == Mark::Theirs && moved.iter().all(|other| *other == field.id);
                let alone = differing.iter().all(|other| *other == field.id);
                let landed = landed.iter().any(|other| *other != field.id);
                let snapshot = Snapshot {
                    value: value.clone(),
                    begun,
                    modified,
                    since,
                    asked: timing.sent,
                    alone,
                    landed,
                    theirs,
                    ours,
                    told,
                };
                let fate = state.snapshot(&context, ix, snapshot, self.now, &mut fates);
                judged &= fate != SnapshotFate::Reread;
            }
            work.put_state(field, state, fates);
        }
        Ok(judged)
    }

    /// A write in flight to a field that shows what its type cannot hold must not fly for ever.
    fn illegible(&mut self, entity: &Entity, work: &mut Work, (system, field): (SystemId, &Field), asked: Millis) {
        if work.flight(field, system).is_none() {
            return;
        }
        let mut state = work.state(field);
        let Some(ix) = state.ix(system) else { return };
        let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
        state.illegible(&context, ix, asked, self.now, &mut fates);
        work.put_state(field, state, fates);
    }

    /// Notes how far an object has been taken in; late pages do not set it back.
    pub fn advance(&mut self, home: Home, entity: EntityId, to: Delivered) -> Result<(), ViewError> {
        if self.delivered(home, entity)?.is_none_or(|known| known.leads_to(&to.place)) {
            self.set_cursor(delivered_cursor(home, entity), Some(crate::codec::encode(1, &to)));
        }
        Ok(())
    }
}

/// Was this asked for before we knew that the record is gone there? Then it may show what was.
pub(super) fn is_stale(work: &Work, key: &RemoteKey, timing: Timing) -> bool {
    let gone = |side: &&Side| side.state == SideState::Detached && remote_key(key.entity, side) == *key;
    work.record.side(key.system).filter(gone).is_some_and(|side| timing.sent < side.settled.time)
}

/// A field that its side does not show any more is linked anew when it does.
pub(super) fn lose_base(work: &mut Work, (system, field): (SystemId, &Field), error: &ValueError) {
    if *error == ValueError::NOT_SHOWN && work.flight(field, system).is_none() {
        work.unbase(system, field.id);
    }
}

/// Does a row show what we thought?
enum Alike {
    /// These fields do, in the order of `fields_at`.
    Fields(Vec<bool>),
    /// A side without a base in some field only seems to show something there.
    Unsure,
    /// It is no side that takes part, so it is known by its digest alone.
    Unknown,
}

fn alike(entity: &Entity, work: &Work, key: &RemoteKey, shown: &Shown) -> Alike {
    match work.record.side(key.system).filter(|side| side.state == SideState::Live) {
        Some(side) if !side.unbased.is_empty() => Alike::Unsure,
        Some(side) if side.object == key.object => Alike::Fields(same_fields(entity, work, key.home(), shown)),
        _ => Alike::Unknown,
    }
}

/// Which fields of a row show what we thought, in the order of `fields_at`. What cannot be read does not.
fn same_fields(entity: &Entity, work: &Work, home: Home, shown: &Shown) -> Vec<bool> {
    if let Some(row) = shown_row(entity, &work.record, home) {
        let mut same = Vec::with_capacity(shown.values.len());
        same.extend(row.zip(&shown.values).map(|((_, known), value)| value.as_ref() == Ok(&*known)));
        return same;
    }
    let fields = entity.fields_at(home).zip(&shown.values);
    fields.map(|((field, _), value)| value.as_ref().is_ok_and(|value| work.shows(field, home.system, value))).collect()
}

/// Fields that a row shows to be neither as they were nor as a write leaves them. A read that was asked for after a write was
/// answered shows the write; what is as before then was taken back.
fn moved_fields(
    entity: &Entity,
    work: &Work,
    home: Home,
    (shown, same): (&Shown, &[bool]),
    asked: Millis,
) -> Vec<FieldId> {
    let values = entity.fields_at(home).zip(shown.values.iter().zip(same));
    let moved = values.filter(|((field, _), (value, before))| {
        let Ok(value) = value else { return true };
        match work.flight(field, home.system).map(|flight| (flight.state, flight.value == *value)) {
            Some((FlightState::Answered(_), true)) => false,
            Some((FlightState::Answered(at), false)) => at <= asked || !**before,
            _ => !**before,
        }
    });
    moved.map(|((field, _), _)| field.id).collect()
}

/// Fields that a row shows moved to what the write in flight carries: it lands with all its fields at once.
fn landed_fields(
    entity: &Entity,
    work: &Work,
    home: Home,
    (shown, same): (&Shown, &[bool]),
    modified: Millis,
) -> Vec<FieldId> {
    let values = entity.fields_at(home).zip(shown.values.iter().zip(same));
    let landed = values.filter(|((field, _), (value, same))| {
        let Ok(value) = value else { return false };
        let flight = || work.flight(field, home.system);
        !**same && flight().is_some_and(|flight| flight.value == *value && modified >= flight.sent)
    });
    landed.map(|((field, _), _)| field.id).collect()
}

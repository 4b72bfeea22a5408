//! The audit: what could be known of each edit, and whether the end is right by it.

use super::setup::{ENTITY, field_name, kind, parts, whole};
use super::{Run, STRAY_MS};
use crate::merge::Turn;
use crate::model::{Apart, OpId, SourceKind, Value, WriteItem};
use crate::rules::ConflictPolicy;
use crate::sim::Violation;
use crate::sim::oracle::{Edited, Order, admissible, judged};
use crate::sim::world::{EditSet, FIELDS, Told, World};

/// What a field of a side showed at a moment.
#[derive(Clone)]
pub(super) struct Sight {
    pub(super) side: usize,
    pub(super) field: usize,
    pub(super) at: i64,
    /// The record's modified time then.
    pub(super) modified: i64,
    pub(super) value: Value,
    /// The newest edit then, if a person made it.
    pub(super) edit: Option<usize>,
    /// The write that put it there, if one of ours did.
    pub(super) op: Option<OpId>,
    /// Taken in after a listing that was made later?
    pub(super) late: bool,
    /// Taken in after any row that was made later?
    pub(super) stale: bool,
}

impl Run {
    pub(super) fn verdict(&mut self, silent: bool) -> Option<Violation> {
        if self.broken || !self.mirror.is_sound() {
            return Some(Violation::Broken);
        }
        if let Some(wrong) = self.stamps.judge().or(self.judge_undo()) {
            return Some(wrong);
        }
        if !self.is_rebuilt() {
            return Some(Violation::Unrebuilt);
        }
        if self.worlds.iter().any(|world| world.remote.as_ref().is_some_and(|remote| remote.creates > 1)) {
            return Some(Violation::Duplicate);
        }
        // What a lost part of the mirror wrote comes back as answers to our writes, like an automation's: such a quarrel is
        // parked and listed.
        if self.restored && self.is_apart(|apart| matches!(apart, Apart::Parked { .. })) {
            return None;
        }
        if !silent {
            return Some(Violation::Restless);
        }
        if !self.is_booked() {
            return Some(Violation::Unbooked);
        }
        for field in 0..FIELDS {
            // What is being created as its origin is deleted may be in one system and not in another.
            let there = self
                .worlds
                .iter()
                .filter(|world| world.buried.is_none() && (self.deleted.is_none() || world.remote.is_some()));
            let shown: Vec<Option<&Value>> =
                there.map(|world| world.remote.as_ref().map(|remote| remote.value(field))).collect();
            // A mirror from before a link finds both sides and keeps both values, until somebody edits.
            let split = (self.restored || self.led_on) && self.is_apart(|apart| apart == Apart::Split);
            if !split && shown.windows(2).any(|pair| pair[0] != pair[1]) {
                return Some(Violation::Diverged);
            }
        }
        let edits = self.edits.len() as u32;
        let unknown = self.report.lost_answers + self.report.crashes * 4;
        let bound = (edits * 2 + unknown + 4) * self.worlds.len() as u32;
        if self.writes() > bound {
            return Some(Violation::Loop);
        }
        if let Some(violation) = self.judge_life() {
            return Some(violation);
        }
        // What only a late row shows, over which a listing has gone already, may be taken in or not.
        let (shown, shown_in_order) = (self.shown(true), self.shown(false));
        for field in 0..FIELDS {
            let known_as: Vec<Edited> = (0..self.edits.len()).map(|id| self.as_known(id)).collect();
            let of_field = known_as.iter().enumerate().filter(|(_, edit)| edit.field == field);
            let edits: Vec<(usize, &Edited)> = of_field.filter(|(id, _)| self.can_be_known(shown, *id)).collect();
            let unsure = !shown_in_order & (self.missed | (shown & self.of_polled()));
            let chosen = self.of_winner() & self.of_polled() & !shown;
            let unsure = unsure | self.of_deleted() | self.unread_of_loser() | chosen;
            let sure: Vec<(usize, &Edited)> = edits.iter().copied().filter(|(id, _)| unsure & (1 << id) == 0).collect();
            // What a read alone shows is dated by the record's modified time.
            let dated = self.merge.is_none() && edits.iter().all(|(id, _)| self.missed & (1 << id) == 0);
            let source = |world: &World| if dated { world.source } else { SourceKind::Polled };
            let sources: Vec<SourceKind> = self.worlds.iter().map(source).collect();
            let order = self.order(field, &sources);
            // Each of the others may be judged either way.
            let others: Vec<usize> = edits.iter().map(|(id, _)| *id).filter(|id| unsure & (1 << id) != 0).collect();
            let mut right = admissible(&edits, &self.first[field], &order);
            for choice in 0u32..1 << others.len().min(5) {
                let left_out = |id: &usize| others.iter().position(|other| other == id);
                let taken = |(id, _): &&(usize, &Edited)| left_out(id).is_none_or(|bit| choice & (1 << bit) != 0);
                let known: Vec<(usize, &Edited)> = edits.iter().filter(taken).copied().collect();
                right.extend(admissible(&known, &self.first[field], &order));
            }
            let mut there = self.worlds.iter().filter(|world| world.buried.is_none());
            let Some(standing) = there.find_map(|world| world.remote.as_ref()) else { break };
            let shown = judged(&order.policy, standing.value(field));
            self.say(|| format!("end {}: {shown}, right: {right:?}", field_name(field)));
            if self.restored {
                // What the lost part of the mirror knew is not known; so this only: nothing is invented.
                if !self.is_anybodys(field, &shown) {
                    return Some(Violation::Lost);
                }
                continue;
            }
            // What was found gone may be linked again by its key before it is known why: then both keep their values.
            if self.led_on && self.is_split(field) && self.is_anybodys(field, &shown) {
                continue;
            }
            if !right.contains(&shown) {
                let alike: Vec<usize> = sure.iter().map(|(id, _)| *id).filter(|id| self.looks_ours(*id)).collect();
                let others = |alike: &[usize]| -> Vec<(usize, &Edited)> {
                    sure.iter().copied().filter(|(id, _)| !alike.contains(id)).collect()
                };
                let excused = (1u32..1 << alike.len().min(6)).any(|choice| {
                    let without = alike.iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0);
                    let without: Vec<usize> = without.map(|(_, id)| *id).collect();
                    admissible(&others(&without), &self.first[field], &order).contains(&shown)
                });
                return Some(if excused { Violation::Mistaken } else { Violation::Lost });
            }
        }
        None
    }

    fn is_split(&self, field: usize) -> bool {
        let of = self.rules.entities[0].fields[field].id;
        let records = self.view().record_scan(ENTITY, None, 8).unwrap_or_default();
        let sides = records.iter().flat_map(|record| &record.sides).flat_map(|side| &side.differs);
        sides.into_iter().any(|differs| differs.field == of && differs.apart == Some(Apart::Split))
    }

    fn order<'a>(&'a self, field: usize, sources: &'a [SourceKind]) -> Order<'a> {
        Order {
            policy: match &self.rules.entities[0].fields[field].conflict {
                // A write that found its record gone ended the link, and with it what is known of who had seen what there: which of
                // two edits stands when a list tells of the merge is one of them, but not by rank.
                ConflictPolicy::Prefer(_) if self.led_on => ConflictPolicy::Latest,
                policy => policy.clone(),
            },
            rules: &self.rules,
            coarse: self.worlds.iter().map(|world| world.step).max().unwrap_or(1),
            sources,
        }
    }

    /// What would be right for a field if only the first edits had been made.
    pub(super) fn right_after(&self, field: usize, edits: usize) -> Vec<Value> {
        let judged: Vec<Edited> = (0..edits).map(|id| self.as_known(id)).collect();
        let of_field: Vec<(usize, &Edited)> =
            judged.iter().enumerate().filter(|(_, edit)| edit.field == field).collect();
        let sources: Vec<SourceKind> = self.worlds.iter().map(|world| world.source).collect();
        admissible(&of_field, &self.first[field], &self.order(field, &sources))
    }

    /// Does the journal tell the values that each register has had without a gap, up to the one that it has?
    fn is_booked(&self) -> bool {
        let records = self.view().record_scan(ENTITY, None, 8).unwrap_or_default();
        records.iter().all(|record| {
            let entries = self.view().entries_of(ENTITY, record.id).unwrap_or_default();
            record.registers.iter().all(|register| {
                let moves = entries.iter().filter_map(|(_, entry)| entry.what.moved());
                let moves: Vec<_> = moves.filter(|(field, ..)| *field == register.field).collect();
                let follows = moves.windows(2).all(|pair| pair[0].2 == pair[1].1);
                follows && moves.last().is_none_or(|(_, _, to)| **to == register.reg.val)
            })
        })
    }

    /// What our own write covered between two polls nobody can ever know of: the limit of a side that is only polled.
    pub(super) fn can_be_known(&self, shown: EditSet, id: usize) -> bool {
        let world = self.worlds.get(self.edits[id].side);
        let polled = world.is_some_and(|world| world.source == SourceKind::Polled);
        // What the winner shows is read because the merge was told, whatever the loser had shown.
        !polled || (shown | self.of_winner()) & (1 << id) != 0
    }

    /// An edit as the engine could know it: of what its author saw through a write of ours that nobody can know to have
    /// landed, he may have seen nothing.
    pub(super) fn as_known(&self, id: usize) -> Edited {
        let mut edit = self.edits[id].clone();
        if edit.side >= self.operator() {
            return edit;
        }
        let (known, unknown): (Vec<&Told>, Vec<&Told>) =
            self.told[id].iter().partition(|told| self.is_known(edit.side, edit.field, told.op, told.traced));
        let all = |told: &[&Told]| told.iter().fold(0, |set, told| set | told.knew);
        let own = self.edits[..id]
            .iter()
            .enumerate()
            .filter(|(_, other)| other.side == edit.side && other.field == edit.field);
        let own: EditSet = own.fold(0, |set, (id, _)| set | (1 << id));
        // A write that found its record gone ended the link, and with it what is known of who had seen what there.
        let sure = if self.led_on && self.is_of_merge(id) { own } else { own | all(&known) } & edit.saw;
        edit.may |= edit.saw & (all(&unknown) | all(&known)) & !sure;
        edit.saw = sure;
        edit
    }

    /// Does an edit on a polled side show the value of a write that was not answered yet, or never, while that might land?
    pub(super) fn looks_ours(&self, id: usize) -> bool {
        let edit = &self.edits[id];
        let Some(world) = self.worlds.get(edit.side) else { return false };
        let time = edit.time - world.skew;
        let alike = |sent: &Sight| {
            let here = sent.side == edit.side && sent.field == edit.field && sent.value == edit.value;
            // Times of rows and clocks are rough.
            here && (-3_000..STRAY_MS + 3_000).contains(&(time - sent.at))
        };
        let answered = |op: &OpId| self.heard.iter().any(|(heard, at)| heard == op && *at < time);
        let polled = world.source == SourceKind::Polled;
        polled && self.outstanding.iter().any(|(op, sent)| !answered(op) && alike(sent))
    }

    pub(super) fn of_polled(&self) -> EditSet {
        let polled = |edit: &Edited| self.worlds.get(edit.side).is_some_and(|world| world.source == SourceKind::Polled);
        self.edits.iter().enumerate().fold(0, |set, (id, edit)| set | (u64::from(polled(edit)) << id))
    }

    /// Can the engine know that a write of ours landed? It was answered, or a row showed it, or a stream or history tells.
    pub(super) fn is_known(&self, side: usize, field: usize, op: OpId, traced: bool) -> bool {
        let told = traced && self.worlds[side].source != SourceKind::Polled && !self.went_with_loser(side, field, op);
        let heard = self.heard.iter().any(|(heard, _)| *heard == op);
        told || heard
            || self
                .sights
                .iter()
                .any(|sight| sight.side == side && sight.field == field && sight.op == Some(op) && !sight.stale)
    }

    /// Edits that some row has shown to the engine: by which the row differs from what could be known of the moment before,
    /// by older rows and by writes of ours that were answered. One that brings back that value stays a secret.
    pub(super) fn shown(&self, late: bool) -> EditSet {
        let known = |(op, landing): &&(OpId, Sight)| self.is_known(landing.side, landing.field, *op, false);
        let heard = self.landings.iter().filter(known).map(|(_, landing)| landing);
        let mut known: Vec<&Sight> = self.sights.iter().filter(|sight| late || !sight.late).chain(heard).collect();
        known.sort_by_key(|sight| sight.at);
        let mut shown = 0;
        for (at, sight) in known.iter().enumerate() {
            // What a row showed that came in behind a later one was not known when that was judged.
            let same =
                |other: &&&Sight| other.side == sight.side && other.field == sight.field && (late || !other.stale);
            let before = known[..at].iter().rev().find(same);
            if before.is_none_or(|before| before.value != sight.value) {
                shown |= sight.edit.map_or(0, |edit| 1 << edit);
            }
        }
        shown
    }

    /// A row was taken in.
    pub(super) fn show(&mut self, row: Option<[Sight; FIELDS]>, listing: bool) {
        for mut sight in row.into_iter().flatten().filter(|_| self.committed) {
            self.delivered |= match (self.worlds[sight.side].source, listing) {
                (SourceKind::History, true) => 0,
                (SourceKind::History, false) => self.made_until(&sight),
                _ => sight.edit.map_or(0, |edit| 1 << edit),
            };
            let listed = &mut self.listed[sight.side];
            // Within one step of the clock a late row and a write that was read back since cannot be put in order.
            let covered = self.landings.iter().any(|(op, landing)| {
                let here = landing.side == sight.side && landing.field == sight.field;
                let read = |other: &Sight| other.side == sight.side && other.op == Some(*op);
                let same = here && landing.at > sight.at && landing.modified <= sight.modified;
                same && self.sights.iter().any(read)
            });
            // A read of a stream's record judges only what the stream has told past.
            let source = self.worlds[sight.side].source;
            let untold = source == SourceKind::Stream && sight.modified >= self.told_until[sight.side];
            sight.late = sight.at < *listed || covered || untold;
            let rows = self.sights.iter().filter(|row| row.side == sight.side && row.field == sight.field);
            sight.stale = rows.map(|row| row.at).max().is_some_and(|newest| sight.at < newest);
            // A listing says of a record with a history only that it moved.
            sight.op = sight.op.filter(|_| !(listing && source == SourceKind::History));
            if listing {
                *listed = sight.at.max(*listed);
            }
            self.sights.push(sight);
        }
    }

    pub(super) fn land(&mut self, side: usize, op: OpId, value: impl Fn(usize) -> Option<Value>) {
        let (at, modified) = (self.now, self.worlds[side].clock(self.now));
        let fields = (0..FIELDS).filter_map(|field| Some((field, value(field)?)));
        let landings = fields.map(|(field, value)| {
            (op, Sight { side, field, at, modified, value, edit: None, op: Some(op), late: false, stale: false })
        });
        self.landings.extend(landings);
    }

    /// As far as the engine knows, a write leaves.
    pub(super) fn leaves(&mut self, side: usize, item: &WriteItem) {
        for field in 0..FIELDS {
            let Some(value) = whole(&kind(self.options.policy), parts(self.options.grouped, field), &item.fields)
            else {
                continue;
            };
            let sight = Sight {
                side,
                field,
                at: self.now,
                modified: 0,
                value,
                edit: None,
                op: None,
                late: false,
                stale: false,
            };
            self.outstanding.push((item.op, sight));
        }
    }

    /// Which edits has the engine taken in? Read off its memory of them, by side, place and value.
    pub(super) fn learn(&mut self) {
        let ids = self.view().lately_scan(ENTITY, None, 4).unwrap_or_default();
        for id in ids.into_iter().filter(|id| self.is_main(*id)).collect::<Vec<_>>() {
            let Ok(Some(lately)) = self.view().lately(ENTITY, id) else { continue };
            for row in &lately.fields {
                let field = row.field.0 as usize - 1;
                for taken in row.recent.iter().filter(|taken| !taken.system.is_operator()) {
                    let side = taken.system.0 as usize - 1;
                    let time = taken.edit.place.time.0;
                    // A position names it; a time alone may fit several, of which the newest was shown.
                    let remotes = self.worlds[side].known().into_iter().chain(self.loser(side));
                    let mut pasts = remotes.flat_map(|remote| &remote.history[field]);
                    let named =
                        taken.edit.place.position.and_then(|position| {
                            pasts.find(|past| past.position == position).and_then(|past| past.edit)
                        });
                    let fits = |edit: &&(usize, &Edited)| {
                        let (id, edit) = edit;
                        let alike = edit.time <= time && edit.value == taken.edit.value;
                        edit.field == field && edit.side == side && named.map_or(alike, |named| named == *id)
                    };
                    let newest = self.edits.iter().enumerate().collect::<Vec<_>>();
                    if let Some((id, edit)) = newest.iter().rev().find(fits) {
                        self.known[field] |= (1 << id) | edit.saw;
                    }
                    debug_assert!(taken.turn > Turn(0));
                }
            }
        }
    }
}

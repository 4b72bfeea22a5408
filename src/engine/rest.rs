//! What a step's entries leave unsaid: the journal must tell of every register and of where records stand, so that it can be folded.
//!
//! Each record that a step has saved is compared with what its entries make of it as it stood. What is missing goes into entries of
//! its own, so that nothing that changes a record can forget to say so.

use super::rebuild::{fold, tells};
use super::record::Work;
use super::root::stands_as;
use super::save::Moves;
use super::shared::Shared;
use super::txn::Txn;
use super::{Cause, Change, Happening, JournalEntry, Now, Rest, Stand};
use crate::model::{EntityId, FieldId, Record, RecordId, Register, Side, Stamp, SystemId, Value};
use std::collections::BTreeMap;

/// A record that a step has saved.
pub(super) struct Stood {
    of: (EntityId, RecordId),
    /// As it stood before the step; none = it was not there.
    before: Option<Shared<Record>>,
    /// What has moved since.
    moves: Moves,
}

/// An entry, and the record that it tells of.
type Told<'j> = ((EntityId, RecordId), &'j Happening);

/// Records of one entry: a value of the store has a limit.
const RECORDS_MAX: usize = 500;

impl Txn<'_> {
    /// A record is about to be saved. Those of a first full reading are only counted: the journal has one entry for a page of it.
    pub fn note_stood(&mut self, work: &Work, before: Option<&Shared<Record>>) {
        match before {
            None if work.is_gone() => {}
            None if self.cause == Cause::Backfill => self.unread += 1,
            before => {
                let of = (work.record.entity, work.record.id);
                self.stood.push(Stood { of, before: before.cloned(), moves: Moves::default() });
            }
        }
    }

    /// What has moved of the record that was noted last.
    pub fn note_moves(&mut self, moves: Moves) {
        if let Some(stood) = self.stood.last_mut() {
            stood.moves = moves;
        }
    }

    /// Journals what this step's entries do not say of the records that it has saved.
    pub fn tell_rest(&mut self) {
        if self.unread > 0 {
            for entry in &mut self.journal {
                if let Happening::Page { mirrored, .. } = &mut entry.what {
                    *mirrored = self.unread;
                }
            }
        }
        let stood = std::mem::take(&mut self.stood);
        if stood.is_empty() || crate::defect!("unsaid") {
            return;
        }
        // In the order in which records are saved, which is theirs: so one pass over all three.
        debug_assert!(stood.is_sorted_by_key(|stood| stood.of));
        let of = |entry: &JournalEntry| entry.entity.zip(entry.record).filter(|_| tells(&entry.what));
        let mut told: Vec<_> = self.journal.iter().filter_map(|entry| Some((of(entry)?, &entry.what))).collect();
        told.sort_by_key(|(of, _)| *of);
        let saved = self.record_changes.iter().filter_map(|change| match change {
            Change::PutRecord(record) => Some(((record.entity, record.id), Some(&**record))),
            Change::RemoveRecord(entity, id) => Some(((*entity, *id), None)),
            _ => None,
        });
        let mut after: Vec<((EntityId, RecordId), Option<&Record>)> = saved.collect();
        after.sort_by_key(|(of, _)| *of);
        let (mut told, mut after) = (&told[..], after.iter().peekable());
        let mut first = Vec::new();
        let mut rests: BTreeMap<EntityId, Vec<(RecordId, Rest)>> = BTreeMap::new();
        for Stood { of: at, before, moves } in &stood {
            told = &told[told.iter().take_while(|(of, _)| of < at).count()..];
            let told = &told[..told.iter().take_while(|(of, _)| of == at).count()];
            while after.next_if(|(of, _)| of < at).is_some() {}
            let now = after.next_if(|(of, _)| of == at).map(|(_, now)| *now);
            let rest = match (before, now) {
                (_, Some(None)) => {
                    let said = told.iter().any(|(_, what)| matches!(what, Happening::Forgotten { .. }));
                    (!said).then_some(Rest::Gone)
                }
                (None, Some(Some(record))) => {
                    first.push((*at, as_first(record)));
                    None
                }
                (Some(before), Some(Some(after))) => left_unsaid(before, told, (after, moves)),
                (Some(same), None) if !told.is_empty() => left_unsaid(same, told, (same, &Moves::default())),
                _ => None,
            };
            rests.entry(at.0).or_default().extend(rest.map(|rest| (at.1, rest)));
        }
        for ((entity, record), what) in first {
            self.journal(entity, Some(record), what);
        }
        for (entity, mut rest) in rests {
            while !rest.is_empty() {
                let later = rest.split_off(rest.len().min(RECORDS_MAX));
                let records = std::mem::replace(&mut rest, later);
                self.journal(entity, None, Happening::Rest { records });
            }
        }
    }
}

fn as_first(record: &Record) -> Happening {
    let values = record.registers.iter().map(|Register { field, reg }| (*field, reg.val.clone(), reg.marker));
    Happening::First { values: values.collect(), sides: record.sides.iter().map(Stand::of).collect() }
}

/// What is to be said beside these entries; none = they say it all.
fn left_unsaid(before: &Record, told: &[Told<'_>], (after, moves): (&Record, &Moves)) -> Option<Rest> {
    if says_all(before, told, after, moves) {
        return None;
    }
    let mut folded = None;
    if !told.is_empty() {
        folded = Some(before.clone());
        told.iter().for_each(|(_, what)| fold(&mut folded, (after.entity, after.id), what));
    }
    let told = folded.as_ref().unwrap_or(before);
    let (registers, sides) = (registers(told, after), sides(told, after));
    let silent = registers.is_empty() && sides.is_empty();
    (!silent).then_some(Rest::Changed { registers, sides })
}

/// Do entries about registers alone say it all? Nearly always, and then nothing need be folded.
fn says_all(before: &Record, told: &[Told<'_>], after: &Record, moves: &Moves) -> bool {
    let registers = told.iter().rev().map(|(_, what)| match what {
        Happening::Value { field, to, stamp, .. } | Happening::Filled { field, to, stamp, .. } => {
            Some((*field, to, *stamp))
        }
        _ => None,
    });
    let Some(last) = registers.collect::<Option<Vec<_>>>() else { return false };
    let stands = |(field, to, stamp): &(FieldId, &Value, Stamp)| {
        after.register(*field).is_some_and(|reg| reg.val == **to && reg.marker == *stamp)
    };
    let told = |(at, said): (usize, &(FieldId, _, _))| last[..at].iter().any(|(of, ..)| *of == said.0) || stands(said);
    let silent = moves.fields.iter().any(|field| !last.iter().any(|(of, ..)| of == field));
    let stand = before.sides.len() == after.sides.len()
        && before
            .sides
            .iter()
            .zip(&after.sides)
            .all(|(before, after)| before.system == after.system && stands_as(before, after));
    stand && !moves.dropped && !silent && last.iter().enumerate().all(told)
}

fn registers(told: &Record, after: &Record) -> Vec<(FieldId, Now)> {
    if told.registers == after.registers {
        return Vec::new();
    }
    let now = after.registers.iter().filter_map(|Register { field, reg }| {
        let now = match told.register(*field) {
            Some(known) if known == reg => return None,
            Some(known) if known.val == reg.val => Now::Stamp(reg.marker),
            _ => Now::Value(reg.val.clone(), reg.marker),
        };
        Some((*field, now))
    });
    let dropped = told.registers.iter().filter(|register| after.register(register.field).is_none());
    let mut registers: Vec<_> = now.chain(dropped.map(|register| (register.field, Now::Nothing))).collect();
    registers.sort_by_key(|(field, _)| *field);
    registers
}

fn sides(told: &Record, after: &Record) -> Vec<(SystemId, Option<Stand>)> {
    let same = |side: &&Side| told.side(side.system).is_some_and(|known| stands_as(known, side));
    let now = after.sides.iter().filter(|side| !same(side)).map(|side| (side.system, Some(Stand::of(side))));
    let dropped = told.sides.iter().filter(|side| after.side(side.system).is_none()).map(|side| (side.system, None));
    let mut sides: Vec<_> = now.chain(dropped).collect();
    sides.sort_by_key(|(system, _)| *system);
    sides
}

//! An operator takes back what was done: by run, time, system or record. What that means is said here once more, in other words.
//!
//! A field's value has moved step by step. From the newest move backwards, as long as each is one of those that are to be taken back, it
//! goes back too; a newest move that is none of them keeps everything. So what others did later stays. Taking back is an edit like
//! any other, by somebody who saw all that was known, and can be taken back itself; but whoever had not seen it prevails over it.

use super::audit::Sight;
use super::setup::{ENTITY, field_name, system_id};
use super::{Doing, Run};
use crate::engine::{self, Authority, Begin, Change, Operate, Operation, Selection};
use crate::model::{Digest, FieldId, Millis, Origin, Stamp, Value};
use crate::sim::oracle::Edited;
use crate::sim::world::{EditSet, FIELDS};
use crate::sim::{Also, Violation};
use std::collections::BTreeSet;

/// How a field has moved, as its register shows it after each commit.
pub(super) struct Move {
    field: usize,
    from: Value,
    to: Value,
    at: Millis,
    run: u32,
    by: Origin,
    /// Did it move through others within one commit?
    through: bool,
}

/// What is remembered for it.
#[derive(Default)]
pub(super) struct Moves {
    list: Vec<Move>,
    shown: [Option<(Stamp, Value)>; FIELDS],
    /// The run of the program, and the last that was begun.
    run: u32,
    last: u32,
    /// What was wrong.
    wrong: bool,
}

impl Moves {
    /// A step is committed; `own` = it was a run of its own.
    fn take(&mut self, changes: &[Change], own: bool, at: Millis) {
        self.last += u32::from(own);
        let run = if own { self.last } else { self.run };
        for change in changes {
            let Change::PutRecord(record) = change else { continue };
            for (field, shown) in self.shown.iter_mut().enumerate() {
                let Some(register) = record.register(FieldId(field as u32 + 1)) else { continue };
                let (stamp, to) = (register.marker, register.val.clone());
                let Some((_, from)) = shown.replace((stamp, to.clone())) else { continue };
                let moves = changes.iter().filter(|change| match change {
                    Change::Journal(entry) => entry.what.moved().is_some_and(|(of, ..)| of.0 as usize == field + 1),
                    _ => false,
                });
                let through = moves.count() > 1;
                if from != to || through {
                    self.list.push(Move { field, from, to, at, run, by: stamp.origin, through });
                }
            }
        }
    }

    /// The values to which a field may go back when these are taken back; none = it stays. An empty list: it cannot be said.
    fn back(&self, field: usize, selection: &Selection) -> Option<Vec<Value>> {
        let is_one = |step: &Move| {
            let author = selection.author.is_none_or(|author| step.by == Origin::System(author));
            let time = selection.since.is_none_or(|since| step.at >= since)
                && selection.until.is_none_or(|until| step.at < until);
            author && time && selection.run.is_none_or(|run| run.0 == step.run)
        };
        let mut to = None;
        for step in self.list.iter().rev().filter(|step| step.field == field) {
            // Within one commit only the journal knows whose the moves between were.
            if step.through && selection.author.is_some() {
                return Some(Vec::new());
            }
            if !is_one(step) {
                break;
            }
            to = Some(vec![step.from.clone()]);
        }
        let now = self.list.iter().rev().find(|step| step.field == field).map(|step| &step.to);
        to.filter(|to| to.first() != now)
    }
}

impl Run {
    /// The side that taking back counts as: behind an operator's.
    pub(super) fn undoer(&self) -> usize {
        self.operator() + 1
    }

    pub(super) fn note_moves(&mut self, changes: &[Change]) {
        let (own, at) = (self.operates, self.ours());
        if self.options.also == Also::Undo {
            self.moves.take(changes, own, at);
        }
    }

    /// A run of the program begins.
    pub(super) fn begin_run(&mut self) {
        if self.options.also == Also::Undo {
            self.feed(|_, _| engine::Input::Begin(Begin { what: "run".into(), config: Digest::default() }));
            if self.committed {
                self.moves.last += 1;
                self.moves.run = self.moves.last;
            }
        }
    }

    pub(super) fn plan_undos(&mut self) {
        for _ in 0..self.rng.range(0, 3) {
            let (at, field) = (self.rng.range(0, 40_000), usize::from(self.rng.percent(30)));
            self.after(at, Doing::Decide { field });
        }
        for _ in 0..self.rng.range(1, 4) {
            let at = self.rng.range(2_000, 50_000);
            self.after(at, Doing::Undo);
        }
    }

    /// What is to be taken back.
    fn selection(&mut self) -> Option<Selection> {
        let record = self.view().record_scan(ENTITY, None, 1).ok()?.first()?.id;
        let none = Selection::default();
        Some(match self.rng.range(0, 5) {
            0 => {
                let run = self.rng.range(0, i64::from(self.moves.last) + 1) as u32;
                Selection { run: Some(engine::Run(run)), ..none }
            }
            // The last command, as somebody who regrets it says.
            1 => Selection { run: Some(engine::Run(self.moves.last)), ..none },
            2 => {
                let since = self.ours().plus(-self.rng.range(0, 40_000));
                let until = since.plus(self.rng.range(0, 40_000));
                Selection { since: Some(since), until: self.rng.percent(50).then_some(until), ..none }
            }
            3 => Selection { record: Some((ENTITY, record)), ..none },
            _ => Selection { author: Some(system_id(self.rng.range(0, self.worlds.len() as i64) as usize)), ..none },
        })
    }

    /// Somebody looks at what would be taken back; and carries that out, maybe later.
    pub(super) fn undo(&mut self) {
        let Some(selection) = self.selection().filter(|_| self.up) else { return };
        let Ok(plan) = engine::undo(&self.rules, self.view(), &selection) else {
            self.broken = true;
            return;
        };
        self.say(|| format!("undo {selection:?}: {plan:?}"));
        for field in 0..FIELDS {
            let id = FieldId(field as u32 + 1);
            let planned = plan.restores.iter().find(|restore| restore.operation.field == id);
            let planned = planned.map(|restore| &restore.operation.value);
            let right = match self.moves.back(field, &selection) {
                None => planned.is_none(),
                Some(values) => values.is_empty() || planned.is_some_and(|value| values.contains(value)),
            };
            if !right {
                self.say(|| format!("{} is to go back to {:?}", field_name(field), self.moves.back(field, &selection)));
                self.moves.wrong = true;
            }
        }
        let operations: Vec<Operation> = plan.restores.into_iter().map(|restore| restore.operation).collect();
        let later = if self.rng.percent(70) { 0 } else { self.rng.range(0, 3_000) };
        if !operations.is_empty() {
            self.after(later, Doing::TakeBack { operations });
        }
    }

    pub(super) fn take_back(&mut self, operations: Vec<Operation>) {
        if !self.up {
            return;
        }
        // Fields that have moved since they were looked at are left alone.
        let still = |operation: &&Operation| {
            let shown = &self.moves.shown[operation.field.0 as usize - 1];
            shown.as_ref().map(|(stamp, _)| *stamp) == operation.expect
        };
        let taken_back: Vec<Operation> = operations.iter().filter(still).cloned().collect();
        let begin = Some(Begin { what: "undo".into(), config: Digest::default() });
        self.operates = true;
        self.feed(|_, _| engine::Input::Operate(Operate { authority: Authority::Undo, begin, operations }));
        self.operates = false;
        if !self.committed {
            return;
        }
        let mut seen = BTreeSet::new();
        for Operation { field, value, .. } in taken_back {
            let (id, field, side) = (self.edits.len(), field.0 as usize - 1, self.undoer());
            self.moves.wrong |= !seen.insert(field);
            let (saw, may) = self.seen_by_operator(field);
            self.say(|| format!("undo {id}: {} = {value}, saw {saw:b}", field_name(field)));
            // Whoever takes back has seen everything that could be weighed against it.
            self.moves.wrong |= self.moves.shown[field].as_ref().map(|(_, shown)| shown) != Some(&value);
            self.known[field] |= 1 << id;
            self.edits.push(Edited { side, field, time: self.now, value, saw, may });
            self.told.push(Vec::new());
        }
    }

    /// What whoever operates has seen of a field: all that was weighed, and what they did before. What was told and is not remembered as
    /// weighed is so for good when nothing is open any more; else it may be weighed yet, or have been.
    pub(super) fn seen_by_operator(&self, field: usize) -> (EditSet, EditSet) {
        let by = |edit: &Edited| edit.field == field && edit.side >= self.operator();
        let own = self.edits.iter().enumerate().filter(|(_, edit)| by(edit));
        let saw = own.fold(self.known[field], |set, (id, _)| set | (1 << id));
        let told = if self.options.also == Also::Undo { self.delivered & self.edits_of(field) } else { 0 };
        if self.at_rest() { (saw | told, 0) } else { (saw, told & !saw) }
    }

    /// The edits of a side and a field until a row was made.
    pub(super) fn made_until(&self, sight: &Sight) -> EditSet {
        let skew = self.worlds[sight.side].skew;
        let by = |edit: &Edited| edit.field == sight.field && edit.side == sight.side && edit.time - skew <= sight.at;
        // The history of what has lost a merge went with it.
        let gone = self.lost_at(sight);
        let made = self.edits.iter().enumerate().filter(|(id, edit)| by(edit) && !gone.contains(id));
        made.fold(0, |set, (id, _)| set | (1 << id))
    }

    pub(super) fn judge_undo(&self) -> Option<Violation> {
        self.moves.wrong.then_some(Violation::Miscarried)
    }
}

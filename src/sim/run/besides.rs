//! What happens in some histories besides edits: an operator decides, somebody deletes, an old copy of the mirror is restored.

use super::setup::{ENTITY, home, remote_id, some_value, system_id, system_name};
use super::{Doing, Run, STRAY_MS};
use crate::engine::{Answer, Answers, Authority, Begin, DeleteItem, DeletedRows, Input, Operate, Operation};
use crate::model::{Apart, Departure, Digest, FieldId, Outcome, RecordId, Value};
use crate::sim::oracle::Edited;
use crate::sim::world::{EditSet, FIELDS};
use crate::sim::{Also, Violation};

/// A record that a person deleted.
#[derive(Debug, Clone)]
pub(super) struct Deleted {
    pub(super) side: usize,
    /// The edits that people there had been able to see.
    seen: [EditSet; FIELDS],
    /// How many edits there had been.
    edits: usize,
    at: i64,
    /// Has it been taken in?
    is_known: bool,
    /// Was it created again after that? A create that was under way may land all the same.
    recreated: bool,
}

impl Run {
    /// The side that an operator counts as: behind those of the systems.
    pub(super) fn operator(&self) -> usize {
        self.worlds.len()
    }

    /// Lays out when.
    pub(super) fn plan_besides(&mut self) {
        match self.options.also {
            Also::Nothing => {}
            Also::Operator => {
                for _ in 0..self.rng.range(1, 4) {
                    let (at, field) = (self.rng.range(0, 40_000), usize::from(self.rng.percent(30)));
                    self.after(at, Doing::Decide { field });
                }
            }
            Also::Deletes(_) => {
                let (at, side) = (self.rng.range(0, 30_000), self.rng.range(0, self.worlds.len() as i64) as usize);
                self.after(at, Doing::Delete { side });
            }
            Also::Restore => {
                let at = self.rng.range(0, 20_000);
                self.after(at, Doing::Backup);
                let later = self.rng.range(0, 30_000);
                self.after(at + later, Doing::Restore);
            }
            Also::Jumps => self.plan_jumps(),
            Also::Undo => self.plan_undos(),
            Also::Merges => self.plan_merge(),
        }
    }

    /// An operator decides about a field: he has seen all that was taken in.
    pub(super) fn decide(&mut self, field: usize) {
        let record = self.view().record_scan(ENTITY, None, 1).ok().and_then(|records| records.first().map(|r| r.id));
        let (Some(record), true) = (record, self.up) else { return };
        let mut value = some_value(self.options.policy, self.rng.range(0, 4));
        if let Value::Group(_) = &self.first[field] {
            value = Value::group([value.clone(), value]);
        }
        let id = self.edits.len();
        let operator = self.operator();
        let (saw, may) = self.seen_by_operator(field);
        self.say(|| format!("decision {id}: {value}, saw {saw:b}"));
        let operation = Operation {
            entity: ENTITY,
            record,
            field: FieldId(field as u32 + 1),
            value: value.clone(),
            only: None,
            expect: None,
            review: None,
        };
        let begin = Some(Begin { what: "decide".into(), config: Digest::default() });
        let operate = Operate { authority: Authority::Decide, begin, operations: vec![operation] };
        self.operates = true;
        self.feed(|_, _| Input::Operate(operate));
        self.operates = false;
        if self.committed {
            self.known[field] |= 1 << id;
            self.edits.push(Edited { side: operator, field, time: self.now, value, saw, may });
            self.told.push(Vec::new());
        }
    }

    /// A person deletes a record that we know.
    pub(super) fn delete(&mut self, side: usize) {
        if !self.linked(side) || self.deleted.is_some() {
            return;
        }
        let Some(remote) = self.worlds[side].remote.take() else { return };
        self.say(|| format!("deleted on {}, saw {:?}", system_name(side), remote.seen));
        self.deleted = Some(Deleted {
            side,
            seen: remote.seen,
            edits: self.edits.len(),
            at: self.now,
            is_known: false,
            recreated: false,
        });
        self.worlds[side].buried = Some(remote);
    }

    /// A listing tells that the record is gone.
    pub(super) fn tell_gone(&mut self, side: usize) {
        self.say(|| format!("gone from {}", system_name(side)));
        let rows = vec![(remote_id(), Departure::Deleted)];
        self.feed(|_, _| Input::Deleted(DeletedRows { entity: ENTITY, home: home(side), rows, cursor: None }));
        if let Some(deleted) = self.deleted.as_mut().filter(|deleted| deleted.side == side) {
            deleted.is_known |= self.committed;
        }
    }

    /// A create leaves.
    pub(super) fn creates(&mut self, side: usize) {
        if let Some(deleted) = self.deleted.as_mut().filter(|deleted| deleted.side == side) {
            deleted.recreated |= deleted.is_known;
        }
    }

    /// Our delete leaves: it may land or not, and its answer may be heard or not.
    pub(super) fn launch_delete(&mut self, side: usize, record: RecordId, item: DeleteItem) {
        let (there, back, life) = (self.latency(), self.latency(), self.life);
        let lost = self.storm && self.rng.percent(super::LOST_PERCENT);
        let lands = !lost || self.rng.percent(60);
        self.say(|| format!("delete leaves for {}", system_name(side)));
        if lands {
            self.after(there, Doing::Bury { side });
        }
        let outcome = if lost { Outcome::Unknown } else { Outcome::Done { remote: remote_id(), created: None } };
        let answer = Answer::of_delete(record, &item, outcome);
        self.after(there + back, Doing::Buried { side, answer, life });
    }

    pub(super) fn buried(&mut self, side: usize, answer: Answer) {
        self.busy[side] = false;
        let answers = Answers { entity: ENTITY, system: system_id(side), answers: vec![answer] };
        self.feed(|_, _| Input::Answers(answers));
    }

    /// An old copy takes the mirror's place.
    pub(super) fn restore(&mut self) {
        let Some(backup) = self.backup.take() else { return };
        self.say(|| "an old copy is restored".into());
        // Positions in streams are a part of the mirror.
        let (mirror, streamed, told_until) = backup;
        let done = self.mirror.restore(mirror);
        self.is_done(done);
        (self.streamed, self.told_until) = (streamed, told_until);
        self.restored = true;
        self.stamps = Default::default();
        self.crash("as it was restored");
    }

    /// Is what a delete led to right?
    pub(super) fn judge_life(&self) -> Option<Violation> {
        let Also::Deletes(propagate) = self.options.also else { return None };
        let deleted = self.deleted.as_ref()?;
        if deleted.recreated {
            return Some(Violation::Resurrected);
        }
        let others = (0..self.worlds.len()).filter(|side| *side != deleted.side);
        let (alive, gone): (Vec<usize>, Vec<usize>) = others.partition(|side| self.worlds[*side].remote.is_some());
        if !gone.is_empty() && !propagate {
            return Some(Violation::Lost);
        }
        // The deleter had never seen what was right by then, and is right now.
        let exact = self.worlds.len() == 2 && self.options.sources.exact();
        let history = |field: usize| self.worlds[deleted.side].buried.as_ref().map(|remote| &remote.history[field]);
        let ever =
            |field: usize, value: &Value| history(field).is_some_and(|past| past.iter().any(|p| p.value == *value));
        let ignorant = |field: &usize| {
            let by = |edits: usize| self.right_after(*field, edits).iter().all(|value| !ever(*field, value));
            by(deleted.edits) && by(self.edits.len())
        };
        if exact && !gone.is_empty() && (0..FIELDS).any(|field| ignorant(&field)) {
            return Some(Violation::Lost);
        }
        let unseen = self.edits.iter().enumerate().any(|(id, edit)| {
            let seen = deleted.seen[edit.field] & (1 << id) != 0;
            edit.side != deleted.side && !seen
        });
        // Where nobody else entered anything, it is gone from everywhere, unless a write was owed or under way: whether the deleter
        // had seen that was not known yet; what is being created as its origin is deleted stays.
        let owed = (0..FIELDS).any(|field| {
            let showed = history(field).and_then(|past| past.last()).map(|past| &past.value);
            showed.is_some_and(|showed| !self.right_after(field, deleted.edits).contains(showed))
        });
        let under_way = self.outstanding.iter().any(|(_, sent)| sent.at > deleted.at - STRAY_MS);
        (propagate && !unseen && !under_way && !owed && !alive.is_empty()).then_some(Violation::Outlived)
    }

    /// The edits of which it is not sure whether anybody ever read them, since their record is gone.
    pub(super) fn of_deleted(&self) -> EditSet {
        let gone = |edit: &Edited| self.worlds.get(edit.side).is_some_and(|world| world.buried.is_some());
        self.edits.iter().enumerate().fold(0, |set, (id, edit)| set | (u64::from(gone(edit)) << id))
    }

    /// Is a side left as it is, although it differs, for a reason?
    pub(super) fn is_apart(&self, why: impl Fn(Apart) -> bool) -> bool {
        let records = self.view().record_scan(ENTITY, None, 8).unwrap_or_default();
        let mut differing = records.iter().flat_map(|record| &record.sides).flat_map(|side| &side.differs);
        differing.any(|differs| differs.apart.is_some_and(&why))
    }

    /// A value of a field that somebody entered or that was there.
    pub(super) fn is_anybodys(&self, field: usize, value: &Value) -> bool {
        let entered = self.edits.iter().any(|edit| edit.field == field && edit.value == *value);
        entered || self.first[field] == *value
    }
}

//! Taking back what was done: which values would be restored, which stay because somebody has changed them since, and what
//! cannot be restored at all.

use super::record::shown;
use super::{Books, Happening, JournalEntry, Operation, Run, ViewError};
use crate::model::{EntityId, FieldId, Millis, RecordId, SystemId, Value};
use crate::rules::{ConflictPolicy, Rules};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be taken back. All that is stated must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// What a run decided.
    pub run: Option<Run>,
    /// What was decided at this time (our clock) or later.
    pub since: Option<Millis>,
    /// What was decided before this time.
    pub until: Option<Millis>,
    /// What this author edited.
    pub author: Option<SystemId>,
    /// What was decided about this record.
    pub record: Option<(EntityId, RecordId)>,
}

/// What an undo would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UndoPlan {
    /// Values to restore.
    pub restores: Vec<Restore>,
    /// Values that stay, because somebody has changed them since.
    pub kept: Vec<Kept>,
    /// What was done and cannot be undone here.
    pub lasting: Vec<Lasting>,
}

/// A value to restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// The decision that does it.
    pub operation: Operation,
    /// What is there now.
    pub now: Value,
}

/// A value that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The entity.
    pub entity: EntityId,
    /// The record.
    pub record: RecordId,
    /// The field.
    pub field: FieldId,
    /// Whose later edit it is; none = nobody's.
    pub author: Option<SystemId>,
    /// When that was decided, by our clock.
    pub at: Millis,
}

/// What cannot be undone here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lasting {
    /// The entity.
    pub entity: EntityId,
    /// The record.
    pub record: RecordId,
    /// What.
    pub what: LastingKind,
}

/// Kinds of what cannot be undone here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LastingKind {
    /// A record was created in this system: it stays there.
    Created(SystemId),
    /// The record was deleted in this system by us: it comes back only by hand, from that system's recycle bin.
    Deleted(SystemId),
    /// Records were linked: they stay linked.
    Linked(SystemId),
    /// A blank was filled by a first link, or a reference followed its record: it stays filled.
    Filled(FieldId),
    /// A side was given its own value back: the next edit ends that.
    Parted(SystemId),
    /// The field comes from one system only, which alone can change it.
    OneWay(FieldId),
    /// The record or the field is not mirrored any more.
    Gone,
}

impl Selection {
    fn holds(&self, entry: &JournalEntry) -> bool {
        let author = self.author.is_none_or(|author| author_of(&entry.what) == Some(author));
        let record =
            self.record.is_none_or(|(entity, record)| (entry.entity, entry.record) == (Some(entity), Some(record)));
        self.run.is_none_or(|run| entry.run == run)
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
            && author
            && record
    }
}

fn author_of(what: &Happening) -> Option<SystemId> {
    match what {
        Happening::Value { system, .. } => Some(*system),
        _ => None,
    }
}

/// What taking a selection back would do, as things stand.
///
/// # Errors
/// The store cannot be read.
pub fn undo(rules: &Rules, books: &dyn Books, selection: &Selection) -> Result<UndoPlan, ViewError> {
    let mut plan = UndoPlan::default();
    let mut touched: BTreeMap<(EntityId, RecordId), BTreeSet<FieldId>> = BTreeMap::new();
    let mut lasting: BTreeSet<(EntityId, RecordId, LastingKind)> = BTreeSet::new();
    each(books, selection, |entry| {
        let (Some(entity), Some(record)) = (entry.entity, entry.record) else { return };
        match &entry.what {
            Happening::Sent { system, create: true, .. } => {
                lasting.insert((entity, record, LastingKind::Created(*system)));
            }
            Happening::Linked { system, .. } if selection.author.is_none() => {
                lasting.insert((entity, record, LastingKind::Linked(*system)));
            }
            Happening::Deleted { system, .. } => {
                lasting.insert((entity, record, LastingKind::Deleted(*system)));
            }
            Happening::Filled { field, .. } => {
                lasting.insert((entity, record, LastingKind::Filled(*field)));
            }
            Happening::Parted { system, .. } => {
                lasting.insert((entity, record, LastingKind::Parted(*system)));
            }
            Happening::Value { field, .. } | Happening::LinkDecided { field, split: false, .. } => {
                touched.entry((entity, record)).or_default().insert(*field);
            }
            _ => {}
        }
    })?;
    for ((entity, record), fields) in touched {
        let body = books.record(entity, record)?;
        let of = rules.entity(entity).filter(|_| body.is_some());
        let entries = books.entries_of(entity, record)?;
        for field in fields {
            let Some(rule) = of.and_then(|of| of.field(field)) else {
                lasting.insert((entity, record, LastingKind::Gone));
                continue;
            };
            if matches!(rule.conflict, ConflictPolicy::OneWay { .. }) {
                lasting.insert((entity, record, LastingKind::OneWay(field)));
                continue;
            }
            let register = body.as_ref().and_then(|body| body.register(field));
            let Some(register) = register else { continue };
            match outcome(selection, &entries, field) {
                Outcome::Restore(value) if value != register.val => {
                    let expect = Some(register.marker);
                    let operation = Operation { entity, record, field, value, only: None, expect, review: None };
                    plan.restores.push(Restore { operation, now: register.val.clone() });
                }
                Outcome::Restore(_) => {}
                Outcome::Part(over) => {
                    for (system, value) in over {
                        let shows = body.as_ref().map_or(Value::Null, |body| shown(body, rule, system));
                        if shows != value {
                            let (only, expect) = (Some(system), Some(register.marker));
                            let operation = Operation { entity, record, field, value, only, expect, review: None };
                            plan.restores.push(Restore { operation, now: shows });
                        }
                    }
                }
                Outcome::Kept { author, at } => plan.kept.push(Kept { entity, record, field, author, at }),
            }
        }
    }
    plan.lasting = lasting.into_iter().map(|(entity, record, what)| Lasting { entity, record, what }).collect();
    Ok(plan)
}

enum Outcome {
    Restore(Value),
    /// The first link wrote over these: each side gets its own back.
    Part(Vec<(SystemId, Value)>),
    Kept {
        author: Option<SystemId>,
        at: Millis,
    },
}

/// The value from before the newest stretch of selected changes, unless somebody else has changed it after them.
fn outcome(selection: &Selection, entries: &[(u64, JournalEntry)], field: FieldId) -> Outcome {
    let mut outcome = Outcome::Kept { author: None, at: Millis::MIN };
    for (_, entry) in entries {
        let Some((_, from, _)) = entry.what.moved().filter(|(of, ..)| *of == field) else { continue };
        outcome = match (selection.holds(entry), outcome) {
            // What fills a blank is somebody's own value elsewhere, and a split writes nothing over.
            (true, outcome)
                if matches!(entry.what, Happening::Filled { .. } | Happening::LinkDecided { split: true, .. }) =>
            {
                outcome
            }
            (true, Outcome::Restore(value)) => Outcome::Restore(value),
            (true, Outcome::Part(over)) => match &entry.what {
                Happening::LinkDecided { over: more, .. } => Outcome::Part([over, more.clone()].concat()),
                _ => Outcome::Restore(from.clone()),
            },
            (true, Outcome::Kept { .. }) => match &entry.what {
                Happening::LinkDecided { over, .. } => Outcome::Part(over.clone()),
                _ => Outcome::Restore(from.clone()),
            },
            (false, outcome @ Outcome::Restore(_)) if crate::defect!("undo-over") => outcome,
            (false, _) => Outcome::Kept { author: author_of(&entry.what), at: entry.at },
        };
    }
    outcome
}

fn each(books: &dyn Books, selection: &Selection, mut take: impl FnMut(&JournalEntry)) -> Result<(), ViewError> {
    if let Some((entity, record)) = selection.record {
        let entries = books.entries_of(entity, record)?;
        entries.iter().filter(|(_, entry)| selection.holds(entry)).for_each(|(_, entry)| take(entry));
        return Ok(());
    }
    // Entries of a run, and those from a time on, stand behind a known place.
    let begun = match selection.run {
        Some(run) => books.began(run)?.map_or(1, |(number, _)| number),
        None => 1,
    };
    let since = selection.since.map(|since| books.entries_since(since)).transpose()?.unwrap_or(1);
    let mut after = begun.max(since).saturating_sub(1);
    loop {
        let entries = books.entries(after, BATCH)?;
        let Some((last, newest)) = entries.last() else { return Ok(()) };
        let done = selection.until.is_some_and(|until| newest.at >= until);
        entries.iter().filter(|(_, entry)| selection.holds(entry)).for_each(|(_, entry)| take(entry));
        if done {
            return Ok(());
        }
        after = *last;
    }
}

const BATCH: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{AsOf, Cause, Change, Held, MemoryView};
    use crate::model::{Ability, FieldKind, Hlc, Origin, Place, Record, Stamp};
    use crate::rules::{EntitySpec, FieldSpec, OneWayEdits};
    use std::sync::Arc;

    const RECORD: RecordId = RecordId([1; 16]);

    fn rules() -> Rules {
        let ability = Ability::polled();
        let field = |name: &str| FieldSpec::new(name, FieldKind::Text).at("a", name).at("b", name);
        let entity = EntitySpec::new("person").at("a", "people").at("b", "Person").match_by("name");
        let entity = entity.field(field("name")).field(field("score").one_way("a", OneWayEdits::Overwrite));
        Rules::builder().system("a", ability.clone()).system("b", ability).entity(entity).build().unwrap()
    }

    fn text(value: &str) -> Value {
        if value.is_empty() { Value::Null } else { Value::Text(value.into()) }
    }

    /// Edits of one field: run, author, before and after.
    fn view(field: &str, edits: &[(u32, &str, &str, &str)]) -> MemoryView {
        let (entity, field) = (EntityId::of("person"), FieldId::of(field));
        let mut view = MemoryView::new();
        let mut record = Record::new(RECORD, entity);
        for (at, (run, author, from, to)) in edits.iter().enumerate() {
            let time = Millis(at as i64 + 1);
            let stamp = Stamp { hlc: Hlc::at(time), origin: Origin::Engine };
            record.set(field, text(to), stamp);
            let (from, to, system) = (text(from), text(to), SystemId::of(author));
            let what =
                Happening::Value { field, from, to, stamp, system, place: Place::at(time), rule: None, who: None };
            let entry = JournalEntry {
                at: time,
                run: Run(*run),
                cause: Cause::Poll,
                entity: Some(entity),
                record: Some(RECORD),
                what,
            };
            view.apply(&[Change::Journal(Box::new(entry))]);
        }
        view.apply(&[Change::PutRecord(Arc::new(record))]);
        view
    }

    /// The value that an undo restores; an error is who has changed it since.
    fn restored(view: &MemoryView, selection: Selection) -> Option<Result<Value, Option<SystemId>>> {
        let plan = undo(&rules(), view, &selection).unwrap();
        assert!(plan.restores.len() + plan.kept.len() <= 1);
        let restore = plan.restores.into_iter().next().map(|restore| Ok(restore.operation.value));
        restore.or(plan.kept.into_iter().next().map(|kept| Err(kept.author)))
    }

    #[test]
    fn the_newest_stretch_of_selected_changes_is_taken_back_and_later_ones_by_others_stay() {
        let (a, b) = (SystemId::of("a"), SystemId::of("b"));
        let by = |author| Selection { author: Some(author), ..Selection::default() };
        let run = |run| Selection { run: Some(Run(run)), ..Selection::default() };
        let all = [(1, "a", "0", "1"), (1, "a", "1", "2"), (2, "b", "2", "3"), (2, "a", "3", "4")];
        let view = view("name", &all);
        assert_eq!(restored(&view, by(a)), Some(Ok(text("3"))));
        assert_eq!(restored(&view, by(b)), Some(Err(Some(a))));
        assert_eq!(restored(&view, run(1)), Some(Err(Some(a))));
        assert_eq!(restored(&view, run(2)), Some(Ok(text("2"))));
        assert_eq!(restored(&view, run(3)), None);
        let since =
            |since, until: Option<i64>| Selection { since: Some(Millis(since)), until: until.map(Millis), ..by(a) };
        assert_eq!(restored(&view, since(2, None)), Some(Ok(text("3"))));
        assert_eq!(restored(&view, since(1, Some(3))), Some(Err(Some(a))));
        let record = Selection { record: Some((EntityId::of("person"), RECORD)), ..Selection::default() };
        assert_eq!(restored(&view, record), Some(Ok(text("0"))));
    }

    #[test]
    fn what_came_back_by_itself_needs_nothing_and_what_goes_one_way_is_left() {
        let there_and_back = view("name", &[(1, "a", "0", "1"), (1, "a", "1", "0")]);
        let run = Selection { run: Some(Run(1)), ..Selection::default() };
        assert_eq!(undo(&rules(), &there_and_back, &run).unwrap(), UndoPlan::default());
        let one_way = undo(&rules(), &view("score", &[(1, "a", "0", "1")]), &run).unwrap();
        let what = LastingKind::OneWay(FieldId::of("score"));
        assert_eq!(one_way.lasting, [Lasting { entity: EntityId::of("person"), record: RECORD, what }]);
        assert!(one_way.restores.is_empty());
    }

    #[test]
    fn a_record_is_told_as_it_was() {
        let view = view("name", &[(1, "a", "", "1"), (2, "b", "1", "2")]);
        let (entity, field) = (EntityId::of("person"), FieldId::of("name"));
        let then = |at| crate::engine::as_of(&view, entity, RECORD, Millis(at)).unwrap();
        assert_eq!(then(0), Some(AsOf::NotYet(Some(Millis(1)))));
        for (at, value) in [(1, "1"), (2, "2"), (9, "2")] {
            assert_eq!(then(at), Some(AsOf::Held(vec![(field, Held::Value(text(value)))])), "{at}");
        }
        let moments = crate::engine::history(&view, entity, RECORD, field).unwrap();
        let values: Vec<Value> = moments.into_iter().map(|moment| moment.value).collect();
        assert_eq!(values, [text(""), text("1"), text("2")]);
    }
}

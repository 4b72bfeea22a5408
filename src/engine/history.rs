//! What a field held over time, and what a record looked like once.

use super::{Books, Cause, Happening, JournalEntry, Run, ViewError};
use crate::model::{EntityId, FieldId, Millis, Origin, Place, RecordId, Stamp, SystemId, Value};
use std::collections::BTreeMap;

/// A value that a field held, or that was offered to it and lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The journal's entry; none = the value of the first reading, of which the journal has none.
    pub entry: Option<(u64, Millis, Run, Cause)>,
    /// The value.
    pub value: Value,
    /// How it came, and whether it held.
    pub by: Came,
}

/// How a value came to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// It was there when the record was first read.
    FirstRead,
    /// It was there before the oldest entry that is left: the journal was pruned.
    Before,
    /// Somebody's edit, which held.
    Edit {
        /// Whose.
        author: SystemId,
        /// When, by that side's clock.
        place: Place,
        /// The policy that decided, when there were rivals.
        rule: Option<String>,
        /// The remote user or source, where the system names one.
        who: Option<String>,
    },
    /// Somebody's edit, which did not hold.
    Lost {
        /// Whose.
        author: SystemId,
        /// When, by that side's clock.
        place: Place,
        /// The policy that decided.
        rule: String,
        /// The remote user or source, where the system names one.
        who: Option<String>,
    },
    /// The first link decided between two different values.
    Linked {
        /// The linked system.
        system: SystemId,
        /// The value that did not win.
        other: Value,
        /// It stays where it is.
        split: bool,
    },
    /// The first link filled a blank, or a reference followed its record.
    Filled,
}

/// All values of a field, losing ones included, oldest first.
///
/// # Errors
/// The store cannot be read.
pub fn history(
    books: &dyn Books,
    entity: EntityId,
    record: RecordId,
    field: FieldId,
) -> Result<Vec<Moment>, ViewError> {
    let mut moments: Vec<Moment> = Vec::new();
    let mut known = false;
    let entries = known_authors(books.entries_of(entity, record)?);
    let pruned = cut(books, &entries)?.is_some();
    for (number, entry) in entries {
        if entry.what.field() != Some(field) {
            continue;
        }
        if let (Some((_, from, _)), false) = (entry.what.moved(), known) {
            // What lost before the first change lost against what was there first.
            let by = if pruned { Came::Before } else { Came::FirstRead };
            moments.insert(0, Moment { entry: None, value: from.clone(), by });
            known = true;
        }
        let (value, by) = match entry.what {
            Happening::Value { to, system: author, place, rule, who, .. } => {
                (to, Came::Edit { author, place, rule, who })
            }
            Happening::Lost { value, system: author, place, rule, who, .. } => {
                (value, Came::Lost { author, place, rule, who })
            }
            Happening::LinkDecided { to, other, system, split, .. } => (to, Came::Linked { system, other, split }),
            Happening::Filled { to, .. } => (to, Came::Filled),
            _ => continue,
        };
        moments.push(Moment { entry: Some((number, entry.at, entry.run, entry.cause)), value, by });
    }
    if !known && let Some(body) = books.record(entity, record)? {
        let value = body.register(field).map(|reg| reg.val.clone()).unwrap_or_default();
        moments.insert(0, Moment { entry: None, value, by: Came::FirstRead });
    }
    Ok(moments)
}

/// An edit that loses after it had held is journaled twice, and only the first time was its author read beside it.
pub(super) fn known_authors(mut entries: Vec<(u64, JournalEntry)>) -> Vec<(u64, JournalEntry)> {
    let mut authors: Vec<((FieldId, SystemId, Place, Value), String)> = Vec::new();
    for (_, entry) in &mut entries {
        match &mut entry.what {
            Happening::Value { field, to, system, place, who: Some(who), .. } => {
                authors.push(((*field, *system, *place, to.clone()), who.clone()));
            }
            Happening::Lost { field, value, system, place, who: who @ None, .. } => {
                let made = |(edit, _): &&((FieldId, SystemId, Place, Value), String)| {
                    (edit.0, edit.1, edit.2) == (*field, *system, *place) && edit.3 == *value
                };
                *who = authors.iter().rev().find(made).map(|(_, who)| who.clone());
            }
            _ => {}
        }
    }
    entries
}

/// Up to when entries of a record may be missing. What is left of a pruned journal tells the whole only of records that were
/// mirrored since.
fn cut(books: &dyn Books, entries: &[(u64, JournalEntry)]) -> Result<Option<Millis>, ViewError> {
    let anew = |entry: &JournalEntry| {
        matches!(entry.what, Happening::Mirrored { .. } | Happening::Linked { .. } | Happening::First { .. })
    };
    let since = |until: &Millis| entries.first().is_some_and(|(_, entry)| entry.at >= *until && anew(entry));
    Ok(books.pruned()?.filter(|until| !since(until)))
}

/// What the mirror held of a record at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AsOf {
    /// Nothing yet: what is known of it begins later; none = it has no values at all.
    NotYet(Option<Millis>),
    /// That is not known any more: the journal was pruned up to this time.
    Pruned(Millis),
    /// Its fields, ascending.
    Held(Vec<(FieldId, Held)>),
}

/// What the mirror held of a field at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// This value.
    Value(Value),
    /// Nothing yet: its first value is known from this time on.
    NotYet(Millis),
}

/// A record as the mirror held it at a time (our clock); none = there is no such record.
///
/// # Errors
/// The store cannot be read.
pub fn as_of(books: &dyn Books, entity: EntityId, record: RecordId, at: Millis) -> Result<Option<AsOf>, ViewError> {
    let Some(body) = books.record(entity, record)? else { return Ok(None) };
    if let Some(until) = books.pruned()?.filter(|until| at < *until) {
        return Ok(Some(AsOf::Pruned(until)));
    }
    let entries = books.entries_of(entity, record)?;
    // The values of a first reading are not journaled, but stamped by our clock.
    let read = |stamp: Stamp| (stamp.origin == Origin::Engine && stamp != Stamp::ZERO).then(|| stamp.hlc.millis());
    let first_read = body.registers.iter().filter_map(|register| read(register.reg.marker)).min();
    let began = entries.first().map(|(_, entry)| entry.at);
    let since = first_read.into_iter().chain(began).chain(cut(books, &entries)?).min();
    if since.is_none_or(|since| since > at) {
        return Ok(Some(AsOf::NotYet(since)));
    }
    let mut fields: BTreeMap<FieldId, Held> = BTreeMap::new();
    for register in &body.registers {
        let held = match read(register.reg.marker).filter(|since| *since > at) {
            Some(since) => Held::NotYet(since),
            None => Held::Value(register.reg.val.clone()),
        };
        fields.insert(register.field, held);
    }
    let moved = |(_, entry): &(u64, JournalEntry)| entry.what.moved().map(|(field, ..)| field);
    // Backwards: what a later change replaced is what was there.
    for (index, (_, entry)) in entries.iter().enumerate().rev().take_while(|(_, (_, entry))| entry.at > at) {
        let Some((field, from, _)) = entry.what.moved() else { continue };
        // A field that was filled at first may have been blank before, or not mapped.
        let first = || !entries[..index].iter().any(|earlier| moved(earlier) == Some(field));
        let unread = matches!(entry.what, Happening::Filled { .. }) && from.is_null() && first();
        let held = if unread { Held::NotYet(entry.at) } else { Held::Value(from.clone()) };
        fields.insert(field, held);
    }
    Ok(Some(AsOf::Held(fields.into_iter().collect())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Change, MemoryView};
    use crate::model::{Hlc, Record};
    use std::sync::Arc;

    const RECORD: RecordId = RecordId([1; 16]);

    fn stamp(at: i64, origin: Origin) -> Stamp {
        Stamp { hlc: Hlc::at(Millis(at)), origin }
    }

    fn entry(at: i64, what: Happening) -> Change {
        let (entity, record) = (Some(EntityId(1)), Some(RECORD));
        Change::Journal(Box::new(JournalEntry {
            at: Millis(at),
            run: Run(1),
            cause: Cause::Poll,
            entity,
            record,
            what,
        }))
    }

    /// Read at 100 without an entry, as by a backfill; one field edited since, one filled, one mapped later.
    #[test]
    fn nothing_is_claimed_of_a_time_before_the_first_reading() {
        let [untouched, edited, filled, mapped] = ["a", "b", "c", "d"].map(FieldId::of);
        let (system, text) = (SystemId::of("crm"), |text: &str| Value::Text(text.into()));
        let mut record = Record::new(RECORD, EntityId(1));
        record.set(untouched, text("same"), stamp(100, Origin::Engine));
        // By the clock of the side, which is nobody's proof that we knew of it.
        record.set(edited, text("new"), stamp(50, Origin::System(system)));
        record.set(filled, text("found"), stamp(200, Origin::Engine));
        record.set(mapped, text("later"), stamp(400, Origin::Engine));
        let (place, rule) = (Place::at(Millis(50)), None);
        let edit = Happening::Value {
            field: edited,
            from: text("old"),
            to: text("new"),
            stamp: stamp(50, Origin::System(system)),
            system,
            place,
            rule,
            who: None,
        };
        let (from, to, at) = (Value::Null, text("found"), stamp(200, Origin::Engine));
        let fill = Happening::Filled { field: filled, from, to, stamp: at };
        let mut view = MemoryView::new();
        view.apply(&[entry(200, fill), entry(300, edit), Change::PutRecord(Arc::new(record))]);

        let then = |at| as_of(&view, EntityId(1), RECORD, Millis(at)).unwrap().unwrap();
        let held = |values: [Held; 4]| {
            let mut fields: Vec<_> = [untouched, edited, filled, mapped].into_iter().zip(values).collect();
            fields.sort_by_key(|(field, _)| *field);
            AsOf::Held(fields)
        };
        let (value, not_yet) = (|value: &str| Held::Value(text(value)), |at| Held::NotYet(Millis(at)));
        assert_eq!(then(99), AsOf::NotYet(Some(Millis(100))));
        assert_eq!(then(60), AsOf::NotYet(Some(Millis(100))));
        assert_eq!(then(100), held([value("same"), value("old"), not_yet(200), not_yet(400)]));
        assert_eq!(then(200), held([value("same"), value("old"), value("found"), not_yet(400)]));
        assert_eq!(then(300), held([value("same"), value("new"), value("found"), not_yet(400)]));
        assert_eq!(then(400), held([value("same"), value("new"), value("found"), value("later")]));
        assert_eq!(as_of(&view, EntityId(1), RecordId([2; 16]), Millis(1)).unwrap(), None);
    }

    #[test]
    fn an_edit_that_held_and_loses_later_keeps_its_author() {
        let (field, system, place) = (FieldId(1), SystemId(2), Place::at(Millis(5)));
        let text = |text: &str| Value::Text(text.into());
        let (from, to, stamp, rule) = (Value::Null, text("mine"), Stamp::ZERO, None);
        let held = Happening::Value { field, from, to, stamp, system, place, rule, who: Some("Ann".into()) };
        let lost = |value: Value| Happening::Lost { field, value, system, place, rule: "latest".into(), who: None };
        let mut books = MemoryView::new();
        books.apply(&[held, lost(text("mine")), lost(text("another"))].map(|what| entry(9, what)));
        let moments = history(&books, EntityId(1), RECORD, field).expect("readable");
        let who = |moment: Moment| match moment.by {
            Came::Lost { who, .. } => Some(who),
            _ => None,
        };
        let losers: Vec<Option<String>> = moments.into_iter().filter_map(who).collect();
        assert_eq!(losers, [Some("Ann".to_owned()), None]);
    }

    #[test]
    fn who_was_first_read_after_the_journal_was_pruned_is_told_whole() {
        let (field, at) = (FieldId(1), stamp(10, Origin::Engine));
        let text = |text: &str| Value::Text(text.into());
        let first = Happening::First { values: vec![(field, text("first"), at)], sides: Vec::new() };
        let filled = Happening::Filled { field, from: text("first"), to: text("then"), stamp: at };
        for (until, by) in [(5i64, Came::FirstRead), (15, Came::Before)] {
            let pruned = Change::SetCursor(crate::engine::PRUNED_CURSOR.into(), Some(until.to_be_bytes().into()));
            let mut books = MemoryView::new();
            books.apply(&[pruned, entry(10, first.clone()), entry(20, filled.clone())]);
            let moments = history(&books, EntityId(1), RECORD, field).expect("readable");
            assert_eq!((&moments[0].value, &moments[0].by), (&text("first"), &by), "pruned until {until}");
        }
    }
}

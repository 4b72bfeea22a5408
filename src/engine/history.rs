//! What a field held over time, and what a record looked like once.

use super::{Books, Cause, Happening, Run, ViewError};
use crate::model::{EntityId, FieldId, Millis, Place, RecordId, SystemId, Value};
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
    /// Somebody's edit, which held.
    Edit {
        /// Whose.
        author: SystemId,
        /// When, by that side's clock.
        place: Place,
        /// The policy that decided, when there were rivals.
        rule: Option<String>,
    },
    /// Somebody's edit, which did not hold.
    Lost {
        /// Whose.
        author: SystemId,
        /// When, by that side's clock.
        place: Place,
        /// The policy that decided.
        rule: String,
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
    for (number, entry) in books.entries_of(entity, record)? {
        if entry.what.field() != Some(field) {
            continue;
        }
        if let (Some((_, from, _)), false) = (entry.what.moved(), known) {
            // What lost before the first change lost against what was there first.
            moments.insert(0, Moment { entry: None, value: from.clone(), by: Came::FirstRead });
            known = true;
        }
        let (value, by) = match entry.what {
            Happening::Value { to, system: author, place, rule, .. } => (to, Came::Edit { author, place, rule }),
            Happening::Lost { value, system: author, place, rule, .. } => (value, Came::Lost { author, place, rule }),
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

/// A record's fields as the mirror held them at a time (our clock), ascending by field; none = there is no such record, or it
/// was first mirrored later.
///
/// # Errors
/// The store cannot be read.
pub fn as_of(
    books: &dyn Books,
    entity: EntityId,
    record: RecordId,
    at: Millis,
) -> Result<Option<Vec<(FieldId, Value)>>, ViewError> {
    let Some(body) = books.record(entity, record)? else { return Ok(None) };
    let mut values: BTreeMap<FieldId, Value> =
        body.registers.iter().map(|register| (register.field, register.reg.val.clone())).collect();
    // Backwards: what a later change replaced is what was there.
    for (_, entry) in books.entries_of(entity, record)?.into_iter().rev().take_while(|(_, entry)| entry.at > at) {
        if let Happening::Mirrored { .. } = entry.what {
            return Ok(None);
        }
        if let Some((field, from, _)) = entry.what.moved() {
            values.insert(field, from.clone());
        }
    }
    Ok(Some(values.into_iter().collect()))
}

//! Does a row satisfy a condition?

use std::cmp::Ordering;

use super::ast::Operator;
use super::bind::{Bound, Column, Test};
use crate::sandbox::salesforce::database::Database;
use crate::sandbox::salesforce::table::Row;
use crate::sandbox::salesforce::value::{Key, Value};

/// The value a column leads to; nothing where a reference on the way is empty or leads to a deleted row.
pub fn value<'a>(database: &'a Database, mut row: &'a Row, column: &Column) -> &'a Value {
    for (reference, table) in &column.hops {
        let Value::Id(id) = row.get(*reference) else {
            return &Value::Null;
        };
        match database.table(*table).row(*id) {
            Some(parent) if !parent.is_deleted() => row = parent,
            _ => return &Value::Null,
        }
    }
    row.get(column.column)
}

/// The key of the value a column leads to.
pub fn key(database: &Database, row: &Row, column: &Column) -> Key {
    value(database, row, column).key(column.case_sensitive)
}

impl<C> Bound<C> {
    /// Does it hold, when `key` gives the values? Two-valued: a null satisfies `!=` and `NOT IN`.
    pub fn holds(&self, key: &impl Fn(&C) -> Key) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(key)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(key)),
            Self::Not(part) => !part.holds(key),
            Self::Test(place, test) => test.holds(&key(place)),
        }
    }
}

impl Test {
    fn holds(&self, found: &Key) -> bool {
        match self {
            Self::Compare(operator, expected) => compare(*operator, found, expected),
            Self::Span(operator, from, to) => match operator {
                Operator::Equal => within(found, from, to),
                Operator::Unequal => !within(found, from, to),
                Operator::Less => compare(Operator::Less, found, from),
                Operator::LessOrEqual => compare(Operator::Less, found, to),
                Operator::Greater => compare(Operator::GreaterOrEqual, found, to),
                Operator::GreaterOrEqual => compare(Operator::GreaterOrEqual, found, from),
            },
            Self::In(keys, negated) => keys.contains(found) != *negated,
            Self::Like(pattern) => matches!(found, Key::Text(text) if pattern.matches(text)),
        }
    }
}

fn within(found: &Key, from: &Key, to: &Key) -> bool {
    *found != Key::Null && from <= found && found < to
}

/// Nothing is neither before nor after anything.
fn compare(operator: Operator, found: &Key, expected: &Key) -> bool {
    let order = found.cmp(expected);
    let ordered = *found != Key::Null && *expected != Key::Null;
    match operator {
        Operator::Equal => order == Ordering::Equal,
        Operator::Unequal => order != Ordering::Equal,
        Operator::Less => ordered && order == Ordering::Less,
        Operator::LessOrEqual => ordered && order != Ordering::Greater,
        Operator::Greater => ordered && order == Ordering::Greater,
        Operator::GreaterOrEqual => ordered && order != Ordering::Less,
    }
}

//! Which rows need to be looked at: an index where one helps, else all.
//!
//! Every answer is a superset of the rows that satisfy the condition; the condition is tested on each of them anyway.

use std::collections::BTreeSet;

use super::ast::Operator;
use super::bind::{Bound, Column, Test};
use crate::sandbox::salesforce::database::Database;
use crate::sandbox::salesforce::id::Id;
use crate::sandbox::salesforce::schema::column;
use crate::sandbox::salesforce::table::Table;
use crate::sandbox::salesforce::value::Key;

/// The rows to look at.
#[derive(Debug, PartialEq)]
pub enum Candidates {
    /// All of them.
    All,
    /// These, if they exist.
    Ids(BTreeSet<Id>),
    /// Those whose `SystemModstamp` is at least so many seconds.
    ModifiedSince(i64),
}

/// The rows a condition can hold for.
pub fn candidates(database: &Database, table: usize, condition: Option<&Bound<Column>>) -> Candidates {
    let Some(condition) = condition else {
        return Candidates::All;
    };
    match (ids(database.table(table), condition), modified_since(condition)) {
        (Some(ids), _) => Candidates::Ids(ids),
        (None, Some(seconds)) => Candidates::ModifiedSince(seconds),
        (None, None) => Candidates::All,
    }
}

fn ids(table: &Table, condition: &Bound<Column>) -> Option<BTreeSet<Id>> {
    match condition {
        Bound::And(parts) => parts.iter().find_map(|part| ids(table, part)),
        Bound::Or(parts) => {
            let all: Option<Vec<_>> = parts.iter().map(|part| ids(table, part)).collect();
            all.map(|sets| sets.into_iter().flatten().collect())
        }
        Bound::Not(_) => None,
        Bound::Test(column, _) if !column.hops.is_empty() => None,
        Bound::Test(column, Test::Compare(Operator::Equal, key)) => look_up(table, column, [key]),
        Bound::Test(column, Test::In(keys, false)) => look_up(table, column, keys),
        Bound::Test(..) => None,
    }
}

fn look_up<'k>(table: &Table, column: &Column, keys: impl IntoIterator<Item = &'k Key>) -> Option<BTreeSet<Id>> {
    let mut found = BTreeSet::new();
    for key in keys {
        match key {
            Key::Null => return None,
            Key::Id(id) if column.column == column::ID => drop(found.insert(*id)),
            key if table.is_indexed(column.column) => found.extend(table.holding(column.column, key)),
            _ => return None,
        }
    }
    Some(found)
}

fn modified_since(condition: &Bound<Column>) -> Option<i64> {
    match condition {
        Bound::And(parts) => parts.iter().filter_map(modified_since).max(),
        Bound::Or(parts) => parts.iter().map(modified_since).collect::<Option<Vec<_>>>()?.into_iter().min(),
        Bound::Not(_) => None,
        Bound::Test(column, _) if column.column != column::SYSTEM_MODSTAMP || !column.hops.is_empty() => None,
        Bound::Test(_, Test::Compare(Operator::Equal | Operator::Greater | Operator::GreaterOrEqual, key)) => {
            seconds(key)
        }
        Bound::Test(_, Test::Span(Operator::Equal | Operator::Greater | Operator::GreaterOrEqual, from, _)) => {
            seconds(from)
        }
        Bound::Test(..) => None,
    }
}

fn seconds(key: &Key) -> Option<i64> {
    match key {
        Key::Instant(millis) => Some(millis.div_euclid(1000)),
        _ => None,
    }
}

//! Runs a query.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::access::{Candidates, candidates};
use super::aggregate::Grouping;
use super::ast::{Item, Path, Query, Term};
use super::bind::{Binder, Bound, Column};
use super::filter::key;
use super::parse::parse;
use super::project::Shape;
use super::{malformed, refuse};
use crate::sandbox::salesforce::database::Database;
use crate::sandbox::salesforce::error::Refusal;
use crate::sandbox::salesforce::id::Id;
use crate::sandbox::salesforce::schema::Kind;
use crate::sandbox::salesforce::table::Row;
use crate::sandbox::salesforce::value::Key;

/// What a query found.
#[derive(Debug)]
pub enum Answer {
    /// `COUNT()`.
    Count(usize),
    /// Rows, in order, and what to show of them.
    Rows {
        /// The table.
        table: usize,
        /// The fields.
        shape: Shape,
        /// The rows.
        ids: Vec<Id>,
    },
    /// Aggregate results.
    Groups(Vec<Json>),
}

/// How one key of an order sorts.
#[derive(Debug, Clone, Copy)]
pub struct Direction {
    /// The greatest first?
    pub descending: bool,
    /// Nulls last?
    pub nulls_last: bool,
}

/// Runs `source`; `all_rows` takes in the recycle bin.
pub fn run(database: &Database, source: &str, all_rows: bool, now_ms: i64) -> Result<Answer, Refusal> {
    let query = parse(source)?;
    let binder = Binder::new(database, source, &query, now_ms)?;
    if query.offset > OFFSET_MAX {
        let text = format!("Maximum SOQL offset allowed is {OFFSET_MAX}");
        return Err(refuse(source, query.limit_at, "NUMBER_OUTSIDE_VALID_RANGE", text));
    }
    let filter = query.filter.as_ref().map(|condition| binder.filter(condition)).transpose()?;
    if let [Item::CountAll(at)] = query.select[..] {
        if !query.group.is_empty() || !query.order.is_empty() {
            return Err(malformed(source, at, "COUNT() does not go with GROUP BY or ORDER BY"));
        }
        let count = matching(&binder, filter.as_ref(), all_rows).count();
        return Ok(Answer::Count(count.saturating_sub(query.offset).min(query.limit.unwrap_or(usize::MAX))));
    }
    if let Some(grouping) = Grouping::of(&binder)? {
        let rows = matching(&binder, filter.as_ref(), all_rows).map(|(_, row)| row);
        return Ok(Answer::Groups(window(&query, grouping.records(rows))));
    }
    let shape = Shape::selected(&binder)?;
    let ids = ordered(&binder, filter.as_ref(), all_rows)?;
    Ok(Answer::Rows { table: binder.table, shape, ids: window(&query, ids) })
}

/// The values of one field in the live rows of a sub-query.
pub fn values(binder: &Binder<'_>, path: &Path) -> Result<BTreeSet<Key>, Refusal> {
    let (column, field) = binder.column(path)?;
    if !matches!(field.kind, Kind::Id | Kind::Reference) {
        return Err(malformed(binder.source, path.at, "a sub-query of IN selects an id or a reference"));
    }
    let filter = binder.query.filter.as_ref().map(|condition| binder.filter(condition)).transpose()?;
    let keys = matching(binder, filter.as_ref(), false).map(|(_, row)| key(binder.database, row, &column));
    Ok(keys.filter(|key| *key != Key::Null).collect())
}

/// Compares two lists of keys, each in its direction.
pub fn compare_keys(directions: &[Direction], left: &[Key], right: &[Key]) -> Ordering {
    let one = |((direction, left), right): ((&Direction, &Key), &Key)| {
        let order = match (*left == Key::Null, *right == Key::Null) {
            (false, false) if direction.descending => right.cmp(left),
            (false, false) => left.cmp(right),
            (left, right) if direction.nulls_last => left.cmp(&right),
            (left, right) => right.cmp(&left),
        };
        (order != Ordering::Equal).then_some(order)
    };
    directions.iter().zip(left).zip(right).find_map(one).unwrap_or(Ordering::Equal)
}

/// The rows that satisfy `filter`, in the order of their ids unless an index gave them.
fn matching<'a>(
    binder: &Binder<'a>,
    filter: Option<&'a Bound<Column>>,
    all_rows: bool,
) -> Box<dyn Iterator<Item = (Id, &'a Row)> + 'a> {
    let database = binder.database;
    let table = database.table(binder.table);
    let rows: Box<dyn Iterator<Item = (Id, &'a Row)> + 'a> = match candidates(database, binder.table, filter) {
        Candidates::All => Box::new(table.rows()),
        Candidates::Ids(ids) => Box::new(ids.into_iter().filter_map(|id| Some((id, table.row(id)?)))),
        Candidates::ModifiedSince(seconds) => {
            Box::new(table.modified_since(seconds).filter_map(|id| Some((id, table.row(id)?))))
        }
    };
    let holds = move |(_, row): &(Id, &'a Row)| {
        (all_rows || !row.is_deleted())
            && filter.is_none_or(|filter| filter.holds(&|column| key(database, row, column)))
    };
    Box::new(rows.filter(holds))
}

fn ordered<'a>(binder: &Binder<'a>, filter: Option<&'a Bound<Column>>, all_rows: bool) -> Result<Vec<Id>, Refusal> {
    let (mut columns, mut directions) = (Vec::new(), Vec::new());
    for order in &binder.query.order {
        let path = match &order.term {
            Term::Field(path) => path,
            Term::Call(call) => {
                return Err(malformed(binder.source, call.argument.at, "an aggregate needs a GROUP BY"));
            }
        };
        let (column, field) = binder.column(path)?;
        if !field.filterable {
            let text = format!("field '{}' can not be sorted in a query call", field.name);
            return Err(refuse(binder.source, path.at, "INVALID_FIELD", text));
        }
        columns.push(column);
        directions.push(Direction { descending: order.descending, nulls_last: order.nulls_last });
    }
    let sort_key = |row: &Row| columns.iter().map(|column| key(binder.database, row, column)).collect::<Vec<_>>();
    let mut found: Vec<(Vec<Key>, Id)> =
        matching(binder, filter, all_rows).map(|(id, row)| (sort_key(row), id)).collect();
    found.sort_unstable_by(|left, right| compare_keys(&directions, &left.0, &right.0).then(left.1.cmp(&right.1)));
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

fn window<T>(query: &Query, all: Vec<T>) -> Vec<T> {
    all.into_iter().skip(query.offset).take(query.limit.unwrap_or(usize::MAX)).collect()
}

const OFFSET_MAX: usize = 2_000;

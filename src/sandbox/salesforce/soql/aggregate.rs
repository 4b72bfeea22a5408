//! Groups and aggregates.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::ast::{Call, Function, Item, Name, Order, Path, Term};
use super::bind::{Binder, Bound, Column, Typed, typed, typed_call};
use super::filter::{key, value};
use super::functions::Gathered;
use super::run::{Direction, compare_keys};
use super::{malformed, refuse};
use crate::sandbox::salesforce::error::Refusal;
use crate::sandbox::salesforce::schema::Kind;
use crate::sandbox::salesforce::table::Row;
use crate::sandbox::salesforce::value::{Key, Value};

/// How rows are grouped, and what is answered of each group.
pub struct Grouping<'a> {
    binder: &'a Binder<'a>,
    /// What the rows of a group have in common.
    keys: Vec<Column>,
    cells: Vec<Cell>,
    shown: Vec<(String, usize)>,
    having: Option<Bound<usize>>,
    order: Vec<(usize, Direction)>,
}

/// One result of a group.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    /// The value its rows have in common, by its place among the keys.
    Key(usize),
    /// An aggregate.
    Call(Function, Column),
}

/// The values of one group as far as they are gathered.
struct Group {
    common: Vec<Value>,
    gathered: Vec<Option<Gathered>>,
}

impl<'a> Grouping<'a> {
    /// The grouping of a query, or `None` when it has none.
    pub fn of(binder: &'a Binder<'a>) -> Result<Option<Self>, Refusal> {
        let query = binder.query;
        let aggregates = query.select.iter().any(|item| matches!(item, Item::Call(..)));
        if query.group.is_empty() && !aggregates {
            return match query.having {
                Some(_) => Err(malformed(binder.source, query.from.at, "HAVING needs a GROUP BY")),
                None => Ok(None),
            };
        }
        let mut grouping =
            Self { binder, keys: Vec::new(), cells: Vec::new(), shown: Vec::new(), having: None, order: Vec::new() };
        for path in &query.group {
            grouping.add_key(path)?;
        }
        grouping.show()?;
        if let Some(condition) = &query.having {
            grouping.having = Some(binder.condition(condition, &mut |term| grouping.cell(term))?);
        }
        for Order { term, descending, nulls_last } in &query.order {
            let (cell, _) = grouping.cell(term)?;
            grouping.order.push((cell, Direction { descending: *descending, nulls_last: *nulls_last }));
        }
        Ok(Some(grouping))
    }

    /// The groups of `rows`, as records.
    pub fn records<'r>(&self, rows: impl Iterator<Item = &'r Row>) -> Vec<Json> {
        let mut results: Vec<Vec<Value>> = self.gather(rows).into_iter().map(|group| self.results(&group)).collect();
        if let Some(having) = &self.having {
            results.retain(|cells| having.holds(&|cell: &usize| cells[*cell].key(self.case_sensitive(*cell))));
        }
        let sort_key = |cells: &Vec<Value>| -> Vec<Key> {
            self.order.iter().map(|(cell, _)| cells[*cell].key(self.case_sensitive(*cell))).collect()
        };
        let directions: Vec<Direction> = self.order.iter().map(|(_, direction)| *direction).collect();
        results.sort_by(|a, b| compare_keys(&directions, &sort_key(a), &sort_key(b)));
        results.into_iter().map(|cells| self.record(&cells)).collect()
    }

    fn gather<'r>(&self, rows: impl Iterator<Item = &'r Row>) -> Vec<Group> {
        let database = self.binder.database;
        let mut groups: BTreeMap<Vec<Key>, Group> = BTreeMap::new();
        if self.keys.is_empty() {
            groups.insert(Vec::new(), self.group(Vec::new()));
        }
        for row in rows {
            let keys = self.keys.iter().map(|column| key(database, row, column)).collect();
            let common = || self.keys.iter().map(|column| value(database, row, column).clone()).collect();
            let group = groups.entry(keys).or_insert_with(|| self.group(common()));
            for (cell, gathered) in self.cells.iter().zip(&mut group.gathered) {
                if let (Cell::Call(_, column), Some(gathered)) = (cell, gathered) {
                    gathered.see(value(database, row, column), key(database, row, column));
                }
            }
        }
        groups.into_values().collect()
    }

    fn group(&self, common: Vec<Value>) -> Group {
        let gathered = |cell: &Cell| match cell {
            Cell::Key(_) => None,
            Cell::Call(function, _) => Some(Gathered::new(*function)),
        };
        Group { common, gathered: self.cells.iter().map(gathered).collect() }
    }

    fn results(&self, group: &Group) -> Vec<Value> {
        let result = |(cell, gathered): (&Cell, &Option<Gathered>)| match (cell, gathered) {
            (Cell::Key(key), _) => group.common.get(*key).cloned().unwrap_or(Value::Null),
            (_, Some(gathered)) => gathered.value(),
            (_, None) => Value::Null,
        };
        self.cells.iter().zip(&group.gathered).map(result).collect()
    }

    fn record(&self, cells: &[Value]) -> Json {
        let mut record = Map::new();
        record.insert("attributes".into(), json!({"type": "AggregateResult"}));
        record.extend(self.shown.iter().map(|(name, cell)| (name.clone(), cells[*cell].to_json())));
        Json::Object(record)
    }

    fn case_sensitive(&self, cell: usize) -> bool {
        match &self.cells[cell] {
            Cell::Key(key) => self.keys[*key].case_sensitive,
            Cell::Call(_, column) => column.case_sensitive,
        }
    }

    fn add_key(&mut self, path: &Path) -> Result<(), Refusal> {
        let (column, field) = self.binder.column(path)?;
        if !is_groupable(field.kind) || !field.filterable {
            let text = format!("field '{}' can not be grouped in a query call", field.name);
            return Err(refuse(self.binder.source, path.at, "INVALID_FIELD", text));
        }
        self.keys.push(column);
        Ok(())
    }

    fn show(&mut self) -> Result<(), Refusal> {
        let binder = self.binder;
        let mut unnamed = 0;
        for item in &binder.query.select {
            let (cell, name, at) = match item {
                Item::Field(path, alias) => {
                    let (cell, typed) = self.cell(&Term::Field(path.clone()))?;
                    (cell, alias.as_ref().map_or(typed.name, |alias| alias.text.clone()), path.at)
                }
                Item::Call(call, alias) => {
                    let (cell, _) = self.cell(&Term::Call(call.clone()))?;
                    let name =
                        alias.as_ref().map_or_else(|| format!("expr{unnamed}"), |Name { text, .. }| text.clone());
                    unnamed += usize::from(alias.is_none());
                    (cell, name, call.argument.at)
                }
                Item::CountAll(at) => return Err(malformed(binder.source, *at, "COUNT() must be selected alone")),
                Item::Fields(_, at) => {
                    return Err(malformed(binder.source, *at, "FIELDS is not allowed with GROUP BY"));
                }
            };
            if self.shown.iter().any(|(other, _)| *other == name) {
                return Err(malformed(binder.source, at, format!("duplicate alias: {name}")));
            }
            self.shown.push((name, cell));
        }
        Ok(())
    }

    /// The place of a term among the cells, which is made when there is none yet.
    fn cell(&mut self, term: &Term) -> Result<(usize, Typed), Refusal> {
        let binder = self.binder;
        let (cell, typed) = match term {
            Term::Field(path) => {
                let (column, field) = binder.column(path)?;
                let key = self.keys.iter().position(|key| *key == column);
                let loose = || {
                    let text = format!("Field must be grouped or aggregated: {}", path.parts.join("."));
                    malformed(binder.source, path.at, text)
                };
                (Cell::Key(key.ok_or_else(loose)?), typed(field))
            }
            Term::Call(Call { function, argument }) => {
                let (column, field) = binder.column(argument)?;
                let wrong = || {
                    let text = format!("field {} does not support aggregate operator {function:?}", field.name);
                    malformed(binder.source, argument.at, text)
                };
                (Cell::Call(*function, column), typed_call(*function, field).ok_or_else(wrong)?)
            }
        };
        let at = self.cells.iter().position(|other| *other == cell).unwrap_or(self.cells.len());
        if at == self.cells.len() {
            self.cells.push(cell);
        }
        Ok((at, typed))
    }
}

/// Numbers and instants are not groupable.
fn is_groupable(kind: Kind) -> bool {
    !matches!(kind, Kind::Double | Kind::Currency | Kind::Percent | Kind::DateTime | Kind::Address)
}

//! The rows of one object, with the indexes that keep large orgs quick.

use std::collections::{BTreeMap, BTreeSet};

use super::id::Id;
use super::schema::{Field, Object, column};
use super::value::{Key, Value};

/// One row; the place of a value is its field's column.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The values.
    pub values: Vec<Value>,
}

impl Row {
    /// The value in a column, nothing where there is no such column.
    pub fn get(&self, column: usize) -> &Value {
        self.values.get(column).unwrap_or(&Value::Null)
    }

    /// Does the row lie in the recycle bin?
    pub fn is_deleted(&self) -> bool {
        *self.get(column::IS_DELETED) == Value::Bool(true)
    }

    /// `SystemModstamp`, in seconds.
    pub fn modified(&self) -> i64 {
        match self.get(column::SYSTEM_MODSTAMP) {
            Value::DateTime(seconds) => *seconds,
            _ => 0,
        }
    }
}

/// All rows of an object, deleted ones included.
#[derive(Debug)]
pub struct Table {
    object: Object,
    rows: BTreeMap<Id, Row>,
    modified: BTreeSet<(i64, Id)>,
    indexes: Vec<Index>,
    minted: u64,
}

impl Table {
    /// An empty table whose first minted id follows `minted`.
    pub fn new(object: Object, minted: u64) -> Self {
        let mut table = Self { object, rows: BTreeMap::new(), modified: BTreeSet::new(), indexes: Vec::new(), minted };
        table.reindex();
        table
    }

    /// The object and its fields.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// One row, deleted or not.
    pub fn row(&self, id: Id) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// All rows in the order of their ids.
    pub fn rows(&self) -> impl Iterator<Item = (Id, &Row)> {
        self.rows.iter().map(|(id, row)| (*id, row))
    }

    /// The ids of rows whose `SystemModstamp` is at least `seconds`.
    pub fn modified_since(&self, seconds: i64) -> impl Iterator<Item = Id> {
        let first = Id::mint("", *b"00", 0);
        self.modified.range((seconds, first)..).map(|(_, id)| *id)
    }

    /// Is there an index on this column?
    pub fn is_indexed(&self, column: usize) -> bool {
        self.indexes.iter().any(|index| index.column == column)
    }

    /// The ids of rows, deleted ones included, that hold `key` in an indexed column.
    pub fn holding(&self, column: usize, key: &Key) -> impl Iterator<Item = Id> {
        let index = self.indexes.iter().find(|index| index.column == column);
        index.and_then(|index| index.ids.get(key)).into_iter().flatten().copied()
    }

    /// The next unused id.
    pub fn mint(&mut self, org: [u8; 2]) -> Id {
        loop {
            self.minted += 1;
            let id = Id::mint(self.object.prefix, org, self.minted);
            if !self.rows.contains_key(&id) {
                return id;
            }
        }
    }

    /// Sets, replaces or (with `None`) removes a row, and gives back what stood there.
    pub fn put(&mut self, id: Id, row: Option<Row>) -> Option<Row> {
        let before = self.rows.remove(&id);
        if let Some(before) = &before {
            self.modified.remove(&(before.modified(), id));
        }
        if let Some(row) = &row {
            self.modified.insert((row.modified(), id));
        }
        for index in &mut self.indexes {
            index.replace(id, before.as_ref(), row.as_ref());
        }
        if let Some(row) = row {
            debug_assert_eq!(row.values.len(), self.object.fields().len(), "a row has one value per field");
            self.rows.insert(id, row);
        }
        before
    }

    /// Adds a field, empty in all rows.
    pub fn add_field(&mut self, field: Field) -> bool {
        let added = self.object.add(field);
        if added {
            self.rows.values_mut().for_each(|row| row.values.push(Value::Null));
            self.reindex();
        }
        added
    }

    /// Takes a field and its values away.
    pub fn remove_field(&mut self, name: &str) -> bool {
        let removed = self.object.remove(name);
        if let Some(column) = removed {
            self.rows.values_mut().for_each(|row| drop(row.values.remove(column)));
            self.reindex();
        }
        removed.is_some()
    }

    fn reindex(&mut self) {
        let indexed = self.object.fields().iter().enumerate().filter(|(_, field)| field.indexed);
        self.indexes = indexed.map(|(column, field)| Index::new(column, field.case_sensitive)).collect();
        for index in &mut self.indexes {
            self.rows.iter().for_each(|(id, row)| index.replace(*id, None, Some(row)));
        }
    }
}

/// The rows that hold a value, for one column; nulls are left out.
#[derive(Debug)]
struct Index {
    column: usize,
    case_sensitive: bool,
    ids: BTreeMap<Key, BTreeSet<Id>>,
}

impl Index {
    fn new(column: usize, case_sensitive: bool) -> Self {
        Self { column, case_sensitive, ids: BTreeMap::new() }
    }

    fn replace(&mut self, id: Id, before: Option<&Row>, after: Option<&Row>) {
        let before = before.map_or(&Value::Null, |row| row.get(self.column));
        let after = after.map_or(&Value::Null, |row| row.get(self.column));
        if before == after {
            return;
        }
        let (before, after) = (before.key(self.case_sensitive), after.key(self.case_sensitive));
        if let Some(ids) = self.ids.get_mut(&before) {
            ids.remove(&id);
            if ids.is_empty() {
                self.ids.remove(&before);
            }
        }
        if after != Key::Null {
            self.ids.entry(after).or_default().insert(id);
        }
    }
}

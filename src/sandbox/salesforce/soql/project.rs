//! What an answer shows of a row.

use serde_json::{Map, Value as Json, json};

use super::ast::{FieldSet, Item, Path};
use super::bind::Binder;
use super::{malformed, refuse};
use crate::sandbox::salesforce::database::Database;
use crate::sandbox::salesforce::error::Refusal;
use crate::sandbox::salesforce::id::Id;
use crate::sandbox::salesforce::schema::{Field, Kind, Object};
use crate::sandbox::salesforce::table::Row;
use crate::sandbox::salesforce::value::Value;

/// The fields to show of the rows of one table, and of the rows they refer to.
#[derive(Debug, Clone)]
pub struct Shape {
    table: usize,
    parts: Vec<Part>,
    parents: Vec<Parent>,
}

#[derive(Debug, Clone)]
enum Part {
    Field(String, usize),
    Compound(String, [Option<usize>; 5]),
}

/// What to show of the row a reference leads to.
#[derive(Debug, Clone)]
struct Parent {
    name: &'static str,
    column: usize,
    shape: Shape,
}

impl Shape {
    /// All fields of a table.
    pub fn all(database: &Database, table: usize) -> Self {
        let object = database.object(table);
        let parts = (0..object.fields().len()).map(|column| Part::of(object, column)).collect();
        Self { table, parts, parents: Vec::new() }
    }

    /// Fields by name; the error is the name that is unknown.
    pub fn named<'n>(database: &Database, table: usize, names: impl Iterator<Item = &'n str>) -> Result<Self, &'n str> {
        let object = database.object(table);
        let part = |name| object.column(name).map(|column| Part::of(object, column)).ok_or(name);
        Ok(Self { table, parts: names.map(part).collect::<Result<_, _>>()?, parents: Vec::new() })
    }

    /// The select list of a query without aggregates.
    pub fn selected(binder: &Binder<'_>) -> Result<Self, Refusal> {
        let mut shape = Self { table: binder.table, parts: Vec::new(), parents: Vec::new() };
        for item in &binder.query.select {
            match item {
                Item::Field(_, Some(alias)) => {
                    let text = "only aggregate expressions use field aliasing";
                    return Err(malformed(binder.source, alias.at, text));
                }
                Item::Field(path, None) => shape.add(binder, path)?,
                Item::Fields(set, at) => shape.add_set(binder, *set, *at)?,
                Item::Call(call, _) => {
                    return Err(malformed(binder.source, call.argument.at, "an aggregate is not expected here"));
                }
                Item::CountAll(at) => return Err(malformed(binder.source, *at, "COUNT() must be selected alone")),
            }
        }
        Ok(shape)
    }

    /// One row as JSON. `base` is `/services/data/vXX.X`.
    pub fn json(&self, database: &Database, base: &str, id: Id, row: &Row) -> Json {
        let name = database.object(self.table).name;
        let mut object = Map::new();
        object.insert("attributes".into(), json!({"type": name, "url": format!("{base}/sobjects/{name}/{id}")}));
        for part in &self.parts {
            match part {
                Part::Field(name, column) => drop(object.insert(name.clone(), row.get(*column).to_json())),
                Part::Compound(name, columns) => drop(object.insert(name.clone(), address(row, columns))),
            }
        }
        for Parent { name, column, shape } in &self.parents {
            let parent = match row.get(*column) {
                Value::Id(id) => database.live(shape.table, *id).ok().map(|row| shape.json(database, base, *id, row)),
                _ => None,
            };
            object.insert((*name).into(), parent.unwrap_or_default());
        }
        Json::Object(object)
    }

    fn add(&mut self, binder: &Binder<'_>, path: &Path) -> Result<(), Refusal> {
        let (column, _) = binder.column(path)?;
        let mut shape = self;
        for (reference, table) in &column.hops {
            let object = binder.database.object(shape.table);
            let name = object.field(*reference).relationship.unwrap_or_default();
            shape = shape.parent(name, *reference, *table);
        }
        let part = Part::of(binder.database.object(shape.table), column.column);
        if shape.parts.iter().any(|other| other.name() == part.name()) {
            let text = format!("duplicate field selected: {}", path.parts.join("."));
            return Err(refuse(binder.source, path.at, "INVALID_FIELD", text));
        }
        shape.parts.push(part);
        Ok(())
    }

    fn add_set(&mut self, binder: &Binder<'_>, set: FieldSet, at: usize) -> Result<(), Refusal> {
        if set != FieldSet::Standard && binder.query.limit.is_none_or(|limit| limit > FIELDS_LIMIT_MAX) {
            let text = format!("The SOQL FIELDS function must have a LIMIT of at most {FIELDS_LIMIT_MAX}");
            return Err(malformed(binder.source, at, text));
        }
        let object = binder.database.object(self.table);
        let wanted = |field: &Field| match set {
            FieldSet::All => true,
            FieldSet::Standard => !field.custom,
            FieldSet::Custom => field.custom,
        };
        for (column, _) in object.fields().iter().enumerate().filter(|(_, field)| wanted(field)) {
            let part = Part::of(object, column);
            if self.parts.iter().all(|other| other.name() != part.name()) {
                self.parts.push(part);
            }
        }
        Ok(())
    }

    fn parent(&mut self, name: &'static str, column: usize, table: usize) -> &mut Shape {
        let found = self.parents.iter().position(|parent| parent.column == column);
        let at = found.unwrap_or(self.parents.len());
        if found.is_none() {
            let shape = Shape { table, parts: Vec::new(), parents: Vec::new() };
            self.parents.push(Parent { name, column, shape });
        }
        &mut self.parents[at].shape
    }
}

impl Part {
    fn of(object: &Object, column: usize) -> Self {
        let field = object.field(column);
        match (field.kind, field.name.strip_suffix("Address")) {
            (Kind::Address, Some(prefix)) => {
                let part = |end: &str| object.column(&format!("{prefix}{end}"));
                Self::Compound(field.name.clone(), ADDRESS_PARTS.map(|(end, _)| part(end)))
            }
            _ => Self::Field(field.name.clone(), column),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Field(name, _) | Self::Compound(name, _) => name,
        }
    }
}

/// An address is null when all of its parts are.
fn address(row: &Row, columns: &[Option<usize>; 5]) -> Json {
    let value = |column: &Option<usize>| column.map_or(&Value::Null, |column| row.get(column));
    if columns.iter().all(|column| *value(column) == Value::Null) {
        return Json::Null;
    }
    let mut all = json!({"geocodeAccuracy": null, "latitude": null, "longitude": null});
    for ((_, key), column) in ADDRESS_PARTS.iter().zip(columns) {
        all[key] = value(column).to_json();
    }
    all
}

const ADDRESS_PARTS: [(&str, &str); 5] =
    [("Street", "street"), ("City", "city"), ("State", "state"), ("PostalCode", "postalCode"), ("Country", "country")];

const FIELDS_LIMIT_MAX: usize = 200;

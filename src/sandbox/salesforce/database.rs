//! All tables, and the rules by which rows are created, updated and deleted.

use super::decode;
use super::error::Refusal;
use super::id::{DIGITS, Id};
use super::schema::{Field, Kind, Object, column};
use super::standard;
use super::table::{Row, Table};
use super::value::Value;
use crate::sandbox::ledger::Writes;

/// Values for columns.
pub type Changes = Vec<(usize, Value)>;

/// Who writes, and when.
#[derive(Debug, Clone, Copy)]
pub struct Actor {
    /// The user of `LastModifiedById`.
    pub user: Id,
    /// Whole seconds.
    pub now: i64,
}

/// What an update touches, so that the fields a caller may set can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A new row.
    Create,
    /// An existing row.
    Update,
}

/// A place in the undo log, and the books at that time.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize, Writes);

/// The org: all tables, and an undo log of the call under way.
#[derive(Debug)]
pub struct Database {
    tables: Vec<Table>,
    org: [u8; 2],
    undo: Vec<(usize, Id, Option<Row>)>,
    writes: Writes,
    /// Does an update that changes no value still move `SystemModstamp`? A real org does.
    pub touch_equal: bool,
}

impl Database {
    /// The standard schema without rows; the seed decides how ids look.
    pub fn new(seed: u64) -> Self {
        let org = [b'5', DIGITS[36 + (seed % 26) as usize]];
        let first = 62u64.pow(4) + seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 62u64.pow(5);
        let tables = standard::objects().into_iter().map(|object| Table::new(object, first)).collect();
        Self { tables, org, undo: Vec::new(), writes: Writes::default(), touch_equal: true }
    }

    /// All tables.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// One table by its place.
    pub fn table(&self, table: usize) -> &Table {
        &self.tables[table]
    }

    /// One table, to change its schema.
    pub fn table_mut(&mut self, table: usize) -> &mut Table {
        &mut self.tables[table]
    }

    /// The place of the table of an object, whatever the case of its name.
    pub fn find_table(&self, object: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.object().name.eq_ignore_ascii_case(object))
    }

    /// The object of a table.
    pub fn object(&self, table: usize) -> &Object {
        self.tables[table].object()
    }

    /// The live rows that hold `value` in an indexed column, in the order of their ids.
    pub fn find(&self, table: usize, column: usize, value: &Value) -> Vec<Id> {
        let key = value.key(self.object(table).field(column).case_sensitive);
        let live = |id: &Id| self.live(table, *id).is_ok();
        self.tables[table].holding(column, &key).filter(live).collect()
    }

    /// A row that exists and is not deleted.
    pub fn live(&self, table: usize, id: Id) -> Result<&Row, Refusal> {
        match self.tables[table].row(id) {
            None => Err(Refusal::not_found()),
            Some(row) if row.is_deleted() => Err(Refusal::is_deleted()),
            Some(row) => Ok(row),
        }
    }

    /// Creates a row.
    pub fn create(&mut self, table: usize, changes: Changes, actor: Actor) -> Result<Id, Refusal> {
        self.check_writable(table)?;
        let row = self.draft(table, changes, actor)?;
        let id = self.tables[table].mint(self.org);
        self.insert(table, id, row);
        self.writes.create += 1;
        Ok(id)
    }

    /// Creates a row past the API: `id` may be chosen, and the system's own columns may be set.
    pub fn seed(&mut self, table: usize, changes: Changes, actor: Actor) -> Result<Id, Refusal> {
        let (system, changes): (Changes, Changes) = changes.into_iter().partition(|(col, _)| *col < column::COUNT);
        let mut row = self.draft(table, changes, actor)?;
        for (column, value) in system.into_iter().filter(|(_, value)| *value != Value::Null) {
            row.values[column] = value;
        }
        let id = match row.get(column::ID) {
            Value::Id(id) => *id,
            _ => self.tables[table].mint(self.org),
        };
        if !id.has_prefix(self.object(table).prefix) || self.tables[table].row(id).is_some() {
            let message = format!("{id} is taken or no id of {}", self.object(table).name);
            return Err(Refusal::record("MALFORMED_ID", message, &["Id"]));
        }
        self.insert(table, id, row);
        Ok(id)
    }

    /// Updates a row. An update that changes nothing counts all the same.
    pub fn update(&mut self, table: usize, id: Id, changes: Changes, actor: Actor) -> Result<(), Refusal> {
        self.check_writable(table)?;
        let before = self.live(table, id)?;
        let converted = self.object(table).column("IsConverted");
        if converted.is_some_and(|at| *before.get(at) == Value::Bool(true)) {
            // UNVERIFIED in its words; the code is documented.
            let message = "cannot reference converted lead".to_owned();
            return Err(Refusal::record("CANNOT_UPDATE_CONVERTED_LEAD", message, &[]));
        }
        let mut row = before.clone();
        self.apply(table, &mut row, changes);
        let changed: Vec<usize> = (0..row.values.len()).filter(|at| row.values[*at] != before.values[*at]).collect();
        self.check(table, Some(id), &row, &changed)?;
        self.writes.update += 1;
        if self.touch_equal || !changed.is_empty() {
            stamp(&mut row, actor);
            self.put(table, id, row);
        }
        Ok(())
    }

    /// Converts a lead, as a button of the user interface does: it can be read from now on, and not be changed. What it
    /// becomes is entered by whoever presses the button, by the fields that name it.
    pub fn convert(&mut self, table: usize, id: Id, into: &[(&str, Id)], actor: Actor) -> Result<(), Refusal> {
        let mut row = self.live(table, id)?.clone();
        let object = self.object(table);
        let Some(at) = object.column("IsConverted") else { return Err(Refusal::not_found()) };
        if let Some(status) = object.column("Status") {
            row.values[status] = Value::Text("Closed - Converted".to_owned());
        }
        row.values[at] = Value::Bool(true);
        for (name, id) in into {
            let column = self.object(table).column(name).ok_or_else(Refusal::not_found)?;
            row.values[column] = Value::Id(*id);
        }
        stamp(&mut row, actor);
        self.put(table, id, row);
        self.writes.update += 1;
        Ok(())
    }

    /// Puts a row, and what hangs on it, into the recycle bin.
    pub fn delete(&mut self, table: usize, id: Id, actor: Actor) -> Result<(), Refusal> {
        self.check_writable(table)?;
        self.live(table, id)?;
        self.bury(table, id, actor);
        for (child, column) in self.cascades(table) {
            for dependent in self.find(child, column, &Value::Id(id)) {
                self.bury(child, dependent, actor);
            }
        }
        self.writes.delete += 1;
        Ok(())
    }

    /// Takes a row out of the recycle bin. What went with it stays there.
    pub fn undelete(&mut self, table: usize, id: Id, actor: Actor) -> Result<(), Refusal> {
        let row = self.tables[table].row(id).filter(|row| row.is_deleted()).cloned();
        let mut row = row.ok_or_else(Refusal::not_found)?;
        row.values[column::IS_DELETED] = Value::Bool(false);
        if let Some(master) = self.object(table).column("MasterRecordId") {
            row.values[master] = Value::Null;
        }
        stamp(&mut row, actor);
        self.put(table, id, row);
        Ok(())
    }

    /// Merges a row into another one: it goes to the recycle bin and names the winner, and what pointed to it points to that.
    pub fn merge(&mut self, table: usize, loser: Id, winner: Id, actor: Actor) -> Result<(), Refusal> {
        let mut row = self.live(table, loser)?.clone();
        let mut kept = self.live(table, winner)?.clone();
        let Some(master) = self.object(table).column("MasterRecordId").filter(|_| loser != winner) else {
            return Err(Refusal::record("MERGE_FAILED", "these cannot be merged", &[]));
        };
        let name = self.object(table).name;
        let points = |(at, other): (usize, &Table)| -> Vec<(usize, usize)> {
            let named = format!("{name}Id");
            other.object().column(&named).map(|column| (at, column)).into_iter().collect()
        };
        let children: Vec<(usize, usize)> = self.tables.iter().enumerate().flat_map(points).collect();
        for (child, column) in children {
            for id in self.find(child, column, &Value::Id(loser)) {
                let mut row = self.live(child, id)?.clone();
                row.values[column] = Value::Id(winner);
                stamp(&mut row, actor);
                self.put(child, id, row);
            }
        }
        row.values[master] = Value::Id(winner);
        row.values[column::IS_DELETED] = Value::Bool(true);
        stamp(&mut row, actor);
        self.put(table, loser, row);
        stamp(&mut kept, actor);
        self.put(table, winner, kept);
        Ok(())
    }

    /// Reads the fields of a JSON body, those in `skip` excepted.
    pub fn changes(
        &self,
        table: usize,
        body: &serde_json::Map<String, serde_json::Value>,
        skip: &[&str],
        mode: Mode,
    ) -> Result<Changes, Refusal> {
        let mut changes = Vec::with_capacity(body.len());
        let skipped = |name: &str| skip.iter().any(|skip| skip.eq_ignore_ascii_case(name));
        for (name, json) in body.iter().filter(|(name, _)| *name != "attributes" && !skipped(name)) {
            let object = self.object(table);
            let (column, value) = match (object.column(name), json.as_object()) {
                (Some(column), _) => (column, decode::from_json(check_settable(object.field(column), mode)?, json)?),
                (None, Some(parent)) => self.linked(table, name, parent)?,
                (None, None) => return Err(Refusal::no_column(name, object.name)),
            };
            changes.push((column, value));
        }
        Ok(changes)
    }

    /// A reference given by the parent's external id: `"Account": {"Syncline_Id__c": "k"}` (UNVERIFIED in detail).
    fn linked(
        &self,
        table: usize,
        name: &str,
        parent: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<(usize, Value), Refusal> {
        let object = self.object(table);
        let unknown = || Refusal::no_column(name, object.name);
        let column = object.relationship(name).ok_or_else(unknown)?;
        let target =
            object.field(column).reference_to.and_then(|object| self.find_table(object)).ok_or_else(unknown)?;
        let mut keys = parent.iter().filter(|(key, _)| *key != "attributes");
        let (Some((key, json)), None) = (keys.next(), keys.next()) else {
            return Err(Refusal::record("INVALID_FIELD", format!("{name}: one external id is needed"), &[name]));
        };
        let there = self.object(target);
        let at = there.column(key).filter(|at| there.field(*at).id_lookup && self.tables[target].is_indexed(*at));
        let at = at.ok_or_else(|| Refusal::no_column(key, there.name))?;
        match self.find(target, at, &decode::from_json(there.field(at), json)?)[..] {
            [id] => Ok((column, Value::Id(id))),
            _ => {
                let message =
                    format!("Foreign key external ID: {json} not found for field {key} in entity {}", there.name);
                Err(Refusal::record("INVALID_FIELD", message, &[]))
            }
        }
    }

    /// Ends the call under way: its writes stand, and are handed over to be booked.
    pub fn commit(&mut self) -> Writes {
        self.undo.clear();
        std::mem::take(&mut self.writes)
    }

    /// A place to roll back to.
    pub fn mark(&self) -> Mark {
        Mark(self.undo.len(), self.writes)
    }

    /// Undoes all writes since `mark`, which was taken in the same call.
    pub fn rollback(&mut self, mark: Mark) {
        for (table, id, before) in self.undo.drain(mark.0.min(self.undo.len())..).rev() {
            self.tables[table].put(id, before);
        }
        self.writes = mark.1;
    }

    fn draft(&self, table: usize, changes: Changes, actor: Actor) -> Result<Row, Refusal> {
        let object = self.object(table);
        let blank = |field: &Field| if field.kind == Kind::Boolean { Value::Bool(false) } else { Value::Null };
        let mut row = Row { values: object.fields().iter().map(blank).collect() };
        self.apply(table, &mut row, changes);
        if let Some(owner) = object.column("OwnerId").filter(|owner| *row.get(*owner) == Value::Null) {
            row.values[owner] = Value::Id(actor.user);
        }
        if let Some(currency) = object.column(standard::CURRENCY).filter(|at| *row.get(*at) == Value::Null) {
            row.values[currency] = Value::Text(standard::ORG_CURRENCY.to_owned());
        }
        self.check(table, None, &row, &(0..row.values.len()).collect::<Vec<_>>())?;
        row.values[column::CREATED_DATE] = Value::DateTime(actor.now);
        row.values[column::CREATED_BY] = Value::Id(actor.user);
        stamp(&mut row, actor);
        Ok(row)
    }

    /// Sets values, and those the server derives from them.
    fn apply(&self, table: usize, row: &mut Row, changes: Changes) {
        let object = self.object(table);
        let at = |name| object.column(name);
        let staged = at("StageName").filter(|stage| changes.iter().any(|(column, _)| column == stage));
        let weighed = at("Probability").filter(|chance| changes.iter().all(|(column, _)| column != chance));
        for (column, value) in changes {
            row.values[column] = value;
        }
        if let (Some(stage), Some(chance)) = (staged, weighed)
            && let Value::Text(stage) = row.get(stage)
            && let Some(percent) = standard::stage_probability(stage)
        {
            row.values[chance] = Value::Number(percent.into());
        }
        if let (Some(stage), Some(closed), Some(won)) = (at("StageName"), at("IsClosed"), at("IsWon")) {
            let is = |name: &str| matches!(row.get(stage), Value::Text(stage) if stage == name);
            let (is_won, is_lost) = (is("Closed Won"), is("Closed Lost"));
            row.values[closed] = Value::Bool(is_won || is_lost);
            row.values[won] = Value::Bool(is_won);
        }
        if let (Some(first), Some(last), Some(name)) = (at("FirstName"), at("LastName"), at("Name")) {
            let part = |column| match row.get(column) {
                Value::Text(text) => text.as_str(),
                _ => "",
            };
            let full = format!("{} {}", part(first), part(last));
            row.values[name] = Value::Text(full.trim_start_matches(' ').to_owned());
        }
    }

    /// Checks what a row must obey, in the columns that changed.
    fn check(&self, table: usize, id: Option<Id>, row: &Row, changed: &[usize]) -> Result<(), Refusal> {
        let object = self.object(table);
        let settable = |column: &&usize| object.field(**column).createable || object.field(**column).updateable;
        let changed: Vec<usize> = changed.iter().filter(settable).copied().collect();
        let blank = |column: &&usize| !object.field(**column).nillable && *row.get(**column) == Value::Null;
        let missing: Vec<&str> = changed.iter().filter(blank).map(|at| object.field(*at).name.as_str()).collect();
        if !missing.is_empty() {
            let message = format!("Required fields are missing: [{}]", missing.join(", "));
            return Err(Refusal::record("REQUIRED_FIELD_MISSING", message, &missing));
        }
        for column in changed {
            let field = object.field(column);
            match row.get(column) {
                Value::Id(parent) => self.check_reference(field, *parent)?,
                value if field.unique => self.check_unique(table, id, column, value)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn check_reference(&self, field: &Field, id: Id) -> Result<(), Refusal> {
        let Some(target) = field.reference_to.and_then(|object| self.find_table(object)) else {
            return Ok(());
        };
        if !id.has_prefix(self.object(target).prefix) {
            let message = format!("{}: id value of incorrect type: {id}", field.label);
            return Err(Refusal::record("MALFORMED_ID", message, &[&field.name]));
        }
        let gone = |_| Refusal::record("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[&field.name]);
        let row = self.live(target, id).map_err(gone)?;
        let active = self.object(target).column("IsActive").map(|active| row.get(active));
        if field.name == "OwnerId" && active == Some(&Value::Bool(false)) {
            let message = "operation performed with inactive user as owner of a record";
            return Err(Refusal::record("INACTIVE_OWNER_OR_USER", message, &[&field.name]));
        }
        Ok(())
    }

    fn check_unique(&self, table: usize, id: Option<Id>, column: usize, value: &Value) -> Result<(), Refusal> {
        match self.find(table, column, value).into_iter().find(|other| Some(*other) != id) {
            None => Ok(()),
            Some(other) => {
                let name = &self.object(table).field(column).name;
                let message = format!("duplicate value found: {name} duplicates value on record with id: {other}");
                Err(Refusal::record("DUPLICATE_VALUE", message, &[name]))
            }
        }
    }

    fn check_writable(&self, table: usize) -> Result<(), Refusal> {
        if self.object(table).writable {
            return Ok(());
        }
        let message = "insufficient access rights on object id";
        Err(Refusal { status: 403, ..Refusal::record("INSUFFICIENT_ACCESS_OR_READONLY", message, &[]) })
    }

    /// The columns whose rows go when the row they point to goes: people and deals go with their company.
    fn cascades(&self, table: usize) -> Vec<(usize, usize)> {
        if self.object(table).name != "Account" {
            return Vec::new();
        }
        let child = |(at, table): (usize, &Table)| table.object().column("AccountId").map(|column| (at, column));
        self.tables.iter().enumerate().filter_map(child).collect()
    }

    fn bury(&mut self, table: usize, id: Id, actor: Actor) {
        if let Some(mut row) = self.tables[table].row(id).cloned() {
            row.values[column::IS_DELETED] = Value::Bool(true);
            stamp(&mut row, actor);
            self.put(table, id, row);
        }
    }

    fn insert(&mut self, table: usize, id: Id, mut row: Row) {
        row.values[column::ID] = Value::Id(id);
        self.put(table, id, row);
    }

    fn put(&mut self, table: usize, id: Id, row: Row) {
        let before = self.tables[table].put(id, Some(row));
        self.undo.push((table, id, before));
    }

    /// Reads the texts of a seed; what the server derives is left to it.
    pub fn seed_changes(&self, table: usize, fields: &[(String, String)]) -> Result<Changes, Refusal> {
        let object = self.object(table);
        let mut changes = Vec::with_capacity(fields.len());
        for (name, text) in fields {
            let column = object.column(name).ok_or_else(|| Refusal::no_column(name, object.name))?;
            if column < column::COUNT || object.field(column).createable || name.eq_ignore_ascii_case("MasterRecordId")
            {
                changes.push((column, decode::from_text(object.field(column), text)?));
            }
        }
        Ok(changes)
    }
}

fn check_settable(field: &Field, mode: Mode) -> Result<&Field, Refusal> {
    if field.kind == Kind::Id {
        let message = format!("The {} field should not be specified in the sobject data.", field.name);
        return Err(Refusal::new(400, "INVALID_FIELD", message));
    }
    let settable = if mode == Mode::Create { field.createable } else { field.updateable };
    if settable {
        return Ok(field);
    }
    let message = format!(
        "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is \
         read/write for your profile or permission set.",
        field.name
    );
    Err(Refusal::record("INVALID_FIELD_FOR_INSERT_UPDATE", message, &[&field.name]))
}

fn stamp(row: &mut Row, actor: Actor) {
    row.values[column::MODIFIED_DATE] = Value::DateTime(actor.now);
    row.values[column::MODIFIED_BY] = Value::Id(actor.user);
    row.values[column::SYSTEM_MODSTAMP] = Value::DateTime(actor.now);
}

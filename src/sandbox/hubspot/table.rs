//! All records of one type: lookups by id and by unique value, checked writes, archiving.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::object_type::ObjectType;
use super::record::{Record, Source};
use super::refusal::{BadValue, Refusal};
use super::schema::Schema;
use super::standard::{LIFECYCLE, PIPELINE};
use super::value;
use crate::sandbox::clock::DAY_MS;

/// Values that passed every check, by property index.
pub type Changes = Vec<(u16, String)>;

/// Unique values that earlier items of the same batch have laid claim to.
pub type Claims = BTreeSet<(u16, String)>;

/// The records of one type and their schema.
#[derive(Debug, Clone)]
pub struct Table {
    /// The property definitions.
    pub schema: Schema,
    records: BTreeMap<u64, Record>,
    unique: BTreeMap<(u16, String), u64>,
    next_id: u64,
}

impl Table {
    /// An empty table. Every type counts its ids from the same number, as they are unique within one type only.
    pub fn new(schema: Schema) -> Self {
        Self { schema, records: BTreeMap::new(), unique: BTreeMap::new(), next_id: FIRST_ID }
    }

    /// The record type.
    pub fn object(&self) -> ObjectType {
        self.schema.object
    }

    /// The records with ids from `first` on, in the order of their ids, archived ones and live ones.
    pub fn from(&self, first: u64) -> impl Iterator<Item = &Record> {
        self.records.range(first..).map(|(_, record)| record)
    }

    /// The record of this id if it is in the wanted state and not purged.
    pub fn get(&self, id: u64, archived: bool, now_ms: i64) -> Option<&Record> {
        self.records.get(&id).filter(|record| is_visible(record, archived, now_ms))
    }

    /// Finds a record by `id`, or by the value of a unique property. An unknown `idProperty` is a refusal.
    pub fn find(
        &self,
        id: &str,
        id_property: Option<&str>,
        archived: bool,
        now_ms: i64,
    ) -> Result<Option<&Record>, Refusal> {
        let Some(property) = id_property.filter(|&name| name != "hs_object_id") else {
            return Ok(id.parse().ok().and_then(|id| self.get(id, archived, now_ms)));
        };
        let key = self.unique_key(property, id)?;
        if archived {
            let is_it = |record: &&Record| record.value(key.0).is_some_and(|value| fold(value) == key.1);
            return Ok(self.records.values().filter(|record| is_visible(record, true, now_ms)).find(is_it));
        }
        Ok(self.unique.get(&key).and_then(|&id| self.get(id, false, now_ms)))
    }

    /// The key under which a unique property's value is known.
    pub fn unique_key(&self, property: &str, value: &str) -> Result<(u16, String), Refusal> {
        match self.schema.index(property) {
            Some(index) if self.schema.at(index).unique => Ok((index, fold(value))),
            _ => Err(Refusal::validation(format!(
                "idProperty '{property}' is not a unique property of {}",
                self.object().upper()
            ))),
        }
    }

    /// Checks values for a new record: known, valid, complete, and unique also among `claims`, which they join.
    pub fn check_create(&self, properties: &Map<String, Value>, claims: &mut Claims) -> Result<Changes, Refusal> {
        let changes = self.check_values(properties, None)?;
        self.check_required(&changes)?;
        self.check_unique(&changes, None, claims)?;
        Ok(changes)
    }

    /// Checks values for a record that exists.
    pub fn check_update(
        &self,
        record: &Record,
        properties: &Map<String, Value>,
        claims: &mut Claims,
    ) -> Result<Changes, Refusal> {
        let mut changes = self.check_values(properties, Some(record))?;
        // The lifecycle moves forward only; a write that would move it back is passed over in silence.
        if let Some(stage) = self.schema.index("lifecyclestage") {
            let rank = |value: &str| LIFECYCLE.iter().position(|&(id, _)| id == value);
            let current = record.value(stage).and_then(rank);
            changes.retain(|(index, value)| *index != stage || value.is_empty() || rank(value) >= current);
        }
        self.check_unique(&changes, Some(record.id), claims)?;
        Ok(changes)
    }

    /// Creates a record from checked values, fills in the portal's defaults, and returns its id.
    pub fn create(&mut self, changes: &Changes, source: Source, now_ms: i64) -> u64 {
        let id = self.next_id;
        self.next_id += ID_STEP;
        self.create_as(id, changes, source, now_ms);
        id
    }

    /// The same under an id that is free.
    pub fn create_as(&mut self, id: u64, changes: &Changes, source: Source, now_ms: i64) {
        let mut record = Record::new(id, now_ms, source);
        for (name, value) in [("lifecyclestage", "lead"), ("pipeline", PIPELINE)] {
            match self.schema.index(name) {
                Some(index) if !changes.iter().any(|change| change.0 == index) => {
                    record.write(index, value, now_ms, Source::Default);
                }
                _ => {}
            }
        }
        for (property, value) in changes.iter().filter(|(_, value)| !value.is_empty()) {
            record.write(*property, value, now_ms, source);
        }
        self.insert(record);
    }

    fn insert(&mut self, record: Record) {
        for (index, _) in self.schema.live().filter(|(_, property)| property.unique) {
            if let Some(value) = record.value(index).filter(|value| !value.is_empty()) {
                self.unique.insert((index, fold(value)), record.id);
            }
        }
        self.next_id = self.next_id.max(record.id + 1);
        let before = self.records.insert(record.id, record);
        assert!(before.is_none(), "an id is given once");
    }

    /// Whether an id was ever given.
    pub fn is_taken(&self, id: u64) -> bool {
        self.records.contains_key(&id)
    }

    /// Writes checked values to a live record. With `ignore_identical` a value that is there already is no write.
    pub fn update(&mut self, id: u64, changes: &Changes, source: Source, now_ms: i64, ignore_identical: bool) {
        let Some(record) = self.records.get_mut(&id) else { return };
        let at_ms = record.next_time(now_ms);
        for (property, value) in changes {
            let before = record.value(*property);
            if ignore_identical && before.unwrap_or_default() == value {
                continue;
            }
            if self.schema.at(*property).unique {
                if let Some(before) = before.filter(|before| !before.is_empty()) {
                    self.unique.remove(&(*property, fold(before)));
                }
                if !value.is_empty() {
                    self.unique.insert((*property, fold(value)), id);
                }
            }
            record.write(*property, value, at_ms, source);
        }
    }

    /// Archives a live record; its unique values become free. False when there is none.
    pub fn archive(&mut self, id: u64, now_ms: i64) -> bool {
        let Some(record) = self.records.get_mut(&id).filter(|record| record.archived_ms.is_none()) else {
            return false;
        };
        record.archived_ms = Some(now_ms);
        for (index, _) in self.schema.all().filter(|(_, property)| property.unique) {
            if let Some(value) = record.value(index) {
                self.unique.remove(&(index, fold(value)));
            }
        }
        true
    }

    /// Brings an archived record back; its unique values are its own again where nobody has taken them.
    pub fn restore(&mut self, id: u64, now_ms: i64) -> bool {
        let Some(record) = self.records.get_mut(&id).filter(|record| is_visible(record, true, now_ms)) else {
            return false;
        };
        record.archived_ms = None;
        record.touch(now_ms);
        for (index, _) in self.schema.live().filter(|(_, property)| property.unique) {
            if let Some(value) = record.value(index).filter(|value| !value.is_empty()) {
                self.unique.entry((index, fold(value))).or_insert(id);
            }
        }
        true
    }

    /// Merges two live records. With `anew` both are archived, and a new one has the values of the primary.
    pub fn merge(&mut self, primary: u64, other: u64, anew: bool, source: Source, now_ms: i64) -> u64 {
        let Some(kept) = self.records.get(&primary).cloned() else { return primary };
        let before = self.records.get(&other).map(|record| record.merged.clone()).unwrap_or_default();
        let merged: Vec<u64> = kept.merged.iter().copied().chain(before).chain([other]).collect();
        self.archive(other, now_ms);
        if !anew {
            if let Some(record) = self.records.get_mut(&primary) {
                record.merged = merged;
                record.touch(now_ms);
            }
            return primary;
        }
        self.archive(primary, now_ms);
        let id = self.next_id;
        self.next_id += ID_STEP;
        let mut record = kept.renamed(id, merged.into_iter().chain([primary]).collect());
        record.origin = source;
        record.touch(now_ms);
        self.insert(record);
        id
    }

    /// The live record that an id leads to, also one that was merged away.
    pub fn follow(&self, id: &str) -> Option<u64> {
        let id = id.parse().ok()?;
        let of = |record: &&Record| record.archived_ms.is_none() && record.merged.contains(&id);
        self.records.values().find(of).map(|record| record.id)
    }

    /// Background work on a live record.
    pub fn touch(&mut self, id: u64, at_ms: i64) {
        if let Some(record) = self.records.get_mut(&id).filter(|record| record.archived_ms.is_none()) {
            record.touch(at_ms);
        }
    }

    fn check_values(&self, properties: &Map<String, Value>, record: Option<&Record>) -> Result<Changes, Refusal> {
        let (mut changes, mut bad) = (Changes::new(), Vec::new());
        for (name, written) in properties {
            let Some(index) = self.schema.index(name) else {
                let message = format!("Property \"{name}\" does not exist");
                bad.push(BadValue { property: name.clone(), code: "PROPERTY_DOESNT_EXIST", message });
                continue;
            };
            let raw = match written {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                Value::Number(_) | Value::Bool(_) => written.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(Refusal::bare(
                        400,
                        format!("Invalid input JSON: Cannot deserialize value of \"{name}\""),
                    ));
                }
            };
            match value::stored(self.schema.at(index), &raw, record.and_then(|record| record.value(index))) {
                Ok(value) => changes.push((index, value)),
                Err(refused) => bad.push(refused),
            }
        }
        if bad.is_empty() { Ok(changes) } else { Err(Refusal::values(&bad)) }
    }

    fn check_required(&self, changes: &Changes) -> Result<(), Refusal> {
        let is_set = |name: &&str| {
            let index = self.schema.index(name);
            changes.iter().any(|(property, value)| Some(*property) == index && !value.is_empty())
        };
        let (wanted, any): (&[&str], bool) = match self.object() {
            ObjectType::Contact => (&["email", "firstname", "lastname"], true),
            ObjectType::Company => (&["name", "domain"], true),
            ObjectType::Deal => (&["dealname", "dealstage"], false),
            ObjectType::Project => (&["name"], false),
        };
        let missing: Vec<_> = wanted.iter().filter(|name| !is_set(name)).collect();
        if missing.is_empty() || (any && missing.len() < wanted.len()) {
            return Ok(());
        }
        let message = format!("Error creating {}. Some required properties were not set.", self.object().upper());
        let errors: Vec<_> = missing
            .iter()
            .map(|name| {
                serde_json::json!({"message": format!("{name} must be set"), "code": "MISSING_REQUIRED_PROPERTY",
                                   "context": {"propertyName": [name]}})
            })
            .collect();
        Err(Refusal::validation(message).with("errors", Value::Array(errors)))
    }

    /// Checks that no other live record, and nobody in `claims`, has the unique values.
    pub fn check_unique(&self, changes: &Changes, own: Option<u64>, claims: &mut Claims) -> Result<(), Refusal> {
        let mut new_claims = Vec::new();
        for (index, value) in changes.iter().filter(|(index, value)| self.schema.at(*index).unique && !value.is_empty())
        {
            let key = (*index, fold(value));
            let holder = self.unique.get(&key).copied().filter(|&holder| Some(holder) != own);
            if holder.is_none() && !claims.contains(&key) {
                new_claims.push(key);
                continue;
            }
            let property = self.schema.at(*index);
            if property.name == "email" {
                return Err(Refusal::conflict(self.object(), holder.unwrap_or(self.next_id)));
            }
            let message = format!(
                "Cannot set PropertyValueCoordinates{{objectTypeId={}, propertyName={}, value={value}}}. {} already has that value.",
                self.object().type_id(),
                property.name,
                holder.map_or_else(|| "Another input".to_owned(), |holder| holder.to_string()),
            );
            let bad = BadValue { property: property.name.clone(), code: "CONFLICTING_UNIQUE_VALUE", message };
            return Err(Refusal::values(&[bad]));
        }
        claims.extend(new_claims);
        Ok(())
    }
}

fn is_visible(record: &Record, archived: bool, now_ms: i64) -> bool {
    match record.archived_ms {
        None => !archived,
        // The recycling bin is emptied after 90 days.
        Some(at_ms) => archived && now_ms - at_ms < 90 * DAY_MS,
    }
}

fn fold(value: &str) -> String {
    value.trim().to_lowercase()
}

/// Above 2^32, as real ids are.
const FIRST_ID: u64 = 51_000_000_001;
/// Ids have gaps, so that nobody counts on the next one.
const ID_STEP: u64 = 3;

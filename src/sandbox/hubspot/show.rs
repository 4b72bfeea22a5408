//! Records as answers show them.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::record::{Record, Source};
use super::schema::{Computed, Property, PropertyType};
use super::table::Table;
use crate::sandbox::clock;

/// Which properties an answer shows.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Names; none means the type's small default set.
    pub properties: Vec<String>,
    /// Names shown with their history.
    pub history: Vec<String>,
}

/// A window on one portal: what shows records needs besides them.
#[derive(Debug, Clone, Copy)]
pub struct Shower<'a> {
    /// The integration's app id, the source id of its writes.
    pub app_id: &'a str,
    /// The portal's id.
    pub portal_id: u64,
}

impl Shower<'_> {
    /// A record with the wanted properties. Names that do not exist are left out in silence.
    pub fn record(&self, table: &Table, record: &Record, wanted: &Wanted) -> Value {
        let defaults = table.object().default_properties();
        let always =
            defaults.iter().filter(|name| name.ends_with("date") && **name != "closedate" || **name == "hs_object_id");
        let mut properties = Map::new();
        let mut show = |name: &str| {
            if let Some(index) = table.schema.index(name) {
                properties.insert(name.to_owned(), self.current(table, record, index));
            }
        };
        match wanted.properties.as_slice() {
            [] => defaults.iter().for_each(|name| show(name)),
            names => {
                names.iter().for_each(|name| show(name));
                always.for_each(|name| show(name));
            }
        }
        let mut shown = self.frame(table, record, properties);
        if !wanted.history.is_empty() {
            let history: Map<_, _> = wanted
                .history
                .iter()
                .filter_map(|name| Some((name.clone(), self.history(table, record, table.schema.index(name)?))))
                .collect();
            shown["propertiesWithHistory"] = Value::Object(history);
        }
        shown
    }

    /// A record as its creation answers: everything that has a value, datetimes as epoch milliseconds.
    pub fn created(&self, table: &Table, record: &Record) -> Value {
        let mut properties = Map::new();
        for (index, property) in table.schema.live() {
            let value = match self.value(table, record, index) {
                None => continue,
                Some(value) if property.kind == PropertyType::DateTime && property.computed.is_none() => {
                    clock::parse_instant(&value).map_or(value, |ms| Cow::Owned(ms.to_string()))
                }
                Some(value) => value,
            };
            properties.insert(property.name.clone(), json!(value));
        }
        self.frame(table, record, properties)
    }

    /// A record as an update answers: what was written, what follows from it, and the modified date.
    pub fn updated(&self, table: &Table, record: &Record, written: impl Iterator<Item = u16>) -> Value {
        let mut properties = Map::new();
        for index in written {
            let name = &table.schema.at(index).name;
            properties.insert(name.clone(), self.current(table, record, index));
            if name == "email" {
                properties.insert("hs_email_domain".to_owned(), json!(email_domain(table, record)));
            }
        }
        for (index, property) in table.schema.live() {
            if property.computed == Some(Computed::Modified) {
                properties.insert(property.name.clone(), self.current(table, record, index));
            }
        }
        self.frame(table, record, properties)
    }

    /// The value of any property, computed ones too.
    pub fn value<'r>(&self, table: &Table, record: &'r Record, index: u16) -> Option<Cow<'r, str>> {
        let Some(computed) = table.schema.at(index).computed else {
            return record.value(index).map(Cow::Borrowed);
        };
        let value = match computed {
            Computed::Id => record.id.to_string(),
            Computed::Created => clock::instant(record.created_ms),
            Computed::Modified => clock::instant(record.modified_ms),
            Computed::Source => source_type(record.origin).to_owned(),
            Computed::SourceId => self.source_id(record.origin)?,
            Computed::EmailDomain => return email_domain(table, record).map(Cow::Borrowed),
            Computed::Merged if record.merged.is_empty() => return None,
            Computed::Merged => {
                let ids: Vec<String> = record.merged.iter().map(u64::to_string).collect();
                ids.join(";")
            }
            Computed::Never => return None,
        };
        Some(Cow::Owned(value))
    }

    fn current(&self, table: &Table, record: &Record, index: u16) -> Value {
        self.value(table, record, index).map_or(Value::Null, |value| json!(value))
    }

    fn frame(&self, table: &Table, record: &Record, properties: Map<String, Value>) -> Value {
        let (portal, type_id) = (self.portal_id, table.object().type_id());
        let mut shown = json!({
            "id": record.id.to_string(), "properties": properties,
            "createdAt": clock::instant(record.created_ms), "updatedAt": clock::instant(record.modified_ms),
            "archived": record.archived_ms.is_some(),
            "url": format!("https://app.hubspot.com/contacts/{portal}/record/{type_id}/{}", record.id),
        });
        if let Some(at_ms) = record.archived_ms {
            shown["archivedAt"] = json!(clock::instant(at_ms));
        }
        shown
    }

    fn history(&self, table: &Table, record: &Record, index: u16) -> Value {
        let property: &Property = table.schema.at(index);
        if let Some(computed) = property.computed {
            let at_ms = if computed == Computed::Modified { record.modified_ms } else { record.created_ms };
            let entry = |value| json!({"value": value, "timestamp": clock::instant(at_ms), "sourceType": "CALCULATED"});
            return Value::Array(self.value(table, record, index).map(entry).into_iter().collect());
        }
        let entries = record.slot(index).into_iter().flat_map(|slot| slot.history()).map(|entry| {
            let mut shown = json!({
                "value": entry.value, "timestamp": clock::instant(entry.at_ms), "sourceType": source_type(entry.source),
            });
            if let Some(id) = self.source_id(entry.source) {
                shown["sourceId"] = json!(id);
            }
            if entry.source == Source::User {
                shown["updatedByUserId"] = json!(USER_ID);
            }
            shown
        });
        Value::Array(entries.collect())
    }

    fn source_id(&self, source: Source) -> Option<String> {
        match source {
            Source::User => Some(format!("userId:{USER_ID}")),
            Source::Integration => Some(self.app_id.to_owned()),
            Source::Import => Some("import-1".to_owned()),
            Source::Default => None,
        }
    }
}

fn source_type(source: Source) -> &'static str {
    match source {
        Source::User => "CRM_UI",
        Source::Integration => "INTEGRATION",
        Source::Import => "IMPORT",
        Source::Default => "PROPERTY_DEFAULT_VALUE",
    }
}

fn email_domain<'r>(table: &Table, record: &'r Record) -> Option<&'r str> {
    let email = record.value(table.schema.index("email")?)?;
    Some(email.split_once('@').map_or("", |(_, domain)| domain))
}

/// The id of the one person of the portal.
pub const USER_ID: u64 = 1;

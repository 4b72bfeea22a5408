//! Property definitions of one record type.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::object_type::ObjectType;
use crate::sandbox::clock;

/// How a property's values are read and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyType {
    /// `string`, e-mail addresses among them.
    Text,
    /// `phone_number`.
    Phone,
    /// `number`.
    Number,
    /// `bool`.
    Bool,
    /// `enumeration`.
    Enumeration,
    /// `date`.
    Date,
    /// `datetime`.
    DateTime,
}

impl PropertyType {
    /// The name in the properties API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Phone => "phone_number",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Enumeration => "enumeration",
            Self::Date => "date",
            Self::DateTime => "datetime",
        }
    }

    /// Reads the name and checks that the field type goes with it.
    pub fn parse(name: &str, field_type: &str) -> Option<Self> {
        let (kind, field_types): (_, &[&str]) = match name {
            "string" => (Self::Text, &["text", "textarea", "html", "file", "phonenumber"]),
            "phone_number" => (Self::Phone, &["phonenumber"]),
            "number" => (Self::Number, &["number"]),
            "bool" => (Self::Bool, &["booleancheckbox"]),
            "enumeration" => (Self::Enumeration, &["booleancheckbox", "checkbox", "radio", "select"]),
            "date" => (Self::Date, &["date"]),
            "datetime" => (Self::DateTime, &["date"]),
            _ => return None,
        };
        field_types.contains(&field_type).then_some(kind)
    }
}

/// A property whose value follows from the record and cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Computed {
    /// `hs_object_id`.
    Id,
    /// `createdate`.
    Created,
    /// `lastmodifieddate`, `hs_lastmodifieddate`.
    Modified,
    /// `hs_object_source`.
    Source,
    /// `hs_object_source_id`.
    SourceId,
    /// `hs_email_domain`.
    EmailDomain,
    /// `hs_merged_object_ids`.
    Merged,
    /// Defined, read-only and never filled: `hs_lastmodifieddate` of a contact.
    Never,
}

/// One option of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The internal value.
    pub value: String,
    /// What people see.
    pub label: String,
}

/// A property definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The internal name.
    pub name: String,
    /// What people see.
    pub label: String,
    /// The value type.
    pub kind: PropertyType,
    /// The form control, which tells several-valued enumerations (`checkbox`) from others.
    pub field_type: String,
    /// The property group.
    pub group: String,
    /// The options of an enumeration.
    pub options: Vec<Choice>,
    /// Whether no two live records may share a value.
    pub unique: bool,
    /// Set for values that cannot be written.
    pub computed: Option<Computed>,
    /// `OWNER` for owner properties, whose options are external.
    pub references_owner: bool,
    /// Whether it is part of the standard schema.
    pub standard: bool,
    /// When it was archived.
    pub archived_ms: Option<i64>,
    /// When it was created.
    pub created_ms: i64,
}

impl Property {
    /// A text property.
    pub fn text(name: &str, label: &str, group: &str) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            kind: PropertyType::Text,
            field_type: "text".to_owned(),
            group: group.to_owned(),
            options: Vec::new(),
            unique: false,
            computed: None,
            references_owner: false,
            standard: false,
            archived_ms: None,
            created_ms: 0,
        }
    }

    /// Whether a value is a `;`-separated set of options.
    pub fn is_multiple(&self) -> bool {
        self.kind == PropertyType::Enumeration && self.field_type == "checkbox"
    }

    /// The definition as the properties API shows it.
    pub fn to_json(&self) -> Value {
        let options: Vec<_> = self
            .options
            .iter()
            .enumerate()
            .map(|(order, choice)| {
                json!({"label": choice.label, "value": choice.value, "displayOrder": order, "hidden": false, "description": ""})
            })
            .collect();
        let mut shown = json!({
            "name": self.name, "label": self.label, "type": self.kind.name(), "fieldType": self.field_type,
            "groupName": self.group, "description": "", "options": options, "displayOrder": -1,
            "hasUniqueValue": self.unique || self.name == "hs_object_id", "calculated": false,
            "externalOptions": self.references_owner, "hubspotDefined": self.standard, "hidden": false,
            "formField": self.computed.is_none(), "archived": self.archived_ms.is_some(),
            "createdAt": clock::instant(self.created_ms), "updatedAt": clock::instant(self.created_ms),
            "dataSensitivity": "non_sensitive",
            "modificationMetadata": {
                "archivable": !self.standard, "readOnlyDefinition": self.standard,
                "readOnlyOptions": self.standard, "readOnlyValue": self.computed.is_some(),
            },
        });
        if self.references_owner {
            shown["referencedObjectType"] = json!("OWNER");
        }
        if let Some(at) = self.archived_ms {
            shown["archivedAt"] = json!(clock::instant(at));
        }
        shown
    }
}

/// All properties of one record type. A definition keeps its index for ever, so that records can name it by number.
#[derive(Debug, Clone)]
pub struct Schema {
    /// The record type.
    pub object: ObjectType,
    properties: Vec<Property>,
    by_name: BTreeMap<String, u16>,
}

impl Schema {
    /// A schema of the given definitions.
    pub fn new(object: ObjectType, properties: Vec<Property>) -> Self {
        let mut schema = Self { object, properties: Vec::new(), by_name: BTreeMap::new() };
        for property in properties {
            schema.define(property);
        }
        schema
    }

    /// Adds a definition. One that was archived under that name comes back as it was.
    pub fn define(&mut self, property: Property) -> &Property {
        let index = match self.by_name.get(&property.name) {
            Some(&index) => {
                self.properties[usize::from(index)].archived_ms = None;
                index
            }
            None => {
                let index = self.properties.len() as u16;
                self.by_name.insert(property.name.clone(), index);
                self.properties.push(property);
                index
            }
        };
        &self.properties[usize::from(index)]
    }

    /// Takes back the definition that was added last, as if it had never been; any other keeps its index and is archived.
    pub fn forget(&mut self, name: &str) {
        if self.properties.last().is_some_and(|last| last.name == name) {
            self.properties.pop();
            self.by_name.remove(name);
        } else {
            self.archive(name, 0);
        }
    }

    /// Archives a definition; false when there is no live one of that name.
    pub fn archive(&mut self, name: &str, now_ms: i64) -> bool {
        match self.index(name) {
            Some(index) => {
                self.properties[usize::from(index)].archived_ms = Some(now_ms);
                true
            }
            None => false,
        }
    }

    /// The index of a live property.
    pub fn index(&self, name: &str) -> Option<u16> {
        self.by_name.get(name).copied().filter(|&index| self.properties[usize::from(index)].archived_ms.is_none())
    }

    /// The definition at an index that this schema gave.
    pub fn at(&self, index: u16) -> &Property {
        &self.properties[usize::from(index)]
    }

    /// A live property.
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.index(name).map(|index| self.at(index))
    }

    /// A live property, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Property> {
        self.index(name).map(|index| &mut self.properties[usize::from(index)])
    }

    /// All definitions with their indices, archived ones too.
    pub fn all(&self) -> impl Iterator<Item = (u16, &Property)> {
        self.properties.iter().enumerate().map(|(index, property)| (index as u16, property))
    }

    /// The live definitions with their indices.
    pub fn live(&self) -> impl Iterator<Item = (u16, &Property)> {
        self.all().filter(|(_, property)| property.archived_ms.is_none())
    }
}

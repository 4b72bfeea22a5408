//! What a system says about its own objects, and how that is remembered.

use super::digest::Digest;
use super::time::Millis;
use crate::codec::{self, Decode, Encode};

/// One object's properties as its system describes them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ObjectSchema {
    /// The object's name.
    pub object: String,
    /// All properties that the credential can see.
    pub properties: Vec<PropertySchema>,
}

impl ObjectSchema {
    /// The property called `name`.
    pub fn property(&self, name: &str) -> Option<&PropertySchema> {
        self.properties.iter().find(|property| property.name == name)
    }
}

/// An object's schema as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SeenSchema {
    /// When, by our clock.
    pub seen: Millis,
    /// Of the schema: equal ones need not be compared.
    pub fingerprint: Digest,
    /// Its properties by name.
    pub schema: ObjectSchema,
}

impl SeenSchema {
    /// As it is seen now. Systems list properties in no promised order; here they stand by name.
    pub fn new(seen: Millis, mut schema: ObjectSchema) -> Self {
        schema.properties.sort_by(|one, other| one.name.cmp(&other.name));
        Self { seen, fingerprint: Digest::of_bytes(&codec::encode(1, &schema)), schema }
    }
}

/// What the names of properties begin with that are no properties of a record but its tie to a record of another object, whose
/// name follows. They have no history, and do not move a record's modified time; they are read and written like properties.
pub const ASSOCIATION: &str = "association:";

/// How the name of a property begins that says whether a record is a member of a list: what follows is the list's number. It is
/// read and never written.
pub const LIST: &str = "list:";

/// One property.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PropertySchema {
    /// The name that calls use.
    pub name: String,
    /// The label that people see.
    pub label: String,
    /// Its type, reduced to what the mapping needs.
    pub kind: PropertyType,
    /// Can it be written by this credential?
    pub writable: bool,
    /// Must a create carry it?
    pub required: bool,
    /// Are its values unique, so that it can serve as the external id?
    pub unique: bool,
    /// Longest text, in characters, where the system states one.
    pub length: Option<u32>,
    /// Digits of a number, before and after the point together, where the system states it.
    pub precision: Option<u32>,
    /// Digits of a number after the point, where the system states it.
    pub scale: Option<u32>,
    /// Allowed values, where the system restricts them; empty otherwise.
    pub options: Vec<String>,
    /// The objects that a reference may lead to, where the system says so; empty otherwise.
    pub refers_to: Vec<String>,
    /// What people are offered, as (value, label): also where the system lets in other values.
    pub choices: Vec<(String, String)>,
}

/// A property's type, reduced to what the mapping needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum PropertyType {
    /// Any text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// A date without a zone.
    Date,
    /// A moment.
    DateTime,
    /// One of the options.
    Enumeration,
    /// Several of the options.
    MultiEnumeration,
    /// Another record's id.
    Reference,
    /// Anything else.
    Other,
}

//! Objects and their fields.

use std::collections::BTreeMap;

/// The columns every object has, at the same places.
pub mod column {
    /// `Id`.
    pub const ID: usize = 0;
    /// `IsDeleted`.
    pub const IS_DELETED: usize = 1;
    /// `CreatedDate`.
    pub const CREATED_DATE: usize = 2;
    /// `CreatedById`.
    pub const CREATED_BY: usize = 3;
    /// `LastModifiedDate`.
    pub const MODIFIED_DATE: usize = 4;
    /// `LastModifiedById`.
    pub const MODIFIED_BY: usize = 5;
    /// `SystemModstamp`.
    pub const SYSTEM_MODSTAMP: usize = 6;
    /// How many there are.
    pub const COUNT: usize = 7;
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The row's own id.
    Id,
    /// A line of text.
    String,
    /// Text of many lines.
    TextArea,
    /// An e-mail address.
    Email,
    /// A phone number, free text.
    Phone,
    /// A web address, free text.
    Url,
    /// One of some values.
    Picklist,
    /// A check box.
    Boolean,
    /// A whole number.
    Int,
    /// A number.
    Double,
    /// An amount of money.
    Currency,
    /// A percentage; 50 % is 50.
    Percent,
    /// A day.
    Date,
    /// An instant.
    DateTime,
    /// The id of another row.
    Reference,
    /// A read-only compound of the fields that name it.
    Address,
}

impl Kind {
    /// The type as describe names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::String => "string",
            Self::TextArea => "textarea",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Url => "url",
            Self::Picklist => "picklist",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Double => "double",
            Self::Currency => "currency",
            Self::Percent => "percent",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Reference => "reference",
            Self::Address => "address",
        }
    }

    /// The type as SOAP and the messages of queries name it.
    pub fn soap(self) -> &'static str {
        match self {
            Self::Id | Self::Reference => "tns:ID",
            Self::Boolean => "xsd:boolean",
            Self::Int => "xsd:int",
            Self::Double | Self::Currency | Self::Percent => "xsd:double",
            Self::Date => "xsd:date",
            Self::DateTime => "xsd:dateTime",
            Self::Address => "urn:address",
            _ => "xsd:string",
        }
    }

    /// Is the value a text (and neither an id nor a compound)?
    pub fn is_text(self) -> bool {
        matches!(self, Self::String | Self::TextArea | Self::Email | Self::Phone | Self::Url | Self::Picklist)
    }
}

/// One field of an object, with the attributes that describe shows.
#[derive(Debug, Clone)]
pub struct Field {
    /// The API name.
    pub name: String,
    /// The label of the user interface.
    pub label: String,
    /// The type.
    pub kind: Kind,
    /// The longest text, in characters; 0 where there is no such bound.
    pub length: u32,
    /// Digits in all, of a number; for an int, `digits`.
    pub precision: u32,
    /// Digits behind the point.
    pub scale: u32,
    /// May it be null?
    pub nillable: bool,
    /// May a create set it?
    pub createable: bool,
    /// May an update set it?
    pub updateable: bool,
    /// Does the server fill it in when a create leaves it out?
    pub defaulted: bool,
    /// Is it marked as an external id?
    pub external_id: bool,
    /// May it be named in an upsert?
    pub id_lookup: bool,
    /// May no two live rows share a value?
    pub unique: bool,
    /// Do upper and lower case differ?
    pub case_sensitive: bool,
    /// Is there an index? Unique fields and lookups have one.
    pub indexed: bool,
    /// The values of a picklist.
    pub picklist: &'static [&'static str],
    /// Are other values refused?
    pub restricted: bool,
    /// The object a reference points to.
    pub reference_to: Option<&'static str>,
    /// How a query names the row a reference points to.
    pub relationship: Option<&'static str>,
    /// The compound it belongs to.
    pub compound: Option<&'static str>,
    /// Is it the field that names the row?
    pub name_field: bool,
    /// May a query filter by it?
    pub filterable: bool,
    /// Was it added by an administrator?
    pub custom: bool,
}

impl Field {
    /// A writable, optional field.
    pub fn new(name: &str, label: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            kind,
            length: 0,
            precision: 0,
            scale: 0,
            nillable: kind != Kind::Boolean,
            createable: true,
            updateable: true,
            defaulted: kind == Kind::Boolean,
            external_id: false,
            id_lookup: false,
            unique: false,
            case_sensitive: false,
            indexed: false,
            picklist: &[],
            restricted: false,
            reference_to: None,
            relationship: None,
            compound: None,
            name_field: false,
            filterable: kind != Kind::Address,
            custom: false,
        }
    }

    /// A line of text.
    pub fn text(name: &str, label: &str, length: u32) -> Self {
        Self { length, ..Self::new(name, label, Kind::String) }
    }

    /// Text of another kind.
    pub fn lettered(name: &str, label: &str, kind: Kind, length: u32) -> Self {
        Self { length, filterable: length <= 255, ..Self::new(name, label, kind) }
    }

    /// A number of `precision` digits, `scale` of them behind the point.
    pub fn number(name: &str, label: &str, kind: Kind, precision: u32, scale: u32) -> Self {
        Self { precision, scale, ..Self::new(name, label, kind) }
    }

    /// One of some values; `restricted` refuses others.
    pub fn picklist(name: &str, label: &str, values: &'static [&'static str], restricted: bool) -> Self {
        Self { length: 255, picklist: values, restricted, ..Self::new(name, label, Kind::Picklist) }
    }

    /// A reference to `object`, called `relationship` in queries.
    pub fn reference(name: &str, label: &str, object: &'static str, relationship: &'static str) -> Self {
        Self {
            length: 18,
            indexed: true,
            reference_to: Some(object),
            relationship: Some(relationship),
            ..Self::new(name, label, Kind::Reference)
        }
    }

    /// A field an administrator added, as an external id that is unique and tells case apart.
    pub fn external_key(name: &str, label: &str) -> Self {
        Self {
            external_id: true,
            id_lookup: true,
            unique: true,
            case_sensitive: true,
            indexed: true,
            custom: true,
            ..Self::text(name, label, 64)
        }
    }

    /// The same field, required on create.
    pub fn required(self) -> Self {
        Self { nillable: false, ..self }
    }

    /// The same field, filled in by the server when left out.
    pub fn defaulted(self) -> Self {
        Self { defaulted: true, nillable: false, ..self }
    }

    /// The same field, written by the server alone.
    pub fn read_only(self) -> Self {
        Self { createable: false, updateable: false, ..self }
    }

    /// The same field, usable in an upsert (and therefore indexed).
    pub fn lookup(self) -> Self {
        Self { id_lookup: true, indexed: true, ..self }
    }

    /// The same field, as the one that names the row.
    pub fn naming(self) -> Self {
        Self { name_field: true, ..self }
    }

    /// The same field, as a part of a compound.
    pub fn part_of(self, compound: &'static str) -> Self {
        Self { compound: Some(compound), ..self }
    }
}

/// One object and its fields.
#[derive(Debug, Clone)]
pub struct Object {
    /// The API name.
    pub name: &'static str,
    /// The plural of its label.
    pub plural: &'static str,
    /// The first three characters of its ids.
    pub prefix: &'static str,
    /// May rows be written through the API?
    pub writable: bool,
    fields: Vec<Field>,
    by_name: BTreeMap<String, usize>,
}

impl Object {
    /// An object with these fields, the system's own columns first.
    pub fn new(name: &'static str, plural: &'static str, prefix: &'static str, fields: Vec<Field>) -> Self {
        let mut object = Self { name, plural, prefix, writable: true, fields, by_name: BTreeMap::new() };
        object.reindex();
        object
    }

    /// The same object, not to be written through the API.
    pub fn read_only(self) -> Self {
        Self { writable: false, ..self }
    }

    /// All fields; the place of a field is its column.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The column of a field, whatever the case of its name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// A field by its column.
    pub fn field(&self, column: usize) -> &Field {
        &self.fields[column]
    }

    /// The column of the reference that queries call `relationship`.
    pub fn relationship(&self, relationship: &str) -> Option<usize> {
        let named = |field: &Field| field.relationship.is_some_and(|name| name.eq_ignore_ascii_case(relationship));
        self.fields.iter().position(named)
    }

    /// Adds a field unless there is one of that name; tells whether it did.
    pub fn add(&mut self, field: Field) -> bool {
        let new = self.column(&field.name).is_none();
        if new {
            self.fields.push(field);
            self.reindex();
        }
        new
    }

    /// Takes a field away, the system's own excepted; tells which column went.
    pub fn remove(&mut self, name: &str) -> Option<usize> {
        let column = self.column(name).filter(|column| *column >= column::COUNT)?;
        self.fields.remove(column);
        self.reindex();
        Some(column)
    }

    fn reindex(&mut self) {
        let named = |(column, field): (usize, &Field)| (field.name.to_ascii_lowercase(), column);
        self.by_name = self.fields.iter().enumerate().map(named).collect();
    }
}

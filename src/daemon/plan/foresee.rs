//! What a system will refuse, as far as its schema says. In doubt it is expected to accept.

use crate::connector::{Outcome, Target, WriteItem};
use crate::model::{ObjectSchema, PropertySchema, PropertyType, Raw, SystemId};

/// The schemas of all objects.
#[derive(Debug, Clone, Default)]
pub struct Schemas(Vec<(SystemId, ObjectSchema)>);

/// A refusal that can be foreseen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreseen {
    pub code: &'static str,
    pub message: String,
    pub property: String,
}

impl Schemas {
    /// Of objects, by system.
    pub fn new(schemas: Vec<(SystemId, ObjectSchema)>) -> Self {
        Self(schemas)
    }

    pub(super) fn refusal(&self, system: SystemId, object: &str, item: &WriteItem) -> Option<Foreseen> {
        let (_, schema) = self.0.iter().find(|(of, schema)| *of == system && schema.object == object)?;
        let bad = item.fields.iter().find_map(|(name, raw)| value(schema.property(name)?, raw));
        bad.or_else(|| missing(schema, item))
    }
}

impl Foreseen {
    pub fn outcome(self) -> Outcome {
        Outcome::Refused { code: self.code.to_owned(), message: self.message, properties: vec![self.property] }
    }
}

fn value(property: &PropertySchema, raw: &Raw) -> Option<Foreseen> {
    let name = &property.name;
    let foreseen = |code, message| Some(Foreseen { code, message, property: name.clone() });
    let Raw::Text(text) = raw else {
        let cleared = *raw == Raw::Null && property.required;
        return cleared.then_some(()).and_then(|()| foreseen(MISSING, format!("{name} must not be blank")));
    };
    // What is created in the same run has a longer id for now.
    let length = property.length.filter(|_| property.kind != PropertyType::Reference);
    if let Some(length) = length.filter(|length| text.chars().count() > *length as usize) {
        return foreseen("STRING_TOO_LONG", format!("{name} holds {length} characters at most"));
    }
    let strange = property.kind == PropertyType::Enumeration
        && !text.is_empty()
        && !property.options.is_empty()
        && !property.options.iter().any(|option| option.eq_ignore_ascii_case(text));
    strange.then_some(()).and_then(|()| foreseen("INVALID_OPTION", format!("the value is no option of {name}")))
}

/// A create must carry what the object requires.
fn missing(schema: &ObjectSchema, item: &WriteItem) -> Option<Foreseen> {
    let Target::Create { property: key, .. } = &item.target else { return None };
    let carries = |name: &str| item.fields.iter().any(|(property, raw)| property == name && *raw != Raw::Null);
    let missing = |property: &&PropertySchema| {
        property.required && property.writable && property.name != *key && !carries(&property.name)
    };
    let name = schema.properties.iter().find(missing)?.name.clone();
    Some(Foreseen { code: MISSING, message: format!("a new {} needs {name}", schema.object), property: name })
}

const MISSING: &str = "REQUIRED_FIELD_MISSING";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{OpId, RemoteId};

    fn property(name: &str, kind: PropertyType) -> PropertySchema {
        PropertySchema {
            name: name.into(),
            label: name.into(),
            kind,
            writable: true,
            required: false,
            unique: false,
            length: None,
            precision: None,
            scale: None,
            refers_to: Vec::new(),
            options: Vec::new(),
            choices: Vec::new(),
        }
    }

    fn schemas() -> Schemas {
        let name = PropertySchema { required: true, length: Some(3), ..property("Name", PropertyType::Text) };
        let stage = PropertySchema { options: vec!["Won".into()], ..property("Stage", PropertyType::Enumeration) };
        let key = PropertySchema { required: true, ..property("Key", PropertyType::Text) };
        let properties = vec![name, stage, key];
        Schemas::new(vec![(SystemId(1), ObjectSchema { object: "Deal".into(), properties })])
    }

    fn foreseen(create: bool, fields: &[(&str, Raw)]) -> Option<(&'static str, String)> {
        let target = match create {
            true => Target::Create { property: "Key".into(), value: "k".into() },
            false => Target::Update(RemoteId::parse("1").unwrap()),
        };
        let fields = fields.iter().map(|(name, raw)| ((*name).to_owned(), raw.clone())).collect();
        let item = WriteItem { op: OpId(1), target, fields };
        schemas().refusal(SystemId(1), "Deal", &item).map(|foreseen| (foreseen.code, foreseen.property))
    }

    #[test]
    fn lengths_options_and_required_properties_are_foreseen() {
        let text = |text: &str| Raw::Text(text.into());
        assert_eq!(foreseen(true, &[("Name", text("äöü")), ("Stage", text("won"))]), None);
        assert_eq!(foreseen(false, &[("Name", text("abcd"))]), Some(("STRING_TOO_LONG", "Name".into())));
        assert_eq!(foreseen(false, &[("Stage", text("Lost"))]), Some(("INVALID_OPTION", "Stage".into())));
        assert_eq!(foreseen(false, &[("Name", Raw::Null)]), Some((MISSING, "Name".into())));
        assert_eq!(foreseen(true, &[("Stage", text("Won"))]), Some((MISSING, "Name".into())));
        assert_eq!(foreseen(false, &[("Stage", Raw::Null)]), None);
        assert_eq!(foreseen(false, &[("Other", text("?"))]), None, "in doubt it is accepted");
    }
}

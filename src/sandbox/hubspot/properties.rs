//! The properties API: definitions listed, made, changed, archived.

use serde_json::{Map, Value, json};

use super::object_type::ObjectType;
use super::query::Query;
use super::refusal::Refusal;
use super::schema::{Choice, Property, PropertyType};
use super::{Call, HubSpotWorld, body_of};
use crate::sandbox::http::{Request, Response};

impl HubSpotWorld {
    pub(super) fn property_call(
        &mut self,
        object: ObjectType,
        rest: &[String],
        request: &Request,
        call: Call,
    ) -> Result<Response, Refusal> {
        let schema = &mut self.table_mut(object).schema;
        let name = rest.first().map(String::as_str);
        match (request.method.as_str(), name) {
            ("GET", None) => {
                let archived = Query::parse(&request.query).is_true("archived");
                let listed: Vec<_> = schema
                    .all()
                    .filter(|(_, property)| property.archived_ms.is_some() == archived)
                    .map(|(_, property)| property.to_json())
                    .collect();
                Ok(Response::json(200, &json!({"results": listed})))
            }
            ("GET", Some("groups")) => {
                let group =
                    json!({"name": object.group(), "label": "Information", "displayOrder": 0, "archived": false});
                Ok(Response::json(200, &json!({"results": [group]})))
            }
            ("GET", Some(name)) => match schema.get(name) {
                Some(property) => Ok(Response::json(200, &property.to_json())),
                None => Err(unknown(name)),
            },
            ("POST", None) => {
                let property = defined(object, &body_of(request)?, call.now_ms)?;
                if schema.get(&property.name).is_some() {
                    let message = format!("A property named '{}' already exists.", property.name);
                    return Err(Refusal::new(409, "OBJECT_ALREADY_EXISTS", message)
                        .with("subCategory", json!("Properties.PROPERTY_WITH_NAME_EXISTS")));
                }
                let unique = schema.live().filter(|(_, known)| known.unique && !known.standard).count();
                if property.unique && unique >= UNIQUE_MAX {
                    return Err(Refusal::validation(format!("At most {UNIQUE_MAX} unique properties are allowed")));
                }
                Ok(Response::json(201, &schema.define(property).to_json()))
            }
            ("PATCH", Some(name)) => {
                let body = body_of(request)?;
                let property = schema.get_mut(name).ok_or_else(|| unknown(name))?;
                if let Some(label) = body.get("label").and_then(Value::as_str) {
                    property.label = label.to_owned();
                }
                if let Some(options) = body.get("options") {
                    property.options = choices(options)?;
                }
                Ok(Response::json(200, &property.to_json()))
            }
            ("DELETE", Some(name)) => {
                if schema.get(name).is_some_and(|property| property.standard) {
                    return Err(Refusal::validation(format!("{name} is defined by HubSpot and cannot be deleted")));
                }
                if schema.archive(name, call.now_ms) { Ok(Response::empty(204)) } else { Err(unknown(name)) }
            }
            _ => Err(Refusal::bare(405, "Method Not Allowed")),
        }
    }
}

/// A definition as a request describes it.
fn defined(object: ObjectType, body: &Map<String, Value>, now_ms: i64) -> Result<Property, Refusal> {
    let text = |key: &str| {
        let value = body.get(key).and_then(Value::as_str).filter(|value| !value.is_empty());
        value.ok_or_else(|| Refusal::validation(format!("Some required fields were not set: [{key}]")))
    };
    let (name, label, group) = (text("name")?, text("label")?, text("groupName")?);
    let starts_well = name.starts_with(|letter: char| letter.is_ascii_lowercase());
    if !starts_well || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
        return Err(Refusal::validation(format!(
            "'{name}' is not a property name: lower case letters, digits and _ only"
        )));
    }
    if group != object.group() {
        return Err(Refusal::validation(format!("There is no property group '{group}'")));
    }
    let (kind, field_type) = (text("type")?, text("fieldType")?);
    let kind = PropertyType::parse(kind, field_type)
        .ok_or_else(|| Refusal::validation(format!("fieldType {field_type} does not go with type {kind}")))?;
    Ok(Property {
        kind,
        field_type: field_type.to_owned(),
        options: body.get("options").map(choices).transpose()?.unwrap_or_default(),
        unique: body.get("hasUniqueValue").and_then(Value::as_bool).unwrap_or(false),
        created_ms: now_ms,
        ..Property::text(name, label, group)
    })
}

fn choices(options: &Value) -> Result<Vec<Choice>, Refusal> {
    let refuse = || Refusal::validation("options must have a label and a value each");
    let choice = |option: &Value| {
        let text = |key: &str| option.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Choice { value: text("value")?, label: text("label")? })
    };
    options.as_array().ok_or_else(refuse)?.iter().map(|option| choice(option).ok_or_else(refuse)).collect()
}

fn unknown(name: &str) -> Refusal {
    Refusal::new(404, "OBJECT_NOT_FOUND", format!("No property named '{name}' exists."))
}

const UNIQUE_MAX: usize = 10;

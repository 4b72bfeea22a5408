//! What HubSpot says about an object's properties.

use super::super::ConnectorError;
use super::super::transport::Request;
use super::HubSpot;
use crate::model::{ObjectSchema, PropertySchema, PropertyType};
use serde::Deserialize;

impl HubSpot {
    pub(super) async fn describe(&self, object: &str) -> Result<ObjectSchema, ConnectorError> {
        let what = format!("describing {object}");
        let object = self.object(&what, object)?;
        let path = format!("/crm/properties/{}/{object}", self.version);
        let body = self.expect(&what, self.client.read(Request::get(path)).await?)?;
        let mut schema = self.parsed(&what, parse(object, &body))?;
        schema.properties.extend(super::ties::as_properties(object));
        self.describe_lists(&mut schema).await?;
        self.describe_sets(&mut schema).await?;
        // Stages and pipelines are kept by another interface, which may be the only one to list them.
        if schema.properties.iter().any(|property| is_staged(property) && property.options.is_empty()) {
            let path = format!("/crm/pipelines/{}/{object}", self.version);
            let body = self.expect(&what, self.client.read(Request::get(path)).await?)?;
            self.parsed(&what, add_stages(&mut schema, &body))?;
        }
        Ok(schema)
    }
}

#[derive(Deserialize)]
struct List<T> {
    results: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Property {
    name: String,
    label: String,
    #[serde(rename = "type")]
    kind: String,
    field_type: String,
    options: Vec<Choice>,
    has_unique_value: bool,
    calculated: bool,
    archived: bool,
    referenced_object_type: Option<String>,
    modification_metadata: Option<Modification>,
}

#[derive(Deserialize)]
struct Choice {
    value: String,
    #[serde(default)]
    label: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Modification {
    read_only_value: bool,
}

#[derive(Deserialize)]
struct Pipeline {
    id: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    stages: Vec<Stage>,
}

#[derive(Deserialize)]
struct Stage {
    id: String,
    #[serde(default)]
    label: String,
}

/// Reads the list of properties.
pub(crate) fn parse(object: &str, body: &str) -> Result<ObjectSchema, String> {
    let list: List<Property> = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let live = list.results.into_iter().filter(|property| !property.archived && !property.name.is_empty());
    Ok(ObjectSchema { object: object.to_owned(), properties: live.map(|property| one(object, property)).collect() })
}

fn one(object: &str, property: Property) -> PropertySchema {
    let read_only = property.modification_metadata.is_some_and(|metadata| metadata.read_only_value);
    let kind = match (property.kind.as_str(), property.field_type.as_str()) {
        _ if property.referenced_object_type.is_some() => PropertyType::Reference,
        ("string" | "phone_number", _) => PropertyType::Text,
        ("number", _) => PropertyType::Number,
        ("bool", _) => PropertyType::Bool,
        ("date", _) => PropertyType::Date,
        ("datetime", _) => PropertyType::DateTime,
        ("enumeration", "checkbox") => PropertyType::MultiEnumeration,
        ("enumeration", _) => PropertyType::Enumeration,
        _ => PropertyType::Other,
    };
    PropertySchema {
        writable: !read_only && !property.calculated,
        required: is_required(object, &property.name),
        unique: property.has_unique_value || (is_contacts(object) && property.name == "email"),
        length: (kind == PropertyType::Text).then_some(TEXT_MAX),
        precision: None,
        scale: None,
        refers_to: property.referenced_object_type.into_iter().collect(),
        options: property.options.iter().map(|option| option.value.clone()).collect(),
        choices: property.options.into_iter().map(|option| (option.value, option.label)).collect(),
        name: property.name,
        label: property.label,
        kind,
    }
}

/// Takes in the pipelines as options of the properties that hold them.
pub(crate) fn add_stages(schema: &mut ObjectSchema, body: &str) -> Result<(), String> {
    let list: List<Pipeline> = serde_json::from_str(body).map_err(|error| error.to_string())?;
    for property in schema.properties.iter_mut().filter(|property| is_staged(property) && property.options.is_empty()) {
        let pair = |id: &String, label: &String| (id.clone(), label.clone());
        let stages = || list.results.iter().flat_map(|pipeline| &pipeline.stages);
        property.choices = match property.name.ends_with("stage") {
            true => stages().map(|stage| pair(&stage.id, &stage.label)).collect(),
            false => list.results.iter().map(|pipeline| pair(&pipeline.id, &pipeline.label)).collect(),
        };
        property.options = property.choices.iter().map(|(value, _)| value.clone()).collect();
    }
    Ok(())
}

fn is_staged(property: &PropertySchema) -> bool {
    matches!(property.name.as_str(), "dealstage" | "pipeline" | "hs_pipeline" | "hs_pipeline_stage")
}

fn is_contacts(object: &str) -> bool {
    super::wire::modified_property(object) == "lastmodifieddate"
}

/// The definitions do not say what a create needs; the documents do. (A contact or company needs one of several.)
fn is_required(object: &str, name: &str) -> bool {
    match object {
        "deals" | "0-3" => matches!(name, "dealname" | "dealstage"),
        "tasks" | "notes" | "calls" | "meetings" => name == "hs_timestamp",
        "emails" => matches!(name, "hs_timestamp" | "hs_email_direction"),
        _ => false,
    }
}

/// Longest text that HubSpot keeps, in characters.
const TEXT_MAX: u32 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_reduced_to_what_the_mapping_needs() {
        let body = r#"{"results":[
            {"name":"email","label":"Email","type":"string","fieldType":"text","options":[],"hasUniqueValue":false,"modificationMetadata":{"readOnlyValue":false}},
            {"name":"tags","label":"Tags","type":"enumeration","fieldType":"checkbox","options":[{"label":"A","value":"a"}]},
            {"name":"hubspot_owner_id","label":"Owner","type":"enumeration","fieldType":"select","externalOptions":true,"referencedObjectType":"OWNER","options":[]},
            {"name":"num_notes","label":"Notes","type":"number","fieldType":"number","modificationMetadata":{"readOnlyValue":true}},
            {"name":"old","label":"Old","type":"string","fieldType":"text","archived":true},
            {"name":"where","label":"Where","type":"object_coordinates","fieldType":"text"}]}"#;
        let schema = parse("contacts", body).unwrap();
        assert_eq!(schema.properties.len(), 5);
        let email = schema.property("email").unwrap();
        assert!(email.unique && email.writable && email.kind == PropertyType::Text);
        assert_eq!(schema.property("tags").unwrap().kind, PropertyType::MultiEnumeration);
        assert_eq!(schema.property("tags").unwrap().options, ["a"]);
        assert_eq!(schema.property("hubspot_owner_id").unwrap().kind, PropertyType::Reference);
        assert!(!schema.property("num_notes").unwrap().writable);
        assert_eq!(schema.property("where").unwrap().kind, PropertyType::Other);
        assert!(!parse("companies", body).unwrap().property("email").unwrap().unique);
    }

    #[test]
    fn stages_come_from_the_pipelines_where_the_property_lists_none() {
        let body = r#"{"results":[{"name":"dealstage","label":"Stage","type":"enumeration","fieldType":"radio","options":[]},
            {"name":"pipeline","label":"Pipeline","type":"enumeration","fieldType":"select","options":[]}]}"#;
        let mut schema = parse("deals", body).unwrap();
        add_stages(&mut schema, r#"{"results":[{"id":"default","stages":[{"id":"closedwon"},{"id":"closedlost"}]}]}"#)
            .unwrap();
        assert_eq!(schema.property("dealstage").unwrap().options, ["closedwon", "closedlost"]);
        assert_eq!(schema.property("pipeline").unwrap().options, ["default"]);
        assert!(schema.property("dealstage").unwrap().required);
    }
}

//! What Salesforce says about an object's fields.

use super::super::ConnectorError;
use super::super::transport::Request;
use super::Salesforce;
use super::wire::with_client;
use crate::model::{ObjectSchema, PropertySchema, PropertyType};
use serde::Deserialize;

impl Salesforce {
    pub(super) async fn describe(&self, object: &str) -> Result<ObjectSchema, ConnectorError> {
        let mut schema = self.describe_own(object).await?;
        self.describe_junctions(&mut schema).await?;
        Ok(schema)
    }

    pub(super) async fn describe_own(&self, object: &str) -> Result<ObjectSchema, ConnectorError> {
        let what = format!("describing {object}");
        self.name(&what, object)?;
        let path = format!("/services/data/{}/sobjects/{object}/describe", self.version);
        let body = self.expect(&what, self.client.read(with_client(Request::get(path))).await?)?;
        self.parsed(&what, parse(object, &body))
    }
}

/// How a person makes the field that holds our external id; the record interface cannot.
pub(super) fn id_field_steps(object: &str, field: &str) -> Vec<String> {
    let name = field.strip_suffix("__c").unwrap_or(field);
    vec![
        format!("open Setup, Object Manager, {object}, Fields & Relationships, and choose New"),
        format!("choose the type Text, the length 64, and the field name {name} (so that its API name is {field})"),
        "tick \"Do not allow duplicate values\" with \"Treat ABC and abc as different values (case sensitive)\""
            .to_owned(),
        "tick \"External ID\"".to_owned(),
        "make it visible and editable for the integration's user (field-level security); no page layout needs it"
            .to_owned(),
    ]
}

#[derive(Deserialize)]
struct Described {
    fields: Vec<Field>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Field {
    name: String,
    label: String,
    #[serde(rename = "type")]
    kind: String,
    length: u32,
    precision: u32,
    scale: u32,
    reference_to: Vec<String>,
    digits: u32,
    nillable: bool,
    createable: bool,
    updateable: bool,
    defaulted_on_create: bool,
    calculated: bool,
    auto_number: bool,
    external_id: bool,
    id_lookup: bool,
    unique: bool,
    restricted_picklist: bool,
    picklist_values: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    active: bool,
    value: String,
    #[serde(default)]
    label: Option<String>,
}

/// Reads a describe answer.
pub(crate) fn parse(object: &str, body: &str) -> Result<ObjectSchema, String> {
    let described: Described = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let fields = described.fields.into_iter().filter(|field| !field.name.is_empty());
    Ok(ObjectSchema { object: object.to_owned(), properties: fields.map(one).collect() })
}

fn one(field: Field) -> PropertySchema {
    let kind = match field.kind.as_str() {
        "string" | "textarea" | "phone" | "url" | "email" | "encryptedstring" | "combobox" => PropertyType::Text,
        "int" | "long" | "double" | "currency" | "percent" => PropertyType::Number,
        "boolean" => PropertyType::Bool,
        "date" => PropertyType::Date,
        "datetime" => PropertyType::DateTime,
        "picklist" => PropertyType::Enumeration,
        "multipicklist" => PropertyType::MultiEnumeration,
        "reference" | "id" => PropertyType::Reference,
        _ => PropertyType::Other,
    };
    // A field that is only createable cannot be kept equal.
    let writable = field.updateable && !field.calculated && !field.auto_number;
    let active = field.picklist_values.into_iter().filter(|choice| choice.active);
    let choices: Vec<(String, String)> =
        active.map(|choice| (choice.value.clone(), choice.label.unwrap_or(choice.value))).collect();
    let options = choices.iter().filter(|_| field.restricted_picklist).map(|(value, _)| value.clone()).collect();
    PropertySchema {
        required: !field.nillable && field.createable && !field.defaulted_on_create,
        unique: field.unique && (field.external_id || field.id_lookup),
        length: (kind == PropertyType::Text && field.length > 0).then_some(field.length),
        // Whole numbers state `digits`, others both of these.
        precision: [field.precision, field.digits].into_iter().find(|digits| *digits > 0),
        scale: (kind == PropertyType::Number && (field.precision > 0 || field.digits > 0)).then_some(field.scale),
        refers_to: field.reference_to,
        options,
        choices,
        name: field.name,
        label: field.label,
        writable,
        kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_reduced_to_what_the_mapping_needs() {
        let body = r#"{"name":"Contact","fields":[
            {"name":"LastName","label":"Last Name","type":"string","length":80,"nillable":false,"createable":true,"updateable":true,"defaultedOnCreate":false},
            {"name":"Email","label":"Email","type":"email","length":80,"nillable":true,"createable":true,"updateable":true,"idLookup":true},
            {"name":"Syncline_Id__c","label":"S","type":"string","length":64,"nillable":true,"createable":true,"updateable":true,"externalId":true,"idLookup":true,"unique":true,"caseSensitive":true},
            {"name":"OwnerId","label":"Owner","type":"reference","nillable":false,"createable":true,"updateable":true,"defaultedOnCreate":true},
            {"name":"Open__c","label":"O","type":"picklist","restrictedPicklist":false,"picklistValues":[{"active":true,"value":"a","label":"A"}]},
            {"name":"Strict__c","label":"S","type":"picklist","restrictedPicklist":true,"picklistValues":[{"active":true,"value":"a"},{"active":false,"value":"b"}]},
            {"name":"Amount","label":"A","type":"currency","precision":18,"scale":2,"digits":0,"updateable":true},
            {"name":"Employees","label":"E","type":"int","precision":0,"scale":0,"digits":8,"updateable":true},
            {"name":"Name","label":"Name","type":"string","calculated":false,"updateable":false},
            {"name":"MailingAddress","label":"M","type":"address"}]}"#;
        let schema = parse("Contact", body).unwrap();
        let property = |name: &str| schema.property(name).unwrap();
        assert!(property("LastName").required && property("LastName").length == Some(80));
        assert!(!property("OwnerId").required && property("OwnerId").kind == PropertyType::Reference);
        assert!(!property("Email").unique && property("Syncline_Id__c").unique);
        assert!(property("Open__c").options.is_empty());
        assert_eq!(property("Open__c").choices, [("a".to_owned(), "A".to_owned())]);
        assert_eq!(property("Strict__c").options, ["a"]);
        let digits = |name| (property(name).precision, property(name).scale);
        assert_eq!([digits("Amount"), digits("Employees")], [(Some(18), Some(2)), (Some(8), Some(0))]);
        assert_eq!(digits("Email"), (None, None));
        assert!(!property("Name").writable);
        assert_eq!(property("MailingAddress").kind, PropertyType::Other);
        assert!(parse("Contact", "[]").is_err());
    }
}

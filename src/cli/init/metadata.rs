//! `init --salesforce-metadata`: what an administrator deploys, so that the mapping finds its fields and its user may do what it
//! needs and no more. Asks nobody: what the org is known to say of its fields is taken from the store, if there is one.

use crate::cli::{CliError, Context, Exit};
use crate::model::{SystemId, is_ties};
use crate::rules::config::{Config, SystemKind, SystemSettings};
use crate::rules::{Binding, Entity, Mode};
use crate::store::{SeenSchemas, Store};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Writes it.
pub(super) fn run(folder: &Path, context: &Context) -> Result<Exit, CliError> {
    let config = context.load()?;
    let systems: Vec<&SystemSettings> =
        config.settings.systems.iter().filter(|system| system.kind == SystemKind::Salesforce).collect();
    if systems.is_empty() {
        let mend = "name a config with a system of kind \"salesforce\"";
        return Err(CliError::usage("no_salesforce", "the config has no Salesforce system", mend));
    }
    // A store that cannot be looked into knows nothing: the files are then a little longer than need be.
    let seen = Store::peek_schemas(&config.settings.store).unwrap_or_default();
    let mut files = Vec::new();
    let mut told = serde_json::Map::new();
    for system in &systems {
        let place = if systems.len() > 1 { folder.join(&system.name) } else { folder.to_owned() };
        let objects = objects(&config, system.id, &seen);
        told.insert(
            system.name.clone(),
            objects.iter().map(|(name, object)| (name.clone(), object.document())).collect(),
        );
        let id_fields = objects.iter().filter_map(|(name, object)| Some((name, object.external_id.as_ref()?)));
        for (name, field) in id_fields {
            files.push((place.join("objects").join(format!("{name}.object")), custom_object(field)));
        }
        files.push((place.join("permissionsets").join(format!("{NAME}.permissionset")), permission_set(&objects)));
        files.push((place.join("package.xml"), package(&objects, system)));
    }
    write_all(&files)?;
    let written: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    context.output.document(&json!({ "written": written, "systems": told }));
    written.iter().for_each(|path| context.output.say(format!("wrote {path}")));
    context.output.say(format!(
        "deploy the folder with package.xml in it (Metadata API format; try it in a sandbox org first), then assign the permission \
         set {NAME} to the integration's user and run `syncline check`"
    ));
    Ok(Exit::Equal)
}

/// What the mapping needs of one object.
#[derive(Debug, Default)]
struct Object {
    create: bool,
    edit: bool,
    delete: bool,
    external_id: Option<String>,
    /// May it be written? By the name that permissions go by.
    fields: BTreeMap<String, bool>,
}

impl Object {
    fn document(&self) -> serde_json::Value {
        json!({
            "create": self.create, "edit": self.edit, "delete": self.delete, "external_id": self.external_id,
            "fields": self.fields,
        })
    }
}

fn objects(config: &Config, system: SystemId, seen: &SeenSchemas) -> BTreeMap<String, Object> {
    let mut objects: BTreeMap<String, Object> = BTreeMap::new();
    let writes = config.rules.system(system).is_some_and(|system| system.mode == Mode::ReadWrite);
    for entity in &config.rules.entities {
        for binding in entity.bindings_in(system) {
            let object = objects.entry(binding.object.clone()).or_default();
            add(object, entity, binding, writes, seen);
        }
    }
    objects
}

fn add(object: &mut Object, entity: &Entity, binding: &Binding, writes: bool, seen: &SeenSchemas) {
    object.create |= writes && binding.create;
    object.delete |= writes && entity.may_delete_in(binding.system);
    let known = seen.iter().find(|(id, seen)| *id == binding.system && seen.schema.object == binding.object);
    // What an org fills in where nobody says is required all the same, as to permissions: so the list counts beside what it says.
    let required = |name: &str| {
        let told = known.and_then(|(_, seen)| seen.schema.property(name)).is_some_and(|property| property.required);
        told || is_required(&binding.object, name)
    };
    let mut need = |name: &str, edit: bool| {
        let Some(name) = permission_name(name).filter(|_| !required(name)) else { return };
        *object.fields.entry(name.to_owned()).or_default() |= edit;
    };
    let mut edits = false;
    for (field, at) in entity.leaves_at(binding.home()) {
        let edit = writes && field.conflict.owner() != Some(binding.system);
        edits |= edit;
        // Ties are rows of another object, of whose rights we know nothing.
        at.properties.iter().filter(|name| !is_ties(name)).for_each(|name| need(name, edit));
    }
    for (name, _) in binding.on_create.iter().filter(|_| writes && binding.create) {
        need(name, true);
    }
    if let Some(name) = &binding.external_id {
        need(name, writes && binding.create);
        object.external_id = Some(name.clone());
    }
    object.edit |= edits;
}

/// What the right to a field is called: parts of an address by their compound. None = it is nobody's to grant: names, and what the
/// system keeps itself, are seen by whoever sees the record.
pub(crate) fn permission_name(field: &str) -> Option<&str> {
    const ALWAYS: [&str; 10] = [
        "Id",
        "Name",
        "FirstName",
        "LastName",
        "Salutation",
        "IsDeleted",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "OwnerId",
    ];
    if ALWAYS.contains(&field) || field == "CurrencyIsoCode" {
        return None;
    }
    let part = ["Street", "City", "State", "StateCode", "PostalCode", "Country", "CountryCode"];
    let whose = part.iter().filter_map(|part| field.strip_suffix(part)).next_back();
    Some(match whose {
        Some("") => "Address",
        Some("Mailing") => "MailingAddress",
        Some("Other") => "OtherAddress",
        Some("Billing") => "BillingAddress",
        Some("Shipping") => "ShippingAddress",
        _ => field,
    })
}

/// Rights to what a record cannot be without are not granted by field, and naming them is refused.
fn is_required(object: &str, field: &str) -> bool {
    matches!(
        (object, field),
        ("Lead", "Company" | "Status")
            | ("Opportunity", "StageName" | "CloseDate")
            | ("Task" | "Event", "Status" | "Priority")
    )
}

fn custom_object(field: &str) -> String {
    let mut xml = Xml::new("CustomObject");
    xml.open("fields");
    xml.leaf("fullName", field);
    xml.leaf("caseSensitive", "true");
    xml.leaf(
        "description",
        "Syncline's own id of the record: written when Syncline creates it. Nobody else should change it.",
    );
    xml.leaf("externalId", "true");
    xml.leaf("label", &label(field));
    xml.leaf("length", "64");
    xml.leaf("required", "false");
    xml.leaf("type", "Text");
    xml.leaf("unique", "true");
    xml.close("fields");
    xml.end("CustomObject")
}

fn label(field: &str) -> String {
    field.strip_suffix("__c").unwrap_or(field).replace('_', " ").trim().to_owned()
}

fn permission_set(objects: &BTreeMap<String, Object>) -> String {
    let mut xml = Xml::new("PermissionSet");
    xml.leaf(
        "description",
        "What Syncline's mapping needs, and no more. Made by `syncline init --salesforce-metadata`.",
    );
    for (name, object) in objects {
        for (field, edit) in &object.fields {
            xml.open("fieldPermissions");
            xml.leaf("editable", &edit.to_string());
            xml.leaf("field", &format!("{name}.{field}"));
            xml.leaf("readable", "true");
            xml.close("fieldPermissions");
        }
    }
    xml.leaf("hasActivationRequired", "false");
    xml.leaf("label", NAME);
    for (name, object) in objects {
        xml.open("objectPermissions");
        xml.leaf("allowCreate", &object.create.to_string());
        xml.leaf("allowDelete", &object.delete.to_string());
        xml.leaf("allowEdit", &object.edit.to_string());
        xml.leaf("allowRead", "true");
        xml.leaf("modifyAllRecords", "false");
        xml.leaf("object", name);
        // Who does not see a record would make a second one of it. (It does not let him change it: sharing does.)
        xml.leaf("viewAllRecords", "true");
        xml.close("objectPermissions");
    }
    // To call the interface at all, and to ask for the day's limits.
    for right in ["ApiEnabled", "ViewSetup"] {
        xml.open("userPermissions");
        xml.leaf("enabled", "true");
        xml.leaf("name", right);
        xml.close("userPermissions");
    }
    xml.end("PermissionSet")
}

fn package(objects: &BTreeMap<String, Object>, system: &SystemSettings) -> String {
    let mut xml = Xml::new("Package");
    let fields: Vec<String> = objects
        .iter()
        .filter_map(|(name, object)| object.external_id.as_ref().map(|field| format!("{name}.{field}")))
        .collect();
    if !fields.is_empty() {
        xml.open("types");
        fields.iter().for_each(|field| xml.leaf("members", field));
        xml.leaf("name", "CustomField");
        xml.close("types");
    }
    xml.open("types");
    xml.leaf("members", NAME);
    xml.leaf("name", "PermissionSet");
    xml.close("types");
    let version = system.version.as_deref().unwrap_or(VERSION);
    xml.leaf("version", version.trim_start_matches('v'));
    xml.end("Package")
}

/// All of them or, where one is there already, none.
fn write_all(files: &[(PathBuf, String)]) -> Result<(), CliError> {
    if let Some((path, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        let mend = "name another folder, or move it away";
        return Err(CliError::usage("exists", format!("{} is already there", path.display()), mend));
    }
    for (path, text) in files {
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| OpenOptions::new().write(true).create_new(true).open(path))
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| {
            let message = format!("{} cannot be written: {error}", path.display());
            CliError::usage("write", message, "name another folder, or see to its permissions")
        })?;
    }
    Ok(())
}

/// A document as it grows.
struct Xml {
    text: String,
    depth: usize,
}

impl Xml {
    fn new(root: &str) -> Self {
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
        let text = format!("{head}\n<{root} xmlns=\"http://soap.sforce.com/2006/04/metadata\">\n");
        Self { text, depth: 1 }
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{}{line}", "    ".repeat(self.depth));
    }

    fn open(&mut self, name: &str) {
        self.line(&format!("<{name}>"));
        self.depth += 1;
    }

    fn close(&mut self, name: &str) {
        self.depth -= 1;
        self.line(&format!("</{name}>"));
    }

    fn leaf(&mut self, name: &str, value: &str) {
        self.line(&format!("<{name}>{}</{name}>", escaped(value)));
    }

    fn end(mut self, root: &str) -> String {
        let _ = writeln!(self.text, "</{root}>");
        self.text
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Of the permission set.
const NAME: &str = "Syncline";
/// Of the interface, unless the config names another.
const VERSION: &str = "61.0";

#[cfg(test)]
mod tests;

//! `check` against live schemas: what is wrong, what is missing, and what can be made.

use super::world::{World, until};
use serde_json::{Value, json};
use syncline::sandbox::listener::SandboxConfig;
use syncline::store::{OpenOptions, Store};

const PROPERTIES: &str = "/crm/properties/2026-03";

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn everything_that_is_wrong_is_told_at_once_by_system() {
    let world = World::new(0);
    world.edit_config("salesforce = \"MailingCity\"", "salesforce = \"MailingCiti\"");
    world.edit_config("hubspot = \"jobtitle\"", "hubspot = \"jobtitel\"");
    world.edit_config("salesforce = \"Amount\"", "salesforce = \"CloseDate\"");
    world.edit_config("{ type = \"date\", hubspot = \"closedate\", salesforce = \"CloseDate\", default = { salesforce = 2030-12-31 } }", "{ type = \"date\", hubspot = \"closedate\", salesforce = \"Probability\" }");
    world.edit_config("salesforce = \"Closed Won\"", "salesforce = \"Closed Wonn\"");
    let (code, document) = world.json(&["check"]);
    assert_eq!(code, Some(2), "{document}");
    let details = document["error"]["details"].as_array().expect("details").clone();
    let told = |group: &str, part: &str, mend: &str| {
        let found = |detail: &&Value| text(detail, "group") == group && text(detail, "message").contains(part);
        let detail = details.iter().find(found).unwrap_or_else(|| panic!("{part} in {document}"));
        assert!(text(detail, "mend").contains(mend) && detail["line"].as_u64().is_some(), "{detail}");
    };
    told("hubspot", "no property `jobtitel`", "jobtitle");
    told("salesforce", "no property `MailingCiti`", "MailingCity");
    told("salesforce", "`Probability` is a number", "\"decimal\"");
    told("salesforce", "`CloseDate` is a date", "\"date\"");
    told("salesforce", "no option `Closed Wonn`", "Closed Won");
    assert_eq!(details.len(), 5, "{document}");
    let (_, out, err) = world.run(&["check"]);
    let at = |part: &str| err.find(part).unwrap_or_else(|| panic!("{part} in {err}"));
    assert!(at("hubspot: 1 error") < at("jobtitel") && at("jobtitel") < at("salesforce: 4 errors"), "{err}");
    assert!(out.contains("hubspot: a history per property") && out.contains("salesforce: polled"), "{out}");

    // With one secret gone, the other system is still asked.
    std::fs::remove_file(world.path("secrets/hubspot.token")).expect("a file");
    let (code, document) = world.json(&["check"]);
    assert_eq!((code, text(&document["error"], "code")), (Some(2), "secret"), "{document}");
    let groups: Vec<&str> =
        document["error"]["details"].as_array().expect("details").iter().map(|detail| text(detail, "group")).collect();
    assert_eq!(groups, ["secrets", "salesforce", "salesforce", "salesforce", "salesforce"]);
    assert_eq!(world.json(&["check", "--offline"]).0, Some(0), "the config alone is sound, and needs no secret");
}

#[test]
fn options_without_a_row_and_rows_without_an_option_are_warned_of() {
    let world = World::new(0);
    let (code, document) = world.json(&["check"]);
    assert_eq!(code, Some(0), "{document}");
    assert!(!document["warnings"].to_string().contains("value map"), "{document}");
    let price = &document["systems"]["salesforce"]["polling"];
    assert_eq!(price["calls_per_day"], 103_680, "{price}");
    assert!(price["account_per_day"].as_u64().is_some_and(|limit| limit > 0), "{price}");

    world.edit_config("    { hubspot = \"closedlost\", salesforce = \"Closed Lost\" },\n", "");
    let (code, document) = world.json(&["check"]);
    assert_eq!(code, Some(0), "{document}");
    let warnings = document["warnings"].as_array().expect("a list");
    let warning =
        warnings.iter().find(|warning| text(warning, "message").contains("hubspot's closedlost")).expect("a warning");
    assert_eq!(text(warning, "group"), "hubspot", "{warning}");
    assert!(text(warning, "mend").contains("{ hubspot = \"closedlost\", salesforce = \"Closed Lost\" }"), "{warning}");
    let (_, _, err) = world.run(&["check"]);
    assert!(err.contains("warning: hubspot (2)") && err.contains("syncline.toml:"), "{err}");
}

#[test]
fn machines_are_told_of_warnings_beside_errors() {
    let world = World::new(0);
    world.edit_config("    { hubspot = \"closedlost\", salesforce = \"Closed Lost\" },\n", "");
    world.edit_config("hubspot = \"jobtitle\"", "hubspot = \"jobtitel\"");
    let (code, document) = world.json(&["check"]);
    assert_eq!((code, text(&document["error"], "code")), (Some(2), "schema"), "{document}");
    let warnings = document["warnings"].to_string();
    assert!(warnings.contains("hubspot's closedlost"), "{document}");
    assert_eq!(document["ok"], false, "{document}");
    assert!(document["systems"]["salesforce"]["objects"].to_string().contains("Contact"), "{document}");
}

#[test]
fn the_property_for_our_id_is_made_in_hubspot_and_explained_for_salesforce() {
    let world = World::with(SandboxConfig { external_id: false, ..SandboxConfig::default() });
    let (code, document) = world.json(&["check"]);
    assert_eq!(code, Some(2), "{document}");
    assert_eq!(document["error"]["details"].as_array().map(Vec::len), Some(6), "{document}");
    assert!(text(&document["error"], "mend").contains("--create-properties"), "{document}");

    let (code, out, err) = world.run(&["check", "--create-properties"]);
    assert_eq!(code, Some(2), "Salesforce's are still missing: {out}{err}");
    for part in ["made syncline_id on hubspot's contacts", "Object Manager, Contact", "Syncline_Id__c", "External ID"] {
        assert!(out.contains(part), "{part} in {out}");
    }
    assert!(err.contains("salesforce: 3 errors") && !err.contains("hubspot's contacts.syncline_id"), "{err}");
    for object in ["contacts", "companies", "deals"] {
        let made = world.person("hubspot", "GET", &format!("{PROPERTIES}/{object}/syncline_id"), &Value::Null);
        assert_eq!((&made["hasUniqueValue"], &made["type"]), (&json!(true), &json!("string")), "{made}");
    }
    // A second time there is nothing to make.
    let (_, out, _) = world.run(&["check", "--create-properties"]);
    assert!(!out.contains("made syncline_id"), "{out}");
}

#[test]
fn an_eleventh_unique_property_and_one_that_came_back_otherwise_are_refused() {
    let world = World::with(SandboxConfig { external_id: false, ..SandboxConfig::default() });
    let make = |name: &str, unique: bool| {
        let body = json!({ "name": name, "label": name, "type": "string", "fieldType": "text",
            "groupName": "contactinformation", "hasUniqueValue": unique });
        world.person("hubspot", "POST", &format!("{PROPERTIES}/contacts"), &body);
    };
    (0..10).for_each(|number| make(&format!("key_{number}"), true));
    let (code, document) = world.json(&["check", "--create-properties"]);
    assert_eq!(code, Some(2));
    assert!(document.to_string().contains("10 properties of contacts are unique already"), "{document}");

    // An archived property comes back as it was: not unique.
    world.person("hubspot", "DELETE", &format!("{PROPERTIES}/contacts/key_0"), &Value::Null);
    make("syncline_id", false);
    world.person("hubspot", "DELETE", &format!("{PROPERTIES}/contacts/syncline_id"), &Value::Null);
    let (_, document) = world.json(&["check", "--create-properties"]);
    assert!(document.to_string().contains("is not unique, which cannot be changed"), "{document}");
}

#[test]
fn nothing_is_made_where_nothing_may_be_written() {
    let world = World::with(SandboxConfig { external_id: false, ..SandboxConfig::default() });
    world.edit_config("[systems.hubspot]\n", "[systems.hubspot]\nmode = \"read\"\n");
    world.edit_config("create = true\n", "create = [\"salesforce\"]\n");
    let (code, document) = world.json(&["check", "--create-properties"]);
    assert_eq!(code, Some(2), "{document}");
    let properties = world.person("hubspot", "GET", &format!("{PROPERTIES}/contacts"), &Value::Null);
    assert!(!properties.to_string().contains("syncline_id"), "nothing was made");
}

#[test]
fn a_profile_has_a_store_of_its_own_on_every_command() {
    let world = World::new(20);
    world.append_config("\n[profile.trial]\nstore = { path = \"trial.redb\" }\n");
    for command in [&["check"][..], &["backfill"], &["status"], &["verify"], &["run", "--once", "--interval", "100ms"]]
    {
        let (code, document) = world.json(&[command, &["--profile", "trial"]].concat());
        assert_eq!(code, Some(0), "{command:?}: {document}");
        let (code, document) = world.json(&[command, &["--profile", "trail"]].concat());
        assert_eq!(code, Some(2), "{command:?}");
        assert!(text(&document["error"], "message").contains("there is no profile `trail`"), "{document}");
        assert_eq!(document["error"]["mend"], "did you mean `trial`?");
    }
    assert!(world.path("trial.redb").exists() && !world.path("syncline.redb").exists());
}

#[test]
fn a_mapping_proposed_from_live_schemas_passes_check_and_syncs() {
    let world = World::new(40);
    let (code, document) = world.json(&["init", "--from", "live", "--sandbox", "ready.json", "--out", "live.toml"]);
    assert_eq!(code, Some(0), "{document}");
    assert!(document["fields"].as_u64().is_some_and(|fields| fields > 20), "{document}");
    let (code, document) = world.json(&["check", "--config", "live.toml"]);
    assert_eq!(code, Some(0), "{document}");
    let (code, document) = world.json(&["backfill", "--config", "live.toml"]);
    assert!(document["linked"].as_u64().is_some_and(|linked| linked > 0), "{code:?} {document}");

    // The same from a config that has only accounts; it is not overwritten unasked.
    let text = std::fs::read_to_string(world.path("live.toml")).expect("a config");
    let (head, mapping) = text.split_at(text.find("# The mapping below").expect("the mapping"));
    std::fs::write(world.path("accounts.toml"), head).expect("a file");
    let (code, document) = world.json(&["init", "--from", "live", "--config", "accounts.toml"]);
    assert_eq!((code, text_of(&document)), (Some(2), "exists"), "{document}");
    let (code, _) = world.json(&["init", "--from", "live", "--config", "accounts.toml", "--out", "second.toml"]);
    assert_eq!(code, Some(0));
    let second = std::fs::read_to_string(world.path("second.toml")).expect("a config");
    assert!(second.ends_with(mapping), "{second}");
    let (code, document) = world.json(&["init", "--from", "live", "--config", "live.toml", "--out", "third.toml"]);
    assert_eq!(code, Some(2));
    assert!(document.to_string().contains("there is a mapping already"), "{document}");
}

fn text_of(document: &Value) -> &str {
    text(&document["error"], "code")
}

#[test]
fn the_rights_that_are_needed_and_those_beyond_are_told() {
    let world = World::new(0);
    let (code, document) = world.json(&["check"]);
    assert_eq!(code, Some(0), "{document}");
    let hubspot = &document["systems"]["hubspot"]["rights"];
    let scopes = ["companies", "contacts", "deals"]
        .map(|name| ["read", "write"].map(|what| format!("crm.objects.{name}.{what}")));
    assert_eq!(hubspot["needed"], json!(scopes.concat()), "{hubspot}");
    assert_eq!(hubspot["only_to_create_properties"][1], "crm.schemas.contacts.write", "{hubspot}");
    let beyond =
        |document: &Value| document["systems"]["salesforce"]["rights"]["editable_beyond_the_mapping"].to_string();
    let fields = beyond(&document);
    assert!(fields.contains("\"Contact.Department\"") && fields.contains("\"Account.Industry\""), "{fields}");
    for needed in [
        "Contact.Phone",
        "Contact.Syncline_Id__c",
        "Contact.MailingCity",
        "Contact.LastName",
        "Contact.Name",
        "Opportunity.StageName",
    ] {
        assert!(!fields.contains(&format!("\"{needed}\"")), "{needed} in {fields}");
    }
    assert!(hubspot["granted"].to_string().contains("crm.objects.owners.read"), "{hubspot}");
    let (_, out, _) = world.run(&["check"]);
    assert!(out.contains("the token has them, and beyond them crm.lists.read, crm.objects.custom.read, "), "{out}");
    assert!(
        out.contains("salesforce: it may edit ") && out.contains("hubspot: the scopes crm.objects.companies.read, "),
        "{out}"
    );

    // Where nothing is written, no right to write is needed.
    world.edit_config("[systems.hubspot]\n", "[systems.hubspot]\nmode = \"read\"\n");
    world.edit_config("create = true\n", "create = [\"salesforce\"]\n");
    let (_, document) = world.json(&["check", "--offline"]);
    let needed = document["systems"]["hubspot"]["rights"]["needed"].to_string();
    assert!(!needed.contains("write") && needed.contains("crm.objects.deals.read"), "{document}");
    assert_eq!(beyond(&document), "null", "nobody was asked");
    assert_eq!(document["systems"]["hubspot"]["rights"]["granted"], Value::Null);
    let (_, out, _) = world.run(&["check", "--offline"]);
    assert!(out.contains("which ones the token has could not be checked"), "{out}");
}

/// Adds a property to HubSpot's contacts.
fn add_property(world: &World, name: &str) {
    let body = json!({ "name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "contactinformation" });
    world.person("hubspot", "POST", &format!("{PROPERTIES}/contacts"), &body);
}

#[test]
fn what_a_system_has_changed_since_it_was_last_asked_is_told_once() {
    let world = World::new(0);
    world.edit_config(
        "city = {",
        "hobby = { type = \"text\", hubspot = \"hobby\", salesforce = \"Department\" }\ncity = {",
    );
    add_property(&world, "hobby");
    let (code, document) = world.json(&["check"]);
    assert_eq!((code, &document["changed"]["since"]), (Some(0), &Value::Null), "{document}");
    assert!(!world.path("syncline.redb").exists(), "no store is made to remember it");
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let (code, document) = world.json(&["check"]);
    assert_eq!((code, &document["changed"]["changes"]), (Some(0), &json!([])), "{document}");
    assert!(document["changed"]["since"].as_str().is_some(), "{document}");

    add_property(&world, "shoe_size");
    world.person("hubspot", "DELETE", &format!("{PROPERTIES}/contacts/hobby"), &Value::Null);
    let options =
        json!({ "options": [{ "label": "New", "value": "newbusiness" }, { "label": "Renewal", "value": "renewal" }] });
    world.person("hubspot", "PATCH", &format!("{PROPERTIES}/deals/dealtype"), &options);
    let (code, out, err) = world.run(&["check", "--offline"]);
    assert_eq!(code, Some(0), "as last seen all is well: {out}{err}");
    let (code, document) = world.json(&["check"]);
    assert_eq!(code, Some(2), "{document}");
    let changes = document["changed"]["changes"].as_array().expect("a list").clone();
    let told: Vec<String> = changes
        .iter()
        .map(|change| format!("{} {} {}", text(change, "property"), text(change, "what"), change["mapped"]))
        .collect();
    assert_eq!(
        told,
        ["hobby removed true", "shoe_size added false", "dealtype new_options false", "dealtype lost_options false"]
    );
    assert!(text(&changes[0], "mend").contains("put it back") && changes[0]["line"].as_u64().is_some(), "{document}");

    // It was told; and whoever asks nobody still sees that the mapping does not fit.
    let (_, document) = world.json(&["check"]);
    assert_eq!(document["changed"]["changes"], json!([]), "{document}");
    let (code, document) = world.json(&["check", "--offline"]);
    assert_eq!(code, Some(2), "{document}");
    let detail = &document["error"]["details"][0];
    assert!(text(detail, "message").contains("no property `hobby` on contacts (as seen 20"), "{document}");
    assert!(text(detail, "mend").contains("without --offline"), "{document}");
    add_property(&world, "hobby");
    let (code, out, err) = world.run(&["check"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(
        out.contains("changed since 20") && out.contains("hubspot's contacts.hobby is new (syncline.toml:"),
        "{out}"
    );
}

#[test]
fn a_store_that_a_daemon_holds_is_left_to_it() {
    let world = World::new(0);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    // The daemon is asked for what it saw as it started.
    add_property(&world, "shoe_size");
    for _ in 0..2 {
        let (code, document) = world.json(&["check"]);
        assert_eq!((code, &document["changed"]["not_compared"]), (Some(0), &Value::Null), "{document}");
        assert_eq!(document["changed"]["changes"][0]["property"], "shoe_size", "{document}");
    }
    let (code, document) = world.json(&["check", "--offline"]);
    assert_eq!(code, Some(0), "{document}");
    assert!(!document["warnings"].to_string().contains("cannot be looked at"), "{document}");
    assert_eq!(live.stop(), Some(0));

    // Somebody else has it, and does not answer.
    let held = Store::open(world.path("syncline.redb"), &OpenOptions::default()).expect("a store");
    let (code, document) = world.json(&["check"]);
    assert_eq!(code, Some(0), "{document}");
    assert!(text(&document["changed"], "not_compared").contains("in use by a running syncline"), "{document}");
    let (code, out, _) = world.run(&["check"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("not compared with what the systems said before: the store is in use"), "{out}");
    let (code, document) = world.json(&["check", "--offline"]);
    assert_eq!(code, Some(0), "{document}");
    assert!(document["warnings"].to_string().contains("cannot be looked at"), "{document}");
    drop(held);

    // A file that is no store hinders no check either, and stays as it is.
    std::fs::write(world.path("syncline.redb"), "not a database at all").expect("a file");
    let (code, document) = world.json(&["check"]);
    assert_eq!(code, Some(0), "{document}");
    assert!(document["changed"]["not_compared"].as_str().is_some(), "{document}");
    assert_eq!(std::fs::read(world.path("syncline.redb")).expect("a file"), b"not a database at all");
}

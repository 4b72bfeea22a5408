//! Schemas that change while the sync runs: a field is parked, never the sync, and nothing counts as cleared.

use super::world::{CONTACTS, World, until};
use serde_json::{Value, json};

const PROPERTIES: &str = "/crm/properties/2026-03/contacts";
const HOBBY: &str = "hobby = { type = \"text\", hubspot = \"hobby\", salesforce = \"Department\" }\ncity = {";

fn hobby() -> Value {
    json!({ "name": "hobby", "label": "Hobby", "type": "string", "fieldType": "text", "groupName": "contactinformation" })
}

fn code(world: &World) -> Value {
    world.status()["problem_causes"][0]["code"].clone()
}

/// Ann in both systems, linked, with a hobby; the daemon runs.
fn linked() -> (World, String, String) {
    let world = World::new(0);
    world.person("hubspot", "POST", PROPERTIES, &hobby());
    world.edit_config("city = {", HOBBY);
    let properties = json!({ "email": "ann@example.org", "lastname": "Ann", "jobtitle": "Cook", "hobby": "Chess" });
    let id = world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties }))["id"].clone();
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let there = world.query("SELECT Id FROM Contact")[0]["Id"].as_str().expect("an id").to_owned();
    (world, id.as_str().expect("an id").to_owned(), there)
}

#[test]
fn a_property_that_hubspot_shows_no_more_is_not_cleared_and_is_filled_when_it_is_back() {
    let (world, id, there) = linked();
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    world.person("hubspot", "DELETE", &format!("{PROPERTIES}/hobby"), &Value::Null);
    world.edit_hubspot(&id, json!({ "city": "Ghent" }));
    until("the rest flows", || world.salesforce(&there, "MailingCity") == "Ghent");
    world.settle();
    assert_eq!(world.salesforce(&there, "Department"), "Chess", "nobody cleared it");
    assert_eq!(code(&world), "PROPERTY_NOT_SHOWN");
    world.edit_salesforce("Contact", &there, &json!({ "Department": "Go", "Title": "Chef" }));
    until("the rest flows there too", || world.hubspot(&id, "jobtitle") == "Chef");
    world.settle();
    world.person("hubspot", "POST", PROPERTIES, &hobby());
    world.edit_hubspot(&id, json!({ "city": "Bruges" }));
    until("nothing is listed any more", || world.status()["problems"] == 0);
    world.settle();
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
    assert_eq!(world.salesforce(&there, "Department"), "Go", "Salesforce is preferred where two are linked");
}

#[test]
fn a_field_that_salesforce_shows_no_more_stops_no_query() {
    let (world, id, there) = linked();
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    world.person("salesforce", "DELETE", "/_sandbox/fields/Contact/Department", &Value::Null);
    world.edit_salesforce("Contact", &there, &json!({ "Title": "Chef" }));
    until("the rest flows", || world.hubspot(&id, "jobtitle") == "Chef");
    world.edit_hubspot(&id, json!({ "city": "Ghent" }));
    until("and back", || world.salesforce(&there, "MailingCity") == "Ghent");
    world.settle();
    assert_eq!(world.hubspot(&id, "hobby"), "Chess", "nobody cleared it");
    assert_eq!(code(&world), "PROPERTY_NOT_SHOWN");
    assert_eq!(live.stop(), Some(0));
    // At the next start the config is found to be wrong.
    let (exit, refused) = world.json(&["run", "--once"]);
    assert_eq!(exit, Some(2), "{refused}");
}

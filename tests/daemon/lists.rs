//! Members of a HubSpot list, over both emulated systems: who takes part, and a field that says so.

use super::world::{CONTACTS, System, World, until};
use serde_json::{Value, json};

const LISTS: &str = "/crm/lists/2026-03";
const HUBSPOT: System = "hubspot";

fn list(world: &World, object: &str) -> String {
    let body = json!({ "name": "Good ones", "objectTypeId": object, "processingType": "MANUAL" });
    let made = world.person(HUBSPOT, "POST", LISTS, &body);
    made["list"]["listId"].as_str().expect("an id").to_owned()
}

fn change(world: &World, list: &str, verb: &str, contact: &str) {
    world.person(HUBSPOT, "PUT", &format!("{LISTS}/{list}/memberships/{verb}"), &json!([contact]));
}

fn contact(world: &World, name: &str) -> String {
    let properties = json!({ "email": format!("{name}@x.example"), "lastname": name });
    let made = world.person(HUBSPOT, "POST", CONTACTS, &json!({ "properties": properties }));
    made["id"].as_str().expect("an id").to_owned()
}

fn there(world: &World, name: &str) -> Option<String> {
    let rows = world.query(&format!("SELECT Id FROM Contact WHERE LastName = '{name}'"));
    rows.first().and_then(|row| row["Id"].as_str().map(str::to_owned))
}

fn world(scope: &str) -> World {
    let world = World::new(0);
    world.edit_config("{ object = \"contacts\" }", &format!("{{ object = \"contacts\", {scope} }}"));
    world.edit_config("[systems.hubspot]", "[systems.hubspot]\nassociations_every = \"1s\"");
    world
}

#[test]
fn only_members_take_part_and_who_leaves_is_frozen_until_he_returns() {
    let world = world("lists = [\"1\"]");
    let good = list(&world, "0-1");
    let [ann, bob] = ["ann", "bob"].map(|name| contact(&world, name));
    change(&world, &good, "add", &ann);
    let (code, plan) = world.json(&["plan", "--out", "p.plan"]);
    assert_eq!((code, &plan["writes"]["salesforce"]["create"]), (Some(0), &json!(1)), "{plan}");
    let (code, done) = world.json(&["apply", "p.plan"]);
    assert_eq!((code, &done["as_planned"]), (Some(0), &json!(true)), "{done}");
    let ann_there = there(&world, "ann").expect("she is a member");
    assert_eq!(there(&world, "bob"), None);
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    // Nothing but the list says so.
    change(&world, &good, "add", &bob);
    until("bob takes part", || there(&world, "bob").is_some());
    change(&world, &good, "remove", &ann);
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    world.settle();
    world.edit_hubspot(&ann, json!({ "city": "Rome" }));
    world.settle();
    assert_eq!(world.salesforce(&ann_there, "MailingCity"), "", "she has left");
    change(&world, &good, "add", &ann);
    until("what was edited meanwhile counts", || world.salesforce(&ann_there, "MailingCity") == "Rome");
    world.settle();
    let written = world.writes();
    world.settle();
    assert_eq!(world.writes(), written, "quiet");
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn membership_may_be_a_field_that_a_condition_reads_and_the_other_side_shows() {
    let world = world("where = 'vip && city != null'");
    world.edit_config(
        "city = {",
        "vip = { type = \"bool\", hubspot = \"list 1\", salesforce = \"DoNotCall\" }\ncity = {",
    );
    let good = list(&world, "0-1");
    let [ann, bob] = ["ann", "bob"].map(|name| contact(&world, name));
    change(&world, &good, "add", &ann);
    change(&world, &good, "add", &bob);
    world.edit_hubspot(&ann, json!({ "city": "Rome" }));
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let ann_there = there(&world, "ann").expect("both hold");
    assert_eq!(there(&world, "bob"), None, "he has no city");
    let shown = world.query("SELECT DoNotCall FROM Contact")[0]["DoNotCall"].clone();
    assert_eq!(shown, json!(true));
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    world.edit_salesforce("Contact", &ann_there, &json!({ "DoNotCall": false }));
    until("it is HubSpot that says so", || world.query("SELECT DoNotCall FROM Contact")[0]["DoNotCall"] == true);
    world.settle();
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn check_says_when_a_list_or_the_right_to_see_it_is_missing() {
    let world = world("lists = [\"1\"]");
    let told = || {
        let (code, _, err) = world.run(&["check"]);
        (code, err)
    };
    let (code, err) = told();
    assert_eq!(code, Some(2));
    assert!(err.contains("hubspot has no list 1 of contacts") && err.contains("by its number"), "{err}");
    // One of another object is none.
    list(&world, "0-2");
    assert!(told().1.contains("hubspot has no list 1 of contacts"));
    world.edit_config("lists = [\"1\"]", "lists = [\"2\"]");
    list(&world, "0-1");
    let (code, out, err) = world.run(&["check"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("crm.lists.read"), "{out}");
    world.person(HUBSPOT, "DELETE", "/_sandbox/fields/lists/read", &Value::Null);
    let (code, err) = told();
    assert_eq!(code, Some(3));
    assert!(err.contains("MISSING_SCOPES") && err.contains("scope crm.lists.read"), "{err}");
}

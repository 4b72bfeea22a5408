//! A changed mapping over both emulated systems: nobody's edit.

use super::world::{CONTACTS, World, until};
use serde_json::{Value, json};

const JOBTITLE: &str = "jobtitle = { type = \"text\", hubspot = \"jobtitle\", salesforce = \"Title\" }";

/// A config without the title; the people of both systems linked.
fn linked() -> World {
    let world = World::new(40);
    world.edit_config(JOBTITLE, "");
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    world
}

/// Somebody that both systems hold: the e-mail and both ids.
fn somebody(world: &World, at: usize) -> (String, String, String) {
    let contacts = world.query("SELECT Id, Email FROM Contact");
    let email = |contact: &Value| contact["Email"].as_str().unwrap_or_default().to_owned();
    let mut contacts: Vec<(String, String)> = contacts
        .iter()
        .map(|contact| (email(contact), contact["Id"].as_str().unwrap_or_default().to_owned()))
        .collect();
    contacts.sort();
    let (email, salesforce) = contacts[at].clone();
    let hubspot = world.hubspot_id(&email);
    (email, hubspot, salesforce)
}

#[test]
fn a_new_field_is_linked_and_no_old_value_counts_as_an_edit() {
    let world = linked();
    world.edit_config("on_link = \"prefer salesforce\"", "on_link = \"fill blanks\"");
    let (_, apart, there) = somebody(&world, 0);
    let (_, blank, filled) = somebody(&world, 1);
    // Long before the field is mapped, and after the record was linked.
    world.edit_salesforce("Contact", &there, &json!({ "Title": "Head" }));
    world.edit_hubspot(&apart, json!({ "jobtitle": "Clerk" }));
    world.edit_salesforce("Contact", &filled, &json!({ "Title": "Cook" }));
    world.edit_hubspot(&blank, json!({ "jobtitle": "" }));
    assert_eq!(world.json(&["run", "--once", "--interval", "100ms"]).0, Some(0));
    let before = world.writes_total();

    world.edit_config("city = {", &format!("{JOBTITLE}\ncity = {{"));
    let (code, refused) = world.json(&["run", "--once"]);
    assert_eq!((code, &refused["error"]["code"]), (Some(2), &json!("mapping")), "{refused}");
    let (code, planned) = world.json(&["plan"]);
    assert_eq!(code, Some(0), "{planned}");
    assert_eq!(world.writes_total(), before, "a plan writes nothing");
    let (code, report) = world.json(&["backfill"]);
    assert_eq!(code, Some(0), "{report}");
    for system in ["hubspot", "salesforce"] {
        let done = json!({ "create": report["created"][system], "update": report["updated"][system], "delete": 0 });
        assert_eq!(planned["writes"][system], done, "{system}");
    }
    assert_eq!(world.hubspot(&blank, "jobtitle"), "Cook");
    let titles = (world.hubspot(&apart, "jobtitle"), world.salesforce(&there, "Title"));
    assert_eq!(titles, ("Clerk".into(), "Head".into()), "each keeps its own");

    // The old value is no edit when its history is read for another reason; the next edit is one.
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    world.edit_hubspot(&apart, json!({ "city": "Ghent" }));
    until("the city arrives", || world.salesforce(&there, "MailingCity") == "Ghent");
    world.settle();
    assert_eq!(world.salesforce(&there, "Title"), "Head");
    world.edit_hubspot(&apart, json!({ "jobtitle": "Chief" }));
    until("the title arrives", || world.salesforce(&there, "Title") == "Chief");
    world.settle();
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn another_property_is_read_anew_and_a_field_that_is_gone_is_left_alone() {
    let world = World::new(40);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let (_, id, there) = somebody(&world, 0);
    let city = world.hubspot(&id, "city");
    let title = world.salesforce(&there, "Title");
    world.edit_salesforce("Contact", &there, &json!({ "Department": "Moved" }));
    let before = world.writes_total();
    // The city is Department's from now on, which all but one have blank; nobody cares for titles any more.
    world.edit_config("salesforce = \"MailingCity\"", "salesforce = \"Department\"");
    world.edit_config(JOBTITLE, "");
    let (code, said, _) = world.run(&["backfill"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("person.city is new or read in another way in salesforce"), "{said}");
    assert!(said.contains("1 fields of person are not mapped any more"), "{said}");
    assert!(world.writes_total() > before);
    assert_eq!((world.hubspot(&id, "city"), world.salesforce(&there, "Department")), ("Moved".into(), "Moved".into()));
    assert_eq!(world.salesforce(&there, "MailingCity"), city, "what is not mapped any more stays");
    world.edit_hubspot(&id, json!({ "jobtitle": "Unseen" }));
    assert_eq!(world.json(&["run", "--once", "--interval", "100ms"]).0, Some(0));
    assert_eq!(world.salesforce(&there, "Title"), title);
    world.assert_equal();
    let flat = world.writes_total();
    assert_eq!(world.json(&["backfill"]).0, Some(0), "the same mapping is nothing new");
    assert_eq!(world.writes_total(), flat);
}

#[test]
fn another_key_links_what_it_matches_and_parts_nothing() {
    let world = World::new(0);
    let person = json!({ "email": "ann@example.org", "lastname": "Ann", "phone": "+3212345678" });
    world.person("hubspot", "POST", CONTACTS, &json!({ "properties": person }));
    let contact = json!({ "Email": "other@example.org", "LastName": "Ann", "Phone": "+32 1234 5678" });
    world.person("salesforce", "POST", "/services/data/v61.0/sobjects/Contact", &contact);
    world.edit_config("match = [\"email\"]", "match = [\"email\"]\ncreate = false");
    assert_eq!(world.json(&["backfill"]).1["linked"], 0);
    world.edit_config("match = [\"email\"]", "match = [\"email\", \"phone\"]");
    let (code, report) = world.json(&["backfill"]);
    assert_eq!((code, &report["linked"]), (Some(0), &json!(1)), "{report}");
    world.assert_equal();
}

#[test]
fn what_cannot_be_taken_in_leaves_the_store_as_it_was() {
    let world = linked();
    world.edit_config("object = \"Account\"", "object = \"Contract\"");
    let (code, refused) = world.json(&["backfill"]);
    // The object is unknown to the sandbox too; what matters is that nothing is taken in.
    assert_eq!(code, Some(2), "{refused}");
    world.edit_config("object = \"Contract\"", "object = \"Account\"");
    assert_eq!(world.json(&["run", "--once"]).0, Some(0));
}

#[test]
fn another_scope_is_taken_in_and_clears_and_writes_nothing() {
    let world = World::new(40);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    // Not by its policy does a value go over below.
    world.edit_config("on_link = \"prefer salesforce\"", "on_link = \"fill blanks\"");
    let before = world.writes_total();
    world.edit_config(
        "at.salesforce = { object = \"Contact\" }",
        "at.salesforce = { object = \"Contact\", where = 'city == \"Paris\"' }",
    );
    let (code, refused) = world.json(&["run", "--once"]);
    assert_eq!((code, &refused["error"]["code"]), (Some(2), &json!("mapping")), "{refused}");
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    assert_eq!(world.writes_total(), before);
    let (code, verdict) = world.json(&["verify"]);
    let person = &verdict["entities"]["person"];
    assert_eq!((code, &verdict["equal"]), (Some(0), &json!(true)), "{verdict}");
    let paris = world.query("SELECT Id, Email FROM Contact WHERE MailingCity = 'Paris'");
    assert!(!paris.is_empty());
    assert_eq!(person["compared"], paris.len(), "{verdict}");
    assert!(person["excluded"]["scope"].as_u64() > Some(0), "{verdict}");

    // All of them are back under the old one, and what was edited in between is an edit.
    let moved = world.query("SELECT Id, Email FROM Contact WHERE MailingCity != 'Paris' AND Email != null");
    let (email, there) = (moved[0]["Email"].as_str().expect("an e-mail"), moved[0]["Id"].as_str().expect("an id"));
    let id = world.hubspot_id(email);
    world.edit_hubspot(&id, json!({ "jobtitle": "Clerk" }));
    world.edit_salesforce("Contact", there, &json!({ "Title": "Judge" }));
    assert_eq!(world.json(&["run", "--once", "--interval", "100ms"]).0, Some(0));
    assert_ne!(world.hubspot(&id, "jobtitle"), "Judge");
    world.edit_config(", where = 'city == \"Paris\"'", "");
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    assert_eq!(world.hubspot(&id, "jobtitle"), "Judge");
    world.assert_equal();
    let (_, verdict) = world.json(&["verify"]);
    assert_eq!(verdict["entities"]["person"]["excluded"]["scope"], 0, "{verdict}");
}

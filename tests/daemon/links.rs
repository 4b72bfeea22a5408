//! Links that HubSpot's own connector has left behind, over both emulated systems.

use super::world::{CONTACTS, SOBJECTS, World, until};
use serde_json::{Value, json};

const LINK: &str = "salesforcecontactid";

fn contact(world: &World, email: &str, link: &str) -> String {
    let properties = json!({ "email": email, "lastname": "X", "city": "Rome", LINK: link });
    let made = world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties }));
    made["id"].as_str().expect("an id").to_owned()
}

fn there(world: &World, email: &str) -> String {
    let body = json!({ "Email": email, "LastName": "X", "MailingCity": "Rome" });
    let made = world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &body);
    made["id"].as_str().expect("an id").to_owned()
}

#[test]
fn who_is_named_is_linked_at_first_and_in_the_live_run() {
    let world = World::new(0);
    let body = json!({ "name": LINK, "label": "Salesforce contact", "type": "string", "fieldType": "text",
        "groupName": "contactinformation" });
    world.person("hubspot", "POST", "/crm/properties/2026-03/contacts", &body);
    // `init` knows that property.
    let (code, out, err) = world.run(&["init", "--from", "live", "--sandbox", "ready.json", "--out", "proposal.toml"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let proposal = std::fs::read_to_string(world.path("proposal.toml")).expect("a proposal");
    assert!(proposal.contains("links = { salesforcecontactid = \"salesforce\" }"), "{proposal}");
    world.edit_config(
        "at.hubspot = { object = \"contacts\" }",
        "at.hubspot = { object = \"contacts\", links = { salesforcecontactid = \"salesforce Contact\" } }",
    );
    let (code, out, err) = world.run(&["check"]);
    assert_eq!(code, Some(0), "{out}{err}");

    let [ann, bob] = ["ann@old.example", "bob@old.example"].map(|email| there(&world, email));
    contact(&world, "ann@example.org", &ann[..15]);
    let twins = ["eve@example.org", "eva@example.org"].map(|email| contact(&world, email, &bob));
    let (_, found) = world.json(&["duplicates"]);
    assert!(found.to_string().contains("hubspot_salesforcecontactid"), "{found}");
    // It is for a person to say who of the two is meant.
    world.edit_hubspot(&twins[1], json!({ LINK: "" }));
    let (code, plan) = world.json(&["plan"]);
    assert_eq!(code, Some(0), "{plan}");
    assert_eq!(plan["entities"]["person"]["link"], json!({ "hubspot_salesforcecontactid": 2 }), "{plan}");
    let (code, done) = world.json(&["backfill"]);
    assert_eq!(
        (code, &done["created"]["salesforce"], &done["created"]["hubspot"]),
        (Some(0), &json!(1), &json!(0)),
        "{done}"
    );
    world.assert_equal();

    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    // One that names a contact, and one that names nobody.
    let dan = there(&world, "dan@old.example");
    let here = contact(&world, "dan@old.example", &dan);
    contact(&world, "new@example.org", "003000000000009AAA");
    until("who names nobody is created", || {
        world.query("SELECT Id FROM Contact WHERE Email = 'new@example.org'").len() == 1
    });
    world.settle();
    world.edit_hubspot(&here, json!({ "city": "Oslo" }));
    until("the city arrives", || world.salesforce(&dan, "MailingCity") == "Oslo");
    world.settle();
    assert_eq!((world.query("SELECT Id FROM Contact").len(), &world.status()["problems"]), (5, &json!(0)));
    let named = world.hubspot(&here, LINK);
    assert_eq!((named, live.stop()), (dan, Some(0)));
    world.assert_equal();
    let all = world.person("hubspot", "GET", &format!("{CONTACTS}?limit=100"), &Value::Null);
    assert_eq!(all["results"].as_array().map(Vec::len), Some(5), "{all}");
}

//! The address of a record in the other system, over both emulated systems: made of its id, and nobody's edit.

use super::world::{CONTACTS, SOBJECTS, World, until};
use serde_json::{Value, json};

const LINKS: &str = "salesforce_link = { type = \"url\", hubspot = \"website\", from = \"remote_url(salesforce)\" }\n\
     hubspot_link = { type = \"url\", salesforce = \"Description\", from = \"remote_url(hubspot)\" }\n";

fn world(records: usize) -> World {
    let world = World::new(records);
    world.edit_config("city = {", &format!("{LINKS}city = {{"));
    world
}

/// Where a contact of Salesforce is found.
fn in_salesforce(world: &World, id: &str) -> String {
    let url = world.running.ready["salesforce"]["url"].as_str().expect("a url");
    format!("{url}/lightning/r/Contact/{id}/view")
}

fn in_hubspot(id: &str) -> String {
    format!("https://app.hubspot.com/contacts/14600001/record/0-1/{id}")
}

fn contact_of(world: &World, email: &str) -> Option<String> {
    let rows = world.query(&format!("SELECT Id FROM Contact WHERE Email = '{email}'"));
    rows.first().and_then(|row| row["Id"].as_str().map(str::to_owned))
}

#[test]
fn each_side_shows_where_the_other_is_and_a_plan_knows_it_before_it_is_there() {
    let world = world(60);
    let (code, plan) = world.json(&["plan", "--out", "p.plan"]);
    assert_eq!(code, Some(0), "{plan}");
    let (code, done) = world.json(&["apply", "p.plan"]);
    assert_eq!((code, &done["as_planned"], &done["held_back"]), (Some(0), &json!(true), &json!(0)), "{done}");
    for (at, system) in ["hubspot", "salesforce"].into_iter().enumerate() {
        for verb in ["create", "update"] {
            assert_eq!(world.writes()[at][verb], plan["writes"][system][verb], "{system} {verb}");
        }
    }
    world.assert_equal();
    let rows = world.query("SELECT Id, Email, Description FROM Contact WHERE Email != null");
    assert!(rows.len() > 40, "{}", rows.len());
    for row in &rows {
        let (id, email) = (row["Id"].as_str().expect("an id"), row["Email"].as_str().expect("an e-mail"));
        let hubspot = world.hubspot_id(email);
        assert_eq!(world.hubspot(&hubspot, "website"), in_salesforce(&world, id), "{email}");
        assert_eq!(row["Description"], in_hubspot(&hubspot), "{email}");
    }
    let written = world.writes();
    let (code, again) = world.json(&["backfill"]);
    assert_eq!(code, Some(0), "{again}");
    assert_eq!(world.writes(), written, "nothing comes back");
}

#[test]
fn an_address_is_no_edit_follows_its_record_and_may_be_stated() {
    let world = world(0);
    world.edit_config(
        "[systems.salesforce]",
        "[systems.salesforce]\nrecord_url = \"https://acme.example/{object}/{id}\"",
    );
    let properties = json!({ "email": "ann@x.example", "lastname": "Ann" });
    let ann = world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties }));
    let ann = ann["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let there = contact_of(&world, "ann@x.example").expect("it was created");
    let stated = |id: &str| format!("https://acme.example/Contact/{id}");
    assert_eq!(world.hubspot(&ann, "website"), stated(&there));
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    // Whoever writes over it does so in vain.
    world.edit_hubspot(&ann, json!({ "website": "https://elsewhere.example" }));
    until("it is put right", || world.hubspot(&ann, "website") == stated(&there));
    world.edit_salesforce("Contact", &there, &json!({ "Description": null }));
    until("there, too", || world.salesforce(&there, "Description") == in_hubspot(&ann));
    // Another record takes the place of the first.
    world.person("salesforce", "DELETE", &format!("{SOBJECTS}/Contact/{there}"), &Value::Null);
    world.settle();
    let fields = json!({ "Email": "ann@x.example", "LastName": "Ann" });
    let made = world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &fields);
    let next = made["id"].as_str().expect("an id").to_owned();
    until("the new one's address arrives", || world.hubspot(&ann, "website") == stated(&next));
    until("and it is told of ann", || world.salesforce(&next, "Description") == in_hubspot(&ann));
    world.settle();
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
    // Stated otherwise, all of them change, and nobody edited anything.
    world.edit_config("https://acme.example/", "https://new.example/");
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    assert_eq!(world.hubspot(&ann, "website"), format!("https://new.example/Contact/{next}"));
    world.assert_equal();
}

//! First sync and live run on their good days, and with answers lost.

use super::world::{CONTACTS, SOBJECTS, World, until};
use serde_json::{Value, json};
use std::path::PathBuf;
use syncline::sandbox::listener::SandboxConfig;

#[test]
fn a_first_sync_creates_what_is_missing_and_nothing_else() {
    let world = World::new(300);
    let (code, report) = world.json(&["backfill"]);
    assert_eq!((code, &report["equal"]), (Some(0), &json!(true)), "{report}");
    world.assert_equal();
    world.assert_created_exactly_what_was_missing();

    let writes = world.writes();
    let (code, report) = world.json(&["backfill"]);
    assert_eq!((code, &report["created"]), (Some(0), &json!({ "hubspot": 0, "salesforce": 0 })), "{report}");
    let (code, _) = world.json(&["run", "--once", "--interval", "100ms"]);
    assert_eq!(code, Some(0));
    assert_eq!(world.writes(), writes, "nothing happened, so nothing is written");
}

#[test]
fn lost_answers_duplicate_nothing() {
    let world = World::new(200);
    world.set_faults(&json!({ "lost_answer": 0.1 }));
    let (code, report) = world.json(&["backfill"]);
    assert_eq!(code, Some(0), "{report}");
    world.set_faults(&json!({}));
    world.assert_equal();
    world.assert_created_exactly_what_was_missing();
}

#[test]
fn what_was_edited_on_both_sides_while_nothing_ran_is_read_before_it_is_written_over() {
    let world = World::new(60);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let people = world.query("SELECT Id, Email FROM Contact WHERE Email != null ORDER BY Id");
    let people = people
        .iter()
        .take(12)
        .map(|row| [&row["Id"], &row["Email"]].map(|text| text.as_str().expect("a text").to_owned()));
    let people: Vec<(String, String)> = people.map(|[id, email]| (id, world.hubspot_id(&email))).collect();
    assert!(people.len() >= 10, "{people:?}");
    for (_, here) in &people {
        world.edit_hubspot(here, json!({ "jobtitle": "Archivist" }));
    }
    // A step of Salesforce's clock later, so that these are the later ones.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    for (there, _) in &people {
        world.edit_salesforce("Contact", there, &json!({ "Title": "Baker" }));
    }
    // Whichever system answers first: the later edits hold.
    assert_eq!(world.json(&["run", "--once", "--interval", "100ms"]).0, Some(0));
    for (there, here) in &people {
        assert_eq!(
            (world.hubspot(here, "jobtitle"), world.salesforce(there, "Title")),
            ("Baker".into(), "Baker".into())
        );
    }
    world.assert_equal();
}

#[test]
fn every_edit_arrives_and_then_nothing_moves() {
    let world = World::new(60);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let live = world.start(&["run", "--interval", "200ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);

    let people = world.query("SELECT Id, Email, Title FROM Contact WHERE Email != null AND Title != null ORDER BY Id");
    let id = |at: usize| people[at]["Id"].as_str().expect("an id").to_owned();
    let hubspot_id = |at: usize| world.hubspot_id(people[at]["Email"].as_str().expect("an email"));
    let [(a, a_there), (b, b_there)] = [0, 1].map(|at| (hubspot_id(at), id(at)));

    // Two fields at once, from both sides.
    world.edit_hubspot(&a, json!({ "jobtitle": "Archivist" }));
    world.edit_salesforce("Contact", &a_there, &json!({ "MailingCity": "Ghent" }));
    until("both arrive", || world.salesforce(&a_there, "Title") == "Archivist" && world.hubspot(&a, "city") == "Ghent");
    world.settle();

    // Somebody restores the older value, and somebody saves what is already there.
    let old = people[0]["Title"].as_str().expect("a title").trim().to_owned();
    world.edit_salesforce("Contact", &a_there, &json!({ "Title": old }));
    world.edit_hubspot(&b, json!({ "city": world.hubspot(&b, "city") }));
    until("the restored value arrives", || world.hubspot(&a, "jobtitle").trim() == old);

    // Cleared is not absent.
    world.edit_hubspot(&b, json!({ "jobtitle": "" }));
    until("the clear arrives", || world.salesforce(&b_there, "Title").is_empty());

    // A new contact on each side.
    let new = json!({ "properties": { "email": "new.here@example.org", "lastname": "Here" } });
    world.person("hubspot", "POST", CONTACTS, &new);
    let new = json!({ "Email": "new.there@example.org", "LastName": "There" });
    world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &new);
    until("the new one arrives in Salesforce", || {
        world.query("SELECT Id FROM Contact WHERE Email = 'new.here@example.org'").len() == 1
    });
    until("the new one arrives in HubSpot", || {
        let search = json!({ "filterGroups": [{ "filters": [
            { "propertyName": "email", "operator": "EQ", "value": "new.there@example.org" },
        ] }] });
        world.person("hubspot", "POST", &format!("{CONTACTS}/search"), &search)["total"] == 1
    });

    // A delete ends the link, and nothing is made again.
    world.person("salesforce", "DELETE", &format!("{SOBJECTS}/Contact/{b_there}"), &Value::Null);
    until("the delete is seen", || {
        world.settle();
        world.json(&["verify"]).1["entities"]["person"]["excluded"]["detached"] == 1
    });
    // What HubSpot shows is left alone.
    assert_eq!(world.hubspot(&b, "jobtitle"), "");

    world.settle();
    let (writes, polls) = (world.writes(), world.status()["systems"]["hubspot"]["polls"].as_u64());
    until("20 polls", || world.status()["systems"]["hubspot"]["polls"].as_u64() >= polls.map(|polls| polls + 20));
    assert_eq!(world.writes(), writes, "our own writes come back as nothing");
    world.assert_equal();

    for command in ["run", "backfill"] {
        let (code, error) = world.json(&[command]);
        assert_eq!((code, &error["error"]["code"]), (Some(3), &json!("in_use")), "{error}");
    }
    assert_eq!(live.stop(), Some(0));
    assert_eq!(world.status()["daemon"], false);
    assert!(!world.path("syncline.redb.sock").exists());
}

#[test]
fn exports_of_both_sides_load_sync_and_end_equal() {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let world = World::with(SandboxConfig {
        data: None,
        hubspot_csv: Some(data.join("hubspot")),
        salesforce_csv: Some(data.join("salesforce")),
        ..SandboxConfig::default()
    });
    let (code, report) = world.json(&["backfill"]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["entities"]["person"]["linked"], 4, "{report}");
    world.assert_equal();
}

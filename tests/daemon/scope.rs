//! Scope over both emulated systems: who leaves HubSpot's, and comes back.

use super::world::{World, until};
use serde_json::json;

#[test]
fn what_both_sides_edit_while_somebody_is_out_of_scope_counts_on_the_return() {
    let world = World::new(40);
    world.edit_config("{ object = \"contacts\" }", "{ object = \"contacts\", where = 'city == \"Paris\"' }");
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let paris = world.query("SELECT Id, Email FROM Contact WHERE MailingCity = 'Paris' AND Email != null");
    let (email, there) = (paris[0]["Email"].as_str().expect("an e-mail"), paris[0]["Id"].as_str().expect("an id"));
    let id = world.hubspot_id(email);
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    world.edit_hubspot(&id, json!({ "city": "Ghent" }));
    until("the edit by which it leaves arrives", || world.salesforce(there, "MailingCity") == "Ghent");
    world.settle();
    let before = world.writes_total();
    // Each edits another field, and both the phone, Salesforce last.
    world.edit_hubspot(&id, json!({ "jobtitle": "Judge", "phone": "+12025550101" }));
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    world.edit_salesforce("Contact", there, &json!({ "LastName": "Olsen", "Phone": "+12025550202" }));
    world.settle();
    assert_eq!(world.writes_total(), before, "nothing goes over");
    world.edit_hubspot(&id, json!({ "city": "Paris" }));
    until("HubSpot's edits arrive", || {
        world.salesforce(there, "Title") == "Judge" && world.salesforce(there, "MailingCity") == "Paris"
    });
    until("Salesforce's edits arrive", || {
        world.hubspot(&id, "lastname") == "Olsen" && world.hubspot(&id, "phone") == "+12025550202"
    });
    world.settle();
    assert_eq!(world.salesforce(there, "Phone"), "+12025550202", "the later one won");
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

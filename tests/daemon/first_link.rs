//! What happens to a phone that is blank on one side, differs, or is equal when two people are linked.

use super::world::{CONTACTS, SOBJECTS, World};
use serde_json::json;

struct Pair {
    hubspot: String,
    salesforce: String,
}

/// Three people on both sides: the phone is blank in HubSpot, differs, is equal but written otherwise.
fn people(world: &World) -> [Pair; 3] {
    let phones = [("", "+12025550101"), ("+12025550102", "+12025550103"), ("+1 (202) 555-0104", "202-555-0104")];
    let mut number = 0;
    phones.map(|(here, there)| {
        number += 1;
        let (email, name) = (format!("p{number}@example.org"), format!("P{number}"));
        let there = if number == 3 { "+12025550104" } else { there };
        let body = json!({ "properties": { "email": email, "lastname": name, "phone": here } });
        let hubspot = world.person("hubspot", "POST", CONTACTS, &body)["id"].as_str().expect("an id").to_owned();
        let body = json!({ "Email": email.to_uppercase(), "LastName": name, "Phone": there });
        let made = world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &body);
        Pair { hubspot, salesforce: made["id"].as_str().expect("an id").to_owned() }
    })
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[test]
fn the_preferred_system_wins_whoever_was_edited_last_and_equal_records_are_not_written() {
    let world = World::new(0);
    let [blank, differs, equal] = people(&world);
    // An edit of another field says nothing about the phone, however late it is.
    world.edit_hubspot(&differs.hubspot, json!({ "jobtitle": "Edited last" }));
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    assert_eq!(digits(&world.hubspot(&blank.hubspot, "phone")), "12025550101");
    assert_eq!(digits(&world.hubspot(&differs.hubspot, "phone")), "12025550103");
    assert_eq!(world.salesforce(&differs.salesforce, "Title"), "Edited last");
    assert_eq!(world.hubspot(&equal.hubspot, "phone"), "+1 (202) 555-0104", "left as it was written");
    let [hubspot, salesforce] = world.writes();
    assert_eq!((hubspot["update"].as_u64(), salesforce["update"].as_u64()), (Some(2), Some(1)));
    world.assert_equal();
}

#[test]
fn fill_blanks_keeps_both_values_until_somebody_edits_one() {
    let world = World::new(0);
    world.edit_config("on_link = \"prefer salesforce\"", "on_link = \"fill blanks\"");
    let [blank, differs, _] = people(&world);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    assert_eq!(digits(&world.hubspot(&blank.hubspot, "phone")), "12025550101");
    assert_eq!(digits(&world.hubspot(&differs.hubspot, "phone")), "12025550102");
    assert_eq!(digits(&world.salesforce(&differs.salesforce, "Phone")), "12025550103");
    let (code, verdict) = world.json(&["verify"]);
    assert_eq!((code, &verdict["entities"]["person"]["excluded"]["split"]), (Some(0), &json!(1)), "{verdict}");

    world.edit_hubspot(&differs.hubspot, json!({ "phone": "+12025550199" }));
    assert_eq!(world.json(&["run", "--once", "--interval", "200ms"]).0, Some(0));
    assert_eq!(digits(&world.salesforce(&differs.salesforce, "Phone")), "12025550199");
    world.assert_equal();
}

//! Reviews from outside: what people edit at once in both systems waits for a person, with a daemon at work and without.

use super::world::{World, until};
use serde_json::{Value, json};

fn list(world: &World) -> Vec<Value> {
    let (code, list) = world.json(&["review"]);
    assert_eq!(code, Some(0), "{list}");
    list["reviews"].as_array().expect("a list").clone()
}

#[test]
fn what_both_edit_waits_for_a_person_and_his_word_goes_to_both() {
    let world = World::new(20);
    world.edit_config("salesforce = \"Phone\" }", "salesforce = \"Phone\", conflict = \"review\" }");
    world.edit_config("salesforce = \"Title\" }", "salesforce = \"Title\", conflict = \"review\", sensitive = true }");
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let people = world.query("SELECT Id, Email FROM Contact WHERE Email != null");
    let people: Vec<(String, String)> = people
        .iter()
        .map(|person| {
            let there = person["Id"].as_str().expect("an id").to_owned();
            (world.hubspot_id(person["Email"].as_str().expect("an e-mail")), there)
        })
        .take(3)
        .collect();
    let conflict = |(here, there): &(String, String), field: [&str; 2], values: [&str; 2]| {
        world.edit_hubspot(here, json!({ field[0]: values[0] }));
        world.edit_salesforce("Contact", there, &json!({ field[1]: values[1] }));
    };
    let phone = ["phone", "Phone"];
    conflict(&people[0], phone, ["+12025550101", "+12025550102"]);
    conflict(&people[1], phone, ["+12025550103", "+12025550104"]);
    conflict(&people[2], ["jobtitle", "Title"], ["CANARY-A", "CANARY-B"]);
    let shows = |at: usize| (world.hubspot(&people[at].0, "phone"), world.salesforce(&people[at].1, "Phone"));
    let both = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(world.json(&["backfill"]).0, Some(0));

    // Nobody works on the store.
    let open = list(&world);
    assert_eq!(open.len(), 3, "{open:?}");
    assert_eq!(shows(0), both("+12025550101", "+12025550102"), "each keeps its own");
    let (_, said, _) = world.run(&["review"]);
    assert!(said.contains("+12025550101") && said.contains("(hidden)") && !said.contains("CANARY"), "{said}");
    assert!(!json!(open).to_string().contains("CANARY"));
    assert_eq!(world.status()["reviews"], 3);
    let (code, verdict) = world.json(&["verify"]);
    assert_eq!((code, &verdict["entities"]["person"]["excluded"]["review"]), (Some(0), &json!(3)), "{verdict}");
    let of = |remote: &str| open.iter().find(|review| review["remote"]["hubspot"] == *remote).expect("a review");
    let id = |at: usize| of(&people[at].0)["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.json(&["review", "show", &id(0)]).1["sides"]["salesforce"]["value"], "+12025550102");
    assert_eq!(world.json(&["review", "show", "nothing"]).0, Some(2));

    // A file is filled in, and one of them is edited again before it comes back.
    assert_eq!(world.run(&["review", "--field", "phone", "--export", "open.csv"]).0, Some(0));
    let sheet = std::fs::read_to_string(world.path("open.csv")).expect("a file");
    assert!(sheet.lines().count() == 3 && !sheet.contains("CANARY"), "{sheet}");
    let filled: Vec<String> = sheet
        .lines()
        .enumerate()
        .map(|(at, line)| if at == 0 { line.to_owned() } else { format!("{line}salesforce") })
        .collect();
    std::fs::write(world.path("open.csv"), filled.join("\n")).expect("a file");

    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    world.edit_hubspot(&people[1].0, json!({ "phone": "+12025550105" }));
    until("it is asked again", || {
        list(&world).iter().any(|review| review["sides"]["hubspot"]["value"] == "+12025550105")
    });
    let (code, outcome) = world.json(&["review", "--import", "open.csv"]);
    assert_eq!((code, &outcome["decided"]), (Some(1), &json!(1)), "{outcome}");
    assert_eq!((&outcome["refused"][0]["id"], &outcome["refused"][0]["code"]), (&json!(id(1)), &json!("asked_again")));
    until("the decision arrives", || shows(0) == both("+12025550102", "+12025550102"));
    assert_eq!(shows(1), both("+12025550105", "+12025550104"));

    // One by a value, the rest in bulk.
    let (code, outcome) = world.json(&["review", "accept", &id(1), "--value", "+12025550106"]);
    assert_eq!((code, &outcome["decided"]), (Some(0), &json!(1)), "{outcome}");
    until("the value arrives", || shows(1) == both("+12025550106", "+12025550106"));
    let (code, outcome) = world.json(&["review", "accept", "--all", "--side", "hubspot", "--entity", "person"]);
    assert_eq!((code, &outcome["decided"]), (Some(0), &json!(1)), "{outcome}");
    until("the title arrives", || world.salesforce(&people[2].1, "Title") == "CANARY-A");
    until("nothing is asked", || list(&world).is_empty());
    world.settle();
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

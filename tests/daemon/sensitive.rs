//! Values of sensitive fields are synced, and never shown: canaries are planted, and looked for in all that is said.

use super::world::{CONTACTS, SOBJECTS, World, until};
use serde_json::{Value, json};
use syncline::engine::View;
use syncline::store::{OpenOptions, Store};

/// A world whose job titles, cities and e-mail addresses are sensitive. A city is a date, which no canary is.
fn world() -> World {
    let world = World::new(0);
    world.edit_config(
        "salesforce = \"Title\" }",
        "salesforce = \"Title\", sensitive = true, default = { salesforce = \"CANARY-D\" } }",
    );
    world.edit_config(
        "{ type = \"text\", hubspot = \"city\"",
        "{ type = \"date\", sensitive = true, hubspot = \"city\"",
    );
    world.edit_config("salesforce = \"Email\" }", "salesforce = \"Email\", sensitive = true }");
    world.edit_config("salesforce = \"LastName\"", "salesforce = \"LastName\", sensitive = true");
    world
}

/// Creates a contact in HubSpot: its id.
fn contact(world: &World, properties: Value) -> String {
    let made = world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties }));
    made["id"].as_str().expect("an id").to_owned()
}

#[track_caller]
fn silent(what: &str, said: &str) {
    let at = said.to_lowercase().find("canary");
    let around = at.map(|at| said.get(at.saturating_sub(200)..(at + 200).min(said.len())).unwrap_or("?"));
    assert_eq!(around, None, "{what} tells a sensitive value");
}

#[test]
fn no_canary_is_ever_heard() {
    let world = world();
    let linked = contact(&world, json!({ "email": "canary-1@example.org", "lastname": "One", "jobtitle": "CANARY-A" }));
    world.person(
        "salesforce",
        "POST",
        &format!("{SOBJECTS}/Contact"),
        &json!({ "Email": "canary-1@example.org", "LastName": "One", "Title": "CANARY-B" }),
    );
    // Longer than what Salesforce can hold: the first is seen before it is sent, the second refused there in words that repeat it.
    let long = format!("CANARY-C{}", "x".repeat(130));
    contact(&world, json!({ "email": "canary-2@example.org", "lastname": "Two", "jobtitle": long }));
    let name = format!("CANARY-K{}", "x".repeat(81));
    let other = contact(&world, json!({ "email": "canary-3@example.org", "lastname": name, "jobtitle": "CANARY-E" }));

    let odd = contact(&world, json!({ "email": "canary-4@example.org", "lastname": "Four" }));
    std::thread::sleep(std::time::Duration::from_millis(1_500)); // so that nobody's edit is of this second
    let (_, checked) = world.traced(&["check"]);
    silent("check", &checked);
    let (code, said) = world.traced(&["backfill"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("STRING_TOO_LONG") && said.contains("are not kept"), "{said}");
    silent("backfill", &said);
    for args in [&["status"][..], &["status", "--json"], &["verify"], &["verify", "--json"]] {
        let (_, said) = world.traced(args);
        silent(&args.join(" "), &said);
    }
    assert_eq!(world.hubspot(&linked, "jobtitle"), "CANARY-B", "it is synced all the same");

    // A difference that no daemon has seen yet.
    world.edit_hubspot(&linked, json!({ "jobtitle": "CANARY-G", "phone": "+1 202 555 0199" }));
    world.edit_hubspot(&odd, json!({ "city": "CANARY-F" }));
    let (code, difference) = world.json(&["verify"]);
    assert_eq!(code, Some(1), "{difference}");
    let differences = difference["entities"]["person"]["differences"].as_array().expect("a list");
    let of = |field: &str| differences.iter().find(|difference| difference["field"] == field).expect("a difference");
    assert_eq!(of("jobtitle")["values"], json!({ "hubspot": "(hidden)", "salesforce": "(hidden)" }));
    assert_eq!(of("phone")["values"]["hubspot"], "+12025550199", "others are shown");
    for args in [&["verify"][..], &["verify", "--json"], &["run", "--once", "--interval", "100ms"]] {
        let (_, said) = world.traced(args);
        silent(&args.join(" "), &said);
    }
    let titles = world.query("SELECT Id, Title FROM Contact WHERE Title = 'CANARY-G'");
    assert_eq!(titles.len(), 1, "the edit arrived");

    let (_, said) = world.traced(&["status"]);
    assert!(said.contains("UNREADABLE_VALUE") && said.contains("city: not a date"), "{said}");
    silent("status", &said);

    // Live: two people disagree, another record is refused again, and the daemon is asked.
    let live = world.start_traced(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    let id = titles[0]["Id"].as_str().expect("an id").to_owned();
    world.edit_hubspot(&linked, json!({ "jobtitle": "CANARY-H" }));
    world.edit_salesforce("Contact", &id, &json!({ "Title": "CANARY-I" }));
    until("somebody wins", || {
        let title = world.hubspot(&linked, "jobtitle");
        title != "CANARY-G" && title == world.salesforce(&id, "Title")
    });
    world.edit_hubspot(&other, json!({ "jobtitle": "CANARY-J" }));
    let polls = |status: &Value| status["systems"]["hubspot"]["polls"].as_u64().unwrap_or_default();
    let before = polls(&world.status());
    until("the other edit is read", || polls(&world.status()) >= before + 3);
    for args in [&["status"][..], &["status", "--json"], &["verify"], &["verify", "--json"]] {
        let (_, said) = world.traced(args);
        silent(&format!("{} of the daemon", args.join(" ")), &said);
    }
    assert_eq!(live.stop(), Some(0));
    for file in ["stderr", "stdout"] {
        let said = std::fs::read_to_string(world.path(file)).expect("a file");
        silent(&format!("run, {file}"), &said);
    }

    let store = Store::open(world.path("syncline.redb"), &OpenOptions::default()).expect("a store");
    let problems = store.snapshot().expect("a snapshot").problems(1_000).expect("problems");
    assert!(problems.len() >= 3, "{problems:?}");
    silent("the list of problems", &format!("{problems:?}"));
}

#[test]
fn what_was_kept_before_a_field_became_sensitive_is_hidden_too() {
    let world = World::new(0);
    let long = format!("CANARY-C{}", "x".repeat(130));
    contact(&world, json!({ "email": "a@example.org", "lastname": long }));
    assert_eq!(world.json(&["backfill"]).0, Some(1));
    let (_, said) = world.traced(&["status"]);
    assert!(said.contains("CANARY-C"), "Salesforce repeats the value: {said}");
    world.edit_config("salesforce = \"LastName\"", "salesforce = \"LastName\", sensitive = true");
    for args in [&["status"][..], &["status", "--json"]] {
        let (code, said) = world.traced(args);
        assert_eq!(code, Some(0), "the store goes on: {said}");
        assert!(said.contains("STRING_TOO_LONG") && said.contains("about LastName"), "{said}");
        silent("status", &said);
    }
}

#[test]
fn a_plan_tells_no_canary_and_is_carried_out_all_the_same() {
    let world = world();
    contact(&world, json!({ "email": "canary-1@example.org", "lastname": "CANARY-L", "jobtitle": "CANARY-A" }));
    let linked = json!({ "email": "canary-2@example.org", "lastname": "CANARY-M", "jobtitle": "CANARY-B" });
    let linked = contact(&world, linked);
    world.person(
        "salesforce",
        "POST",
        &format!("{SOBJECTS}/Contact"),
        &json!({ "Email": "canary-2@example.org", "LastName": "CANARY-M", "Title": "CANARY-C", "Phone": "+12025550123" }),
    );
    for args in [&["plan", "--out", "first.plan"][..], &["plan", "--json"]] {
        let (code, said) = world.traced(args);
        assert_eq!(code, Some(0), "{said}");
        silent(&args.join(" "), &said);
    }
    let file = std::fs::read_to_string(world.path("first.plan")).expect("a file");
    silent("the plan's file", &file);
    assert!(file.contains("hidden") && file.contains("+12025550123"), "others stand in it: {file}");
    let (code, done) = world.json(&["apply", "first.plan"]);
    assert_eq!((code, &done["as_planned"]), (Some(0), &Value::Bool(true)), "{done}");
    assert_eq!(world.hubspot(&linked, "jobtitle"), "CANARY-C");
    assert_eq!(world.query("SELECT Id FROM Contact WHERE Title = 'CANARY-A'").len(), 1);
    // A hidden write is known by its digest: another value is not what was planned.
    let again = world.path("again.plan");
    world.edit_hubspot(&linked, json!({ "jobtitle": "CANARY-X" }));
    assert_eq!(world.run(&["plan", "--out", "again.plan"]).0, Some(0));
    assert!(again.exists());
    world.edit_hubspot(&linked, json!({ "jobtitle": "CANARY-Y" }));
    let (code, held) = world.json(&["apply", "again.plan"]);
    assert_eq!((code, &held["held_back"]), (Some(1), &json!(1)), "{held}");
}

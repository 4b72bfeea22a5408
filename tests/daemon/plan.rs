//! A plan writes nothing and says exactly what `apply` then does; `apply` does exactly what the plan says.

use super::world::{CONTACTS, SOBJECTS, World, bytes, until};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use syncline::sandbox::listener::SandboxConfig;
use syncline::sandbox::seed::SeedPlan;

const SYSTEMS: [&str; 2] = ["hubspot", "salesforce"];

fn calls(world: &World) -> [u64; 2] {
    [&world.running.hubspot, &world.running.salesforce]
        .map(|server| server.as_ref().expect("a server").ledger()["calls"]["total"].as_u64().expect("a count"))
}

/// What was called between two counts is what was foretold: within 2 % or 3 calls.
fn assert_foretold(foretold: &Value, before: [u64; 2], after: [u64; 2]) {
    for (at, system) in SYSTEMS.iter().enumerate() {
        let (wanted, found) = (foretold[system].as_u64().expect("a count"), after[at] - before[at]);
        assert!(wanted.abs_diff(found) <= (found / 50).max(3), "{system}: {wanted} foretold, {found} made");
    }
}

fn names(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.folder.path()).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A contact on both sides; the phone as each side has it.
fn pair(world: &World, name: &str, phones: [&str; 2]) -> (String, String) {
    let email = format!("{name}@example.org");
    let body = json!({ "properties": { "email": email, "lastname": name, "phone": phones[0] } });
    let hubspot = world.person("hubspot", "POST", CONTACTS, &body)["id"].as_str().expect("an id").to_owned();
    let body = json!({ "Email": email, "LastName": name, "Phone": phones[1] });
    let made = world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &body);
    (hubspot, made["id"].as_str().expect("an id").to_owned())
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[test]
fn a_plan_writes_nothing_and_foretells_writes_and_calls() {
    let world = World::new(300);
    let (nothing, there) = (world.writes(), names(&world));
    let (code, first) = world.json(&["plan"]);
    assert_eq!(code, Some(0), "{first}");
    assert_eq!((world.writes(), names(&world)), (nothing.clone(), there.clone()), "no write and no file");
    for system in SYSTEMS {
        let writes = first["writes"][system].as_object().expect("counts");
        assert_eq!(writes.keys().collect::<Vec<_>>(), ["create", "delete", "update"]);
        assert_eq!(writes["delete"], 0);
    }
    assert_eq!(first["entities"]["person"]["link"], json!({ "email": 180 }), "{first}");
    assert!(!first.to_string().contains("@"), "values stay out of the document");

    let (code, plan) = world.json(&["plan", "--out", "p.plan"]);
    assert_eq!((code, &plan["writes"], &plan["calls"]), (Some(0), &first["writes"], &first["calls"]));
    assert_eq!(world.writes(), nothing);
    let mode = std::fs::metadata(world.path("p.plan")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let before = calls(&world);
    let (code, done) = world.json(&["apply", "p.plan"]);
    assert_eq!((code, &done["as_planned"], &done["held_back"]), (Some(0), &json!(true), &json!(0)), "{done}");
    assert_foretold(&plan["calls"], before, calls(&world));
    assert_eq!(json!({ "hubspot": world.writes()[0], "salesforce": world.writes()[1] }), plan["writes"]);
    assert_eq!(done["plan"]["done"], done["plan"]["writes"]);
    world.assert_equal();
    world.assert_created_exactly_what_was_missing();

    let writes = world.writes();
    assert_eq!(world.json(&["run", "--once", "--interval", "100ms"]).0, Some(0), "a complete apply is a backfill");
    assert_eq!(world.writes(), writes);
}

#[test]
fn what_moved_in_between_is_held_back_and_named() {
    let world = World::new(0);
    let (edited, edited_there) = pair(&world, "edited", ["", "+12025550101"]);
    let (filled, _) = pair(&world, "filled", ["", "+12025550102"]);
    let (as_planned, _) = pair(&world, "planned", ["", "+12025550103"]);
    let (code, plan) = world.json(&["plan", "--out", "p.plan"]);
    assert_eq!((code, &plan["writes"]["hubspot"]["update"]), (Some(0), &json!(3)), "{plan}");

    world.edit_salesforce("Contact", &edited_there, &json!({ "Phone": "+12025550199" }));
    world.edit_hubspot(&filled, json!({ "phone": "+12025550102" }));
    let new = json!({ "Email": "new@example.org", "LastName": "New" });
    world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &new);

    let (code, done) = world.json(&["apply", "p.plan"]);
    assert_eq!(code, Some(1), "{done}");
    let expected = json!({ "writes": 3, "done": 1, "not_needed": 1, "moved": 1, "refused": 0, "left_out": 0 });
    assert_eq!(done["plan"], expected, "{done}");
    assert_eq!((&done["held_back"], &done["whole"], &done["done"]), (&json!(2), &json!(true), &json!(true)));
    let held = done["held_back_list"].as_array().expect("a list");
    let update = held.iter().find(|held| held["create"] == false).expect("the moved one");
    for (key, value) in [("system", json!("hubspot")), ("record", json!(edited)), ("planned_otherwise", json!(true))] {
        assert_eq!(update[key], value, "{update}");
    }
    assert_eq!(update["properties"], json!(["phone"]));
    let create = held.iter().find(|held| held["create"] == true).expect("the new one");
    assert_eq!((&create["object"], &create["planned_otherwise"]), (&json!("contacts"), &json!(false)));
    assert_eq!(digits(&world.hubspot(&as_planned, "phone")), "12025550103");
    assert_eq!(world.hubspot(&edited, "phone"), "", "held back");
    assert_eq!(world.writes()[0], json!({ "create": 0, "update": 1, "delete": 0 }));

    // Nothing of it is lost: the live run writes it.
    let (code, out, _) = world.run(&["apply", "p.plan"]);
    assert_eq!(code, Some(1));
    assert!(out.contains(&edited) && out.contains("planned otherwise"), "{out}");
    assert_eq!(world.json(&["run", "--once", "--interval", "100ms"]).0, Some(0));
    assert_eq!(digits(&world.hubspot(&edited, "phone")), "12025550199");
    world.assert_equal();
    assert_eq!(world.writes()[0], json!({ "create": 1, "update": 2, "delete": 0 }));
}

#[test]
fn a_trial_writes_the_chosen_records_and_nothing_else() {
    let world = World::new(60);
    let (_, plan) = world.json(&["plan", "--out", "p.plan"]);
    let lines = std::fs::read_to_string(world.path("p.plan")).expect("a plan");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let records: std::collections::BTreeSet<&str> = lines.iter().filter_map(|line| line["record"].as_str()).collect();

    let (code, done) = world.json(&["apply", "p.plan", "--limit", "3"]);
    assert_eq!((code, &done["whole"]), (Some(0), &json!(false)), "{done}");
    let chosen: std::collections::BTreeSet<&str> =
        lines.iter().filter_map(|line| line["record"].as_str()).take(3).collect();
    let wanted =
        lines.iter().filter_map(|line| line["record"].as_str()).filter(|id| chosen.contains(id)).count() as u64;
    assert!(records.len() > 10);
    assert_eq!(world.writes_total(), wanted);
    assert_eq!(world.json(&["run", "--once"]).1["error"]["code"], "no_backfill", "a trial is no backfill");

    // What is left stands in the mirror, which can be asked alone.
    let before = calls(&world);
    let (code, left) = world.json(&["plan", "--offline"]);
    assert_eq!((code, calls(&world)), (Some(0), before), "{left}");
    for (at, system) in SYSTEMS.iter().enumerate() {
        for kind in ["create", "update"] {
            let count = |writes: &Value| writes[kind].as_u64().expect("a count");
            let (planned, done) = (count(&plan["writes"][system]), count(&world.writes()[at]));
            assert_eq!(count(&left["writes"][system]), planned - done, "{system} {kind}: {left}");
        }
    }

    let last = lines.iter().rev().find(|line| line["create"].is_array()).expect("a create");
    let (system, id) = last["remote"].as_object().and_then(|remote| remote.iter().next()).expect("an id");
    let only = format!("{}:{system}:{}", last["entity"].as_str().expect("a name"), id.as_str().expect("an id"));
    let (code, done) = world.json(&["apply", "p.plan", "--only", &only]);
    assert_eq!((code, &done["plan"]["done"]), (Some(0), &json!(1)), "{only}: {done}");
    assert_eq!(world.writes_total(), wanted + 1);
    let (code, error) = world.json(&["apply", "p.plan", "--only", "hubspot:nobody"]);
    assert_eq!((code, &error["error"]["code"]), (Some(2), &json!("plan")), "{error}");

    let (code, done) = world.json(&["apply", "p.plan"]);
    assert_eq!((code, &done["as_planned"]), (Some(0), &json!(true)), "{done}");
    assert_eq!(json!({ "hubspot": world.writes()[0], "salesforce": world.writes()[1] }), plan["writes"]);
    world.assert_equal();
    assert_eq!(world.json(&["run", "--once", "--interval", "100ms"]).0, Some(0));
}

#[test]
fn a_plan_that_is_none_is_damaged_or_of_another_mapping_is_refused() {
    let world = World::new(20);
    assert_eq!(world.json(&["plan", "--out", "p.plan"]).0, Some(0));
    let good = std::fs::read_to_string(world.path("p.plan")).expect("a plan");
    let refused = |what: &str, mend: &str| {
        let (code, document) = world.json(&["apply", "p.plan"]);
        let error = &document["error"];
        assert_eq!((code, &error["code"]), (Some(2), &json!("plan")), "{what}: {document}");
        assert!(error["mend"].as_str().is_some_and(|text| text.contains(mend)), "{what}: {error}");
        assert!(!error.to_string().contains('@'), "no values: {error}");
    };
    let lines: Vec<&str> = good.lines().collect();
    let without_one = [&lines[..2], &lines[3..]].concat().join("\n") + "\n";
    let value = lines.iter().position(|line| line.contains(".example")).expect("a value");
    let changed = good.replacen(lines[value], &lines[value].replacen(".example", ".exampel", 1), 1);
    let bad = [
        ("empty", String::new()),
        ("something else", "a,b,c\n1,2,3\n".to_owned()),
        ("cut off", good[..good.len() / 2].to_owned()),
        ("without its end", lines[..lines.len() - 1].join("\n") + "\n"),
        ("a line is missing", without_one),
        ("a value was changed", changed),
        ("longer than it was", format!("{good}{{}}\n")),
        ("of a later program", good.replacen("\"syncline_plan\":1", "\"syncline_plan\":2", 1)),
    ];
    for (what, text) in bad {
        std::fs::write(world.path("p.plan"), text).expect("a file");
        refused(what, "syncline plan --out");
    }
    std::fs::remove_file(world.path("p.plan")).expect("a file");
    refused("not there", "path");
    std::fs::write(world.path("p.plan"), &good).expect("a file");
    world.edit_config("city = {", "town = {");
    refused("of another mapping", "mapping");
    world.edit_config("town = {", "city = {");
    assert_eq!(world.writes_total(), 0);
    assert!(!world.path("syncline.redb").exists(), "nothing was begun");
    assert_eq!(world.json(&["apply", "p.plan"]).0, Some(0));
    world.assert_equal();
}

#[test]
fn a_plan_over_a_store_leaves_it_as_it_was() {
    let world = World::new(60);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let (code, plan) = world.json(&["plan"]);
    assert_eq!((code, &plan["writes"]["hubspot"]["update"]), (Some(0), &json!(0)), "{plan}");
    let people = world.query("SELECT Id, Email FROM Contact WHERE Email != null ORDER BY Id LIMIT 2");
    let (person, contested) = (&people[0], &people[1]);
    world.edit_hubspot(&world.hubspot_id(contested["Email"].as_str().expect("an email")), json!({ "city": "Ghent" }));
    world.edit_salesforce("Contact", contested["Id"].as_str().expect("an id"), &json!({ "MailingCity": "Bruges" }));
    let (id, email) = (person["Id"].as_str().expect("an id"), person["Email"].as_str().expect("an email"));
    world.edit_salesforce("Contact", id, &json!({ "Title": "Planner" }));
    let new = json!({ "properties": { "email": "new@example.org", "lastname": "New" } });
    world.person("hubspot", "POST", CONTACTS, &new);

    let (store, there, writes) = (bytes(&world.path("syncline.redb")), names(&world), world.writes());
    let (code, offline) = world.json(&["plan", "--offline"]);
    assert_eq!((code, &offline["writes"]["hubspot"]["update"]), (Some(0), &json!(0)), "it asks nobody: {offline}");
    let (code, plan) = world.json(&["plan", "--out", "p.plan"]);
    assert_eq!(code, Some(0), "{plan}");
    let expected = json!({
        "hubspot": { "create": 0, "update": 2, "delete": 0 }, "salesforce": { "create": 1, "update": 0, "delete": 0 },
    });
    assert_eq!(plan["writes"], expected);
    let conflicts = json!([{ "policy": "latest", "winner": "salesforce", "count": 1 }]);
    assert_eq!(plan["entities"]["person"]["conflicts"], conflicts, "{plan}");
    assert_eq!(bytes(&world.path("syncline.redb")), store, "the store is as it was");
    assert_eq!(names(&world).into_iter().filter(|name| name != "p.plan").collect::<Vec<_>>(), there);
    assert_eq!(world.writes(), writes);

    let before = calls(&world);
    assert_eq!(world.json(&["apply", "p.plan"]).0, Some(0));
    assert_foretold(&plan["calls"], before, calls(&world));
    assert_eq!(world.hubspot(&world.hubspot_id(email), "jobtitle"), "Planner");
    assert_eq!(world.query("SELECT Id FROM Contact WHERE Email = 'new@example.org'").len(), 1);
    world.assert_equal();
}

#[test]
fn while_a_daemon_runs_neither_begins() {
    let world = World::new(20);
    assert_eq!(world.json(&["plan", "--out", "p.plan"]).0, Some(0));
    assert_eq!(world.json(&["apply", "p.plan"]).0, Some(0));
    let live = world.start(&["run", "--interval", "200ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    for args in [&["plan"][..], &["plan", "--offline"], &["apply", "p.plan"]] {
        let (code, error) = world.json(args);
        assert_eq!((code, &error["error"]["code"]), (Some(3), &json!("in_use")), "{args:?}: {error}");
    }
    assert_eq!(live.stop(), Some(0));
}

#[test]
fn an_apply_that_is_killed_or_loses_answers_goes_on_and_creates_nothing_twice() {
    let world = World::new(200);
    assert_eq!(world.json(&["plan", "--out", "p.plan"]).0, Some(0));
    world.set_faults(&json!({ "latency_ms": 20, "lost_answer": 0.05 }));
    let mut process = world.start(&["apply", "p.plan"]);
    until("it writes", || process.ended().is_some() || world.writes_total() > 50);
    process.kill();
    let (code, done) = world.json(&["apply", "p.plan"]);
    assert_eq!((code, &done["held_back"]), (Some(0), &json!(0)), "{done}");
    world.set_faults(&json!({}));
    world.assert_equal();
    world.assert_created_exactly_what_was_missing();
}

#[test]
fn what_cannot_be_matched_without_a_guess_is_a_problem_of_the_plan() {
    let data = Some(SeedPlan { records: 60, ambiguous: 4, ..SeedPlan::default() });
    let world = World::with(SandboxConfig { data, ..SandboxConfig::default() });
    let (code, plan) = world.json(&["plan", "--out", "p.plan"]);
    assert_eq!((code, &plan["problem_causes"][0]["code"]), (Some(1), &json!("AMBIGUOUS_MATCH")), "{plan}");
    let (_, out, _) = world.run(&["plan"]);
    for part in ["AMBIGUOUS_MATCH", "reversible", "costly", "first link", "API calls"] {
        assert!(out.contains(part), "{part} in {out}");
    }
    let before = calls(&world);
    let (code, done) = world.json(&["apply", "p.plan"]);
    assert_eq!((code, &done["held_back"]), (Some(1), &json!(0)), "{done}");
    assert_foretold(&plan["calls"], before, calls(&world));
    assert_eq!(json!({ "hubspot": world.writes()[0], "salesforce": world.writes()[1] }), plan["writes"]);
}

#[test]
fn what_the_schema_says_will_be_refused_is_foreseen() {
    let world = World::new(20);
    let long = "x".repeat(81);
    for at in 0..3 {
        let body = json!({ "properties": { "email": format!("a{at}@example.org"), "lastname": long } });
        world.person("hubspot", "POST", CONTACTS, &body);
    }
    let (code, plan) = world.json(&["plan", "--out", "p.plan"]);
    assert_eq!(code, Some(1), "{plan}");
    let before = calls(&world);
    let (code, done) = world.json(&["apply", "p.plan"]);
    assert_eq!((code, &done["held_back"]), (Some(1), &json!(0)), "{done}");
    assert_eq!(json!({ "hubspot": world.writes()[0], "salesforce": world.writes()[1] }), plan["writes"]);
    assert_foretold(&plan["calls"], before, calls(&world));
    assert_eq!(
        (&done["problems"], &plan["entities"]["person"]["refused"]["salesforce"]),
        (&plan["problems"], &json!(3))
    );
    assert!(done["plan"]["refused"].as_u64() >= Some(3), "{done}");
}

#[test]
fn what_would_be_otherwise_under_another_policy_is_told_and_nothing_is_written() {
    let world = World::new(0);
    world.edit_config("on_link = \"prefer salesforce\"", "on_link = \"fill blanks\"");
    let (ann, there) = pair(&world, "ann", ["+1 202 555 0111", "+1 202 555 0122"]);
    pair(&world, "bob", ["+1 202 555 0133", "+1 202 555 0133"]);
    let before = (world.writes(), names(&world));
    let (code, document) = world.json(&["plan", "--what-if", "person.on_link=prefer salesforce"]);
    assert_eq!(code, Some(0), "{document}");
    assert_eq!((world.writes(), names(&world)), before, "no write and no file");
    let what = &document["what_if"];
    assert_eq!((&what["policies"][0], &what["reads"]), (&json!("person.on_link=prefer salesforce"), &json!(2)));
    assert_eq!(document["entities"]["person"]["initial"], json!({ "phone": { "overwritten": 0, "split": 1 } }));
    assert_eq!(what["plan"]["entities"]["person"]["initial"], json!({ "phone": { "overwritten": 1, "split": 0 } }));
    let told = |document: &Value| -> Vec<String> {
        let differs = document["what_if"]["differs"].as_array().expect("a list").clone();
        let line =
            |at: &Value| format!("{} {} {} {}", at["entity"], at["what"], at["now"], at["then"]).replace('"', "");
        differs.iter().map(line).collect()
    };
    let expected = [
        "null updates in hubspot 0 1",
        "person updates in hubspot 0 1",
        "person first link, phone: overwritten 0 1",
        "person first link, phone: stay apart 1 0",
    ];
    assert_eq!(told(&document), expected);
    let (_, out, _) = world.run(&["plan", "--what-if", "person.on_link=prefer salesforce"]);
    for part in
        ["read twice", "as configured", "person: first link, phone: stay apart: 1 → 0", "+12025550122\" replaces"]
    {
        assert!(out.contains(part), "{part} in {out}");
    }

    // The plan as configured is what it is without the question, and what is tried twice differs in nothing.
    let (_, plain) = world.json(&["plan"]);
    assert_eq!((&plain["writes"], &plain["entities"]), (&document["writes"], &document["entities"]));
    let (_, same) = world.json(&["plan", "--what-if", "on_link=fill blanks"]);
    assert_eq!(told(&same), [""; 0], "{same}");

    // Two people edit one field: who wins, under each policy. The store is as it was.
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    world.edit_hubspot(&ann, json!({ "jobtitle": "Chef" }));
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    world.edit_salesforce("Contact", &there, &json!({ "Title": "Cook" }));
    let store = bytes(&world.path("syncline.redb"));
    let (code, document) = world.json(&["plan", "--what-if", "conflict=prefer hubspot"]);
    assert_eq!(code, Some(0), "{document}");
    assert_eq!(document["entities"]["person"]["conflicts"][0]["winner"], "salesforce", "{document}");
    let then = &document["what_if"]["plan"]["entities"]["person"]["conflicts"];
    assert_eq!((&then[0]["winner"], &then[0]["policy"]), (&json!("hubspot"), &json!("prefer hubspot")), "{document}");
    assert_eq!(bytes(&world.path("syncline.redb")), store);

    for wrong in ["conflict=newest", "persn.conflict=latest", "conflict"] {
        let (code, document) = world.json(&["plan", "--what-if", wrong]);
        assert_eq!((code, &document["error"]["code"]), (Some(2), &json!("what_if")), "{wrong}: {document}");
    }
}

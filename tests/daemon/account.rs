//! What the journal is for: why a value is there, what was there before, and taking it back, with and without a daemon.

use super::world::{CONTACTS, SOBJECTS, World, until};
use serde_json::{Value, json};
use syncline::sandbox::listener::SandboxConfig;
use syncline::sandbox::seed::SeedPlan;

/// Somebody who stands in both systems: e-mail address, id in HubSpot, id in Salesforce.
struct Person {
    email: String,
    hubspot: String,
    salesforce: String,
}

fn people(world: &World, count: usize) -> Vec<Person> {
    let rows = world.query("SELECT Id, Email FROM Contact WHERE Email != null AND Title != null ORDER BY Id");
    let person = |row: &Value| {
        let email = row["Email"].as_str().expect("an address").to_owned();
        let hubspot = world.hubspot_id(&email);
        Person { email, hubspot, salesforce: row["Id"].as_str().expect("an id").to_owned() }
    };
    rows.iter().take(count).map(person).collect()
}

fn once(world: &World) {
    let (code, out, err) = world.run(&["run", "--once", "--interval", "100ms"]);
    assert_eq!(code, Some(0), "{out}{err}");
}

/// The only field of the only record that was found.
fn the_field(document: &Value) -> &Value {
    assert_eq!(document["found"].as_array().map(Vec::len), Some(1), "{document}");
    &document["found"][0]["fields"][0]
}

/// This moment, as `--at` takes it.
fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time since 1970");
    syncline::daemon::account::time(syncline::model::Millis(i64::try_from(since.as_millis()).expect("a time")))
}

fn last_run(world: &World) -> String {
    let (code, runs) = world.json(&["audit", "runs"]);
    assert_eq!(code, Some(0), "{runs}");
    runs["runs"][0]["run"].to_string()
}

/// What a person reads, with times, users and our ids masked, is what stands in a file.
fn assert_reads(world: &World, name: &str, args: &[&str]) {
    let (code, out, err) = world.run(args);
    assert!(code.is_some_and(|code| code < 2) && err.is_empty(), "{args:?}: {err}");
    let mask = |word: &str| {
        let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        // A problem's id goes on behind the record's.
        let core = core.split_once('.').map_or(core, |(first, _)| if first.len() == 32 { first } else { core });
        let ours = core.len() == 32 && core.bytes().all(|b| b.is_ascii_hexdigit());
        let mapping = core.len() == 12 && core.bytes().all(|b| b.is_ascii_hexdigit());
        let time = core.len() == 24 && core.starts_with("20") && core.ends_with('Z');
        match (ours || mapping, time) {
            (true, _) => word.replace(core, "ID"),
            (_, true) => word.replace(core, "TIME"),
            _ => word.to_owned(),
        }
    };
    let line = |line: &str| -> String {
        let indent = line.len() - line.trim_start().len();
        let words = line.split_whitespace().map(|word| match word.split_once('/') {
            Some((entity, id)) => format!("{entity}/{}", mask(id)),
            None => mask(word),
        });
        let words = words.collect::<Vec<_>>().join(" ");
        // Whoever runs this has a name, or none.
        let words = words.split(" by ").next().filter(|_| name == "runs").map_or(words.clone(), str::to_owned);
        format!("{}{words}", " ".repeat(indent))
    };
    let shown = out.lines().map(line).collect::<Vec<_>>().join("\n") + "\n";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/account").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, &shown).expect("a file");
    }
    let known = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(shown, known, "{args:?}");
}

#[test]
fn a_conflict_is_explained_told_and_taken_back() {
    let world = World::new(60);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let people = people(&world, 2);
    let [a, b] = people.as_slice() else { panic!("too few people") };
    let before = world.salesforce(&a.salesforce, "Title");
    let backfilled = now();

    // Both edit one field, and somebody another record, while nobody syncs.
    world.edit_hubspot(&a.hubspot, json!({ "jobtitle": "Archivist" }));
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    world.edit_salesforce("Contact", &a.salesforce, &json!({ "Title": "Baker" }));
    world.edit_hubspot(&b.hubspot, json!({ "city": "Ghent" }));
    once(&world);
    assert_eq!(world.hubspot(&a.hubspot, "jobtitle"), "Baker");

    // By address, by either id, by its page in a browser: one record, and one reason.
    let page = format!("https://example.my.salesforce.com/lightning/r/Contact/{}/view", a.salesforce);
    for text in [&a.email, &format!("salesforce:{}", a.salesforce), &format!("hubspot:{}", a.hubspot), &page] {
        let (code, document) = world.json(&["explain", &format!("{text}.jobtitle")]);
        assert_eq!(code, Some(0), "{document}");
        let field = the_field(&document);
        assert_eq!((&field["value"], &field["origin"]), (&json!("Baker"), &json!("salesforce")), "{field}");
        assert_eq!((&field["lost"][0]["value"], &field["lost"][0]["rule"]), (&json!("Archivist"), &json!("latest")));
        assert_eq!(field["sides"]["hubspot"]["standing"], "equal", "{field}");
        // Each system names who made it, as far as it can.
        let [winner, loser] = [&field["because"]["user"], &field["lost"][0]["user"]];
        assert_eq!((&winner["of"], &loser["of"]), (&json!("record"), &json!("edit")), "{field}");
        let users = world.query("SELECT Id, LastModifiedById FROM Contact WHERE Title = 'Baker'");
        assert_eq!(winner["id"], users[0]["LastModifiedById"], "{field}");
        assert!(loser["id"].as_str().is_some_and(|id| id.starts_with("userId:")), "{field}");
    }
    // A company's phone is not meant by the address of somebody there.
    let (_, document) = world.json(&["explain", &format!("{}.phone", a.email)]);
    assert_eq!(
        (the_field(&document)["field"].clone(), document["found"][0]["entity"].clone()),
        (json!("phone"), json!("person"))
    );
    let (code, text, _) = world.run(&["explain", &a.email]);
    assert_eq!(code, Some(0));
    for part in
        ["person/", "hubspot: contacts", "jobtitle = Baker", "Archivist did not hold (hubspot, userId:", "by latest"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }

    let (_, document) = world.json(&["history", &format!("{}.jobtitle", a.email)]);
    let moments = document["found"][0]["fields"]["jobtitle"].as_array().expect("moments").clone();
    let told: Vec<(&str, &str)> = moments
        .iter()
        .map(|moment| (moment["what"].as_str().unwrap_or_default(), moment["value"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(told.first(), Some(&("first read", before.as_str())), "{document}");
    assert!(told.contains(&("edit", "Baker")) && told.contains(&("lost", "Archivist")), "{document}");
    let (_, then) = world.json(&["history", &format!("{}.jobtitle", a.email), "--at", &backfilled]);
    assert_eq!(then["found"][0]["values"]["jobtitle"], before.as_str(), "{then}");
    // Yesterday nothing was mirrored, whatever the systems showed.
    let (_, then) = world.json(&["history", &format!("{}.jobtitle", a.email), "--at", "1d"]);
    let found = &then["found"][0];
    let since = found["mirrored_since"].as_str().unwrap_or_default();
    assert!(found["values"].is_null() && !since.is_empty() && *since <= *backfilled, "{then}");

    let run = last_run(&world);

    // Taking the run back: first only told.
    let writes = world.writes();
    let (code, plan) = world.json(&["undo", "--run", &run]);
    assert_eq!((code, &plan["restore"]["count"]), (Some(0), &json!(2)), "{plan}");
    assert_eq!(world.writes(), writes, "nothing is written by a plan");

    // Somebody goes on with one of the two meanwhile: that stays.
    world.edit_salesforce("Contact", &b.salesforce, &json!({ "MailingCity": "Bruges" }));
    let (code, done) = world.json(&["undo", "--run", &run, "--yes"]);
    assert_eq!((code, &done["done"]["restored"]), (Some(0), &json!(1)), "{done}");
    assert_eq!(done["kept"]["samples"][0]["by"], "salesforce", "{done}");
    assert_eq!(world.hubspot(&a.hubspot, "jobtitle").trim(), before.trim());
    assert_eq!(world.salesforce(&a.salesforce, "Title").trim(), before.trim());
    assert_eq!(world.hubspot(&b.hubspot, "city"), "Bruges");
    world.assert_equal();

    // And that is taken back while a daemon runs.
    let live = world.start(&["run", "--interval", "200ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    let (_, runs) = world.json(&["audit", "runs"]);
    let undo = runs["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .find(|run| run["command"].as_str().is_some_and(|command| command.starts_with("undo of run")));
    let undo = undo.expect("the undo is a run of its own")["run"].to_string();
    let (code, done) = world.json(&["undo", "--run", &undo, "--yes"]);
    assert_eq!((code, &done["done"]["restored"]), (Some(0), &json!(1)), "{done}");
    until("it arrives", || world.hubspot(&a.hubspot, "jobtitle") == "Baker");
    let (code, chain) = world.json(&["audit", "verify"]);
    assert_eq!((code, &chain["broken"]), (Some(0), &Value::Null), "{chain}");
    let (code, held) = world.json(&["audit", "prune", "--before", "0s"]);
    assert_eq!((code, &held["error"]["code"]), (Some(3), &json!("in_use")), "{held}");
    world.settle();
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();

    // Of an old journal what today rests on stays, and nobody claims to know the rest.
    let (_, why) = world.json(&["explain", &format!("{}.jobtitle", a.email)]);
    let (code, wish) = world.json(&["audit", "prune", "--before", "0s", "--dry-run"]);
    assert!(code == Some(0) && wish["pruned"].as_u64().is_some_and(|entries| entries > 5), "{wish}");
    let (code, done) = world.json(&["audit", "prune", "--before", "0s"]);
    assert_eq!((code, &done["pruned"], &done["kept"]), (Some(0), &wish["pruned"], &wish["kept"]), "{done}");
    let (_, runs) = world.json(&["audit", "runs"]);
    assert!(
        runs["runs"][0]["command"].as_str().is_some_and(|run| run.starts_with("audit prune --before 20")),
        "{runs}"
    );
    let (code, chain) = world.json(&["audit", "verify"]);
    assert_eq!((code, &chain["broken"]), (Some(0), &Value::Null), "{chain}");
    let (_, still) = world.json(&["explain", &format!("{}.jobtitle", a.email)]);
    assert_eq!(the_field(&still)["because"], the_field(&why)["because"]);
    let (_, document) = world.json(&["history", &format!("{}.jobtitle", a.email)]);
    assert_eq!(document["found"][0]["fields"]["jobtitle"][0]["what"], "before", "{document}");
    let (_, then) = world.json(&["history", &a.email, "--at", &backfilled]);
    assert!(then["found"][0]["pruned_until"].is_string() && then["found"][0]["values"].is_null(), "{then}");
    let (code, refused) = world.json(&["undo", "--run", &run]);
    let mend = refused["error"]["mend"].as_str().unwrap_or_default();
    assert!(code == Some(2) && mend.contains("--since"), "{refused}");
}

#[test]
fn an_undo_that_is_interrupted_while_it_reads_takes_nothing_back() {
    let world = World::new(20);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let a = &people(&world, 1)[0];
    world.edit_salesforce("Contact", &a.salesforce, &json!({ "Title": "Baker" }));
    once(&world);
    world.set_faults(&json!({ "latency_ms": 700 }));
    let undo = world.start(&["undo", "--run", "2", "--yes"]);
    until("it reads", || world.status()["daemon"] == true);
    assert_eq!(undo.signal("-INT"), Some(3));
    world.set_faults(&json!({}));
    once(&world);
    assert_eq!(world.hubspot(&a.hubspot, "jobtitle"), "Baker");
    let (_, runs) = world.json(&["audit", "runs"]);
    let runs = runs["runs"].as_array().expect("runs").clone();
    assert!(runs.iter().any(|run| run["command"].as_str().is_some_and(|command| command.starts_with("undo"))));
    assert!(!runs.iter().any(|run| run["command"].as_str().is_some_and(|command| command.contains("of run 2"))));
    // Once more, in peace: it says what it read and wrote.
    let (code, out, err) = world.run(&["undo", "--run", "2", "--yes"]);
    assert_eq!(code, Some(0), "{out}{err}");
    for part in ["  read     ", "  wrote    hubspot 0 created, 1 updated", "restored 1 value\n"] {
        assert!(out.contains(part), "{part} in {out}");
    }
}

#[test]
fn what_a_person_reads_is_frozen() {
    let world = World::new(60);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let people = people(&world, 2);
    let [a, b] = people.as_slice() else { panic!("too few people") };
    let backfilled = now();
    world.edit_salesforce("Contact", &a.salesforce, &json!({ "Title": "Baker" }));
    world.edit_hubspot(&b.hubspot, json!({ "city": "Ghent" }));
    once(&world);
    world.edit_hubspot(&a.hubspot, json!({ "jobtitle": "Curator" }));
    once(&world);
    let field = format!("{}.jobtitle", a.email);
    assert_reads(&world, "explain", &["explain", &field]);
    assert_reads(&world, "history", &["history", &field]);
    assert_reads(&world, "as-of", &["history", &field, "--at", &backfilled]);
    assert_reads(&world, "not-yet", &["history", &field, "--at", "1d"]);
    assert_reads(&world, "undo", &["undo", "--run", "2"]);
    assert_reads(&world, "runs", &["audit", "runs"]);
}

#[test]
fn a_value_cannot_move_the_cursor() {
    let world = World::new(20);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let a = &people(&world, 1)[0];
    for title in ["Cook\u{1b}[2J\u{9b}31m", "Baker\u{1b}]0;owned\u{7}"] {
        world.edit_salesforce("Contact", &a.salesforce, &json!({ "Title": title }));
        once(&world);
    }
    let (field, then) = (format!("{}.jobtitle", a.email), now());
    for args in [
        &["explain", &field][..],
        &["history", &field],
        &["explain", &field, "--at", &then],
        &["audit", "--since", "1h"],
        &["undo", "--run", "3"],
        &["problems", "show"],
        &["status"],
    ] {
        let (code, out, err) = world.run(args);
        assert!(code.is_some_and(|code| code < 2), "{args:?}: {out}{err}");
        let unruly = out.chars().chain(err.chars()).filter(|char| char.is_control() && *char != '\n');
        assert_eq!(unruly.collect::<String>(), "", "{args:?}: {out:?}{err:?}");
        let told = args[0] != "problems" && args[0] != "status";
        assert!(!told || out.contains("owned") || out.contains("[2J"), "{args:?}: {out}");
    }
}

#[test]
fn what_a_person_reads_of_problems_is_frozen() {
    let world = World::new(0);
    for email in ["a@example.org", "b@example.org"] {
        let body = json!({ "properties": { "email": email, "lastname": "x".repeat(81) } });
        world.person("hubspot", "POST", CONTACTS, &body);
    }
    assert_eq!(world.json(&["backfill"]).0, Some(1));
    let (_, listed) = world.json(&["problems", "show"]);
    let id = listed["listed"][0]["id"].as_str().expect("an id").to_owned();
    assert_reads(&world, "problem-ignored", &["problems", "ignore", &id, "--reason", "the ERP shortens it tonight"]);
    assert_reads(&world, "problems", &["problems"]);
    assert_reads(&world, "problems-all", &["problems", "show", "--all"]);
    let record = id.split_once('.').expect("a record").0;
    assert_reads(&world, "explain-ignored", &["explain", &format!("{record}.email")]);
}

#[test]
fn a_first_sync_that_preferred_the_wrong_system_is_taken_back_side_by_side() {
    let data = SeedPlan { records: 60, ..SeedPlan::default() };
    let world = World::with(SandboxConfig { data: Some(data), ..SandboxConfig::default() });
    let people = people(&world, 1);
    let a = &people[0];
    world.edit_hubspot(&a.hubspot, json!({ "jobtitle": "Archivist" }));
    world.edit_salesforce("Contact", &a.salesforce, &json!({ "Title": "Baker" }));
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    assert_eq!(world.hubspot(&a.hubspot, "jobtitle"), "Baker", "Salesforce is preferred");

    let run = last_run(&world);
    let (code, done) = world.json(&["undo", "--run", &run, "--yes"]);
    assert_eq!(code, Some(0), "{done}");
    assert!(done["done"]["restored"].as_u64() >= Some(1), "{done}");
    assert_eq!(world.hubspot(&a.hubspot, "jobtitle"), "Archivist", "it got its own back");
    assert_eq!(world.salesforce(&a.salesforce, "Title"), "Baker", "and Salesforce kept its own");
    let writes = world.writes();
    once(&world);
    assert_eq!(world.writes(), writes, "and it stays so");
    let (code, verdict) = world.json(&["verify"]);
    assert_eq!((code, &verdict["equal"]), (Some(0), &json!(true)), "{verdict}");
    assert!(verdict["entities"]["person"]["excluded"]["split"].as_u64() >= Some(1), "{verdict}");
    let (_, document) = world.json(&["explain", &format!("{}.jobtitle", a.email)]);
    let standing = the_field(&document)["sides"]["hubspot"]["standing"].as_str().unwrap_or_default().to_owned();
    assert!(standing.contains("split"), "{document}");

    // The next edit ends it.
    world.edit_hubspot(&a.hubspot, json!({ "jobtitle": "Curator" }));
    once(&world);
    assert_eq!(world.salesforce(&a.salesforce, "Title"), "Curator");
}

#[test]
fn what_is_not_mirrored_is_told_with_the_reason() {
    let world = World::new(20);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let (code, document) = world.json(&["explain", "nobody@example.org"]);
    assert_eq!((code, &document["error"]["code"]), (Some(2), &json!("unknown_record")), "{document}");
    for (args, helps) in [
        (&["undo"][..], "--help"),
        (&["undo", "--run", "999"], "audit runs"),
        (&["undo", "--by", "nobody"], "hubspot"),
        (&["undo", "nobody@example.org"], "e-mail address"),
        (&["audit", "--since", "yesterday"], ""),
    ] {
        let (found, document) = world.json(args);
        assert_eq!(found, Some(2), "{args:?}: {document}");
        let mend = document["error"]["mend"].as_str().unwrap_or_default();
        assert!(!mend.is_empty() && mend.contains(helps), "{args:?}: {document}");
    }
    // A feed goes on where it left off, one document a line.
    let (_, out, _) = world.run(&["audit", "--since", "1h", "--json"]);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("a document")).collect();
    let (last, entries) = lines.split_last().expect("a last line");
    assert_eq!(last["entries"].as_u64(), Some(entries.len() as u64));
    assert_eq!(entries[0]["what"], "began", "{}", entries[0]);
    let after = last["after"].to_string();
    let new = json!({ "Email": "new.there@example.org", "LastName": "There" });
    world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &new);
    once(&world);
    let (_, out, _) = world.run(&["audit", "--after", &after, "--json"]);
    assert!(out.lines().count() > 3 && out.contains("\"create sent\""), "{out}");
    let created = world.json(&["explain", "new.there@example.org"]).1;
    let story = created["found"][0]["story"].as_array().expect("a story").clone();
    assert!(story.iter().any(|entry| entry["what"] == "mirrored" && entry["system"] == "salesforce"), "{created}");
}

//! Bad input: exit code 2 or 3, one clear message, and an untouched store.

use super::world::{CONTACTS, World, bytes, until};
use serde_json::{Value, json};
use syncline::store::{OpenOptions, Store};

/// Runs a command that must be refused: its error.
fn refused(world: &World, command: &str, code: i32) -> Value {
    let (found, document) = world.json(&[command]);
    assert_eq!(found, Some(code), "{command}: {document}");
    let error = document["error"].clone();
    for key in ["code", "message", "mend"] {
        assert!(error[key].as_str().is_some_and(|text| !text.is_empty()), "{key} in {error}");
    }
    error
}

#[test]
fn without_a_backfill_there_is_nothing_to_run_on() {
    let world = World::new(0);
    for command in ["run", "status", "verify"] {
        let error = refused(&world, command, 2);
        assert!(error["mend"].as_str().is_some_and(|mend| mend.contains("backfill")), "{error}");
    }
    assert!(!world.path("syncline.redb").exists());
    // Begun is not finished.
    drop(Store::create_or_open(world.path("syncline.redb"), Default::default(), &OpenOptions::default()));
    assert_eq!(refused(&world, "run", 2)["code"], "no_backfill");
}

#[test]
fn a_remote_that_refuses_or_is_not_there_is_named() {
    let world = World::new(0);
    let token = world.path("secrets/hubspot.token");
    let good = bytes(&token);
    std::fs::write(&token, "pat-na1-wrong\n").expect("a file");
    let error = refused(&world, "backfill", 3);
    assert_eq!(error["code"], "unauthorized");
    assert!(
        error["message"].as_str().is_some_and(|text| text.contains("hubspot") && !text.contains("wrong")),
        "{error}"
    );
    std::fs::write(&token, good).expect("a file");

    let url = world.running.ready["salesforce"]["url"].as_str().expect("a url").to_owned();
    world.edit_config(&url, "http://127.0.0.1:9");
    let error = refused(&world, "backfill", 3);
    assert_eq!(error["code"], "unreachable");
    assert!(!world.path("syncline.redb").exists(), "nothing was begun");
}

#[test]
fn a_property_that_is_not_there_is_shown_in_its_line() {
    let world = World::new(0);
    world.edit_config("salesforce = \"MailingCity\"", "salesforce = \"MailingCiti\"");
    let error = refused(&world, "backfill", 2);
    let detail = &error["details"][0];
    assert!(detail["line"].as_u64().is_some(), "{error}");
    assert!(error["mend"].as_str().is_some_and(|mend| mend.contains("MailingCity")), "{error}");
}

#[test]
fn a_store_that_is_damaged_foreign_or_in_use_stays_as_it_is() {
    let world = World::new(20);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let path = world.path("syncline.redb");

    let held = Store::open(&path, &OpenOptions::default()).expect("a store");
    assert_eq!(refused(&world, "run", 3)["code"], "in_use");
    drop(held);

    let whole = bytes(&path);
    let mut damaged = whole.clone();
    damaged.truncate(damaged.len() / 3);
    for bad in [damaged, b"not a database at all, but long enough to be looked at".repeat(100)] {
        std::fs::write(&path, &bad).expect("a file");
        for command in ["run", "backfill", "status"] {
            let error = refused(&world, command, 3);
            assert_eq!(bytes(&path), bad, "{command} left the file alone: {error}");
        }
    }
    std::fs::write(&path, &whole).expect("a file");

    // The mapping is part of what a store means.
    world.edit_config("city = {", "town = {");
    assert_eq!(refused(&world, "run", 2)["code"], "mapping");
    world.edit_config("town = {", "city = {");
    assert_eq!(world.json(&["run", "--once", "--interval", "100ms"]).0, Some(0));
    assert_eq!(world.status()["quiet"], json!(true));
}

#[test]
fn a_refused_record_is_listed_with_its_cause() {
    let world = World::new(0);
    let long = "x".repeat(81);
    let ids = ["a@example.org", "b@example.org"].map(|email| {
        let body = json!({ "properties": { "email": email, "lastname": long } });
        world.person("hubspot", "POST", CONTACTS, &body)["id"].as_str().expect("an id").to_owned()
    });
    let (code, out, err) = world.run(&["backfill"]);
    assert_eq!(code, Some(1), "{out}{err}");
    for part in ["STRING_TOO_LONG", "salesforce", "person", "shorten"] {
        assert!(out.contains(part), "{part} in {out}");
    }

    let check = |status: &Value| {
        assert_eq!(status["problems"], 2, "{status}");
        let [cause] = status["problem_causes"].as_array().expect("a list").as_slice() else { panic!("{status}") };
        for (key, value) in [("system", "salesforce"), ("entity", "person"), ("code", "STRING_TOO_LONG")] {
            assert_eq!(cause[key], value, "{cause}");
        }
        assert_eq!(cause["count"], 2, "{cause}");
        assert!(cause["message"].as_str().is_some_and(|message| message.contains("80")), "{cause}");
        assert_eq!(cause["example"]["record"].as_str().map(str::len), Some(32), "{cause}");
        let remote = cause["example"]["remote"].as_object().expect("ids");
        assert!(remote.len() == 1 && ids.iter().any(|id| remote["hubspot"] == *id), "{cause}");
        // Everything but the remote's own message is free of values.
        let mut rest = status.clone();
        rest["problem_causes"][0]["message"] = Value::Null;
        assert!(!rest.to_string().contains("example.org") && !rest.to_string().contains(&long), "{rest}");
    };
    check(&world.status());
    let (_, out, _) = world.run(&["status"]);
    assert!(out.contains("STRING_TOO_LONG") && ids.iter().any(|id| out.contains(id)), "{out}");
    // One by one, by what they have in common; and what nobody named is said.
    let (code, listed) = world.json(&["problems", "show", "--system", "salesforce", "--code", "STRING_TOO_LONG"]);
    let rows = listed["listed"].as_array().expect("rows");
    assert_eq!((code, rows.len()), (Some(1), 2), "{listed}");
    assert!(rows.iter().all(|row| row["entity"] == "person" && ids.iter().any(|id| row["remote"]["hubspot"] == *id)));
    assert_eq!(world.json(&["problems", "show", "--code", "OTHER"]).1["listed"], json!([]));
    assert_eq!(world.json(&["problems", "--system", "nobody"]).0, Some(2));
    let (code, by_cause) = world.json(&["problems"]);
    assert_eq!((code, &by_cause["problems"]), (Some(1), &json!(2)), "{by_cause}");
    let (code, retried) = world.json(&["problems", "retry", "--record", "a@example.org"]);
    assert_eq!((code, &retried["retried"]), (Some(0), &json!(1)), "{retried}");
    // Under another mapping nothing in the store is what the config says.
    let config = std::fs::read_to_string(world.path("syncline.toml")).expect("a config");
    world.edit_config(
        "[entities.person.fields]",
        "[entities.person.fields]\nfax = { type = \"text\", hubspot = \"fax\", salesforce = \"Fax\" }",
    );
    let (code, refused) = world.json(&["problems", "retry"]);
    assert_eq!((code, &refused["error"]["code"]), (Some(2), &json!("mapping")), "{refused}");
    std::fs::write(world.path("syncline.toml"), config).expect("a config");
    let (code, out, err) = world.run(&["run", "--once", "--interval", "100ms"]);
    assert_eq!(code, Some(1), "problems remain: {err}");
    assert!(out.contains("STRING_TOO_LONG"), "{out}");

    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    check(&world.status());
    let (code, retried) = world.json(&["problems", "retry"]);
    assert_eq!((code, &retried["retried"]), (Some(0), &json!(2)), "{retried}");
    // Somebody mends one: it is tried at once, and its problem is gone.
    world.edit_hubspot(&ids[0], json!({ "lastname": "short" }));
    until("the mended record arrives", || world.status()["problems"] == 1);
    assert_eq!(world.query("SELECT Id, LastName FROM Contact WHERE LastName = 'short'").len(), 1);
    assert_eq!(live.stop(), Some(0));
}

#[test]
fn a_clock_that_is_far_off_is_refused_and_the_limit_can_be_raised() {
    let world = World::new(20);
    world.set_faults(&json!({ "clock_offset_ms": 150_000 }));
    let error = refused(&world, "backfill", 3);
    assert_eq!(error["code"], "clock");
    assert!(error["mend"].as_str().is_some_and(|mend| mend.contains("max_drift")), "{error}");
    assert!(!world.path("syncline.redb").exists(), "nothing was begun");
    world.append_config("\n[run]\nmax_drift = \"5m\"\n");
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    world.assert_equal();
}

#[test]
fn polling_that_would_eat_the_daily_calls_is_said() {
    let world = World::new(20);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    assert_eq!(live.signal("-INT"), Some(0));
    let warned = std::fs::read_to_string(world.path("stderr")).expect("a file");
    assert!(warned.contains("polling salesforce") && warned.contains("--interval"), "{warned}");

    let live = world.start(&["run", "--interval", "1h"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    assert_eq!(live.signal("-INT"), Some(0));
    let quiet = std::fs::read_to_string(world.path("stderr")).expect("a file");
    assert!(!quiet.contains("polling"), "{quiet}");
}

#[test]
fn a_demo_tells_its_story_without_a_log() {
    let world = World::new(0);
    let (code, out, err) = world.run(&["demo", "--records", "60"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
}

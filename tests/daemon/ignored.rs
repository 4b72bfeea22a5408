//! Problems that somebody ignores: not listed, not counted, until they are other ones.

use super::world::{CONTACTS, World, until};
use serde_json::{Value, json};

const REASON: &str = "the ERP shortens it tonight";

/// Two contacts that Salesforce cannot hold: their ids in HubSpot.
fn two_too_long(world: &World) -> [String; 2] {
    ["a@example.org", "b@example.org"].map(|email| {
        let body = json!({ "properties": { "email": email, "firstname": "Ann", "lastname": "x".repeat(81) } });
        world.person("hubspot", "POST", CONTACTS, &body)["id"].as_str().expect("an id").to_owned()
    })
}

/// The id of the problem of a contact, ignored or not.
fn problem_of(world: &World, contact: &str) -> String {
    let (_, listed) = world.json(&["problems", "show", "--all"]);
    let rows = listed["listed"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["remote"]["hubspot"] == *contact).unwrap_or_else(|| panic!("{listed}"));
    row["id"].as_str().expect("an id").to_owned()
}

/// Problems and those of them that are ignored, in the status.
fn counts(world: &World) -> (Value, Value) {
    let status = world.status();
    (status["problems"].clone(), status["ignored"].clone())
}

fn ignore(world: &World, id: &str) {
    let (code, answer) = world.json(&["problems", "ignore", id, "--reason", REASON]);
    assert_eq!((code, &answer["problems"]), (Some(0), &json!(1)), "{answer}");
}

fn once(world: &World, wanted: i32) {
    let (code, out, err) = world.run(&["run", "--once", "--interval", "100ms"]);
    assert_eq!(code, Some(wanted), "{out}{err}");
}

#[test]
fn a_problem_is_ignored_with_a_reason_until_it_is_another_one() {
    let world = World::new(0);
    let [a, b] = two_too_long(&world);
    assert_eq!(world.json(&["backfill"]).0, Some(1));
    let (first, second) = (problem_of(&world, &a), problem_of(&world, &b));
    assert_eq!(world.json(&["problems", "ignore", &first]).0, Some(2), "not without a reason");
    assert_eq!(world.json(&["problems", "ignore", "nothing", "--reason", REASON]).0, Some(2));
    assert_eq!(world.json(&["problems", "unignore", &first]).0, Some(2), "it is not ignored");
    assert_eq!(world.json(&["problems", "retry", "nothing"]).0, Some(2));
    ignore(&world, &first);
    assert_eq!(counts(&world), (json!(1), json!(1)));
    assert_eq!(world.status()["problem_causes"][0]["count"], 1);
    let (code, listed) = world.json(&["problems", "show"]);
    assert_eq!((code, listed["listed"].as_array().map(Vec::len)), (Some(1), Some(1)), "{listed}");
    let (_, listed) = world.json(&["problems", "show", "--all"]);
    let reasons: Vec<&Value> =
        listed["listed"].as_array().expect("rows").iter().map(|row| &row["ignored"]["reason"]).collect();
    assert!(reasons.contains(&&json!(REASON)) && reasons.contains(&&Value::Null), "{listed}");
    ignore(&world, &second);
    let (code, problems) = world.json(&["problems"]);
    assert_eq!((code, &problems["problems"], &problems["ignored"]), (Some(0), &json!(0), &json!(2)), "{problems}");
    once(&world, 0);

    // Who, when and why stands in the journal, as a run of its own, and in the record's story.
    let (_, runs) = world.json(&["audit", "runs"]);
    let said = |run: &&Value| run["command"].as_str().is_some_and(|command| command.starts_with("problems ignore"));
    assert_eq!(runs["runs"].as_array().expect("runs").iter().filter(said).count(), 2, "{runs}");
    let (_, record) = world.json(&["explain", "a@example.org"]);
    let story = record["found"][0]["story"].as_array().expect("a story");
    assert!(story.iter().any(|entry| entry["what"] == "problem ignored" && entry["reason"] == REASON), "{record}");
    assert_eq!(record["found"][0]["problems"][0]["ignored"], REASON, "{record}");

    // The same problem, found again, stays ignored; another one in its place does not.
    let tries = |world: &World| {
        let (_, out, _) = world.run(&["audit", "--since", "1h"]);
        out.matches("refused a write").count()
    };
    let before = tries(&world);
    world.edit_hubspot(&a, json!({ "city": "Ghent" }));
    once(&world, 0);
    assert!(tries(&world) > before, "it was tried");
    assert_eq!(counts(&world), (json!(0), json!(2)));
    world.edit_hubspot(&a, json!({ "lastname": "y".repeat(81) }));
    once(&world, 1);
    assert_eq!(counts(&world), (json!(1), json!(1)));
    // Mended and broken again is another one, too.
    world.edit_hubspot(&b, json!({ "lastname": "short" }));
    once(&world, 1);
    assert_eq!(counts(&world), (json!(1), json!(0)));
    world.edit_hubspot(&b, json!({ "lastname": "x".repeat(81) }));
    once(&world, 1);
    assert_eq!(counts(&world), (json!(2), json!(0)));
}

#[test]
fn what_is_ignored_is_taken_back_by_hand_or_by_trying_it_again() {
    let world = World::new(0);
    let [a, b] = two_too_long(&world);
    assert_eq!(world.json(&["backfill"]).0, Some(1));
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    let ids = [problem_of(&world, &a), problem_of(&world, &b)];
    ids.iter().for_each(|id| ignore(&world, id));
    assert_eq!(counts(&world), (json!(0), json!(2)));
    let (code, answer) = world.json(&["problems", "unignore", &ids[0]]);
    assert_eq!((code, counts(&world)), (Some(0), (json!(1), json!(1))), "{answer}");
    // Trying all again leaves alone what is ignored, unless it is named or meant.
    assert_eq!(world.json(&["problems", "retry"]).1["retried"], 1);
    assert_eq!(counts(&world), (json!(1), json!(1)));
    assert_eq!(world.json(&["problems", "retry", &ids[1]]).1["retried"], 1);
    assert_eq!(counts(&world), (json!(2), json!(0)));
    ignore(&world, &ids[0]);
    assert_eq!(world.json(&["problems", "retry", "--all"]).1["retried"], 2);
    assert_eq!(counts(&world), (json!(2), json!(0)));
    assert_eq!(live.stop(), Some(0));
    let (_, out, _) = world.run(&["audit", "--since", "1h"]);
    assert!(out.contains(&format!("ignored: STRING_TOO_LONG: {REASON}")), "{out}");
    assert!(out.contains("ignored no longer: STRING_TOO_LONG"), "{out}");
    let (code, chain) = world.json(&["audit", "verify"]);
    assert_eq!((code, &chain["broken"]), (Some(0), &Value::Null), "{chain}");
}

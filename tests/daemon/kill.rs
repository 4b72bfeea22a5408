//! SIGKILL at any moment, and going on.

use super::world::{World, until};
use serde_json::json;

#[test]
fn a_backfill_that_is_killed_goes_on_and_creates_nothing_twice() {
    let world = World::new(300);
    world.set_faults(&json!({ "latency_ms": 20, "lost_answer": 0.05 }));
    for more in [0, 1, 120] {
        let before = world.writes_total();
        let mut process = world.start(&["backfill"]);
        if more == 0 {
            std::thread::sleep(std::time::Duration::from_millis(300));
        } else {
            until("it writes", || process.ended().is_some() || world.writes_total() >= before + more);
        }
        process.kill();
    }
    world.set_faults(&json!({}));
    let (code, report) = world.json(&["backfill"]);
    assert_eq!(code, Some(0), "{report}");
    world.assert_equal();
    world.assert_created_exactly_what_was_missing();
}

#[test]
fn a_live_run_that_is_killed_while_people_edit_goes_on() {
    let world = World::new(60);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let people = world.query("SELECT Id, Email FROM Contact WHERE Email != null ORDER BY Id LIMIT 12");
    for round in 0..3 {
        let live = world.start(&["run", "--interval", "100ms"]);
        until("the daemon answers", || world.status()["daemon"] == true);
        for (at, person) in people.iter().enumerate() {
            let text = format!("round {round}");
            match at % 2 {
                0 => world.edit_salesforce("Contact", person["Id"].as_str().expect("an id"), &json!({ "Title": text })),
                _ => {
                    let id = world.hubspot_id(person["Email"].as_str().expect("an email"));
                    world.edit_hubspot(&id, json!({ "city": text }));
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
        live.kill();
    }
    let (code, done) = world.json(&["run", "--once", "--interval", "100ms"]);
    assert_eq!(code, Some(0), "{done}");
    world.assert_equal();
    world.assert_created_exactly_what_was_missing();
    for (at, person) in people.iter().enumerate() {
        let field = if at % 2 == 0 { "Title" } else { "MailingCity" };
        assert_eq!(world.salesforce(person["Id"].as_str().expect("an id"), field), "round 2");
    }
}

/// Ctrl-C in the middle of writing: what was sent is heard, and nothing is sent again.
#[test]
fn a_live_run_that_is_interrupted_finishes_what_it_sent() {
    let world = World::new(60);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    world.set_faults(&json!({ "latency_ms": 300 }));
    let people = world.query("SELECT Id, Email FROM Contact WHERE Email != null ORDER BY Id LIMIT 6");
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    let before = world.writes_total();
    for person in &people {
        world.edit_salesforce("Contact", person["Id"].as_str().expect("an id"), &json!({ "Title": "interrupted" }));
    }
    until("it writes", || world.writes_total() > before);
    assert_eq!(live.signal("-INT"), Some(0));
    world.set_faults(&json!({}));
    assert_eq!(world.json(&["run", "--once", "--interval", "100ms"]).0, Some(0));
    assert_eq!(world.writes_total(), before + people.len() as u64, "one write an edit");
    world.assert_equal();
}

//! `verify --mirror`, `audit checkpoint`, `audit replay`: does the journal tell how the mirror came to be?

use super::world::{World, until};
use serde_json::json;

#[test]
fn a_checkpoint_is_taken_and_replayed_with_and_without_a_daemon() {
    let world = World::new(20);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let (code, before) = world.json(&["verify", "--mirror"]);
    assert_eq!(code, Some(0), "{before}");
    assert!(before["entities"]["person"]["records"].as_u64().is_some_and(|records| records >= 20), "{before}");
    let (code, taken) = world.json(&["audit", "checkpoint", "then.redb"]);
    assert_eq!((code, &taken["journal"]), (Some(0), &before["journal"]), "{taken}");
    // What was kept is enough as long as nothing moves.
    let person = |answer: &serde_json::Value| answer["entities"]["person"].clone();
    assert_eq!((&person(&before)["whole"], &person(&before)["since"]), (&json!(true), &json!(null)));
    let (_, again) = world.json(&["verify", "--mirror"]);
    assert_eq!(
        (&again["root"], &person(&again)["whole"], &person(&again)["read"]),
        (&before["root"], &json!(false), &json!(0))
    );
    // Nothing is written over.
    let (code, refused) = world.json(&["audit", "checkpoint", "then.redb"]);
    assert_eq!((code, &refused["error"]["code"]), (Some(2), &json!("checkpoint")), "{refused}");

    let run = world.start(&["run", "--interval", "200ms"]);
    until("it runs", || world.run(&["status"]).0 == Some(0));
    let contact = world.query("SELECT Id FROM Contact WHERE Email != null ORDER BY Id").remove(0);
    let id = contact["Id"].as_str().expect("an id").to_owned();
    world.edit_salesforce("Contact", &id, &json!({ "Title": "Baker" }));
    world.person(
        "salesforce",
        "POST",
        "/services/data/v61.0/sobjects/Contact",
        &json!({
            "LastName": "Newcomer", "Email": "newcomer@example.org",
        }),
    );
    world.settle();
    // Nobody can copy what is being written to.
    let (code, refused) = world.json(&["audit", "checkpoint", "now.redb"]);
    assert_eq!((code, &refused["error"]["code"]), (Some(3), &json!("in_use")), "{refused}");
    assert!(!world.path("now.redb").exists());
    let (code, asked) = world.json(&["audit", "replay", "--from", "then.redb"]);
    assert_eq!((code, &asked["equal"]), (Some(0), &json!(true)), "{asked}");
    let (code, moved) = world.json(&["verify", "--mirror"]);
    let read = person(&moved)["read"].as_u64().expect("a number");
    assert_eq!((code, &person(&moved)["whole"]), (Some(0), &json!(false)), "{moved}");
    assert!((2..person(&moved)["records"].as_u64().expect("a number")).contains(&read), "{moved}");
    assert_eq!(run.stop(), Some(0));

    let (code, replayed) = world.json(&["audit", "replay", "--from", "then.redb"]);
    assert_eq!((code, &replayed["equal"], &replayed["checkpoint"]), (Some(0), &json!(true), &before["journal"]));
    assert!(replayed["entries"].as_u64().is_some_and(|entries| entries > 3), "{replayed}");
    let (code, after) = world.json(&["verify", "--mirror", "--full"]);
    assert_eq!((code, &after["sound"], &person(&after)["whole"]), (Some(0), &json!(true), &json!(true)));
    assert_eq!(after["root"], moved["root"]);
    let (code, text, _) = world.run(&["verify", "--mirror", "--full"]);
    assert!(code == Some(0) && text.contains("no record has moved without an entry"), "{text}");
    assert_ne!(after["root"], before["root"]);
    assert_eq!((&replayed["mirror"], &replayed["rebuilt"]), (&after["root"], &after["root"]));
    assert_eq!(replayed["entities"]["person"]["records"], after["entities"]["person"]["records"]);
    let (code, text, _) = world.run(&["audit", "replay", "--from", "then.redb"]);
    let told = format!(
        "{} entries after entry {} give the mirror that is there",
        replayed["entries"], replayed["checkpoint"]["number"]
    );
    assert!(code == Some(0) && text.contains(&told), "{text}");
    let (code, text, _) = world.run(&["audit", "--since", "1h"]);
    assert!(code == Some(0) && text.contains("first values: "), "{text}");

    // Another store, and no store.
    std::fs::write(world.path("none.redb"), b"nothing").expect("a file");
    for (file, part) in [("none.redb", "it is no store of syncline"), ("nowhere.redb", "there is no such file")] {
        let (code, refused) = world.json(&["audit", "replay", "--from", file]);
        let message = refused["error"]["message"].as_str().unwrap_or_default();
        assert!(code == Some(2) && message.contains(part), "{refused}");
    }
}

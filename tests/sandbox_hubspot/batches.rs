//! Batches: who of many succeeds.

use serde_json::{Value, json};
use syncline::sandbox::ledger::Writes;

use crate::portal::{CONTACTS, Portal, ids, text};

#[test]
fn batch_reads_name_the_missing_together() {
    let mut portal = Portal::new();
    let (one, two) = (portal.contact("a@example.com"), portal.contact("b@example.com"));
    let read = format!("{CONTACTS}/batch/read");
    let body = json!({"properties": ["email"], "inputs": [{"id": one}, {"id": "1"}, {"id": two}, {"id": "x"}]});
    let (status, answer) = portal.call("POST", &read, body.clone());
    assert_eq!(status, 207);
    assert_eq!(ids(&answer), [one.clone(), two]);
    assert_eq!(answer["numErrors"], 1);
    assert_eq!(answer["errors"][0]["category"], "OBJECT_NOT_FOUND");
    assert_eq!(answer["errors"][0]["context"]["ids"], json!(["1", "x"]));
    // From 2026-09 on the same comes with 200.
    assert_eq!(portal.call("POST", "/crm/objects/2026-09/contacts/batch/read", body).0, 200);

    let by_email = json!({"idProperty": "email", "properties": [], "inputs": [{"id": "A@EXAMPLE.com"}]});
    let (status, answer) = portal.call("POST", &read, by_email);
    assert_eq!((status, ids(&answer)), (200, vec![one.clone()]));

    let many = |count: usize| -> Vec<Value> { (0..count).map(|id| json!({"id": id.to_string()})).collect() };
    let (status, answer) = portal.call("POST", &read, json!({"inputs": many(101)}));
    assert_eq!(status, 400);
    assert!(text(&answer["message"]).starts_with("The maximum number of inputs supported in a batch is 100."));
    let (status, answer) = portal.call("POST", &read, json!({"inputs": many(51), "propertiesWithHistory": ["email"]}));
    assert_eq!(status, 400);
    assert!(text(&answer["message"]).ends_with("for property histories is 50"));
    let (_, answer) = portal.call("POST", &read, json!({"inputs": [{"id": one}], "propertiesWithHistory": ["email"]}));
    assert_eq!(answer["results"][0]["propertiesWithHistory"]["email"][0]["value"], "a@example.com");
}

#[test]
fn a_batch_create_is_all_or_nothing_unless_every_input_has_a_trace_id() {
    let mut portal = Portal::new();
    let existing = portal.contact("taken@example.com");
    let create = format!("{CONTACTS}/batch/create");
    let input = |email: &str| json!({"properties": {"email": email}});
    let body = json!({"inputs": [input("a@example.com"), input("taken@example.com")]});
    let (status, answer) = portal.call("POST", &create, body);
    assert_eq!((status, &answer["message"]), (409, &json!("Contact already exists")));
    let (status, _) = portal.call("POST", &create, json!({"inputs": [input("a@example.com"), input("A@example.com")]}));
    assert_eq!(status, 409);
    assert_eq!(portal.world.ledger().integration.create, 0);

    let traced = |email: &str, trace: &str| json!({"properties": {"email": email}, "objectWriteTraceId": trace});
    let inputs = [traced("a@example.com", "0"), traced("taken@example.com", "1"), traced("A@example.com", "2")];
    let (status, answer) = portal.call("POST", &create, json!({"inputs": inputs}));
    assert_eq!(status, 207);
    assert_eq!(answer["results"].as_array().map(Vec::len), Some(1));
    assert_eq!(answer["results"][0]["objectWriteTraceId"], "0");
    assert_eq!(answer["numErrors"], 2);
    let context = &answer["errors"][0]["context"];
    assert_eq!((&context["objectWriteTraceId"], &context["existingId"]), (&json!(["1"]), &json!([existing])));
    assert_eq!(portal.call("POST", &create, json!({"inputs": [input("c@example.com")]})).0, 201);
    assert_eq!(portal.world.ledger().integration.create, 2);
}

#[test]
fn batch_updates_and_upserts_write_each_record() {
    let mut portal = Portal::new();
    let (one, two) = (portal.contact("a@example.com"), portal.contact("b@example.com"));
    let update = format!("{CONTACTS}/batch/update");
    let input = |id: &str, city: &str| json!({"id": id, "properties": {"city": city}});
    let (status, answer) = portal.call("POST", &update, json!({"inputs": [input(&one, "X"), input(&one, "Y")]}));
    assert_eq!(status, 400);
    let expected = format!("Duplicate IDs found in batch input: [{one}]. IDs must be unique");
    assert_eq!((text(&answer["message"]), &answer["context"]["ids"]), (expected, &json!([one])));

    let (status, answer) = portal.call("POST", &update, json!({"inputs": [input(&one, "X"), input("7", "Y")]}));
    assert_eq!((status, ids(&answer)), (207, vec![one.clone()]));
    let bad = json!({"id": two, "properties": {"nope": "1"}});
    assert_eq!(portal.call("POST", &update, json!({"inputs": [input(&one, "Z"), bad]})).0, 400);
    assert_eq!(portal.world.ledger().integration.update, 1);

    let upsert = format!("{CONTACTS}/batch/upsert");
    let row = |id: &str, city: &str| json!({"id": id, "idProperty": "syncline_id", "properties": {"city": city, "lastname": "N"}});
    let (status, answer) = portal.call("POST", &upsert, json!({"inputs": [row("s1", "X"), row("s2", "Y")]}));
    assert_eq!(status, 200);
    assert!(answer["results"].as_array().expect("results").iter().all(|row| row["new"] == true));
    let (_, answer) = portal.call("POST", &upsert, json!({"inputs": [row("s1", "Z")]}));
    assert_eq!(answer["results"][0]["new"], false);
    assert_eq!(portal.world.ledger().integration, Writes { create: 2, update: 2, delete: 0 });

    let archive = format!("{CONTACTS}/batch/archive");
    assert_eq!(portal.call("POST", &archive, json!({"inputs": [{"id": one}, {"id": two}, {"id": "9"}]})).0, 204);
    assert_eq!(portal.world.ledger().integration.delete, 2);
}

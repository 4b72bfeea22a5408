//! What the emulated HubSpot answers, asked without a socket.
#![cfg(feature = "sandbox")]

mod account;
mod associations;
mod batches;
mod life;
mod portal;
mod search;

use serde_json::{Value, json};
use syncline::sandbox::faults::Faults;
use syncline::sandbox::ledger::Writes;
use syncline::sandbox::system::System;

use portal::{CONTACTS, Portal, ids, text};

#[test]
fn a_record_lives_and_is_archived() {
    let mut portal = Portal::new();
    let (status, made) = portal.call(
        "POST",
        CONTACTS,
        json!({"properties": {"email": "Ada@Example.com", "firstname": "Ada"}, "objectWriteTraceId": "t1"}),
    );
    assert_eq!(status, 201);
    let id = text(&made["id"]);
    assert!(id.parse::<u64>().is_ok_and(|id| id > 1 << 32));
    assert_eq!(made["objectWriteTraceId"], "t1");
    assert_eq!(made["properties"]["email"], "ada@example.com");
    assert_eq!(made["properties"]["hs_email_domain"], "example.com");
    assert_eq!(made["properties"]["lifecyclestage"], "lead");
    assert_eq!(made["properties"]["lastmodifieddate"], made["updatedAt"]);

    let one = format!("{CONTACTS}/{id}");
    let (status, changed) = portal.call("PATCH", &one, json!({"properties": {"firstname": "", "city": "Paris"}}));
    assert_eq!(status, 200);
    let written: Vec<_> = changed["properties"].as_object().expect("an object").keys().cloned().collect();
    assert_eq!(written, ["city", "firstname", "lastmodifieddate"]);

    // Cleared is "", never set is null, unknown is left out.
    let (_, read) =
        portal.call("GET", &format!("{one}?properties=firstname,phone,shoe_size&properties=city"), json!(null));
    assert_eq!(read["properties"]["firstname"], "");
    assert_eq!(read["properties"]["phone"], Value::Null);
    assert_eq!(read["properties"]["city"], "Paris");
    assert!(read["properties"].get("shoe_size").is_none());
    let by_email = portal.call("GET", &format!("{CONTACTS}/ADA%40example.com?idProperty=email"), json!(null));
    assert_eq!(by_email.1["id"], id.as_str());

    let modified = read["updatedAt"].clone();
    assert_eq!(portal.call("DELETE", &one, json!(null)).0, 204);
    assert_eq!(portal.call("DELETE", &one, json!(null)).0, 204);
    assert_eq!(portal.call("DELETE", &format!("{CONTACTS}/1"), json!(null)).0, 204);
    let (status, missing) = portal.call("GET", &one, json!(null));
    assert_eq!((status, &missing["message"]), (404, &json!("resource not found")));
    assert_eq!(portal.call("PATCH", &one, json!({"properties": {"city": "Rome"}})).0, 404);
    let (_, archived) = portal.call("GET", &format!("{one}?archived=true"), json!(null));
    assert_eq!((&archived["archived"], &archived["updatedAt"]), (&json!(true), &modified));
    assert!(archived["archivedAt"].is_string());
    assert_eq!(portal.world.ledger().integration, Writes { create: 1, update: 1, delete: 1 });

    // The address is free again, and the bin is emptied after 90 days.
    portal.contact("ada@example.com");
    portal.now_ms += 90 * 86_400_000;
    assert_eq!(portal.call("GET", &format!("{one}?archived=true"), json!(null)).0, 404);
}

#[test]
fn history_tells_who_wrote_what_and_when() {
    let mut portal = Portal::new();
    let id = portal.contact("ada@example.com");
    let one = format!("{CONTACTS}/{id}");
    portal.call("PATCH", &one, json!({"properties": {"lastname": "M"}}));
    portal.call("PATCH", &one, json!({"properties": {"lastname": "M"}}));
    portal.person("PATCH", &one, json!({"properties": {"lastname": ""}}));
    let (_, read) = portal.call("GET", &format!("{one}?propertiesWithHistory=lastname,phone"), json!(null));
    let history = read["propertiesWithHistory"]["lastname"].as_array().expect("a history").clone();
    let values: Vec<_> = history.iter().map(|entry| text(&entry["value"])).collect();
    assert_eq!(values, ["", "M", "M", "L"]); // newest first; an identical write counts
    let sources: Vec<_> = history.iter().map(|entry| text(&entry["sourceType"])).collect();
    assert_eq!(sources, ["CRM_UI", "INTEGRATION", "INTEGRATION", "CRM_UI"]);
    assert_eq!(history[0]["sourceId"], "userId:1");
    assert_eq!(history[1]["sourceId"], portal.tokens.app_id.as_str());
    assert_eq!(history[0]["timestamp"], read["updatedAt"]);
    let times: Vec<_> = history.iter().map(|entry| text(&entry["timestamp"])).collect();
    assert!(times.is_sorted_by(|newer, older| newer > older), "{times:?}");
    assert_eq!(read["propertiesWithHistory"]["phone"], json!([]));

    portal.world.set_faults(&Faults { ignore_identical_writes: true, ..Faults::default() });
    portal.call("PATCH", &one, json!({"properties": {"lastname": ""}}));
    let (_, again) = portal.call("GET", &format!("{one}?propertiesWithHistory=lastname"), json!(null));
    assert_eq!(again["updatedAt"], read["updatedAt"]);
}

#[test]
fn bad_writes_are_refused_in_hubspots_words() {
    let mut portal = Portal::new();
    let id = portal.contact("ada@example.com");
    let mut check = |path: &str, properties: Value, status: u16, part: &str| {
        let found = portal.call("POST", path, json!({"properties": properties}));
        assert_eq!(found.0, status, "{}", found.1);
        assert!(text(&found.1["message"]).contains(part), "{}", found.1);
        found.1
    };
    let unknown = check(CONTACTS, json!({"email": "b@b.com", "nope": "1"}), 400, r#""error":"PROPERTY_DOESNT_EXIST""#);
    assert_eq!(unknown["category"], "VALIDATION_ERROR");
    assert_eq!(unknown["errors"][0]["code"], "PROPERTY_DOESNT_EXIST");
    assert_eq!(unknown["errors"][0]["context"]["propertyName"], json!(["nope"]));
    check(CONTACTS, json!({"email": "nonsense"}), 400, "Email address nonsense is invalid");
    check(CONTACTS, json!({"email": "ADA@example.com"}), 409, &format!("Contact already exists. Existing ID: {id}"));
    check(CONTACTS, json!({"city": "Paris"}), 400, "Some required properties were not set");
    check(
        CONTACTS,
        json!({"lastname": "L", "lifecyclestage": "Lead"}),
        400,
        "was not one of the allowed options: [sub",
    );
    check(CONTACTS, json!({"lastname": "L", "lastmodifieddate": "1"}), 400, "READ_ONLY_VALUE");
    let deals = "/crm/objects/2026-03/deals";
    check(deals, json!({"dealname": "D"}), 400, "Some required properties were not set");
    check(deals, json!({"dealname": "D", "dealstage": "closedwon", "amount": "1,5"}), 400, "not a valid number");
    check("/crm/objects/2026-03/butterflies", json!({}), 400, "Unable to infer object type from: butterflies");
    assert_eq!(portal.world.ledger().integration, Writes::default());
}

#[test]
fn the_lifecycle_never_goes_back_unless_it_is_cleared_first() {
    let mut portal = Portal::new();
    let one = format!("{CONTACTS}/{}", portal.contact("ada@example.com"));
    let mut set = |stage: &str| {
        let answer = portal.call("PATCH", &one, json!({"properties": {"lifecyclestage": stage}}));
        text(&answer.1["properties"]["lifecyclestage"])
    };
    assert_eq!(set("customer"), "customer");
    assert_eq!(set("lead"), "customer");
    assert_eq!(set(""), "");
    assert_eq!(set("lead"), "lead");
}

#[test]
fn unique_properties_are_unique_and_find_records() {
    let mut portal = Portal::new();
    let companies = "/crm/objects/2026-03/companies";
    let make =
        |name: &str, id: &str| json!({"properties": {"name": name, "domain": "same.example", "syncline_id": id}});
    let (status, first) = portal.call("POST", companies, make("A", "x1"));
    assert_eq!(status, 201);
    let (status, second) = portal.call("POST", companies, make("B", "x1"));
    assert_eq!(status, 400);
    assert!(text(&second["message"]).contains("CONFLICTING_UNIQUE_VALUE"));
    assert_eq!(portal.call("POST", companies, make("B", "x2")).0, 201); // a domain is not unique
    let (_, read) = portal.call("GET", &format!("{companies}/x1?idProperty=syncline_id"), json!(null));
    assert_eq!(read["id"], first["id"]);
    assert_eq!(portal.call("GET", &format!("{companies}/A?idProperty=name"), json!(null)).0, 400);
}

#[test]
fn lists_are_paged_by_id() {
    let mut portal = Portal::new();
    let made: Vec<_> = (0..25).map(|number| portal.contact(&format!("p{number}@example.com"))).collect();
    portal.person("DELETE", &format!("{CONTACTS}/{}", made[3]), json!(null));
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = portal.call("GET", &format!("{CONTACTS}?limit=10{after}"), json!(null));
        assert_eq!(status, 200);
        found.extend(page["results"].as_array().expect("results").iter().map(|row| text(&row["id"])));
        match page["paging"]["next"]["after"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let live: Vec<_> = made.iter().filter(|id| **id != made[3]).cloned().collect();
    assert_eq!(found, live);
    let (_, archived) = portal.call("GET", &format!("{CONTACTS}?archived=true"), json!(null));
    assert_eq!(ids(&archived), [made[3].clone()]);
    assert_eq!(portal.call("GET", &format!("{CONTACTS}?limit=101"), json!(null)).0, 400);
    assert_eq!(portal.call("GET", &format!("{CONTACTS}?limit=51&propertiesWithHistory=email"), json!(null)).0, 400);
}

#[test]
fn created_datetimes_are_echoed_in_milliseconds_and_read_as_iso() {
    let mut portal = Portal::new();
    let deals = "/crm/objects/2026-03/deals";
    let body =
        json!({"properties": {"dealname": "D", "dealstage": "closedwon", "closedate": "2026-03-01T00:00:00.000Z"}});
    let (status, made) = portal.call("POST", deals, body);
    assert_eq!((status, &made["properties"]["closedate"]), (201, &json!("1772323200000")));
    assert_eq!(made["properties"]["pipeline"], "default");
    let (_, read) = portal.call("GET", &format!("{deals}/{}", text(&made["id"])), json!(null));
    assert_eq!(read["properties"]["closedate"], "2026-03-01T00:00:00Z");
}

//! Search, and the index behind it.

use serde_json::{Value, json};
use syncline::sandbox::faults::Faults;
use syncline::sandbox::system::System;

use crate::portal::{CONTACTS, Portal, ids, text};

#[test]
fn search_filters_sorts_and_pages() {
    let mut portal = Portal::new();
    let made: Vec<_> = (0..12).map(|number| portal.contact(&format!("p{number:02}@example.com"))).collect();
    portal.person(
        "PATCH",
        &format!("{CONTACTS}/{}", made[5]),
        json!({"properties": {"city": "Köln", "firstname": "Zoë"}}),
    );
    let since = portal.now_ms;
    portal.person("PATCH", &format!("{CONTACTS}/{}", made[2]), json!({"properties": {"city": "Berlin"}}));

    let filter =
        |name: &str, operator: &str, value: Value| json!({"propertyName": name, "operator": operator, "value": value});
    let one = |filter: Value| json!({"filterGroups": [{"filters": [filter]}]});
    let mut check = |body: Value, expected: &[usize]| {
        let answer = portal.search(body.clone());
        let expected: Vec<_> = expected.iter().map(|&number| made[number].clone()).collect();
        assert_eq!(ids(&answer), expected, "{body}");
        assert_eq!(answer["total"], expected.len(), "{body}");
    };
    check(one(filter("lastmodifieddate", "GTE", json!(since.to_string()))), &[2, 5]);
    check(one(filter("lastmodifieddate", "GT", json!(since.to_string()))), &[2]);
    check(one(filter("city", "EQ", json!("BERLIN"))), &[2]);
    check(one(json!({"propertyName": "city", "operator": "HAS_PROPERTY"})), &[2, 5]);
    check(
        one(json!({"propertyName": "email", "operator": "IN", "values": ["p01@example.com", "P02@example.com"]})),
        &[1],
    );
    check(one(filter("hs_object_id", "GT", json!(made[9]))), &[10, 11]);
    check(one(filter("firstname", "CONTAINS_TOKEN", json!("zo*"))), &[5]);
    check(json!({"query": "P07@"}), &[7]);
    check(
        json!({"filterGroups": [{"filters": [filter("city", "EQ", json!("berlin"))]},
                                  {"filters": [filter("city", "EQ", json!("köln"))]}]}),
        &[2, 5],
    );

    let page = portal
        .search(json!({"limit": 5, "after": "5", "sorts": [{"propertyName": "email", "direction": "DESCENDING"}]}));
    let emails: Vec<_> =
        page["results"].as_array().expect("results").iter().map(|row| text(&row["properties"]["email"])).collect();
    assert_eq!(emails, ["p06@example.com", "p05@example.com", "p04@example.com", "p03@example.com", "p02@example.com"]);
    assert_eq!(page["paging"], json!({"next": {"after": "10"}}));
    assert_eq!(page["total"], 12);

    let mut refused = |body: Value, status: u16| {
        let found = portal.call("POST", &format!("{CONTACTS}/search"), body);
        assert_eq!(found.0, status, "{}", found.1);
    };
    refused(json!({"limit": 201}), 400);
    refused(json!({"limit": 200, "after": "9900"}), 400);
    refused(json!({"query": "x".repeat(3000)}), 400);
    refused(one(filter("nope", "EQ", json!("1"))), 400);
    refused(one(json!({"propertyName": "city", "operator": "NOT_HAS_PROPERTY", "value": ""})), 400);
    refused(one(filter("createdate", "GTE", json!("0"))), 500);
    refused(json!({"filterGroups": vec![json!({"filters": []}); 6]}), 400);
}

#[test]
fn the_index_lags_when_told_to() {
    let mut portal = Portal::new();
    let one = portal.contact("a@example.com");
    portal.now_ms += 60_000;
    portal.world.set_faults(&Faults { search_delay_ms: 10_000, ..Faults::default() });
    let in_paris = json!({"filterGroups": [{"filters": [{"propertyName": "city", "operator": "EQ", "value": "paris"}]}],
                          "properties": ["city"]});
    portal.person("PATCH", &format!("{CONTACTS}/{one}"), json!({"properties": {"city": "Paris"}}));
    let two = portal.contact("b@example.com");
    assert_eq!(portal.search(in_paris.clone())["total"], 0);
    // The new one is unknown; the values of the old one are current.
    let all = portal.search(json!({"properties": ["city"]}));
    assert_eq!((all["total"].clone(), all["results"][0]["properties"]["city"].clone()), (json!(1), json!("Paris")));
    portal.now_ms += 10_000;
    assert_eq!(ids(&portal.search(in_paris)), std::slice::from_ref(&one));
    assert_eq!(ids(&portal.search(json!({}))), [one.clone(), two]);
    // An archived one is still counted, and not shown.
    portal.person("DELETE", &format!("{CONTACTS}/{one}"), json!(null));
    let stale = portal.search(json!({}));
    assert_eq!((stale["total"].clone(), stale["results"].as_array().map(Vec::len)), (json!(2), Some(1)));
}

#[test]
fn work_in_the_background_touches_new_records() {
    let mut portal = Portal::new();
    portal.world.set_faults(&Faults { touch_after_create_ms: 3000, ..Faults::default() });
    let one = format!("{CONTACTS}/{}", portal.contact("a@example.com"));
    let before = portal.call("GET", &one, json!(null)).1;
    portal.now_ms += 3000;
    let after = portal.call("GET", &one, json!(null)).1;
    assert_ne!(before["updatedAt"], after["updatedAt"]);
    assert_eq!(before["properties"]["email"], after["properties"]["email"]);
}

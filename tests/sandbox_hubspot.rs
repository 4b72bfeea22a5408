//! What the emulated HubSpot answers, asked without a socket.
#![cfg(feature = "sandbox")]

use serde_json::{Value, json};
use syncline::sandbox::faults::Faults;
use syncline::sandbox::http::{Request, Response};
use syncline::sandbox::hubspot::HubSpotWorld;
use syncline::sandbox::ledger::Writes;
use syncline::sandbox::limits::Limits;
use syncline::sandbox::system::System;
use syncline::sandbox::tokens::Tokens;

const NOW_MS: i64 = 1_790_000_000_000;
const CONTACTS: &str = "/crm/objects/2026-03/contacts";

/// A portal on virtual time, and the calls of both its users.
struct Portal {
    world: HubSpotWorld,
    tokens: Tokens,
    now_ms: i64,
}

impl Portal {
    fn new() -> Self {
        let tokens = Tokens::derive("hubspot", 1);
        Self { world: HubSpotWorld::new(tokens.clone(), 1), tokens, now_ms: NOW_MS }
    }

    fn raw(&mut self, token: &str, method: &str, target: &str, body: &[u8]) -> Response {
        self.now_ms += 1;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = vec![("host".to_owned(), "127.0.0.1:1".to_owned())];
        if !token.is_empty() {
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: body.to_vec(),
        };
        self.world.handle(&request, self.now_ms)
    }

    /// A call of the integration.
    fn call(&mut self, method: &str, target: &str, body: Value) -> (u16, Value) {
        let token = self.tokens.token.clone();
        parsed(self.raw(&token, method, target, &bytes(body)))
    }

    /// A call of the person.
    fn person(&mut self, method: &str, target: &str, body: Value) -> (u16, Value) {
        let token = self.tokens.user_token.clone();
        parsed(self.raw(&token, method, target, &bytes(body)))
    }

    fn contact(&mut self, email: &str) -> String {
        let (status, record) = self.person("POST", CONTACTS, json!({"properties": {"email": email, "lastname": "L"}}));
        assert_eq!(status, 201, "{record}");
        text(&record["id"])
    }

    fn search(&mut self, body: Value) -> Value {
        let (status, answer) = self.call("POST", &format!("{CONTACTS}/search"), body);
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

fn bytes(body: Value) -> Vec<u8> {
    if body.is_null() { Vec::new() } else { body.to_string().into_bytes() }
}

fn parsed(response: Response) -> (u16, Value) {
    (response.status, serde_json::from_slice(&response.body).unwrap_or(Value::Null))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn ids(answer: &Value) -> Vec<String> {
    let mut ids: Vec<_> = answer["results"].as_array().expect("results").iter().map(|row| text(&row["id"])).collect();
    ids.sort();
    ids
}

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

#[test]
fn credentials_and_oauth() {
    let mut portal = Portal::new();
    let (status, body) = parsed(portal.raw("", "GET", CONTACTS, b""));
    assert_eq!((status, &body["category"]), (401, &json!("INVALID_AUTHENTICATION")));
    let (status, body) = parsed(portal.raw("wrong", "GET", CONTACTS, b""));
    assert_eq!((status, &body["category"]), (401, &json!("EXPIRED_AUTHENTICATION")));
    assert_eq!(body["context"]["expire time"], json!(["1970-01-01T00:00:00Z"]));

    let Tokens { client_id, client_secret, refresh_token, .. } = portal.tokens.clone();
    let form = |refresh: &str| {
        format!("grant_type=refresh_token&client_id={client_id}&client_secret={client_secret}&refresh_token={refresh}")
    };
    let (status, refused) = parsed(portal.raw("", "POST", "/oauth/2026-03/token", form("old").as_bytes()));
    assert_eq!((status, &refused["status"]), (400, &json!("BAD_REFRESH_TOKEN")));
    let (status, granted) = parsed(portal.raw("", "POST", "/oauth/v3/token", form(&refresh_token).as_bytes()));
    assert_eq!((status, &granted["expires_in"]), (200, &json!(1800)));
    let access = text(&granted["access_token"]);
    let answer = portal.raw(&access, "GET", CONTACTS, b"");
    assert_eq!(answer.status, 200);
    assert!(answer.headers.iter().all(|(name, _)| name != "x-hubspot-ratelimit-daily"));
    portal.now_ms += 1_800_000;
    let (status, body) = parsed(portal.raw(&access, "GET", CONTACTS, b""));
    assert_eq!((status, &body["category"]), (401, &json!("EXPIRED_AUTHENTICATION")));
    // A call that carries no known token, and so the fetching of one, is nobody's.
    assert!(!portal.world.ledger().by_kind.contains_key("token"));
    assert_eq!(portal.world.ledger().by_kind["list"], 2);
}

#[test]
fn limits_refuse_the_integration_alone() {
    let mut portal = Portal::new();
    portal.world.set_limits(Some(Limits { per_10s: Some(3), per_s_search: Some(1), daily: Some(1000) }));
    let token = portal.tokens.token.clone();
    for _ in 0..3 {
        assert_eq!(portal.call("GET", CONTACTS, json!(null)).0, 200);
    }
    let refused = portal.raw(&token, "GET", CONTACTS, b"");
    let header = |name: &str| refused.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(header("x-hubspot-ratelimit-remaining"), Some("0"));
    assert_eq!(header("x-hubspot-ratelimit-daily-remaining"), Some("997"));
    assert_eq!(header("retry-after"), None);
    let (status, body) = parsed(refused);
    assert_eq!((status, &body["policyName"]), (429, &json!("TEN_SECONDLY_ROLLING")));
    assert_eq!(portal.person("GET", CONTACTS, json!(null)).0, 200);
    portal.search(json!({})); // searches have a window of their own
    let (status, body) = portal.call("POST", &format!("{CONTACTS}/search"), json!({}));
    assert_eq!((status, &body["category"]), (429, &json!("RATE_LIMITS")));
    let ledger = portal.world.ledger();
    assert_eq!((ledger.by_kind["list"], ledger.by_kind["search"], ledger.user_calls), (4, 2, 1));
}

#[test]
fn definitions_can_be_read_made_and_removed() {
    let mut portal = Portal::new();
    let properties = "/crm/properties/2026-03/contacts";
    let (_, listed) = portal.call("GET", properties, json!(null));
    let listed = listed["results"].as_array().expect("results").clone();
    let named = |name: &str| listed.iter().find(|property| property["name"] == name).cloned().unwrap_or_default();
    assert_eq!(named("syncline_id")["hasUniqueValue"], true);
    assert_eq!(named("hubspot_owner_id")["referencedObjectType"], "OWNER");
    assert_eq!(named("createdate")["modificationMetadata"]["readOnlyValue"], true);

    let body = json!({"name": "tier", "label": "Tier", "type": "enumeration", "fieldType": "select",
                      "groupName": "contactinformation", "options": [{"label": "Gold", "value": "G"}]});
    assert_eq!(portal.call("POST", properties, body.clone()).0, 201);
    let (status, again) = portal.call("POST", properties, body);
    assert_eq!((status, &again["subCategory"]), (409, &json!("Properties.PROPERTY_WITH_NAME_EXISTS")));
    let one = portal.contact("a@example.com");
    let set = |tier: &str| json!({"properties": {"tier": tier}});
    assert_eq!(portal.call("PATCH", &format!("{CONTACTS}/{one}"), set("G")).0, 200);
    assert_eq!(portal.call("PATCH", &format!("{CONTACTS}/{one}"), set("Gold")).0, 400);
    assert_eq!(portal.call("DELETE", &format!("{properties}/tier"), json!(null)).0, 204);
    assert_eq!(portal.call("GET", &format!("{properties}/tier"), json!(null)).0, 404);
    assert_eq!(portal.call("PATCH", &format!("{CONTACTS}/{one}"), set("G")).0, 400);

    let (_, pipelines) = portal.call("GET", "/crm/pipelines/2026-03/deals", json!(null));
    assert_eq!(pipelines["results"][0]["stages"].as_array().map(Vec::len), Some(7));
    let (_, owners) = portal.call("GET", "/crm/owners/2026-03", json!(null));
    assert_eq!(owners["results"].as_array().map(Vec::len), Some(1));
    let (_, details) = portal.call("GET", "/account-info/2026-03/details", json!(null));
    assert_eq!(details["timeZone"], "Etc/UTC");
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

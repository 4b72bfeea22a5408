use super::*;
use crate::connector::conformance::test_block_on;
use crate::connector::script::{NOW, Script};
use crate::connector::transport::Lost;
use crate::connector::{Outcome, Target};
use crate::model::{Departure, Millis, OpId, PageEnd, Raw, RemoteId};

fn script(answers: Vec<Result<(u16, &str), Lost>>) -> (HubSpot, Arc<Script>) {
    let script = Script::of(answers);
    let config = HubSpotConfig::new("hubspot", "https://api.hubapi.com", "canary-token".into());
    (HubSpot::with_transport(config, Arc::clone(&script) as _).unwrap(), script)
}

fn spec(properties: &[&str]) -> ReadSpec {
    let properties = properties.iter().map(|name| (*name).to_owned()).collect();
    ReadSpec { object: "contacts".into(), properties, external_id: None }
}

const EMPTY: &str = r#"{"results":[]}"#;
const ROW: &str = r#"{"id":"501","properties":{"email":"a@x.com","lastmodifieddate":"2026-03-01T11:59:59Z"},"updatedAt":"2026-03-01T11:59:59Z"}"#;

#[test]
fn changes_begin_now_and_reach_back_behind_the_last_pass() {
    let page = format!(r#"{{"total":1,"results":[{ROW},{ROW}]}}"#);
    let (hubspot, script) = script(vec![Ok((200, EMPTY)), Ok((200, &page))]);
    let spec = spec(&["email"]);
    let first = test_block_on(Connector::changes(&hubspot, &spec, None)).unwrap();
    let PageEnd::Done(cursor) = first.end else { panic!("the first page is the whole pass") };
    let second = test_block_on(Connector::changes(&hubspot, &spec, Some(&cursor))).unwrap();
    assert!(matches!(second.end, PageEnd::Done(_)));
    assert_eq!(second.rows.len(), 1, "a row that comes twice in a page is given once");
    assert_eq!(second.decoder.decode(0), Ok(vec![Raw::Text("a@x.com".into())]));
    assert_eq!(script.asked()[1], "POST /crm/objects/2026-03/contacts/search");
    let body: serde_json::Value = serde_json::from_str(&script.body(1)).unwrap();
    let since = body["filterGroups"][0]["filters"][0]["value"].as_str().unwrap().parse::<i64>().unwrap();
    assert_eq!(since, NOW - 30_000);
    assert_eq!(hubspot.calls(), 2);
    assert_eq!(hubspot.offset(), ClockOffset { low: 0, high: 999 });
}

#[test]
fn many_properties_are_read_by_id() {
    let names: Vec<String> = (0..400).map(|n| format!("a_rather_long_property_name_{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (hubspot, script) = script(vec![
        Ok((200, &format!(r#"{{"results":[{ROW}],"paging":{{"next":{{"after":"502"}}}}}}"#))),
        Ok((200, &format!(r#"{{"status":"COMPLETE","results":[{ROW}]}}"#))),
    ]);
    let page = test_block_on(Connector::scan(&hubspot, &spec(&names), None)).unwrap();
    assert_eq!(page.end, PageEnd::More(b"502".to_vec()));
    assert_eq!(page.decoder.decode(0).unwrap(), vec![Raw::Absent; 400]);
    assert!(script.asked()[1].contains("/contacts/batch/read"));
}

#[test]
fn one_bad_record_holds_back_no_other() {
    let bad = r#"{"status":"error","category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"error\":\"INVALID_EMAIL\",\"name\":\"email\"}]"}"#;
    let good = |id: u32| format!(r#"{{"results":[{{"id":"{id}","properties":{{}}}}]}}"#);
    let (hubspot, script) = script(vec![
        Ok((400, bad)), // all three
        Ok((200, &good(501))),
        Ok((400, bad)), // the last two
        Ok((400, bad)),
        Ok((200, &good(503))),
    ]);
    let item = |id: u64| WriteItem {
        op: OpId(id),
        target: Target::Update(RemoteId::parse(&id.to_string()).unwrap()),
        fields: vec![("email".into(), Raw::Text("x".into()))],
    };
    let answer = test_block_on(Connector::write(&hubspot, "contacts", &[item(501), item(502), item(503)]));
    assert!(matches!(answer.outcomes[0], Outcome::Done { .. }));
    assert!(matches!(&answer.outcomes[1], Outcome::Refused { code, .. } if code == "INVALID_EMAIL"));
    assert!(matches!(answer.outcomes[2], Outcome::Done { .. }));
    assert_eq!(script.asked().len(), 5);
}

#[test]
fn writes_are_repeated_only_where_they_certainly_were_not_applied() {
    let busy = r#"{"policyName":"TEN_SECONDLY_ROLLING","message":"m"}"#;
    let done = r#"{"results":[{"id":"501","properties":{}}]}"#;
    let target = Target::Update(RemoteId::parse("501").unwrap());
    let items = [WriteItem { op: OpId(1), target, fields: Vec::new() }];
    let run = |answers| {
        let (hubspot, script) = script(answers);
        let outcome = test_block_on(Connector::write(&hubspot, "contacts", &items)).outcomes.remove(0);
        let slept = script.slept();
        (outcome, hubspot.calls(), slept)
    };
    let (outcome, calls, slept) =
        run(vec![Err(Lost::NotSent("refused".into())), Ok((423, "")), Ok((429, busy)), Ok((200, done))]);
    assert!(matches!(outcome, Outcome::Done { .. }));
    assert_eq!((calls, slept), (4, vec![200, 2_400, 10_800]));
    let lost = Lost::Unknown { sent: Millis(NOW), cause: "reset".into() };
    assert_eq!(run(vec![Err(lost)]), (Outcome::Unknown, 1, Vec::new()));
    for status in [500, 502, 503, 504, 524] {
        assert_eq!(run(vec![Ok((status, ""))]), (Outcome::Unknown, 1, Vec::new()), "{status}");
    }
    let (outcome, calls, _) = run(vec![Ok((429, r#"{"policyName":"DAILY"}"#))]);
    assert_eq!((outcome, calls), (Outcome::Retry { code: "DAILY".into(), after_ms: 900_000 }, 1));
    let (outcome, _, _) = run(vec![Err(Lost::NotSent("x".into())); 5]);
    assert!(matches!(outcome, Outcome::Retry { code, .. } if code == "UNREACHABLE"));
}

#[test]
fn reads_are_repeated_and_give_up_in_plain_words() {
    let lost = || Err(Lost::Unknown { sent: Millis(NOW), cause: "reset".into() });
    let (hubspot, _) = script(vec![lost(), Ok((502, "<html>")), Ok((200, EMPTY))]);
    assert!(test_block_on(Connector::scan(&hubspot, &spec(&["email"]), None)).is_ok());
    assert_eq!(hubspot.calls(), 3);
    let (hubspot, _) = script(vec![Ok((503, "")); 5]);
    let error = test_block_on(Connector::scan(&hubspot, &spec(&["email"]), None)).err().unwrap();
    assert!(matches!(&error, ConnectorError::Unreachable { cause, .. } if cause.contains("503")), "{error}");
    let body = r#"{"status":"error","message":"expired","category":"EXPIRED_AUTHENTICATION"}"#;
    let (hubspot, _) = script(vec![Ok((401, body))]);
    let error = test_block_on(Connector::scan(&hubspot, &spec(&["email"]), None)).err().unwrap();
    assert!(matches!(&error, ConnectorError::Unauthorized { code, .. } if code == "EXPIRED_AUTHENTICATION"));
    assert!(!format!("{error:?} {error} {hubspot:?}").contains("canary"));
}

#[test]
fn a_wrong_path_is_no_proof_that_records_are_gone() {
    let ids = [RemoteId::parse("501").unwrap()];
    let gone = r#"{"status":"error","category":"OBJECT_NOT_FOUND","message":"m","context":{"ids":["501"]}}"#;
    for (status, body, fine) in [
        (404, "<html>", false),
        (404, r#"{"message":"resource not found"}"#, false),
        (404, gone, true),
        (207, EMPTY, true),
    ] {
        let (hubspot, _) = script(vec![Ok((status, body))]);
        let answer = test_block_on(Connector::read(&hubspot, &spec(&["email"]), Keys::Ids(&ids), false));
        assert_eq!(answer.map(|answer| answer.rows.len()).ok(), fine.then_some(0), "{status} {body}");
    }
}

#[test]
fn a_deleted_record_that_lost_a_merge_names_its_survivor() {
    let archived = r#"{"results":[
        {"id":"501","properties":{},"updatedAt":"2020-01-01T00:00:00Z","archived":true,"archivedAt":"2026-03-01T11:59:59.500Z"},
        {"id":"502","properties":{},"updatedAt":"2020-01-01T00:00:00Z","archived":true,"archivedAt":"2026-03-01T11:59:59.500Z"},
        {"id":"503","properties":{},"updatedAt":"2020-01-01T00:00:00Z","archived":true,"archivedAt":"2026-01-01T00:00:00Z"},
        {"id":"504","properties":{},"updatedAt":"2020-01-01T00:00:00Z","archived":true,"archivedAt":"2026-03-01T11:59:59.500Z"}]}"#;
    let survivor = r#"{"results":[{"id":"900","properties":{"hs_merged_object_ids":"501;777"},"updatedAt":"2026-03-01T11:59:59Z"}]}"#;
    let gone = r#"{"status":"error","category":"OBJECT_NOT_FOUND","message":"resource not found"}"#;
    let other = r#"{"id":"901","properties":{},"updatedAt":"2026-03-01T11:59:59Z"}"#;
    let answers = [(200, EMPTY), (200, archived), (207, survivor), (404, gone), (200, other)];
    let (hubspot, script) = script(answers.map(Ok).to_vec());
    let spec = spec(&["email"]);
    let PageEnd::Done(cursor) = test_block_on(Connector::deleted(&hubspot, &spec, None)).unwrap().end else { panic!() };
    let page = test_block_on(Connector::deleted(&hubspot, &spec, Some(&cursor))).unwrap();
    let rows: Vec<_> = page.rows.iter().map(|(id, _, why)| (id.as_str(), why.clone())).collect();
    let survivor = RemoteId::parse("900").unwrap();
    let other = Departure::Merged(RemoteId::parse("901").unwrap());
    assert_eq!(rows, [("501", Departure::Merged(survivor)), ("502", Departure::Deleted), ("504", other)]);
    assert!(script.asked()[1].contains("archived=true"));
}

#[test]
fn a_record_whose_tie_is_refused_is_written_all_the_same() {
    let tie = |id: &str| ("association:companies".to_owned(), Raw::Text(id.into()));
    let item = |op: u64, target, company: &str| WriteItem {
        op: OpId(op),
        target,
        fields: vec![("city".into(), Raw::Text("Rome".into())), tie(company)],
    };
    let made = Target::Create { property: "syncline_id".into(), value: "x.0".into() };
    let there = Target::Update(RemoteId::parse("501").unwrap());
    let none = r#"{"status":"COMPLETE","results":[],"errors":[{"status":"error","category":"OBJECT_NOT_FOUND","message":"none"}]}"#;
    let gone = r#"{"status":"error","category":"VALIDATION_ERROR","message":"One or more associations are invalid"}"#;
    let created = r#"{"results":[{"id":"502","properties":{"syncline_id":"x.0"},"new":true}]}"#;
    let updated = r#"{"results":[{"id":"501","properties":{}}]}"#;
    for (target, written, expected) in [(made, created, Some(true)), (there, updated, None)] {
        let (hubspot, script) = script(vec![Ok((200, written)), Ok((207, none)), Ok((400, gone))]);
        let items = [item(1, target, "21")];
        let answer = test_block_on(Connector::write(&hubspot, "contacts", &items));
        let Outcome::Partly { created, properties, code, .. } = &answer.outcomes[0] else { panic!("{answer:?}") };
        assert_eq!((*created, code.as_str()), (expected, "VALIDATION_ERROR"));
        assert_eq!(properties, &["association:companies"]);
        assert_eq!(script.asked()[2], "POST /crm/associations/2026-03/contacts/companies/batch/create");
        assert_eq!(hubspot.calls(), hubspot.calls_to_write(&items, &[]));
        assert!(!script.body(0).contains("association"), "the record knows nothing of it");
    }
    // A tie by itself is no write to the record.
    let (hubspot, script) = script(vec![Ok((207, none)), Ok((201, r#"{"results":[]}"#))]);
    let target = Target::Update(RemoteId::parse("501").unwrap());
    let only = WriteItem { op: OpId(1), target, fields: vec![tie("21")] };
    let answer = test_block_on(Connector::write(&hubspot, "contacts", std::slice::from_ref(&only)));
    assert!(matches!(answer.outcomes[0], Outcome::Done { .. }));
    assert_eq!(script.asked().len() as u64, hubspot.calls_to_write(&[only], &[]));
}

#[test]
fn rows_are_read_with_their_first_company_and_all_of_them_now_and_then() {
    let ties = |kind: u32| {
        format!(
            r#"{{"results":[{{"from":{{"id":"501"}},"to":[{{"toObjectId":21,"associationTypes":[{{"category":"HUBSPOT_DEFINED","typeId":{kind}}}]}}]}}]}}"#
        )
    };
    let page = format!(r#"{{"results":[{ROW}]}}"#);
    let spec = spec(&["email", "association:companies"]);
    let read = |ties: &str| {
        let (hubspot, _) = script(vec![Ok((200, &page)), Ok((200, ties))]);
        let page = test_block_on(Connector::scan(&hubspot, &spec, None)).unwrap();
        (page.rows[0].raw, page.decoder.decode(0).unwrap().remove(1))
    };
    let (first, plain) = (read(&ties(1)), read(&ties(279)));
    assert_eq!((first.1, plain.1), (Raw::Text("21".into()), Raw::Null), "only the first one counts");
    assert_ne!(first.0, plain.0, "a change of it alone shows");

    // A search does not show it: after a while all are listed behind it.
    let (hubspot, script) = script(vec![Ok((200, EMPTY)), Ok((200, EMPTY)), Ok((200, &page)), Ok((200, &ties(1)))]);
    let PageEnd::Done(cursor) = test_block_on(Connector::changes(&hubspot, &spec, None)).unwrap().end else { panic!() };
    let late = String::from_utf8(cursor).unwrap().replace(&format!("\"begun\":{NOW}"), "\"begun\":0");
    let end = test_block_on(Connector::changes(&hubspot, &spec, Some(late.as_bytes()))).unwrap().end;
    let PageEnd::More(cursor) = end else { panic!("a pass over all is due") };
    let all = test_block_on(Connector::changes(&hubspot, &spec, Some(&cursor))).unwrap();
    assert!(matches!(all.end, PageEnd::Done(_)) && all.rows.len() == 1);
    assert!(script.asked()[2].starts_with("GET /crm/objects/2026-03/contacts?"), "{:?}", script.asked());
}

#[test]
fn owners_are_listed_in_pages_with_those_who_were_deactivated_and_without_queues() {
    let first = r#"{"results":[{"id":"1","email":"Ann@x.example","type":"PERSON","archived":false},
        {"id":"2","email":"q@x.example","type":"QUEUE","archived":false}],"paging":{"next":{"after":"2"}}}"#;
    let second = r#"{"results":[{"id":"3","type":"PERSON","archived":false}]}"#;
    let gone = r#"{"results":[{"id":"4","email":"old@x.example","type":"PERSON","userId":null,"archived":true}]}"#;
    let (hubspot, script) = script(vec![Ok((200, first)), Ok((200, second)), Ok((200, gone))]);
    let users = test_block_on(Connector::users(&hubspot)).unwrap().unwrap();
    let users: Vec<_> = users.iter().map(|user| (&*user.id, &*user.email, user.active)).collect();
    assert_eq!(users, [("1", "Ann@x.example", true), ("3", "", true), ("4", "old@x.example", false)]);
    assert_eq!(
        script.asked(),
        [
            "GET /crm/owners/2026-03?limit=100&archived=false",
            "GET /crm/owners/2026-03?limit=100&archived=false&after=2",
            "GET /crm/owners/2026-03?limit=100&archived=true"
        ]
    );
}

#[test]
fn a_missing_right_to_see_owners_names_the_scope() {
    let refused = r#"{"status":"error","message":"One or more of the following scopes are required.","category":"MISSING_SCOPES"}"#;
    let (hubspot, _) = script(vec![Ok((403, refused))]);
    let error = test_block_on(Connector::users(&hubspot)).unwrap_err();
    assert!(matches!(&error, ConnectorError::Refused { status: 403, .. }), "{error:?}");
    assert!(error.to_string().contains("crm.objects.owners.read"), "{error}");
}

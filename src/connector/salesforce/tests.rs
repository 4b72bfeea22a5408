use super::*;
use crate::connector::conformance::test_block_on;
use crate::connector::script::{NOW, Script};
use crate::connector::transport::Lost;
use crate::connector::{Outcome, Target};
use crate::model::{Departure, Millis, OpId, PageEnd, Raw, RemoteId};

fn script(answers: Vec<Result<(u16, &str), Lost>>) -> (Salesforce, Arc<Script>) {
    with_credential(answers, Credential::Static("canary-token".into()))
}

fn with_credential(answers: Vec<Result<(u16, &str), Lost>>, credential: Credential) -> (Salesforce, Arc<Script>) {
    let script = Script::of(answers);
    let config = SalesforceConfig::new("salesforce", "https://x.my.salesforce.com", "canary-token".into());
    let config = SalesforceConfig { credential, ..config };
    (Salesforce::with_transport(config, Arc::clone(&script) as _).unwrap(), script)
}

fn spec(object: &str) -> ReadSpec {
    ReadSpec { object: object.into(), properties: vec!["Email".into()], external_id: Some("Syncline_Id__c".into()) }
}

fn row(id: &str, at: &str) -> String {
    format!(
        r#"{{"attributes":{{"type":"Contact","url":"/u"}},"Id":"{id}","SystemModstamp":"{at}","Email":"a@x.com","Syncline_Id__c":null}}"#
    )
}

fn page(rows: &[String], done: bool) -> String {
    format!(r#"{{"totalSize":{},"done":{done},"records":[{}]}}"#, rows.len(), rows.join(","))
}

fn decoded(path: &str) -> String {
    path.replace("%20", " ").replace("%3D", "=").replace("%3E", ">").replace("%27", "'").replace("%3A", ":")
}

const AT: &str = "2026-03-01T11:59:58.000+0000";
const VERSIONS: &str = r#"[{"version":"61.0","url":"/services/data/v61.0","label":"x"}]"#;

#[test]
fn changes_page_by_time_and_id_and_look_far_back_now_and_then() {
    let ids = ["003xx000004TmiQAAS", "0035g00000AbCdEAAV"];
    let short = page(&[row(ids[0], AT), row("0035g00000AbCdE", AT)], false);
    let last = page(&[], true);
    let (salesforce, script) = script(vec![Ok((200, VERSIONS)), Ok((200, &short)), Ok((200, &last)), Ok((200, &last))]);
    let spec = spec("Contact");
    let PageEnd::Done(cursor) = test_block_on(Connector::changes(&salesforce, &spec, None)).unwrap().end else {
        panic!()
    };
    let first = test_block_on(Connector::changes(&salesforce, &spec, Some(&cursor))).unwrap();
    assert_eq!(first.rows[1].remote.as_str(), ids[1], "ids have 18 characters");
    assert_eq!(first.decoder.decode(0), Ok(vec![Raw::Text("a@x.com".into()), Raw::Null]));
    let PageEnd::More(cursor) = first.end else { panic!("a short page need not be the last") };
    let second = test_block_on(Connector::changes(&salesforce, &spec, Some(&cursor))).unwrap();
    assert!(matches!(second.end, PageEnd::Done(_)));
    let asked: Vec<String> = script.asked().iter().map(|path| decoded(path)).collect();
    assert_eq!(asked[0], "GET /services/data");
    assert!(
        asked[1].contains("WHERE SystemModstamp >= 2026-03-01T11:59:50Z ORDER BY SystemModstamp ASC, Id ASC"),
        "{}",
        asked[1]
    );
    assert!(
        asked[2].contains("(SystemModstamp = 2026-03-01T11:59:58Z AND Id > '0035g00000AbCdEAAV') OR"),
        "{}",
        asked[2]
    );
    let old = format!(r#"{{"kept":{{"pass":{NOW},"far":{}}},"run":null}}"#, NOW - 60_000);
    test_block_on(Connector::changes(&salesforce, &spec, Some(old.as_bytes()))).unwrap();
    let far = decoded(&script.asked()[3]);
    assert!(far.contains("SystemModstamp >= 2026-03-01T11:49:00Z"), "{far}");
}

#[test]
fn a_converted_lead_is_no_more_there() {
    let converted = row("00Qxx000004TmiQAAS", AT).replace("\"Email\"", "\"IsConverted\":true,\"ConvertedContactId\":\"003xx000004TmiQ\",\"ConvertedOpportunityId\":null,\"ConvertedAccountId\":\"0012800000CXn0kAAD\",\"Email\"");
    let (none, gone) = (page(&[], true), page(&[converted], true));
    let answers = [VERSIONS, &none, &none, &none, &gone].map(|body| Ok((200, body)));
    let (salesforce, script) = script(answers.into());
    let spec = spec("Lead");
    let PageEnd::Done(cursor) = test_block_on(Connector::deleted(&salesforce, &spec, None)).unwrap().end else {
        panic!()
    };
    test_block_on(Connector::scan(&salesforce, &spec, None)).unwrap();
    test_block_on(Connector::changes(&salesforce, &spec, Some(&cursor))).unwrap();
    let ids = [RemoteId::parse("00Qxx000004TmiQAAS").unwrap()];
    test_block_on(Connector::read(&salesforce, &spec, Keys::Ids(&ids), false)).unwrap();
    let found = test_block_on(Connector::deleted(&salesforce, &spec, Some(&cursor))).unwrap();
    let into = [("Contact", "003xx000004TmiQAAS"), ("Account", "0012800000CXn0kAAD")];
    let into = into.map(|(object, id)| (object.to_owned(), RemoteId::parse(id).unwrap()));
    assert_eq!(found.rows[0].2, Departure::Converted(into.to_vec()));
    let asked: Vec<String> = script.asked()[1..].iter().map(|asked| decoded(asked)).collect();
    for live in &asked[..3] {
        assert!(live.contains("FROM Lead WHERE IsConverted = FALSE"), "{live}");
    }
    assert!(asked[3].contains("WHERE (IsDeleted = TRUE OR IsConverted = TRUE) AND "), "{}", asked[3]);
}

#[test]
fn deleted_records_name_the_winner_of_their_merge() {
    let lost =
        row("003xx000004TmiQAAS", AT).replace("\"Email\"", "\"MasterRecordId\":\"0035g00000AbCdEAAV\",\"Email\"");
    let body = page(&[lost], true);
    let (salesforce, script) = script(vec![Ok((200, VERSIONS)), Ok((200, &body)), Ok((200, &body))]);
    let PageEnd::Done(cursor) = test_block_on(Connector::deleted(&salesforce, &spec("Contact"), None)).unwrap().end
    else {
        panic!()
    };
    let found = test_block_on(Connector::deleted(&salesforce, &spec("Contact"), Some(&cursor))).unwrap();
    assert_eq!(found.rows[0].2, Departure::Merged(RemoteId::parse("0035g00000AbCdEAAV").unwrap()));
    test_block_on(Connector::deleted(&salesforce, &spec("Opportunity"), Some(&cursor))).unwrap();
    let asked = script.asked();
    assert!(asked[1].contains("/queryAll?") && asked[1].contains("MasterRecordId") && asked[1].contains("IsDeleted"));
    assert!(!asked[2].contains("MasterRecordId"), "only what can be merged has the field");
}

#[test]
fn names_that_are_no_names_never_reach_a_query() {
    let (salesforce, script) = script(Vec::new());
    let hostile = "Email FROM User--";
    let with_property = ReadSpec { properties: vec![hostile.into()], ..spec("Contact") };
    let refused = |result: Result<RawPage, ConnectorError>| matches!(result, Err(ConnectorError::Refused { code, .. }) if code == "INVALID_NAME");
    assert!(refused(test_block_on(Connector::scan(&salesforce, &with_property, None))));
    assert!(refused(test_block_on(Connector::scan(&salesforce, &spec("Contact WHERE"), None))));
    let keys = Keys::Values { property: "Email) OR (Id", values: &["x".to_owned()] };
    assert!(test_block_on(Connector::read(&salesforce, &spec("Contact"), keys, false)).is_err());
    let long = ["x".repeat(4001)];
    let keys = Keys::Values { property: "Email", values: &long };
    assert!(
        test_block_on(Connector::read(&salesforce, &spec("Contact"), keys, false)).is_err(),
        "silence would be a lie"
    );
    let target = Target::Create { property: "../x".into(), value: "k".into() };
    let item = WriteItem { op: OpId(1), target, fields: Vec::new() };
    let answer = test_block_on(Connector::write(&salesforce, "Contact", &[item]));
    assert!(matches!(&answer.outcomes[0], Outcome::Refused { code, .. } if code == "INVALID_NAME"));
    assert_eq!(script.asked().len(), 0);
}

#[test]
fn a_session_is_renewed_once_and_the_call_repeated() {
    let expired = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
    let token = |n: u8| format!(r#"{{"access_token":"canary-{n}","instance_url":"https://x","issued_at":"1"}}"#);
    let (one, two, rows) = (token(1), token(2), page(&[], true));
    let credential =
        || Credential::ClientCredentials { client_id: "app".into(), client_secret: "canary-secret".into() };
    let (salesforce, script) =
        with_credential(vec![Ok((200, &one)), Ok((401, expired)), Ok((200, &two)), Ok((200, &rows))], credential());
    assert!(test_block_on(Connector::scan(&salesforce, &spec("Contact"), None)).is_ok());
    assert_eq!(script.asked()[2], "POST /services/oauth2/token");
    let (salesforce, _) =
        with_credential(vec![Ok((200, &one)), Ok((401, expired)), Ok((200, &two)), Ok((401, expired))], credential());
    let error = test_block_on(Connector::scan(&salesforce, &spec("Contact"), None)).err().unwrap();
    assert!(matches!(&error, ConnectorError::Unauthorized { code, .. } if code == "INVALID_SESSION_ID"));
    let refused = r#"{"error":"invalid_client_id","error_description":"client identifier invalid"}"#;
    let (salesforce, _) = with_credential(vec![Ok((400, refused))], credential());
    let error = test_block_on(Connector::scan(&salesforce, &spec("Contact"), None)).err().unwrap();
    assert!(matches!(&error, ConnectorError::Unauthorized { code, .. } if code == "invalid_client_id"));
    assert!(!format!("{error:?} {error} {salesforce:?}").contains("canary"));
}

#[test]
fn writes_tell_not_applied_from_unknown() {
    let item =
        |id: &str| WriteItem { op: OpId(1), target: Target::Update(RemoteId::parse(id).unwrap()), fields: Vec::new() };
    let items = [item("003xx000004TmiQAAS")];
    let run = |answers| {
        let (salesforce, script) = script(answers);
        let outcome = test_block_on(Connector::write(&salesforce, "Contact", &items)).outcomes.remove(0);
        (outcome, script.asked().len())
    };
    let locked = r#"[{"message":"unable to obtain exclusive access","errorCode":"UNABLE_TO_LOCK_ROW"}]"#;
    let down = r#"[{"message":"x","errorCode":"SERVER_UNAVAILABLE"}]"#;
    let done = r#"[{"id":"003xx000004TmiQAAS","success":true,"errors":[]}]"#;
    let (outcome, calls) = run(vec![Ok((400, locked)), Ok((503, down)), Ok((200, done))]);
    assert!(matches!(outcome, Outcome::Done { .. }));
    assert_eq!(calls, 3);
    assert_eq!(run(vec![Ok((503, "<html>"))]), (Outcome::Unknown, 1));
    assert_eq!(run(vec![Err(Lost::Unknown { sent: Millis(NOW), cause: "x".into() })]), (Outcome::Unknown, 1));
    let quota = r#"[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#;
    assert!(matches!(run(vec![Ok((403, quota))]), (Outcome::Retry { .. }, 1)));
    let expired = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
    assert!(matches!(run(vec![Ok((401, expired))]), (Outcome::Retry { code, .. }, 1) if code == "INVALID_SESSION_ID"));
}

#[test]
fn a_column_that_the_org_does_not_show_any_more_is_left_out_and_asked_for_again_later() {
    let gone = r#"[{"message":"\nSELECT Id, SystemModstamp, Email, Title\n   ^\nERROR at Row:1:Column:8\nNo such column 'Title' on entity 'Contact'. If you are attempting to use a custom field, be sure to append the '__c'","errorCode":"INVALID_FIELD"}]"#;
    let body = page(&[row("003xx000004TmiQAAS", AT)], true);
    let (salesforce, script) = script(vec![Ok((400, gone)), Ok((200, &body)), Ok((200, &body)), Ok((400, gone))]);
    let spec = ReadSpec { properties: vec!["Title".into(), "Email".into()], ..spec("Contact") };
    for _ in 0..2 {
        let page = test_block_on(Connector::scan(&salesforce, &spec, None)).unwrap();
        assert_eq!(page.decoder.decode(0), Ok(vec![Raw::Absent, Raw::Text("a@x.com".into()), Raw::Null]));
    }
    let asked: Vec<bool> = script.asked().iter().map(|path| path.contains("Title")).collect();
    assert_eq!(asked, [true, false, false], "it is refused once");
    // What is asked *by* cannot be left out.
    let keys = ["x".to_owned()];
    let by = Keys::Values { property: "Title", values: &keys };
    let failed = test_block_on(Connector::read(&salesforce, &spec, by, false)).unwrap_err();
    assert!(failed.to_string().contains("INVALID_FIELD"), "{failed}");
}

#[test]
fn users_are_listed_with_the_inactive() {
    let row = |id: &str, email: &str, active: bool| {
        format!(
            r#"{{"attributes":{{"type":"User","url":"/u"}},"Id":"{id}","SystemModstamp":"{AT}","Email":"{email}","IsActive":{active}}}"#
        )
    };
    let rows = [row("0055g00000AbCdEAAV", "ann@x.com", true), row("0055g00000AbCdFAAV", "old@x.com", false)];
    let (salesforce, script) = script(vec![Ok((200, &page(&rows, true)))]);
    let users = test_block_on(Connector::users(&salesforce)).unwrap().unwrap();
    let users: Vec<_> = users.iter().map(|user| (&*user.email, user.active)).collect();
    assert_eq!(users, [("ann@x.com", true), ("old@x.com", false)]);
    assert!(decoded(&script.asked()[0]).contains("FROM User"), "{:?}", script.asked());
}

const A: &str = "001xx000003DGb1AAG";
const B: &str = "001xx000003DGb2AAG";

#[test]
fn deletes_go_in_one_call_and_each_has_an_outcome() {
    let error = r#"{"statusCode":"DELETE_FAILED","message":"m","fields":[]}"#;
    let gone = r#"{"statusCode":"ENTITY_IS_DELETED","message":"m","fields":[]}"#;
    let body = format!(
        r#"[{{"id":"{A}","success":true,"errors":[]}},{{"success":false,"errors":[{gone}]}},{{"success":false,"errors":[{error}]}}]"#
    );
    let ids = [A, B, "001xx000003DGb3AAG"].map(|id| RemoteId::parse(id).unwrap());
    let (salesforce, script) = script(vec![Ok((200, &body))]);
    let outcomes = test_block_on(Connector::delete(&salesforce, "Contact", &ids)).outcomes;
    assert_eq!(
        outcomes[..2],
        [Outcome::Done { remote: ids[0].clone(), created: None }, Outcome::Gone(Departure::Deleted)]
    );
    assert!(matches!(&outcomes[2], Outcome::Refused { code, .. } if code == "DELETE_FAILED"));
    let path = format!("DELETE /services/data/v61.0/composite/sobjects?ids={A},{B},001xx000003DGb3AAG&allOrNone=false");
    assert_eq!(script.asked(), [path]);
    assert_eq!(Connector::calls_to_delete(&salesforce, "Contact", 201), 2);
}

#[test]
fn an_account_is_not_deleted_with_all_that_hangs_on_it() {
    let ids = [A, B].map(|id| RemoteId::parse(id).unwrap());
    let found =
        format!(r#"{{"totalSize":1,"done":true,"records":[{{"attributes":{{"type":"Contact"}},"AccountId":"{A}"}}]}}"#);
    let done = format!(r#"[{{"id":"{B}","success":true,"errors":[]}}]"#);
    let none = page(&[], true);
    let (salesforce, script) = script(vec![Ok((200, &found)), Ok((200, &none)), Ok((200, &done))]);
    let outcomes = test_block_on(Connector::delete(&salesforce, "Account", &ids)).outcomes;
    assert!(matches!(&outcomes[0], Outcome::Refused { code, .. } if code == "WOULD_DELETE_MORE"), "{outcomes:?}");
    assert_eq!(outcomes[1], Outcome::Done { remote: ids[1].clone(), created: None });
    let asked: Vec<String> = script.asked().iter().map(|path| decoded(path)).collect();
    assert!(
        asked[0].contains("FROM Contact WHERE AccountId IN (") && asked[1].contains("FROM Opportunity"),
        "{asked:?}"
    );
    assert!(asked[2].contains(B) && !asked[2].contains(A), "{asked:?}");
    assert_eq!(Connector::calls_to_delete(&salesforce, "Account", 2), 3);
}

#[test]
fn an_account_of_which_that_cannot_be_asked_stays() {
    let ids = [RemoteId::parse(A).unwrap()];
    let refusal = r#"[{"message":"sObject type 'Opportunity' is not supported.","errorCode":"INVALID_TYPE"}]"#;
    let none = page(&[], true);
    let (salesforce, script) = script(vec![Ok((200, &none)), Ok((400, refusal))]);
    let outcomes = test_block_on(Connector::delete(&salesforce, "Account", &ids)).outcomes;
    assert!(matches!(&outcomes[0], Outcome::Refused { code, .. } if code == "INVALID_TYPE"), "{outcomes:?}");
    assert_eq!(script.asked().len(), 2);
}

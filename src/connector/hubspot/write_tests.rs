use super::*;
use crate::model::{Departure, Millis, OpId, RemoteId};
use proptest::prelude::*;

fn update(op: u64, id: &str) -> WriteItem {
    let fields = vec![
        ("firstname".to_owned(), Raw::Text("A\"b".into())),
        ("lastname".to_owned(), Raw::Null),
        ("n".to_owned(), Raw::Number("1.50".into())),
        ("b".to_owned(), Raw::Bool(true)),
        ("x".to_owned(), Raw::Absent),
    ];
    WriteItem { op: OpId(op), target: Target::Update(RemoteId::parse(id).unwrap()), fields }
}

fn upsert(op: u64, value: &str) -> WriteItem {
    let target = Target::Create { property: "syncline_id".into(), value: value.into() };
    WriteItem { op: OpId(op), target, fields: vec![("email".to_owned(), Raw::Text("a@b.com".into()))] }
}

fn answer(status: u16, body: &[u8]) -> Answer {
    Answer { status, headers: Vec::new(), body: body.to_vec(), sent: Millis(0), received: Millis(0) }
}

fn check(items: &[WriteItem], status: u16, body: &str) -> Whole {
    whole(&items.iter().collect::<Vec<_>>(), &answer(status, body.as_bytes()))
}

fn done(id: &str, created: Option<bool>) -> Outcome {
    Outcome::Done { remote: RemoteId::parse(id).unwrap(), created }
}

fn code(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Refused { code, .. } => code,
        other => panic!("{other:?} is no refusal"),
    }
}

#[test]
fn values_are_sent_as_text_and_an_absent_one_not_at_all() {
    let item = update(7, "501");
    let request = request("2026-03", "contacts", &[&item]);
    assert_eq!(request.path_and_query, "/crm/objects/2026-03/contacts/batch/update");
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let expected = serde_json::json!({"inputs":[{"id":"501","objectWriteTraceId":"7",
        "properties":{"firstname":"A\"b","lastname":"","n":"1.50","b":"true"}}]});
    assert_eq!(body, expected);
}

#[test]
fn results_are_matched_by_name_in_any_order() {
    let items = [update(1, "501"), update(2, "502"), update(3, "503"), update(4, "504")];
    let body = r#"{"status":"COMPLETE","results":[{"id":"502","properties":{}},{"id":"501","properties":{},"objectWriteTraceId":"1"}],
        "numErrors":1,"errors":[{"status":"error","category":"OBJECT_NOT_FOUND","message":"Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.","context":{"ids":["504"]}}]}"#;
    let expected =
        Whole::Each(vec![done("501", None), done("502", None), Outcome::Unknown, Outcome::Gone(Departure::Deleted)]);
    assert_eq!(check(&items, 207, body), expected);
    assert_eq!(check(&items, 200, body), expected, "the status says nothing about the records");
}

#[test]
fn a_conflict_names_the_record_that_is_in_the_way() {
    let items = [upsert(1, "a"), upsert(2, "b")];
    let body = r#"{"results":[{"id":"9","new":true,"objectWriteTraceId":"2","properties":{}}],"numErrors":1,
        "errors":[{"status":"error","category":"CONFLICT","message":"Contact already exists. Existing ID: 171591000198","context":{"objectWriteTraceId":["1"],"existingId":["171591000198"]}}]}"#;
    let Whole::Each(each) = check(&items, 207, body) else { panic!("no outcomes") };
    assert_eq!(each[1], done("9", Some(true)));
    assert_eq!(code(&each[0]), "CONFLICT");
    assert!(matches!(&each[0], Outcome::Refused { message, .. } if message.contains("171591000198")));
    let single = r#"{"status":"error","message":"Contact already exists","category":"CONFLICT","context":{"existingId":["6001"]}}"#;
    let Whole::Each(each) = check(&items[..1], 409, single) else { panic!("no outcome") };
    assert!(matches!(&each[0], Outcome::Refused { message, .. } if message.ends_with("Existing ID: 6001")));
}

#[test]
fn a_batch_that_was_refused_for_some_of_its_records_is_halved() {
    let items = [update(1, "501"), update(2, "502")];
    let body = r#"{"status":"error","message":"Property values were not valid: [{\"isValid\":false,\"error\":\"INVALID_EMAIL\",\"name\":\"email\"}]","category":"VALIDATION_ERROR"}"#;
    assert_eq!(check(&items, 400, body), Whole::Halves);
    let Whole::Each(each) = check(&items[..1], 400, body) else { panic!("no outcome") };
    assert_eq!(code(&each[0]), "INVALID_EMAIL");
    assert_eq!(check(&items, 409, r#"{"message":"Contact already exists","category":"CONFLICT"}"#), Whole::Halves);
    let unknown =
        r#"{"message":"[{\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"firstname\"}]","category":"VALIDATION_ERROR"}"#;
    let Whole::Each(each) = check(&items, 400, unknown) else { panic!("halved in vain") };
    assert_eq!(each.iter().map(code).collect::<Vec<_>>(), ["PROPERTY_DOESNT_EXIST"; 2]);
    let Whole::Each(each) = check(&items, 403, r#"{"message":"m","category":"MISSING_SCOPES"}"#) else {
        panic!("halved")
    };
    assert_eq!(code(&each[1]), "MISSING_SCOPES");
    let Whole::Each(each) = check(&items, 404, "<html>") else { panic!("a wrong path is halved") };
    assert_eq!(code(&each[1]), "HTTP_404");
}

#[test]
fn empty_results_with_a_good_status_are_unknown() {
    let items = [upsert(1, "a")];
    for body in [r#"{"status":"COMPLETE","results":[]}"#, "", "<html>", "{", r#"{"results":"x"}"#] {
        assert_eq!(check(&items, 200, body), Whole::Each(vec![Outcome::Unknown]), "{body}");
    }
}

proptest! {
    /// Bytes that are no answer never make a write done.
    #[test]
    fn no_bytes_panic_or_pass_for_success(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let items = [update(1, "501"), upsert(2, "b")];
        let answer = answer(status, &body);
        let _ = super::super::wire::verdict(&answer);
        if let Whole::Each(each) = whole(&items.iter().collect::<Vec<_>>(), &answer) {
            let is_done = each.iter().any(|outcome| matches!(outcome, Outcome::Done { .. }));
            prop_assert!(!is_done);
        }
    }

    /// A cut answer says nothing about any record.
    #[test]
    fn a_cut_answer_is_unknown(cut in 0usize..60) {
        let items = [update(1, "501")];
        let body = br#"{"results":[{"id":"501","properties":{"firstname":"A"}}]}"#;
        let cut = cut.min(body.len() - 1);
        let expected = Whole::Each(vec![Outcome::Unknown]);
        prop_assert_eq!(whole(&items.iter().collect::<Vec<_>>(), &answer(200, &body[..cut])), expected);
    }
}

#[test]
fn deletes_are_archives_and_one_who_is_gone_is_done() {
    let [one, two] = [update(0, "501"), update(0, "502")];
    let request = archive("2026-03", "contacts", &[&one, &two]);
    assert_eq!(request.path_and_query, "/crm/objects/2026-03/contacts/batch/archive");
    assert_eq!(String::from_utf8(request.body).unwrap(), r#"{"inputs":[{"id":"501"},{"id":"502"}]}"#);
    assert_eq!(archived(&[&one, &two], &answer(204, b"")), Whole::Each(vec![done("501", None), done("502", None)]));
    let gone = br#"{"status":"error","category":"OBJECT_NOT_FOUND","message":"resource not found"}"#;
    assert_eq!(archived(&[&one], &answer(404, gone)), Whole::Each(vec![Outcome::Gone(Departure::Deleted)]));
    assert_eq!(archived(&[&one, &two], &answer(400, gone)), Whole::Halves);
}

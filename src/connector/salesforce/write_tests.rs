use super::*;
use crate::model::{Departure, Millis, OpId, Raw, RemoteId};
use proptest::prelude::*;

const A: &str = "003xx000004TmiQAAS";
const B: &str = "0035g00000AbCdEAAV";

fn update(op: u64, id: &str) -> WriteItem {
    let fields = vec![
        ("LastName".to_owned(), Raw::Text("O'Neil \"x\"".into())),
        ("Phone".to_owned(), Raw::Null),
        ("Amount".to_owned(), Raw::Number("12345678901234567.10".into())),
        ("Flag".to_owned(), Raw::Bool(false)),
        ("Skip".to_owned(), Raw::Absent),
    ];
    WriteItem { op: OpId(op), target: Target::Update(RemoteId::parse(id).unwrap()), fields }
}

fn create(op: u64, value: &str) -> WriteItem {
    let target = Target::Create { property: "Syncline_Id__c".into(), value: value.into() };
    WriteItem { op: OpId(op), target, fields: vec![("LastName".to_owned(), Raw::Text("X".into()))] }
}

fn check(items: &[WriteItem], status: u16, body: &[u8]) -> Whole {
    let answer = Answer { status, headers: Vec::new(), body: body.to_vec(), sent: Millis(0), received: Millis(0) };
    whole(&items.iter().collect::<Vec<_>>(), &answer)
}

fn each(items: &[WriteItem], body: &str) -> Vec<Outcome> {
    match check(items, 200, body.as_bytes()) {
        Whole::Each(each) => each,
        Whole::Halves => panic!("halved"),
    }
}

fn done(id: &str, created: Option<bool>) -> Outcome {
    Outcome::Done { remote: RemoteId::parse(id).unwrap(), created }
}

#[test]
fn values_keep_their_kind_and_digits() {
    let item = update(7, A);
    let request = request("v61.0", "Contact", &[&item]);
    assert_eq!(request.path_and_query, "/services/data/v61.0/composite/sobjects");
    assert_eq!(
        String::from_utf8(request.body).unwrap(),
        format!(
            r#"{{"allOrNone":false,"records":[{{"attributes":{{"type":"Contact"}},"id":"{A}","LastName":"O'Neil \"x\"","Phone":null,"Amount":12345678901234567.10,"Flag":false}}]}}"#
        )
    );
    let item = create(7, "k\"1");
    let request = super::request("v61.0", "Contact", &[&item]);
    assert_eq!(request.method, Method::Post, "an insert: it must not write over what is there already");
    assert_eq!(request.path_and_query, "/services/data/v61.0/composite/sobjects");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["records"][0]["Syncline_Id__c"], "k\"1");
}

#[test]
fn results_come_in_the_order_of_the_request() {
    let items = [update(1, A), update(2, B)];
    let body = format!(
        r#"[{{"id":"{A}","success":true,"errors":[]}},{{"success":false,"errors":[{{"statusCode":"REQUIRED_FIELD_MISSING","message":"Required fields are missing: [LastName]","fields":["LastName"]}}]}}]"#
    );
    let found = each(&items, &body);
    assert_eq!(found[0], done(A, None));
    assert_eq!(
        found[1],
        Outcome::Refused {
            code: "REQUIRED_FIELD_MISSING".into(),
            message: "Required fields are missing: [LastName]".into(),
            properties: vec!["LastName".into()]
        }
    );
    let inserted = format!(r#"[{{"id":"{A}","success":true,"errors":[]}}]"#);
    assert_eq!(each(&[create(1, "k")], &inserted), [done(A, Some(true))]);
}

#[test]
fn what_does_not_add_up_is_unknown() {
    let items = [update(1, A), update(2, B)];
    let one = format!(r#"[{{"id":"{A}","success":true,"errors":[]}}]"#);
    assert_eq!(each(&items, &one), [Outcome::Unknown, Outcome::Unknown]);
    let swapped = format!(r#"[{{"id":"{B}","success":true}},{{"id":"{A}","success":true}}]"#);
    assert_eq!(each(&items, &swapped), [Outcome::Unknown, Outcome::Unknown]);
    assert_eq!(each(&[create(1, "k")], r#"[{"success":true,"errors":[]}]"#), [Outcome::Unknown]);
    assert_eq!(each(&[create(1, "k")], r#"[{"success":false,"errors":[]}]"#), [Outcome::Unknown]);
}

#[test]
fn codes_are_classified() {
    let failed = |item: WriteItem, code: &str, message: &str, fields: &str| {
        let body = format!(
            r#"[{{"success":false,"errors":[{{"statusCode":"{code}","message":"{message}","fields":[{fields}]}}]}}]"#
        );
        let by_other_key = body.replace("statusCode", "errorCode");
        let found = each(std::slice::from_ref(&item), &body);
        assert_eq!(found, each(&[item], &by_other_key), "both keys are accepted");
        found[0].clone()
    };
    let converted = failed(update(1, A), "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", "");
    assert_eq!(converted, Outcome::Gone(Departure::Converted(Vec::new())));
    assert_eq!(failed(update(1, A), "ENTITY_IS_DELETED", "entity is deleted", ""), Outcome::Gone(Departure::Deleted));
    assert_eq!(
        failed(update(1, A), "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ""),
        Outcome::Gone(Departure::Deleted)
    );
    assert!(matches!(
        failed(update(1, A), "INVALID_CROSS_REFERENCE_KEY", "x", "\"AccountId\""),
        Outcome::Refused { .. }
    ));
    assert!(matches!(failed(create(1, "k"), "ENTITY_IS_DELETED", "x", ""), Outcome::Refused { .. }));
    let duplicate = |words: &str, fields: &str| failed(create(1, "k"), "DUPLICATE_VALUE", words, fields);
    let words = format!("duplicate value found: Syncline_Id__c duplicates value on record with id: {A}");
    assert_eq!(duplicate(&words, ""), Outcome::Taken);
    assert_eq!(duplicate("duplicate value found: <unknown>", "\"SYNCLINE_ID__C\""), Outcome::Taken);
    // Another unique field, which a person must put right.
    assert!(matches!(duplicate("duplicate value found: Old_Syncline_Id__c", ""), Outcome::Refused { .. }));
    assert!(matches!(duplicate("duplicate value found: <unknown>", ""), Outcome::Refused { .. }));
    assert!(matches!(failed(update(1, A), "UNABLE_TO_LOCK_ROW", "x", ""), Outcome::Retry { .. }));
    assert!(matches!(
        failed(update(1, A), "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "t: UNABLE_TO_LOCK_ROW, x", ""),
        Outcome::Retry { .. }
    ));
    for code in ["CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "DUPLICATES_DETECTED", "SOMETHING_NEW"] {
        assert!(matches!(failed(update(1, A), code, "x", ""), Outcome::Refused { .. }), "{code}");
    }
}

#[test]
fn a_refused_call_is_halved_only_where_a_record_may_be_the_cause() {
    let items = [update(1, A), update(2, B)];
    let malformed = br#"[{"message":"At least 1 record is required","errorCode":"JSON_PARSER_ERROR"}]"#;
    assert_eq!(check(&items, 400, malformed), Whole::Halves);
    assert!(matches!(check(&items[..1], 400, malformed), Whole::Each(_)));
    let path = br#"[{"message":"Provided external ID field does not exist or is not accessible: Namez","errorCode":"NOT_FOUND"}]"#;
    let Whole::Each(found) = check(&items, 404, path) else { panic!("halved") };
    assert!(found.iter().all(|outcome| matches!(outcome, Outcome::Refused { code, .. } if code == "NOT_FOUND")));
}

proptest! {
    /// Bytes that are no answer never make a write done.
    #[test]
    fn no_bytes_panic_or_pass_for_success(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Whole::Each(found) = check(&[update(1, A), create(2, "b")], status, &body) {
            let is_done = found.iter().any(|outcome| matches!(outcome, Outcome::Done { .. }));
            prop_assert!(!is_done);
        }
    }

    /// A cut answer says nothing about any record.
    #[test]
    fn a_cut_answer_is_unknown(cut in 0usize..70) {
        let body = format!(r#"[{{"id":"{A}","success":true,"errors":[]}}]"#);
        let cut = cut.min(body.len() - 1);
        prop_assert_eq!(check(&[update(1, A)], 200, &body.as_bytes()[..cut]), Whole::Each(vec![Outcome::Unknown]));
    }
}

//! Many records in one call.

use serde_json::{Value as Json, json};
use syncline::sandbox::ledger::Writes;
use syncline::sandbox::salesforce::SalesforceWorld;

use crate::{Org, request};

#[test]
fn collections_answer_per_record_in_order() {
    let mut org = Org::new();
    let typed = |record: Json| {
        let mut record = record;
        record["attributes"] = json!({"type": "Contact"});
        record
    };
    let records = json!({"records": [typed(json!({"LastName": "A"})), typed(json!({})), typed(json!({"LastName": "C", "Nope": 1}))]});
    let (status, answer) = org.call("POST", "/composite/sobjects", records);
    assert_eq!((status, &answer[0]["success"], &answer[1]["success"]), (200, &json!(true), &json!(false)));
    let expected = json!([{"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]", "fields": ["LastName"]}]);
    assert_eq!(answer[1]["errors"], expected);
    assert_eq!(answer[2]["errors"][0]["statusCode"], "INVALID_FIELD");
    let id = answer[0]["id"].clone();

    let records = json!({"records": [
        typed(json!({"id": id, "Title": "x"})), typed(json!({"Title": "x"})), typed(json!({"id": "001RM000003oLrB000"})),
        typed(json!({"id": "003000000000009AAA"})), typed(json!({"id": id})),
    ]});
    let (_, answer) = org.call("PATCH", "/composite/sobjects", records);
    let codes: Vec<_> =
        answer.as_array().into_iter().flatten().map(|item| item["errors"][0]["statusCode"].clone()).collect();
    let expected = [
        Json::Null,
        json!("MISSING_ARGUMENT"),
        json!("MALFORMED_ID"),
        json!("INVALID_CROSS_REFERENCE_KEY"),
        json!("DUPLICATE_VALUE"),
    ];
    assert_eq!(codes, expected);

    let records = json!({"records": [
        typed(json!({"Syncline_Id__c": "k1", "LastName": "K1"})), typed(json!({"Syncline_Id__c": "k2"})), typed(json!({"LastName": "x"})),
    ]});
    let path = "/composite/sobjects/Contact/Syncline_Id__c";
    let (_, answer) = org.call("PATCH", path, records.clone());
    assert_eq!((&answer[0]["created"], &answer[1]["success"]), (&json!(true), &json!(false)));
    assert_eq!(answer[2]["errors"][0]["statusCode"], "MISSING_ARGUMENT");
    let (_, answer) = org.call("PATCH", path, records);
    assert_eq!(answer[0]["created"], json!(false));

    let ids = format!("/composite/sobjects?ids={},003000000000009AAA", id.as_str().unwrap_or_default());
    let (_, answer) = org.call("DELETE", &ids, Json::Null);
    assert_eq!((&answer[0]["success"], &answer[1]["success"]), (&json!(true), &json!(false)));
    let (_, answer) = org.call("DELETE", &ids, Json::Null);
    assert_eq!(answer[0]["errors"][0]["statusCode"], "ENTITY_IS_DELETED");
    assert_eq!(org.world.ledger().integration, Writes { create: 2, update: 2, delete: 1 });
    assert_eq!(org.world.ledger().by_kind.get("collections_upsert"), Some(&2));

    let error = org.check_refused("POST", "/composite/sobjects", json!({"records": []}), 400, "REQUIRED_FIELD_MISSING");
    assert_eq!(error["message"], "At least 1 record is required");
    let many = json!({"records": vec![typed(json!({"LastName": "A"})); 201]});
    org.check_refused("POST", "/composite/sobjects", many, 400, "EXCEEDED_ID_LIMIT");
    let kinds = ["Contact", "Account"].repeat(6);
    let mixed: Vec<_> = kinds.iter().map(|kind| json!({"attributes": {"type": kind}, "Name": "x"})).collect();
    org.check_refused("POST", "/composite/sobjects", json!({"records": mixed}), 400, "LIMIT_EXCEEDED");
}

#[test]
fn all_or_none_undoes_everything() {
    let mut org = Org::new();
    let id = org.create("Account", json!({"Name": "Acme"}));
    let records = json!({"allOrNone": true, "records": [
        {"attributes": {"type": "Account"}, "id": id, "Name": "Changed"},
        {"attributes": {"type": "Contact"}, "id": "003000000000009AAA"},
    ]});
    let (status, answer) = org.call("PATCH", "/composite/sobjects", records);
    assert_eq!((status, &answer[0]["errors"][0]["statusCode"]), (200, &json!("ALL_OR_NONE_OPERATION_ROLLED_BACK")));
    assert_eq!(answer[1]["errors"][0]["statusCode"], "INVALID_CROSS_REFERENCE_KEY");
    assert_eq!(org.query("SELECT Name FROM Account")["records"][0]["Name"], "Acme");
    assert_eq!(org.world.ledger().integration, Writes { create: 1, update: 0, delete: 0 });
}

#[test]
fn retrieve_keeps_the_order_and_shows_gaps() {
    let mut org = Org::new();
    let (one, two) = (org.create("Account", json!({"Name": "One"})), org.create("Account", json!({"Name": "Two"})));
    let ask = json!({"ids": [two, "001000000000009", one], "fields": ["Name"]});
    let (status, answer) = org.call("POST", "/composite/sobjects/Account", ask);
    assert_eq!(
        (status, &answer[0]["Name"], &answer[1], &answer[2]["Name"]),
        (200, &json!("Two"), &Json::Null, &json!("One"))
    );
    assert_eq!(
        org.call("GET", &format!("/composite/sobjects/Account?ids={one}&fields=Name"), Json::Null).1[0]["Name"],
        "One"
    );
    org.check_refused(
        "GET",
        &format!("/composite/sobjects/Account?ids={one}&fields=Nope"),
        Json::Null,
        400,
        "INVALID_FIELD",
    );
}

#[test]
fn composite_calls() {
    let mut org = Org::new();
    let call = |all_or_none: bool, last_name: Json| {
        json!({"allOrNone": all_or_none, "compositeRequest": [
            {"method": "POST", "url": "/services/data/v61.0/sobjects/Account", "referenceId": "acc", "body": {"Name": "A"}},
            {"method": "POST", "url": "/services/data/v61.0/sobjects/Contact", "referenceId": "con",
             "body": {"LastName": last_name, "AccountId": "@{acc.id}"}},
            {"method": "GET", "url": "/services/data/v61.0/sobjects/Contact/@{con.id}?fields=Name", "referenceId": "read"},
        ]})
    };
    let (status, answer) = org.call("POST", "/composite", call(true, Json::Null));
    let statuses = |answer: &Json| -> Vec<Json> {
        answer["compositeResponse"].as_array().into_iter().flatten().map(|sub| sub["httpStatusCode"].clone()).collect()
    };
    assert_eq!((status, statuses(&answer)), (200, vec![json!(400), json!(400), json!(400)]));
    assert_eq!(answer["compositeResponse"][0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(org.query("SELECT COUNT() FROM Account")["totalSize"], 0);
    let (_, answer) = org.call("POST", "/composite", call(false, Json::Null));
    assert_eq!(statuses(&answer), [json!(201), json!(400), json!(400)]);
    let (_, answer) = org.call("POST", "/composite", call(true, json!("Lee")));
    assert_eq!(statuses(&answer), [json!(201), json!(201), json!(200)]);
    assert_eq!(answer["compositeResponse"][2]["body"]["Name"], "Lee");
    assert!(
        answer["compositeResponse"][0]["httpHeaders"]["Location"]
            .as_str()
            .is_some_and(|url| url.contains("/Account/001"))
    );
    assert_eq!(org.world.ledger().integration, Writes { create: 3, update: 0, delete: 0 });
    assert!(SalesforceWorld::is_write(&request("salesforce", "POST", "/composite", &call(false, Json::Null))));
}

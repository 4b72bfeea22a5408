//! Single rows: their life, their refusals, their values.

use serde_json::{Value as Json, json};
use syncline::sandbox::ledger::Writes;

use crate::{Org, body, encode, request};

#[test]
fn a_row_lives_and_dies() {
    let mut org = Org::new();
    let id =
        org.create("Contact", json!({"LastName": "  Lee ", "FirstName": "", "Email": "Ann@X.Org", "Title": "\u{a0}x"}));
    assert_eq!((id.len(), &id[..3]), (18, "003"));
    let (status, row) = org.call("GET", &format!("/sobjects/Contact/{id}"), Json::Null);
    assert_eq!(status, 200);
    assert_eq!(
        row["attributes"],
        json!({"type": "Contact", "url": format!("/services/data/v61.0/sobjects/Contact/{id}")})
    );
    assert_eq!(row["Name"], "Lee");
    assert_eq!(row["FirstName"], Json::Null);
    assert_eq!(row["Email"], "ann@x.org");
    assert_eq!(row["Title"], "\u{a0}x");
    assert_eq!(row["CreatedDate"], "2024-05-15T12:00:00.000+0000");

    org.now_ms += 61_700;
    let short = &id[..15];
    let (status, answer) =
        org.call("PATCH", &format!("/sobjects/Contact/{short}"), json!({"FirstName": "Ann", "Title": null}));
    assert_eq!((status, answer), (204, Json::Null));
    let (_, row) = org.call("GET", &format!("/sobjects/Contact/{id}?fields=Name,Title,SystemModstamp"), Json::Null);
    assert_eq!((&row["Name"], &row["Title"]), (&json!("Ann Lee"), &Json::Null));
    assert_eq!(row["SystemModstamp"], "2024-05-15T12:01:01.000+0000");
    assert_eq!(row.as_object().map(|row| row.len()), Some(4));

    assert_eq!(org.call("DELETE", &format!("/sobjects/Contact/{id}"), Json::Null).0, 204);
    for method in ["DELETE", "GET", "PATCH"] {
        let error = org.check_refused(method, &format!("/sobjects/Contact/{id}"), json!({}), 404, "ENTITY_IS_DELETED");
        assert_eq!(error, json!({"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}));
    }
    let (_, all) = org.call("GET", &format!("/queryAll?q={}", encode("SELECT Id, IsDeleted FROM Contact")), Json::Null);
    assert_eq!((&all["totalSize"], &all["records"][0]["IsDeleted"]), (&json!(1), &json!(true)));
    assert_eq!(org.query("SELECT COUNT() FROM Contact")["totalSize"], 0);
}

#[test]
fn refusals_of_single_rows() {
    let mut org = Org::new();
    let id = org.create("Contact", json!({"LastName": "Lee"}));
    let contact = format!("/sobjects/Contact/{id}");
    let error =
        org.check_refused("POST", "/sobjects/Contact", json!({"FirstName": "A"}), 400, "REQUIRED_FIELD_MISSING");
    assert_eq!(
        (&error["message"], &error["fields"]),
        (&json!("Required fields are missing: [LastName]"), &json!(["LastName"]))
    );
    org.check_refused("PATCH", &contact, json!({"LastName": "  "}), 400, "REQUIRED_FIELD_MISSING");
    org.check_refused("PATCH", &contact, json!({"LastName": "x".repeat(81)}), 400, "STRING_TOO_LONG");
    org.check_refused("PATCH", &contact, json!({"Email": "no"}), 400, "INVALID_EMAIL_ADDRESS");
    org.check_refused("PATCH", &contact, json!({"Nope": "no"}), 400, "INVALID_FIELD");
    org.check_refused("PATCH", &contact, json!({"Id": id}), 400, "INVALID_FIELD");
    org.check_refused("PATCH", &contact, json!({"LastName": 5}), 400, "JSON_PARSER_ERROR");
    let error = org.check_refused("PATCH", &contact, json!({"Name": "x"}), 400, "INVALID_FIELD_FOR_INSERT_UPDATE");
    assert!(
        error["message"].as_str().is_some_and(|text| text.starts_with("Unable to create/update fields: Name. Please"))
    );
    org.check_refused("PATCH", &contact, json!({"AccountId": "001000000000009"}), 400, "INVALID_CROSS_REFERENCE_KEY");
    org.check_refused("PATCH", &contact, json!({"AccountId": id}), 400, "MALFORMED_ID");
    org.check_refused("PATCH", &contact, json!({"AccountId": "x"}), 400, "MALFORMED_ID");
    org.check_refused("GET", &contact[..contact.len() - 1], Json::Null, 404, "NOT_FOUND");
    let wrong = format!("{}ZZZ", &contact[..contact.len() - 3]);
    org.check_refused("GET", &wrong, Json::Null, 400, "MALFORMED_ID");
    org.check_refused("GET", "/sobjects/Contact/003000000000009", Json::Null, 404, "NOT_FOUND");
    org.check_refused("GET", "/sobjects/Nope/describe", Json::Null, 404, "NOT_FOUND");
    org.check_refused("PUT", "/sobjects/Contact", json!({}), 405, "METHOD_NOT_ALLOWED");
    org.check_refused("GET", "/services/data/v59.0/sobjects", Json::Null, 404, "NOT_FOUND");
    let deal = json!({"Name": "d", "StageName": "Nope", "CloseDate": "2024-01-01"});
    org.check_refused("POST", "/sobjects/Opportunity", deal, 400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
    let mut broken = request("salesforce", "POST", "/sobjects/Contact", &Json::Null);
    broken.body = b"{\"LastName\":".to_vec();
    let response = org.send(&broken);
    assert_eq!((response.status, body(&response)[0]["errorCode"].clone()), (400, json!("JSON_PARSER_ERROR")));
    assert_eq!(
        org.world.ledger().integration,
        Writes { create: 1, update: 0, delete: 0 },
        "refused writes do not count"
    );
}

#[test]
fn upserts_by_external_id() {
    let mut org = Org::new();
    let path = "/sobjects/Contact/Syncline_Id__c/a%2Fb%20c";
    let (status, answer) = org.call("PATCH", path, json!({"LastName": "Lee"}));
    assert_eq!((status, &answer["created"], &answer["success"]), (201, &json!(true), &json!(true)));
    let (status, again) = org.call("PATCH", path, json!({"Title": "x"}));
    assert_eq!((status, &again["created"], &again["id"]), (200, &json!(false), &answer["id"]));
    let (status, row) = org.call("GET", path, Json::Null);
    assert_eq!((status, &row["Syncline_Id__c"], &row["Title"]), (200, &json!("a/b c"), &json!("x")));
    let upper = "/sobjects/Contact/Syncline_Id__c/A%2Fb%20c";
    assert_eq!(org.call("PATCH", upper, json!({"LastName": "Other"})).0, 201, "the field tells case apart");
    org.check_refused("PATCH", "/sobjects/Contact/Syncline_Id__c/new?updateOnly=true", json!({}), 404, "NOT_FOUND");
    let error = org.check_refused("PATCH", "/sobjects/Contact/Title/x", json!({"LastName": "L"}), 404, "NOT_FOUND");
    assert_eq!(error["message"], "Provided external ID field does not exist or is not accessible: Title");
    let taken = json!({"LastName": "L", "Syncline_Id__c": "a/b c"});
    let error = org.check_refused("POST", "/sobjects/Contact", taken, 400, "DUPLICATE_VALUE");
    let expected = format!(
        "duplicate value found: Syncline_Id__c duplicates value on record with id: {}",
        answer["id"].as_str().unwrap_or_default()
    );
    assert_eq!(error["message"], json!(expected));

    for name in ["One", "Two"] {
        org.create("Contact", json!({"LastName": name, "Email": "same@x.org"}));
    }
    let (status, urls) = org.call("PATCH", "/sobjects/Contact/Email/SAME%40x.org", json!({"Title": "t"}));
    assert_eq!((status, urls.as_array().map(Vec::len)), (300, Some(2)));
    assert_eq!(org.call("DELETE", path, Json::Null).0, 204);
    assert_eq!(org.call("PATCH", path, json!({"LastName": "Lee"})).0, 201, "a deleted row does not hold its key");
}

#[test]
fn deals_follow_their_stage_and_companies_take_theirs_along() {
    let mut org = Org::new();
    let account = org.create("Account", json!({"Name": "Acme", "NumberOfEmployees": 5, "AnnualRevenue": 1e6}));
    let deal = json!({"Name": "d", "StageName": "Prospecting", "CloseDate": "2024-06-01", "Amount": 12.345, "AccountId": account});
    let deal = org.create("Opportunity", deal);
    let read = "SELECT Amount, Probability, IsWon, Account.Name FROM Opportunity";
    let row = org.query(read)["records"][0].clone();
    assert_eq!(
        (&row["Amount"], &row["Probability"], &row["Account"]["Name"]),
        (&json!(12.35), &json!(10.0), &json!("Acme"))
    );
    org.call("PATCH", &format!("/sobjects/Opportunity/{deal}"), json!({"StageName": "Closed Won"}));
    let row = org.query(read)["records"][0].clone();
    assert_eq!((&row["Probability"], &row["IsWon"]), (&json!(100.0), &json!(true)));
    let linked = json!({"LastName": "L", "Account": {"Name": "acme"}});
    org.create("Contact", linked);
    assert_eq!(org.query("SELECT Account.Name FROM Contact")["records"][0]["Account"]["Name"], "Acme");
    assert_eq!(org.call("DELETE", &format!("/sobjects/Account/{account}"), Json::Null).0, 204);
    assert_eq!(org.query("SELECT COUNT() FROM Opportunity")["totalSize"], 0);
    assert_eq!(org.query("SELECT COUNT() FROM Contact")["totalSize"], 0);
    assert_eq!(org.world.ledger().integration.delete, 1);
}

#[test]
fn conditional_headers() {
    let mut org = Org::new();
    let id = org.create("Account", json!({"Name": "Acme"}));
    let path = format!("/sobjects/Account/{id}");
    let mut conditional = |method: &str, header: &str, date: &str| {
        let mut request = request("salesforce", method, &path, &json!({"Name": "New"}));
        request.headers.push((header.into(), date.into()));
        org.send(&request).status
    };
    assert_eq!(conditional("PATCH", "if-unmodified-since", "Wed, 15 May 2024 11:59:59 GMT"), 412);
    assert_eq!(conditional("PATCH", "if-unmodified-since", "soon"), 400);
    assert_eq!(conditional("PATCH", "if-unmodified-since", "Wed, 15 May 2024 12:00:00 GMT"), 204);
    assert_eq!(conditional("GET", "if-modified-since", "Wed, 15 May 2024 12:00:00 GMT"), 304);
    assert_eq!(conditional("GET", "if-modified-since", "Wed, 15 May 2024 11:00:00 GMT"), 200);
    assert_eq!(conditional("DELETE", "if-unmodified-since", "Wed, 15 May 2024 11:59:59 GMT"), 204);
}

#[test]
fn equal_updates_touch_the_row_unless_switched_off() {
    let mut org = Org::new();
    let id = org.create("Account", json!({"Name": "Acme"}));
    let modified =
        |org: &mut Org| org.query("SELECT SystemModstamp FROM Account")["records"][0]["SystemModstamp"].clone();
    let mut before = modified(&mut org);
    for (touch, moves) in [(true, true), (false, false)] {
        org.world.set_touch_equal(touch);
        org.now_ms += 60_000;
        org.call("PATCH", &format!("/sobjects/Account/{id}"), json!({"Name": "Acme "}));
        let after = modified(&mut org);
        assert_eq!(after != before, moves);
        before = after;
    }
    assert_eq!(org.world.ledger().integration.update, 2);
}

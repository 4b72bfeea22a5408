//! Sessions, users, books, schema and seeds.

use serde_json::{Value as Json, json};
use syncline::sandbox::ledger::{Caller, Writes};
use syncline::sandbox::salesforce::SalesforceWorld;
use syncline::sandbox::tokens::Tokens;

use crate::{NOON_MS, Org, body, encode, request};

#[test]
fn sessions() {
    let mut org = Org::new();
    let stranger = request("hubspot", "GET", "/limits", &Json::Null);
    let response = org.send(&stranger);
    assert_eq!(
        (response.status, body(&response)),
        (401, json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]))
    );
    assert_eq!(org.world.caller(&stranger), None);

    let tokens = Tokens::derive("salesforce", 1);
    let mut sign_in = |form: &str, basic: Option<&str>| {
        let mut request = request("salesforce", "POST", "/services/oauth2/token", &Json::Null);
        request.headers = vec![("host".into(), "127.0.0.1:9".into())];
        request.headers.extend(basic.map(|basic| ("authorization".to_owned(), format!("Basic {basic}"))));
        request.body = form.as_bytes().to_vec();
        let response = org.send(&request);
        (response.status, body(&response))
    };
    let client = format!("client_id={}&client_secret={}", tokens.client_id, tokens.client_secret);
    let (status, answer) = sign_in(&format!("grant_type=client_credentials&{client}"), None);
    assert_eq!((status, &answer["access_token"], &answer["token_type"]), (200, &json!(tokens.token), &json!("Bearer")));
    assert_eq!(answer["instance_url"], "http://127.0.0.1:9");
    let refresh = format!("grant_type=refresh_token&{client}&refresh_token={}", tokens.refresh_token);
    assert_eq!(sign_in(&refresh, None).0, 200);
    assert_eq!(sign_in(&format!("{refresh}x"), None).1["error"], "invalid_grant");
    assert_eq!(sign_in("grant_type=client_credentials&client_id=x", None).1["error"], "invalid_client_id");
    assert_eq!(
        sign_in(&format!("grant_type=password&{client}"), None),
        (400, json!({"error": "unsupported_grant_type", "error_description": "grant type not supported"}))
    );

    org.world.expire_session();
    org.check_refused("GET", "/limits", Json::Null, 401, "INVALID_SESSION_ID");
    let (_, user) = org.call("GET", "/services/data", Json::Null);
    assert_eq!(user.as_array().and_then(|all| all.last()).map(|last| last["label"].clone()), Some(json!("Summer '26")));
}

#[test]
fn who_wrote_and_the_books() {
    let mut org = Org::new();
    let id = org.create("Contact", json!({"LastName": "Lee"}));
    let by = "SELECT LastModifiedBy.Name FROM Contact";
    assert_eq!(org.query(by)["records"][0]["LastModifiedBy"]["Name"], "Sync Integration");
    let mut edit = request("salesforce", "PATCH", &format!("/sobjects/Contact/{id}"), &json!({"Title": "x"}));
    edit.headers[0].1 = format!("Bearer {}", Tokens::derive("salesforce", 1).user_token);
    assert_eq!(org.world.caller(&edit), Some(Caller::User));
    assert_eq!(org.send(&edit).status, 204);
    assert_eq!(org.query(by)["records"][0]["LastModifiedBy"]["Name"], "Pat Person");
    let ledger = org.world.ledger();
    assert_eq!(ledger.integration, Writes { create: 1, update: 0, delete: 0 });
    assert_eq!((ledger.user, ledger.user_calls), (Writes { create: 0, update: 1, delete: 0 }, 1));
    assert_eq!((ledger.by_kind.get("create"), ledger.by_kind.get("query")), (Some(&1), Some(&2)));
}

#[test]
fn the_schema_is_described_and_can_change() {
    let mut org = Org::new();
    let (_, described) = org.call("GET", "/sobjects/Contact/describe", Json::Null);
    let field = |name: &str| {
        let fields = described["fields"].as_array().into_iter().flatten();
        fields.into_iter().find(|field| field["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!((&described["keyPrefix"], &described["labelPlural"]), (&json!("003"), &json!("Contacts")));
    let key = field("Syncline_Id__c");
    assert_eq!(
        (&key["externalId"], &key["unique"], &key["caseSensitive"], &key["length"]),
        (&json!(true), &json!(true), &json!(true), &json!(64))
    );
    let last = field("LastName");
    assert_eq!(
        (&last["nillable"], &last["createable"], &last["defaultedOnCreate"], &last["byteLength"]),
        (&json!(false), &json!(true), &json!(false), &json!(240))
    );
    let by = field("CreatedById");
    assert_eq!(
        (&by["type"], &by["soapType"], &by["referenceTo"], &by["relationshipName"]),
        (&json!("reference"), &json!("tns:ID"), &json!(["User"]), &json!("CreatedBy"))
    );
    assert_eq!(
        (&field("MailingAddress")["type"], &field("MailingCity")["compoundFieldName"]),
        (&json!("address"), &json!("MailingAddress"))
    );
    let (_, global) = org.call("GET", "/sobjects", Json::Null);
    assert_eq!(global["sobjects"].as_array().map(Vec::len), Some(7));

    let id = org.create("Contact", json!({"LastName": "Lee", "MailingCity": "Rome"}));
    let (_, row) = org.call("GET", &format!("/sobjects/Contact/{id}?fields=MailingAddress"), Json::Null);
    assert_eq!((&row["MailingAddress"]["city"], &row["MailingAddress"]["street"]), (&json!("Rome"), &Json::Null));
    org.world.add_text_field("Contact", "Shoe__c", "Shoe size");
    assert!(org.world.properties("Contact").contains(&("Shoe__c".into(), "Shoe size".into())));
    assert_eq!(org.call("PATCH", &format!("/sobjects/Contact/{id}"), json!({"Shoe__c": "43"})).0, 204);
    org.world.remove_field("Contact", "Title");
    org.world.remove_field("Contact", "Id");
    let row = org.query("SELECT Id, Shoe__c, MailingCity FROM Contact")["records"][0].clone();
    assert_eq!((&row["Shoe__c"], &row["MailingCity"]), (&json!("43"), &json!("Rome")));
    org.check_refused(
        "GET",
        &format!("/query?q={}", encode("SELECT Title FROM Contact")),
        Json::Null,
        400,
        "INVALID_FIELD",
    );
    org.check_refused("PATCH", &format!("/sobjects/Contact/{id}"), json!({"Title": "x"}), 400, "INVALID_FIELD");
}

#[test]
fn seeds() {
    let mut org = Org::new();
    let mut seed = |fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        org.world.insert_seed("Contact", fields, NOON_MS - 5_000)
    };
    assert_eq!(
        seed(&[("Id", "0035g00000AbCdE"), ("LastName", " Lee"), ("Email", "")]),
        Ok("0035g00000AbCdEAAV".into())
    );
    assert!(seed(&[("Id", "0035g00000AbCdE"), ("LastName", "Lee")]).is_err_and(|error| error.contains("taken")));
    assert!(seed(&[("LastName", "")]).is_err_and(|error| error.contains("REQUIRED_FIELD_MISSING")));
    assert!(seed(&[("LastName", "x"), ("Nope", "")]).is_err_and(|error| error.contains("INVALID_FIELD")));
    assert!(seed(&[("LastName", "x"), ("CreatedDate", "2020-01-01T00:00:00Z")]).is_ok());
    let rows = org.query("SELECT CreatedDate, SystemModstamp FROM Contact ORDER BY CreatedDate");
    assert_eq!(rows["records"][0]["CreatedDate"], "2020-01-01T00:00:00.000+0000");
    assert_eq!(rows["records"][1]["SystemModstamp"], "2024-05-15T11:59:55.000+0000");
}

#[test]
fn which_requests_write() {
    for (method, path, expected) in [
        ("POST", "/sobjects/Contact", true),
        ("PATCH", "/sobjects/Contact/003", true),
        ("POST", "/sobjects/Contact/003?_HttpMethod=PATCH", true),
        ("DELETE", "/composite/sobjects?ids=1", true),
        ("PATCH", "/composite/sobjects/Contact/Syncline_Id__c", true),
        ("POST", "/composite/sobjects", true),
        ("POST", "/composite/sobjects/Contact", false),
        ("GET", "/query?q=x", false),
        ("GET", "/sobjects/Contact/003", false),
        ("POST", "/services/oauth2/token", false),
        ("PUT", "/sobjects/Contact", false),
    ] {
        assert_eq!(
            SalesforceWorld::is_write(&request("salesforce", method, path, &Json::Null)),
            expected,
            "{method} {path}"
        );
    }
}

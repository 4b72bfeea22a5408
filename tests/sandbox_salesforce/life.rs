//! Rows in the recycle bin: taken out by a person, and the losers of merges.

use serde_json::{Value as Json, json};

use crate::{NOON_MS, Org, request};

fn as_person(org: &mut Org, path: &str, body: Json) -> u16 {
    let mut request = request("salesforce", "PATCH", path, &body);
    let token = syncline::sandbox::tokens::Tokens::derive("salesforce", 1).user_token;
    request.headers.retain(|(name, _)| name != "authorization");
    request.headers.push(("authorization".into(), format!("Bearer {token}")));
    org.send(&request).status
}

#[test]
fn a_person_takes_a_row_out_of_the_recycle_bin() {
    let mut org = Org::new();
    let id = org.create("Contact", json!({"LastName": "Lee"}));
    let path = format!("/sobjects/Contact/{id}");
    let undelete = json!({"IsDeleted": false});
    assert_eq!(org.call("DELETE", &format!("/composite/sobjects?ids={id}&allOrNone=false"), Json::Null).0, 200);
    let again = org.call("DELETE", &format!("/composite/sobjects?ids={id}&allOrNone=false"), Json::Null).1;
    assert_eq!(again[0]["errors"][0]["statusCode"], "ENTITY_IS_DELETED");
    org.check_refused("PATCH", &path, undelete.clone(), 404, "ENTITY_IS_DELETED");
    org.now_ms = NOON_MS + 5_000;
    assert_eq!(as_person(&mut org, &path, undelete.clone()), 204);
    assert_eq!(as_person(&mut org, &path, undelete), 404, "it is there");
    let found = org.query("SELECT Id, SystemModstamp FROM Contact");
    assert_eq!(found["records"][0]["Id"], id.as_str());
    assert_eq!(found["records"][0]["SystemModstamp"], "2024-05-15T12:00:05.000+0000");
}

#[test]
fn the_loser_of_a_merge_names_the_winner_and_its_children_go_over() {
    let mut org = Org::new();
    let [one, two] = ["One", "Two"].map(|name| org.create("Account", json!({"Name": name})));
    org.create("Contact", json!({"LastName": "Lee", "AccountId": one}));
    let path = format!("/sobjects/Account/{one}");
    let merge = |winner: &str| json!({"MasterRecordId": winner});
    org.check_refused("PATCH", &path, merge(&two), 400, "INVALID_FIELD_FOR_INSERT_UPDATE");
    assert_eq!(as_person(&mut org, &path, merge(&one)), 400);
    assert_eq!(as_person(&mut org, &path, merge(&two)), 204);
    assert_eq!(org.query("SELECT AccountId FROM Contact")["records"][0]["AccountId"], two.as_str());
    let all = "/queryAll?q=SELECT+Id,MasterRecordId+FROM+Account+WHERE+IsDeleted+%3D+TRUE";
    let gone = org.call("GET", all, Json::Null).1;
    assert_eq!((&gone["records"][0]["Id"], &gone["records"][0]["MasterRecordId"]), (&json!(one), &json!(two)));
}

//! Who is let in, how often, and what the account says about itself.

use serde_json::json;
use syncline::sandbox::limits::Limits;
use syncline::sandbox::system::System;
use syncline::sandbox::tokens::Tokens;

use crate::portal::{CONTACTS, Portal, parsed, text};

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
    let mut owners = |query: &str| portal.call("GET", &format!("/crm/owners/2026-03{query}"), json!(null)).1;
    let ids = |owners: &serde_json::Value| -> Vec<String> {
        let results = owners["results"].as_array().expect("results");
        results.iter().map(|owner| owner["id"].as_str().expect("an id").to_owned()).collect()
    };
    // Those who were deactivated are listed by themselves.
    assert_eq!(ids(&owners("")), ["81000001", "81000002", "81000003", "81000004"]);
    assert_eq!(ids(&owners("?archived=true")), ["81000005"]);
    let page = owners("?limit=3");
    let after = page["paging"]["next"]["after"].as_str().expect("a next page");
    assert_eq!(ids(&owners(&format!("?limit=3&after={after}"))), ["81000004"]);
    let (_, details) = portal.call("GET", "/account-info/2026-03/details", json!(null));
    assert_eq!(details["timeZone"], "Etc/UTC");
}

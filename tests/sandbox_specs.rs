//! The emulated paths and answers against HubSpot's own API descriptions, where these are at hand.
#![cfg(feature = "sandbox")]

use std::path::PathBuf;

use serde_json::{Value, json};
use syncline::sandbox::http::Request;
use syncline::sandbox::hubspot::HubSpotWorld;
use syncline::sandbox::tokens::Tokens;

/// The description of one API, or `None`, said aloud, where the files are not.
fn spec(file: &str) -> Option<Value> {
    let root = std::env::var_os("SYNCLINE_SPECS").map_or_else(|| PathBuf::from("../shared/specs"), PathBuf::from);
    let path = root.join("hubspot/2026-03").join(file);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(serde_json::from_str(&text).expect("a description is JSON")),
        Err(_) => {
            eprintln!("skipped: no {}; set SYNCLINE_SPECS to the folder of the descriptions", path.display());
            None
        }
    }
}

/// One call as the description names it, and as it is made.
struct Call {
    template: &'static str,
    method: &'static str,
    path: String,
    body: Value,
}

fn check(file: &str, calls: &[Call]) {
    let Some(spec) = spec(file) else { return };
    let tokens = Tokens::derive("hubspot", 1);
    let mut world = HubSpotWorld::new(tokens.clone(), 1);
    for call in calls {
        let request = Request {
            method: call.method.to_uppercase(),
            path: call.path.clone(),
            query: String::new(),
            headers: vec![("authorization".into(), format!("Bearer {}", tokens.token))],
            body: call.body.to_string().into_bytes(),
        };
        let answer = world.handle(&request, 1_790_000_000_000);
        let operation = &spec["paths"][call.template][call.method];
        assert!(operation.is_object(), "{file} has no {} {}", call.method, call.template);
        let status = answer.status.to_string();
        let described = &operation["responses"][&status];
        assert!(described.is_object(), "{} {}: {status} is not described", call.method, call.template);
        if let Some(schema) = described["content"].as_object().and_then(|kinds| kinds.values().next()) {
            let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
            compare(&spec, &schema["schema"], &body, &format!("{} {}", call.method, call.template));
        }
    }
}

/// Every required field is there, and no field is unknown.
fn compare(spec: &Value, schema: &Value, body: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return compare(spec, &spec["components"]["schemas"][name], body, &format!("{place}: {name}"));
    }
    match body {
        Value::Array(items) => items.iter().for_each(|item| compare(spec, &schema["items"], item, place)),
        Value::Object(fields) => {
            let Some(known) = schema["properties"].as_object() else { return };
            // Recorded rows of errors lack what the description calls required; the recordings are believed.
            let required = if place.ends_with("StandardError") { &Value::Null } else { &schema["required"] };
            for required in required.as_array().into_iter().flatten().filter_map(Value::as_str) {
                assert!(fields.contains_key(required), "{place} lacks {required}: {body}");
            }
            for (name, value) in fields {
                let described = known.get(name).unwrap_or_else(|| panic!("{place} does not know {name}"));
                compare(spec, described, value, place);
            }
        }
        _ => {}
    }
}

#[test]
fn object_calls_are_as_described() {
    let base = "/crm/objects/2026-03/{objectType}";
    let call = |template: &'static str, method, id: &str, body| Call {
        template,
        method,
        path: template.replace("{objectType}", "contacts").replace("{objectId}", id),
        body,
    };
    let create = json!({"properties": {"email": "a@example.com", "syncline_id": "x"}});
    let id = "51000000001";
    let input = json!({"inputs": [{"id": id, "properties": {"city": "Paris"}}]});
    let upsert = json!({"inputs": [{"id": "x", "idProperty": "syncline_id", "properties": {"city": "Rome"}}]});
    let read = json!({"inputs": [{"id": id}], "properties": ["email"], "propertiesWithHistory": ["email"]});
    let calls = [
        call(base, "post", "", create),
        call(base, "get", "", Value::Null),
        call("/crm/objects/2026-03/{objectType}/{objectId}", "get", id, Value::Null),
        call("/crm/objects/2026-03/{objectType}/{objectId}", "patch", id, json!({"properties": {"city": "Oslo"}})),
        call("/crm/objects/2026-03/{objectType}/search", "post", "", json!({"limit": 1})),
        call("/crm/objects/2026-03/{objectType}/batch/read", "post", "", read),
        call("/crm/objects/2026-03/{objectType}/batch/update", "post", "", input),
        call("/crm/objects/2026-03/{objectType}/batch/upsert", "post", "", upsert),
        call(
            "/crm/objects/2026-03/{objectType}/batch/create",
            "post",
            "",
            json!({"inputs": [{"properties": {"email": "b@example.com"}}]}),
        ),
        call("/crm/objects/2026-03/{objectType}/batch/archive", "post", "", json!({"inputs": [{"id": id}]})),
        call("/crm/objects/2026-03/{objectType}/{objectId}", "delete", id, Value::Null),
    ];
    check("objects.json", &calls);
}

#[test]
fn partly_failed_batches_are_as_described() {
    let inputs = json!([{"id": "1"}, {"id": "2"}]);
    let template = "/crm/objects/2026-03/{objectType}/batch/read";
    let path = template.replace("{objectType}", "deals");
    check(
        "objects.json",
        &[Call { template, method: "post", path, body: json!({"inputs": inputs, "properties": []}) }],
    );
}

#[test]
fn other_calls_are_as_described() {
    let call =
        |template: &'static str, method, path: &str, body| Call { template, method, path: path.to_owned(), body };
    let none = || Value::Null;
    let property =
        json!({"name": "tier", "label": "Tier", "type": "string", "fieldType": "text", "groupName": "dealinformation"});
    let (all, one) = ("/crm/properties/2026-03/{objectType}", "/crm/properties/2026-03/{objectType}/{propertyName}");
    check(
        "properties.json",
        &[
            call(all, "get", "/crm/properties/2026-03/deals", none()),
            call(all, "post", "/crm/properties/2026-03/deals", property),
            call(one, "get", "/crm/properties/2026-03/deals/tier", none()),
            call(one, "patch", "/crm/properties/2026-03/deals/tier", json!({"label": "Level"})),
            call(one, "delete", "/crm/properties/2026-03/deals/tier", none()),
        ],
    );
    let pipelines = "/crm/pipelines/2026-03/{objectType}";
    check("pipelines.json", &[call(pipelines, "get", "/crm/pipelines/2026-03/deals", none())]);
    check(
        "crmOwners.json",
        &[
            call("/crm/owners/2026-03", "get", "/crm/owners/2026-03", none()),
            call("/crm/owners/2026-03/{ownerId}", "get", "/crm/owners/2026-03/81000001", none()),
        ],
    );
    let (details, usage) = ("/account-info/2026-03/details", "/account-info/2026-03/api-usage/daily/private-apps");
    check("accountInfo.json", &[call(details, "get", details, none()), call(usage, "get", usage, none())]);
}

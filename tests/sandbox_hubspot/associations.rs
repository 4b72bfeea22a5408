//! Associations: both ends see a tie, one company is the first, and the record itself does not move.

use super::portal::{CONTACTS, Portal, text};
use serde_json::{Value, json};

const COMPANIES: &str = "/crm/objects/2026-03/companies";
const TIES: &str = "/crm/associations/2026-03/contacts/companies/batch";

fn made(portal: &mut Portal, path: &str, properties: Value) -> String {
    text(&portal.call("POST", path, json!({ "properties": properties })).1["id"])
}

/// (company, numbers of the types), by company.
fn ties(portal: &mut Portal, contact: &str) -> Vec<(String, Vec<u64>)> {
    let (_, read) = portal.call("POST", &format!("{TIES}/read"), json!({ "inputs": [{ "id": contact }] }));
    let to = read["results"][0]["to"].as_array().cloned().unwrap_or_default();
    let kinds = |to: &Value| {
        to["associationTypes"]
            .as_array()
            .expect("types")
            .iter()
            .map(|kind| kind["typeId"].as_u64().expect("a number"))
            .collect()
    };
    let mut ties: Vec<(String, Vec<u64>)> = to.iter().map(|to| (to["toObjectId"].to_string(), kinds(to))).collect();
    ties.sort();
    ties
}

#[test]
fn one_company_is_the_first_and_the_record_does_not_move() {
    let mut portal = Portal::new();
    let ann = made(&mut portal, CONTACTS, json!({ "email": "ann@x.example" }));
    let acme = made(&mut portal, COMPANIES, json!({ "name": "acme" }));
    let bolt = made(&mut portal, COMPANIES, json!({ "name": "bolt" }));
    let modified = portal.call("GET", &format!("{CONTACTS}/{ann}"), json!(null)).1["updatedAt"].clone();
    let tie = |company: &str| json!({ "from": { "id": ann }, "to": { "id": company }, "types": [{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1 }] });
    assert_eq!(portal.call("POST", &format!("{TIES}/create"), json!({ "inputs": [tie(&acme)] })).0, 201);
    assert_eq!(ties(&mut portal, &ann), [(acme.clone(), vec![1, 279])]);
    portal.call("POST", &format!("{TIES}/create"), json!({ "inputs": [tie(&bolt)] }));
    assert_eq!(ties(&mut portal, &ann), [(acme.clone(), vec![279]), (bolt.clone(), vec![1, 279])]);
    let (_, listed) = portal.call("GET", &format!("{CONTACTS}?associations=companies"), json!(null));
    let embedded = &listed["results"][0]["associations"]["companies"]["results"];
    let first = embedded.as_array().expect("ties").iter().filter(|tie| tie["type"] == "contact_to_company");
    assert_eq!(first.map(|tie| text(&tie["id"])).collect::<Vec<_>>(), [bolt.as_str()]);
    assert_eq!(listed["results"][0]["updatedAt"], modified);

    let (_, back) = portal.call("GET", &format!("{COMPANIES}/{bolt}/associations/contacts"), json!(null));
    assert_eq!(back["results"][0]["toObjectId"].to_string(), ann);
    let apart = json!({ "inputs": [{ "from": { "id": ann }, "to": [{ "id": bolt }] }] });
    assert_eq!(portal.call("POST", &format!("{TIES}/archive"), apart).0, 204);
    assert_eq!(ties(&mut portal, &ann), [(acme.clone(), vec![279])]);
    // Who is archived is no company any more.
    portal.call("DELETE", &format!("{COMPANIES}/{acme}"), json!(null));
    assert!(ties(&mut portal, &ann).is_empty());
}

#[test]
fn what_does_not_fit_is_refused_by_itself() {
    let mut portal = Portal::new();
    let ann = made(&mut portal, CONTACTS, json!({ "email": "ann@x.example" }));
    let acme = made(&mut portal, COMPANIES, json!({ "name": "acme" }));
    let tie = |company: &str, kind: u64| json!({ "from": { "id": ann }, "to": { "id": company }, "types": [{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": kind }] });
    let path = format!("{TIES}/create");
    assert_eq!(portal.call("POST", &path, json!({ "inputs": [tie(&acme, 5)] })).0, 400, "the type of deals");
    let (status, mixed) = portal.call("POST", &path, json!({ "inputs": [tie("1", 1), tie(&acme, 1)] }));
    assert_eq!((status, mixed["numErrors"].as_u64()), (207, Some(1)));
    assert_eq!(ties(&mut portal, &ann), [(acme, vec![1, 279])]);
    // Somebody without any is reported, as real ones may be.
    let bob = made(&mut portal, CONTACTS, json!({ "email": "bob@x.example" }));
    let (status, none) = portal.call("POST", &format!("{TIES}/read"), json!({ "inputs": [{ "id": bob }] }));
    assert_eq!((status, none["results"].as_array().map(Vec::len)), (207, Some(0)));
}

//! Records that are archived together, restored and merged.

use serde_json::json;

use crate::portal::{CONTACTS, Portal, ids, text};

#[test]
fn many_are_archived_at_once_and_only_a_person_restores_them() {
    let mut portal = Portal::new();
    let (ann, bob) = (portal.contact("ann@x.example"), portal.contact("bob@x.example"));
    let body = json!({"inputs": [{"id": ann}, {"id": bob}, {"id": "1"}]});
    assert_eq!(portal.call("POST", &format!("{CONTACTS}/batch/archive"), body.clone()), (204, json!(null)));
    assert_eq!(portal.call("POST", &format!("{CONTACTS}/batch/archive"), body).0, 204, "who is gone is no error");
    assert_eq!(portal.world.ledger().integration.delete, 2);
    let restore = format!("{CONTACTS}/{ann}/restore");
    assert_eq!(portal.call("POST", &restore, json!({})).0, 404, "the API has no such call");
    let before = portal.call("GET", &format!("{CONTACTS}/{ann}?archived=true"), json!(null)).1["updatedAt"].clone();
    assert_eq!(portal.person("POST", &restore, json!({})).0, 204);
    assert_eq!(portal.person("POST", &restore, json!({})).0, 404, "it is there");
    let (status, back) = portal.call("GET", &format!("{CONTACTS}/ann%40x.example?idProperty=email"), json!(null));
    assert_eq!((status, text(&back["id"])), (200, ann.clone()));
    assert_ne!(back["updatedAt"], before);
    assert_eq!(ids(&portal.call("GET", &format!("{CONTACTS}?archived=true"), json!(null)).1), [bob]);
}

#[test]
fn a_merge_makes_a_new_contact_to_which_the_old_ids_lead_one_by_one() {
    let mut portal = Portal::new();
    let (ann, bob) = (portal.contact("ann@x.example"), portal.contact("bob@x.example"));
    let merge = |a: &str, b: &str| json!({"primaryObjectId": a, "objectIdToMerge": b});
    let path = format!("{CONTACTS}/merge");
    assert_eq!(portal.person("POST", &path, merge(&ann, &ann)).0, 400);
    assert_eq!(portal.person("POST", &path, merge(&ann, "1")).0, 404);
    let (status, survivor) = portal.person("POST", &path, merge(&ann, &bob));
    let new = text(&survivor["id"]);
    assert!(status == 200 && new != ann && new != bob);
    for old in [&ann, &bob] {
        let (status, found) =
            portal.call("GET", &format!("{CONTACTS}/{old}?properties=email,hs_merged_object_ids"), json!(null));
        assert_eq!((status, text(&found["id"])), (200, new.clone()));
        assert_eq!(found["properties"]["email"], "ann@x.example", "the primary's value");
        assert_eq!(found["properties"]["hs_merged_object_ids"], format!("{bob};{ann}"));
    }
    // No batch knows them.
    let body = json!({"properties": ["email"], "inputs": [{"id": ann}, {"id": new}]});
    assert_eq!(ids(&portal.call("POST", &format!("{CONTACTS}/batch/read"), body).1), [new]);
    let mut gone = ids(&portal.call("GET", &format!("{CONTACTS}?archived=true"), json!(null)).1);
    gone.sort();
    let mut both = [ann, bob];
    both.sort();
    assert_eq!(gone, both);
}

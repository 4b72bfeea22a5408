//! Owners over both emulated systems: the same person by e-mail address, one who is not there, and who stands in.

use super::world::{CONTACTS, SOBJECTS, World, until};
use serde_json::{Value, json};

/// The user in whose name the sandbox is edited is none of HubSpot's owners, and in Salesforce everything has an owner.
const STAND_IN: &str = ", fallback = { salesforce = \"sue.salesforce@sandbox.example\", hubspot = \"olivia.owner@sandbox.example\" }, \
     default = { salesforce = \"sue.salesforce@sandbox.example\" }";

/// HubSpot's owners.
const OLIVIA: &str = "81000001";
const SAM: &str = "81000002";
const RITA: &str = "81000003";
const HUGO: &str = "81000004";

fn world(records: usize, fallback: &str) -> World {
    let world = World::new(records);
    let field =
        format!("owner = {{ type = \"owner\", hubspot = \"hubspot_owner_id\", salesforce = \"OwnerId\"{fallback} }}\n");
    world.edit_config("city = {", &format!("{field}city = {{"));
    world
}

/// Salesforce's id of a user.
fn user(world: &World, name: &str) -> String {
    let rows = world.query(&format!("SELECT Id FROM User WHERE FirstName = '{name}'"));
    rows[0]["Id"].as_str().expect("an id").to_owned()
}

fn contact(world: &World, name: &str, owner: &str) -> String {
    let properties = json!({ "email": format!("{name}@x.example"), "lastname": name, "hubspot_owner_id": owner });
    let made = world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties }));
    made["id"].as_str().expect("an id").to_owned()
}

fn in_salesforce(world: &World, name: &str) -> Option<(String, String)> {
    let rows = world.query(&format!("SELECT Id, OwnerId FROM Contact WHERE Email = '{name}@x.example'"));
    let text = |key: &str| rows.first().map(|row| row[key].as_str().unwrap_or_default().to_owned());
    Some((text("Id")?, text("OwnerId")?))
}

#[test]
fn owners_are_kept_equal_by_their_address() {
    let world = world(40, STAND_IN);
    let (_, plan) = world.json(&["plan"]);
    let (code, report) = world.json(&["backfill"]);
    assert_eq!(code, Some(0), "{report}");
    let [hubspot, salesforce] = world.writes();
    for (system, done) in [("hubspot", hubspot), ("salesforce", salesforce)] {
        for verb in ["create", "update"] {
            assert_eq!(plan["writes"][system][verb], done[verb], "{system} {verb}: as it was foretold");
        }
    }
    world.assert_equal();
    let [olivia, sam, sue] = ["Olivia", "Sam", "Sue"].map(|name| user(&world, name));
    let seeded = world.query(&format!("SELECT Id FROM Contact WHERE OwnerId = '{sam}'"));
    assert!(!seeded.is_empty(), "seeded records have owners");

    let run = world.start(&["run", "--interval", "150ms"]);
    until("it runs", || world.json(&["status"]).1["daemon"] == true);
    let [ann, hugo] = [contact(&world, "ann", SAM), contact(&world, "hugo", HUGO)];
    until("both are there", || ["ann", "hugo"].iter().all(|name| in_salesforce(&world, name).is_some()));
    world.settle();
    let (ann_id, of_ann) = in_salesforce(&world, "ann").expect("she is there");
    let (hugo_id, of_hugo) = in_salesforce(&world, "hugo").expect("he is there");
    assert_eq!((of_ann, of_hugo), (sam.clone(), sue.clone()), "who is not in Salesforce is stood in for");
    assert_eq!(world.hubspot(&hugo, "hubspot_owner_id"), HUGO, "no echo of the one who stands in");

    // Nothing but the owner of another record moves: still no echo. Then people choose, on either side.
    world.edit_salesforce("Contact", &hugo_id, &json!({ "Title": "Chief" }));
    world.edit_hubspot(&ann, json!({ "hubspot_owner_id": OLIVIA }));
    world.settle();
    assert_eq!(world.salesforce(&ann_id, "OwnerId"), olivia);
    assert_eq!(world.hubspot(&hugo, "hubspot_owner_id"), HUGO);
    // Who is among those users is named by the address in the journal, too.
    let (_, record) = world.json(&["explain", &format!("salesforce:{hugo_id}.jobtitle")]);
    let who = &record["found"][0]["fields"][0]["because"]["user"];
    let by = world.query(&format!("SELECT LastModifiedById FROM Contact WHERE Id = '{hugo_id}'"));
    let by = by[0]["LastModifiedById"].as_str().expect("a user").to_owned();
    let address = &world.query(&format!("SELECT Email FROM User WHERE Id = '{by}'"))[0]["Email"];
    assert_eq!((&who["id"], &who["address"]), (&json!(by), address), "{record}");
    world.edit_salesforce("Contact", &hugo_id, &json!({ "OwnerId": sam }));
    // Rita is a user there, and inactive.
    world.edit_hubspot(&ann, json!({ "hubspot_owner_id": RITA, "jobtitle": "Pilot" }));
    world.settle();
    assert_eq!(world.hubspot(&hugo, "hubspot_owner_id"), SAM, "that is an edit");
    assert_eq!((world.salesforce(&ann_id, "OwnerId"), world.salesforce(&ann_id, "Title")), (sue, "Pilot".to_owned()));
    assert_eq!(world.hubspot(&ann, "hubspot_owner_id"), RITA);
    let writes = world.writes_total();
    world.settle();
    assert_eq!(world.writes_total(), writes, "all is said");
    assert_eq!(run.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn who_is_not_there_is_listed_and_the_rest_flows() {
    let world = world(0, "");
    let hugo = contact(&world, "hugo", HUGO);
    let fields = json!({ "Email": "sue@x.example", "LastName": "sue", "OwnerId": user(&world, "Sue") });
    world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &fields);
    let (code, report) = world.json(&["backfill"]);
    assert_eq!(code, Some(1), "{report}");
    let (id, _) = in_salesforce(&world, "hugo").expect("he is there without his owner");
    let sue = world.hubspot_id("sue@x.example");
    assert_eq!(world.hubspot(&sue, "hubspot_owner_id"), "");
    let (_, status) = world.json(&["status"]);
    assert!(status["problems"].as_u64() >= Some(2), "{status}");
    let run = world.start(&["run", "--interval", "150ms"]);
    until("it runs", || world.json(&["status"]).1["daemon"] == true);
    world.edit_hubspot(&hugo, json!({ "jobtitle": "Pilot" }));
    world.settle();
    assert_eq!(world.salesforce(&id, "Title"), "Pilot");
    assert_eq!(
        world.hubspot(&hugo, "hubspot_owner_id"),
        HUGO,
        "whom Salesforce makes owner by itself is nobody's choice"
    );
    let (_, status) = world.json(&["status"]);
    assert!(status["problems"].as_u64() >= Some(2), "and it stays a problem there: {status}");
    world.edit_hubspot(&hugo, json!({ "hubspot_owner_id": SAM }));
    world.settle();
    assert_eq!(world.salesforce(&id, "OwnerId"), user(&world, "Sam"));
    assert_eq!(run.stop(), Some(0));
    let (_, verdict) = world.json(&["verify"]);
    assert_eq!(verdict["equal"], Value::Bool(true), "{verdict}");
}

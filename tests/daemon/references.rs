//! References between records: who works for which company, over both emulated systems, where one holds it as a lookup and the
//! other as an association.

use super::world::{CONTACTS, SOBJECTS, World, until};
use serde_json::{Value, json};

const COMPANIES: &str = "/crm/objects/2026-03/companies";
const FIELD: &str =
    "company = { type = \"ref\", to = \"company\", hubspot = \"primary company\", salesforce = \"AccountId\" }\n";

/// With `company` on people, and associations that are read all the time.
fn world(records: usize) -> World {
    let world = World::new(records);
    world.edit_config("city = {", &format!("{FIELD}city = {{"));
    world.edit_config("[systems.hubspot]", "[systems.hubspot]\nassociations_every = \"1s\"");
    world
}

fn id_of(made: &Value) -> String {
    made["id"].as_str().expect("an id").to_owned()
}

fn hubspot_company(world: &World, name: &str) -> String {
    let properties = json!({ "name": name, "domain": format!("{name}.example") });
    id_of(&world.person("hubspot", "POST", COMPANIES, &json!({ "properties": properties })))
}

fn account(world: &World, name: &str) -> String {
    let fields = json!({ "Name": name, "Website": format!("{name}.example") });
    id_of(&world.person("salesforce", "POST", &format!("{SOBJECTS}/Account"), &fields))
}

fn hubspot_contact(world: &World, name: &str) -> String {
    let properties = json!({ "email": format!("{name}@x.example"), "lastname": name });
    id_of(&world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties })))
}

fn contact(world: &World, name: &str, account: Option<&str>) -> String {
    let fields = json!({ "Email": format!("{name}@x.example"), "LastName": name, "AccountId": account });
    id_of(&world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &fields))
}

/// A person ties a contact to a company, which is its first one from now on.
fn employ(world: &World, contact: &str, company: &str) {
    let path = format!("{CONTACTS}/{contact}/associations/companies/{company}");
    let kind = json!([{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1 }]);
    world.person("hubspot", "PUT", &path, &kind);
}

fn dismiss(world: &World, contact: &str, company: &str) {
    let path = format!("{CONTACTS}/{contact}/associations/companies/{company}");
    world.person("hubspot", "DELETE", &path, &Value::Null);
}

/// The first company of a HubSpot contact; "" for none.
fn employer(world: &World, contact: &str) -> String {
    let path = format!("{CONTACTS}/{contact}/associations/companies");
    let ties = world.person("hubspot", "GET", &path, &Value::Null);
    let first =
        |tie: &&Value| tie["associationTypes"].as_array().expect("types").iter().any(|kind| kind["typeId"] == 1);
    let ties = ties["results"].as_array().expect("results").iter().find(first);
    ties.map(|tie| tie["toObjectId"].to_string()).unwrap_or_default()
}

/// The account that has a company's domain, if there is one.
fn account_of(world: &World, name: &str) -> Option<String> {
    world
        .query(&format!("SELECT Id FROM Account WHERE Name = '{name}'"))
        .first()
        .map(|row| row["Id"].as_str().unwrap_or_default().to_owned())
}

fn is_in_hubspot(world: &World, email: &str) -> bool {
    let filter = json!([{ "filters": [{ "propertyName": "email", "operator": "EQ", "value": email }] }]);
    let found = world.person("hubspot", "POST", &format!("{CONTACTS}/search"), &json!({ "filterGroups": filter }));
    found["total"] == 1
}

fn ties_written(world: &World) -> u64 {
    let ledger = world.running.hubspot.as_ref().expect("a server").ledger();
    ledger["calls"]["by_kind"]["associations_write"].as_u64().unwrap_or_default()
}

fn calls(world: &World) -> [u64; 2] {
    [&world.running.hubspot, &world.running.salesforce]
        .map(|server| server.as_ref().expect("a server").ledger()["calls"]["total"].as_u64().expect("a count"))
}

fn start(world: &World) -> super::world::Process {
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    live
}

#[test]
fn a_first_sync_creates_companies_first_and_refers_rightly() {
    let world = World::new(200);
    world.edit_config("city = {", &format!("{FIELD}city = {{"));
    let (code, plan) = world.json(&["plan", "--out", "p.plan"]);
    assert_eq!(code, Some(0), "{plan}");
    let before = calls(&world);
    let (code, done) = world.json(&["apply", "p.plan"]);
    assert_eq!((code, &done["as_planned"], &done["held_back"]), (Some(0), &json!(true), &json!(0)), "{done}");
    let (made, planned) = (world.writes(), &plan["writes"]);
    assert_eq!((&made[1], &made[0]["create"]), (&planned["salesforce"], &planned["hubspot"]["create"]));
    // Where only the association is written, HubSpot counts no write to the record.
    assert!(made[0]["update"].as_u64() < planned["hubspot"]["update"].as_u64(), "{made:?} {planned}");
    for ((system, before), after) in ["hubspot", "salesforce"].iter().zip(before).zip(calls(&world)) {
        let (wanted, found) = (plan["calls"][system].as_u64().expect("a count"), after - before);
        assert!(wanted.abs_diff(found) <= (found / 50).max(3), "{system}: {wanted} foretold, {found} made");
    }
    world.assert_equal();
    world.assert_created_exactly_what_was_missing();
    // Each contact of a seeded company has the account with its domain.
    let contacts = world.query("SELECT Id, Email, Account.Website FROM Contact WHERE AccountId != null LIMIT 200");
    assert!(contacts.len() > 100, "{}", contacts.len());
    let (written, ties) = (world.writes(), ties_written(&world));
    assert!(ties > 0);
    let live = start(&world);
    world.settle();
    world.settle();
    assert_eq!(live.stop(), Some(0));
    assert_eq!((world.writes(), ties_written(&world)), (written, ties), "nothing comes back");
}

#[test]
fn who_changes_employers_does_so_on_the_other_side() {
    let world = world(0);
    let (acme, bolt) = (hubspot_company(&world, "acme"), hubspot_company(&world, "bolt"));
    let (ann, bob) = (hubspot_contact(&world, "ann"), hubspot_contact(&world, "bob"));
    employ(&world, &ann, &acme);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let [acme_there, bolt_there] = ["acme", "bolt"].map(|name| account_of(&world, name).expect("it was created"));
    let there = |name: &str| {
        let found = world.query(&format!("SELECT Id FROM Contact WHERE LastName = '{name}'"));
        found[0]["Id"].as_str().expect("an id").to_owned()
    };
    let (ann_there, bob_there) = (there("ann"), there("bob"));
    assert_eq!(world.salesforce(&ann_there, "AccountId"), acme_there);
    assert_eq!(world.salesforce(&bob_there, "AccountId"), "");
    let (before, live) = (world.writes(), start(&world));
    // From HubSpot, where nothing but the association says so.
    employ(&world, &bob, &bolt);
    until("bob's arrives", || world.salesforce(&bob_there, "AccountId") == bolt_there);
    // From Salesforce.
    world.edit_salesforce("Contact", &ann_there, &json!({ "AccountId": bolt_there }));
    until("ann's arrives", || employer(&world, &ann) == bolt);
    // To nobody, both ways.
    world.edit_salesforce("Contact", &bob_there, &json!({ "AccountId": null }));
    until("bob is free", || employer(&world, &bob).is_empty());
    dismiss(&world, &ann, &bolt);
    until("ann is free", || world.salesforce(&ann_there, "AccountId").is_empty());
    world.settle();
    let count = |writes: &[Value; 2], at: usize| writes[at]["update"].as_u64().expect("a count");
    let after = world.writes();
    assert_eq!(count(&after, 1) - count(&before, 1), 2, "two changes came from HubSpot");
    assert_eq!(count(&after, 0), count(&before, 0), "an association is no write to the record");
    assert_eq!(world.status()["problems"], 0);
    world.settle();
    assert_eq!(live.stop(), Some(0));
    assert_eq!(world.writes(), after, "quiet");
    world.assert_equal();
}

#[test]
fn a_company_that_is_entered_later_is_referred_to_then() {
    let world = world(0);
    let ann = hubspot_contact(&world, "ann");
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let live = start(&world);
    // A new company and a new person of it, at once, in Salesforce.
    let acme = account(&world, "acme");
    let bob = contact(&world, "bob", Some(&acme));
    until("bob is there", || is_in_hubspot(&world, "bob@x.example"));
    let bob_there = world.hubspot_id("bob@x.example");
    until("bob has his employer", || !employer(&world, &bob_there).is_empty());
    // And in HubSpot.
    let bolt = hubspot_company(&world, "bolt");
    employ(&world, &ann, &bolt);
    let ann_there = || world.query("SELECT Id, AccountId FROM Contact WHERE LastName = 'ann'");
    until("ann has hers", || account_of(&world, "bolt").is_some_and(|id| ann_there()[0]["AccountId"] == id.as_str()));
    world.settle();
    assert_eq!(world.status()["problems"], 0, "{}", world.status());
    assert_eq!(world.salesforce(&bob, "AccountId"), acme);
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn a_company_that_is_not_to_be_there_is_a_problem_of_this_one_field() {
    let world = world(0);
    // No company is created anywhere.
    world.edit_config("[entities.company]", "[entities.company]\ncreate = false");
    let acme = hubspot_company(&world, "acme");
    let ann = hubspot_contact(&world, "ann");
    employ(&world, &ann, &acme);
    let (code, report) = world.json(&["backfill"]);
    assert_eq!((code, &report["problems"]), (Some(1), &json!(1)), "{report}");
    let causes = world.status()["problem_causes"].clone();
    assert_eq!(
        (&causes[0]["code"], &causes[0]["system"]),
        (&json!("REFERENCE_NOT_THERE"), &json!("salesforce")),
        "{causes}"
    );
    let there = world.query("SELECT Id, LastName, AccountId FROM Contact");
    assert_eq!((&there[0]["LastName"], &there[0]["AccountId"]), (&json!("ann"), &Value::Null), "the rest is there");
    let (code, verdict) = world.json(&["verify"]);
    assert_eq!((code, &verdict["entities"]["person"]["excluded"]["problem"]), (Some(1), &json!(1)), "{verdict}");
    let ann_there = there[0]["Id"].as_str().expect("an id").to_owned();
    let live = start(&world);
    world.edit_hubspot(&ann, json!({ "city": "Ghent" }));
    until("the rest flows", || world.salesforce(&ann_there, "MailingCity") == "Ghent");
    // Somebody enters the company there: it is matched, and the field goes on by itself.
    let acme_there = account(&world, "acme");
    until("it is healed", || world.salesforce(&ann_there, "AccountId") == acme_there);
    until("nothing is listed any more", || world.status()["problems"] == 0);
    world.settle();
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn a_property_with_a_history_may_hold_the_id() {
    let world = World::new(0);
    let field =
        "company = { type = \"ref\", to = \"company\", hubspot = \"salutation\", salesforce = \"AccountId\" }\n";
    world.edit_config("city = {", &format!("{field}city = {{"));
    let (acme, bolt) = (hubspot_company(&world, "acme"), hubspot_company(&world, "bolt"));
    let ann = hubspot_contact(&world, "ann");
    world.edit_hubspot(&ann, json!({ "salutation": acme }));
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let there = world.query("SELECT Id, AccountId FROM Contact");
    let ann_there = there[0]["Id"].as_str().expect("an id").to_owned();
    assert_eq!(there[0]["AccountId"].as_str(), account_of(&world, "acme").as_deref());
    let live = start(&world);
    world.edit_hubspot(&ann, json!({ "salutation": bolt }));
    let bolt_there = account_of(&world, "bolt").expect("it was created");
    until("the change arrives", || world.salesforce(&ann_there, "AccountId") == bolt_there);
    let acme_there = account_of(&world, "acme").expect("it was created");
    world.edit_salesforce("Contact", &ann_there, &json!({ "AccountId": acme_there }));
    until("the other does too", || world.hubspot(&ann, "salutation") == acme);
    world.settle();
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn references_that_the_config_names_later_are_nobodys_edit() {
    let world = World::new(0);
    let (acme, ann) = (hubspot_company(&world, "acme"), hubspot_contact(&world, "ann"));
    employ(&world, &ann, &acme);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    assert_eq!(world.query("SELECT AccountId FROM Contact")[0]["AccountId"], Value::Null);
    world.edit_config("city = {", &format!("{FIELD}city = {{"));
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let contact = &world.query("SELECT AccountId FROM Contact")[0];
    assert_eq!(contact["AccountId"].as_str(), account_of(&world, "acme").as_deref());
    assert_eq!(employer(&world, &ann), acme);
    world.assert_equal();
}

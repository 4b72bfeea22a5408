//! One field, several properties, over both emulated systems: an address and an amount with its currency are decided as a
//! whole, a name is two properties here and one there, and new records get what nobody maps.

use super::world::{CONTACTS, SOBJECTS, World, until};
use serde_json::{Value, json};

const ADDRESS: &str = r#"street = { type = "text", hubspot = "address", salesforce = "MailingStreet", group = "address" }
zip = { type = "text", hubspot = "zip", salesforce = "MailingPostalCode", length = { salesforce = 20 }, group = "address" }
country = { type = "text", hubspot = "country", salesforce = "MailingCountry", group = "address" }
city = { group = "address","#;

const HERE: [&str; 4] = ["address", "zip", "city", "country"];
const THERE: [&str; 4] = ["MailingStreet", "MailingPostalCode", "MailingCity", "MailingCountry"];

/// The address in each system.
fn addresses(world: &World, here: &str, there: &str) -> [[String; 4]; 2] {
    [HERE.map(|name| world.hubspot(here, name)), THERE.map(|name| world.salesforce(there, name))]
}

fn both(parts: [&str; 4]) -> [[String; 4]; 2] {
    [parts.map(str::to_owned), parts.map(str::to_owned)]
}

fn object(names: [&str; 4], values: [&str; 4]) -> Value {
    names.iter().zip(values).map(|(name, value)| ((*name).to_owned(), Value::from(value))).collect()
}

#[test]
fn an_address_is_one_value() {
    let world = World::new(0);
    world.edit_config("city = {", ADDRESS);
    world.append_config("\n[entities.person.groups.address]\nconflict = \"prefer salesforce\"\n");
    let rhine = ["Ring 1", "53113", "Bonn", "Germany"];
    let mut person = object(HERE, rhine);
    person["email"] = "ann@example.org".into();
    person["lastname"] = "Ann".into();
    let id = world.person("hubspot", "POST", CONTACTS, &json!({ "properties": person }))["id"].clone();
    let id = id.as_str().expect("an id");
    let (code, plan, _) = world.run(&["plan"]);
    assert_eq!(code, Some(0), "{plan}");
    assert!(plan.contains("MailingPostalCode"), "{plan}");
    let (code, report) = world.json(&["backfill"]);
    assert_eq!(code, Some(0), "{report}");
    let there = world.query("SELECT Id FROM Contact")[0]["Id"].as_str().expect("an id").to_owned();
    assert_eq!(addresses(&world, id, &there), both(rhine));

    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    world.edit_hubspot(id, json!({ "zip": "53115" }));
    until("the zip arrives", || world.salesforce(&there, "MailingPostalCode") == "53115");
    world.edit_salesforce("Contact", &there, &object(THERE, ["Via 1", "00100", "Rome", "Italy"]));
    until("the address arrives", || world.hubspot(id, "country") == "Italy");
    world.settle();
    let writes = world.writes_total();
    // Two people move her at the same time: each takes the town and leaves the rest.
    world.edit_hubspot(id, json!({ "city": "Naples" }));
    world.edit_salesforce("Contact", &there, &json!({ "MailingCity": "Milan", "MailingPostalCode": "20121" }));
    world.settle();
    assert_eq!(addresses(&world, id, &there), both(["Via 1", "20121", "Milan", "Italy"]));
    assert!(world.writes_total() > writes);
    // What one part of it has no room for is named.
    world.edit_hubspot(id, json!({ "zip": "123456789012345678901", "city": "Turin" }));
    until("it is listed", || world.status()["problems"] == 1);
    let status = world.status();
    let cause = &status["problem_causes"][0];
    assert_eq!(cause["code"], "VALUE_TOO_LONG", "{cause}");
    assert!(cause.to_string().contains("zip (MailingPostalCode): 21 characters"), "{cause}");
    assert_eq!(world.salesforce(&there, "MailingCity"), "Milan", "no part of it goes alone");
    world.edit_hubspot(id, json!({ "zip": "10121" }));
    until("the address arrives", || world.salesforce(&there, "MailingPostalCode") == "10121");
    // All of it is cleared at once.
    world.edit_salesforce("Contact", &there, &THERE.iter().map(|name| ((*name).to_owned(), Value::Null)).collect());
    until("it is gone", || world.hubspot(id, "address").is_empty());
    world.settle();
    assert_eq!(addresses(&world, id, &there), both(["", "", "", ""]));
    let quiet = world.writes_total();
    world.settle();
    assert_eq!(world.writes_total(), quiet, "no echo");
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn an_amount_goes_with_its_currency() {
    let world = World::new(0);
    let currency = r#"currency = { type = "enum", hubspot = "deal_currency_code", salesforce = "NextStep", group = "value" }
amount = { group = "value","#;
    world.edit_config("amount = {", currency);
    let deal = json!({ "dealname": "Ships", "amount": "100.50", "deal_currency_code": "EUR", "dealstage": "closedwon",
        "closedate": "2026-03-01T00:00:00Z" });
    let deals = "/crm/objects/2026-03/deals";
    let id = world.person("hubspot", "POST", deals, &json!({ "properties": deal }))["id"].clone();
    let id = id.as_str().expect("an id");
    let (code, report) = world.json(&["backfill"]);
    assert_eq!(code, Some(0), "{report}");
    let of = || world.query("SELECT Id, Amount, NextStep FROM Opportunity")[0].clone();
    let there = of();
    assert_eq!((&there["Amount"], &there["NextStep"]), (&json!(100.5), &json!("EUR")), "{there}");
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    world.person("hubspot", "PATCH", &format!("{deals}/{id}"), &json!({ "properties": { "amount": "90" } }));
    world.edit_salesforce("Opportunity", there["Id"].as_str().expect("an id"), &json!({ "NextStep": "USD" }));
    world.settle();
    let there = of();
    let path = format!("{deals}/{id}?properties=amount,deal_currency_code");
    let here = world.person("hubspot", "GET", &path, &Value::Null)["properties"].clone();
    let here = [&here["amount"], &here["deal_currency_code"]].map(|value| value.as_str().unwrap_or_default());
    assert!(here == ["90", "EUR"] || here == ["100.5", "USD"] || here == ["100.50", "USD"], "{here:?}");
    let amount = if here[1] == "EUR" { json!(90.0) } else { json!(100.5) };
    assert_eq!((&there["Amount"], &there["NextStep"]), (&amount, &json!(here[1])), "{there}");
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn a_name_is_two_properties_here_and_one_there_and_new_records_get_constants() {
    let world = World::new(0);
    let config = std::fs::read_to_string(world.path("syncline.toml")).expect("a config");
    let kept = config.lines().filter(|line| !line.starts_with("firstname") && !line.starts_with("lastname"));
    let kept = kept.collect::<Vec<_>>().join("\n");
    let name = "name = { type = \"text\", hubspot = [\"firstname\", \"lastname\"], salesforce = \"LastName\", join = \" \", \
                split = \"last\" }\njobtitle = {";
    let config = kept.replacen("jobtitle = {", name, 1).replace(
        "object = \"Contact\"",
        "object = \"Contact\", on_create = { Department = \"unknown\", LeadSource = \"Web\" }",
    );
    std::fs::write(world.path("syncline.toml"), config).expect("a config");
    let (code, out, err) = world.run(&["check"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let properties = json!({ "email": "ann@example.org", "firstname": "Mary Ann", "lastname": "Smith" });
    let id = world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties }))["id"].clone();
    let id = id.as_str().expect("an id");
    let (code, report) = world.json(&["backfill"]);
    assert_eq!(code, Some(0), "{report}");
    let there = world.query("SELECT Id FROM Contact")[0]["Id"].as_str().expect("an id").to_owned();
    let shown = || ["LastName", "Department", "LeadSource"].map(|name| world.salesforce(&there, name));
    assert_eq!(shown(), ["Mary Ann Smith", "unknown", "Web"]);

    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    world.edit_salesforce("Contact", &there, &json!({ "LastName": "Mary Ann Jones", "Department": "Sales" }));
    until("the name arrives", || world.hubspot(id, "lastname") == "Jones");
    assert_eq!(world.hubspot(id, "firstname"), "Mary Ann");
    // Both parts at once, and one alone.
    world.edit_hubspot(id, json!({ "firstname": "", "lastname": "Cher" }));
    until("the name arrives", || world.salesforce(&there, "LastName") == "Cher");
    world.settle();
    assert_eq!([world.hubspot(id, "firstname"), world.hubspot(id, "lastname")], ["", "Cher"]);
    assert_eq!(shown(), ["Cher", "Sales", "Web"], "constants are written once");
    // A record that is born there gets no constants from us.
    let made = json!({ "LastName": "Bob Dylan", "Email": "bob@example.org" });
    let bob = world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &made);
    let bob = bob["id"].as_str().expect("an id").to_owned();
    world.settle();
    let here = world.hubspot_id("bob@example.org");
    assert_eq!([world.hubspot(&here, "firstname"), world.hubspot(&here, "lastname")], ["Bob", "Dylan"]);
    assert_eq!(world.salesforce(&bob, "Department"), "");
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

//! Several objects of one system in one entity: a person of HubSpot is a contact or a lead in Salesforce; and custom objects.

use super::world::{CONTACTS, SOBJECTS, World, until};
use serde_json::{Value, json};
use syncline::sandbox::listener::SandboxConfig;
use syncline::sandbox::seed::SeedPlan;

/// Contacts and leads in Salesforce, and cities under the names that each has for them.
fn with_leads(world: &World) {
    let old = "at.salesforce = { object = \"Contact\" }";
    world.edit_config(old, "at.salesforce = { object = [\"Contact\", \"Lead\"], create_as = \"Contact\" }");
    let old = "salesforce = \"MailingCity\"";
    world.edit_config(old, "salesforce = { Contact = \"MailingCity\", Lead = \"City\" }");
}

fn lead(world: &World, id: &str, field: &str) -> String {
    let lead = world.person("salesforce", "GET", &format!("{SOBJECTS}/Lead/{id}"), &Value::Null);
    lead[field].as_str().unwrap_or_default().to_owned()
}

#[test]
fn contacts_and_leads_are_planned_linked_created_and_kept_equal() {
    let data = SeedPlan { records: 200, leads: 60, ..SeedPlan::default() };
    let world = World::with(SandboxConfig { data: Some(data), ..SandboxConfig::default() });
    with_leads(&world);
    let (code, out, err) = world.run(&["check"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let (code, plan) = world.json(&["plan", "--out", "p.plan"]);
    assert_eq!(code, Some(0), "{plan}");
    // 30 leads are in HubSpot already, 30 are not; nobody becomes a lead.
    assert_eq!(plan["entities"]["person"]["link"], json!({ "email": 150 }), "{plan}");
    let leads = world.query("SELECT Id FROM Lead").len();
    let (code, done) = world.json(&["apply", "p.plan"]);
    assert_eq!((code, &done["as_planned"], &done["held_back"]), (Some(0), &json!(true), &json!(0)), "{done}");
    assert_eq!(json!({ "hubspot": world.writes()[0], "salesforce": world.writes()[1] }), plan["writes"]);
    assert_eq!(world.query("SELECT Id FROM Lead").len(), leads);
    world.assert_equal();
    let writes = world.writes_total();

    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    let leads = world.query("SELECT Id, Email FROM Lead ORDER BY Id LIMIT 2");
    let [one, two] = leads.as_slice() else { panic!("{leads:?}") };
    let text = |row: &Value, name: &str| row[name].as_str().expect("a text").to_owned();
    let (id, there) = (text(one, "Id"), world.hubspot_id(&text(one, "Email")));
    world.edit_salesforce("Lead", &id, &json!({ "City": "Reykjavík" }));
    until("the lead's city arrives", || world.hubspot(&there, "city") == "Reykjavík");
    world.edit_hubspot(&there, json!({ "jobtitle": "Captain", "city": "Tromsø" }));
    until("the title arrives", || lead(&world, &id, "Title") == "Captain" && lead(&world, &id, "City") == "Tromsø");
    world.settle();
    assert_eq!(world.writes_total(), writes + 2, "no echo");

    // A person whom HubSpot and a lead know from now on, and one who becomes a contact.
    let body = json!({ "Email": "new.lead@example.org", "LastName": "New", "Company": "X" });
    let made = world.person("salesforce", "POST", &format!("{SOBJECTS}/Lead"), &body);
    until("the lead is created in HubSpot", || {
        let found = json!({ "filterGroups": [{ "filters": [
            { "propertyName": "email", "operator": "EQ", "value": "new.lead@example.org" }] }] });
        world.person("hubspot", "POST", &format!("{CONTACTS}/search"), &found)["total"] == 1
    });
    let properties = json!({ "email": "new.contact@example.org", "lastname": "Newer" });
    world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties }));
    until("the contact is created", || {
        world.query("SELECT Id FROM Contact WHERE Email = 'new.contact@example.org'").len() == 1
    });
    assert_eq!(lead(&world, made["id"].as_str().expect("an id"), "Email"), "new.lead@example.org");

    // A lead that is converted goes on as the contact that it became, with what is edited from then on.
    let (id, email) = (text(one, "Id"), text(one, "Email"));
    let there = world.hubspot_id(&email);
    let body = json!({ "Email": email, "LastName": lead(&world, &id, "LastName"), "MailingCity": "Tromsø" });
    let contact = world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &body)["id"].clone();
    let contact = contact.as_str().expect("an id");
    world.edit_salesforce("Lead", &id, &json!({ "IsConverted": true, "ConvertedContactId": contact }));
    world.edit_hubspot(&there, json!({ "city": "Vadsø" }));
    until("the contact has the lead's place", || world.salesforce(contact, "MailingCity") == "Vadsø");
    world.edit_salesforce("Contact", contact, &json!({ "MailingCity": "Hamar" }));
    until("its edits arrive", || world.hubspot(&there, "city") == "Hamar");
    world.settle();
    assert_eq!(world.query(&format!("SELECT Id FROM Contact WHERE Email = '{email}'")).len(), 1, "no duplicate");
    assert_eq!(world.status()["problems"], 0);

    // One of which it is not told what it became is no more there: its link ends, and the contact in its place is a new one.
    let (id, email) = (text(two, "Id"), text(two, "Email"));
    let there = world.hubspot_id(&email);
    world.edit_salesforce("Lead", &id, &json!({ "IsConverted": true }));
    until("its link ends", || {
        let said = std::fs::read_to_string(world.path("stderr")).unwrap_or_default();
        said.contains(&format!("person {id} was converted in salesforce: the link ended"))
    });
    world.edit_hubspot(&there, json!({ "city": "Nuuk" }));
    world.settle();
    assert_ne!(lead(&world, &id, "City"), "Nuuk");
    assert_eq!(world.query(&format!("SELECT Id FROM Contact WHERE Email = '{email}'")).len(), 0, "nothing is created");
    let body = json!({ "Email": email, "LastName": "Converted" });
    let contact = world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &body)["id"].clone();
    let contact = contact.as_str().expect("an id");
    until("the contact is linked", || world.salesforce(contact, "MailingCity") == "Nuuk");
    world.settle();
    assert_eq!(world.status()["problems"], 0);
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn custom_objects_are_only_names() {
    let world = World::new(0);
    for object in ["p_project", "2-7001"] {
        let folder = object.replace('-', "_");
        let projects = format!(
            r#"
[entities.project]
match = ["code"]
create = true
at.hubspot = {{ object = "{object}" }}
at.salesforce = {{ object = "Project__c" }}

[entities.project.fields]
code = {{ type = "text", hubspot = "code", salesforce = "Code__c" }}
name = {{ type = "text", hubspot = "name", salesforce = "Name" }}
budget = {{ type = "decimal", scale = 2, hubspot = "budget", salesforce = "Budget__c" }}
"#
        );
        let config = std::fs::read_to_string(world.path("syncline.toml")).expect("a config");
        let config = config.replace("syncline.redb", &format!("{folder}.redb")) + &projects;
        std::fs::write(world.path("custom.toml"), config).expect("a config");
        let run = |args: &[&str]| {
            let (code, out, err) = world.run(&[args, &["--config", "custom.toml"]].concat());
            assert_eq!(code, Some(0), "{args:?}: {out}{err}");
        };
        run(&["check"]);
        let path = format!("/crm/objects/2026-03/{object}");
        let body = json!({ "properties": { "code": format!("A-{folder}"), "name": "Bridge", "budget": "12.5" } });
        world.person("hubspot", "POST", &path, &body);
        let body = json!({ "Code__c": format!("B-{folder}"), "Name": "Tunnel", "Budget__c": 7 });
        world.person("salesforce", "POST", &format!("{SOBJECTS}/Project__c"), &body);
        run(&["backfill"]);
        let there = world.query(&format!("SELECT Name, Budget__c FROM Project__c WHERE Code__c = 'A-{folder}'"));
        assert_eq!((there.len(), &there[0]["Name"], there[0]["Budget__c"].as_f64()), (1, &json!("Bridge"), Some(12.5)));
        let all = world.person("hubspot", "GET", &format!("{path}?properties=code,name"), &Value::Null);
        let codes: Vec<&Value> =
            all["results"].as_array().expect("rows").iter().map(|row| &row["properties"]["code"]).collect();
        assert!(codes.contains(&&json!(format!("B-{folder}"))), "{all}");
        run(&["verify"]);
    }
}

#[test]
fn leads_are_taken_in_later() {
    let world = World::new(0);
    world.edit_config(
        "at.hubspot = { object = \"contacts\" }",
        "create = [\"hubspot\"]\nat.hubspot = { object = \"contacts\" }",
    );
    for (email, city) in [("ann@example.org", "Rome"), ("bob@example.org", "Oslo")] {
        let body = json!({ "Email": email, "LastName": "X", "Company": "Y", "City": city });
        world.person("salesforce", "POST", &format!("{SOBJECTS}/Lead"), &body);
    }
    let properties = json!({ "email": "ann@example.org", "lastname": "X" });
    let contact = world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties }))["id"].clone();
    let contact = contact.as_str().expect("an id");
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    assert_eq!(world.writes_total(), 0, "a lead is nobody yet");
    with_leads(&world);
    world.edit_config(", create_as = \"Contact\"", "");
    let (code, out, err) = world.run(&["backfill"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(world.hubspot(contact, "city"), "Rome");
    assert_eq!(world.hubspot(&world.hubspot_id("bob@example.org"), "city"), "Oslo");
    world.assert_equal();
}

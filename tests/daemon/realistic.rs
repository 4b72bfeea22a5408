//! The config that users are shown as one of realistic size: it fits both sandboxes, and what it syncs ends equal.

use super::world::{SOBJECTS, World, until};
use serde_json::{Value, json};
use syncline::rules::config;
use syncline::sandbox::listener::SandboxConfig;
use syncline::sandbox::seed::SeedPlan;

const EXAMPLE: &str = include_str!("../../examples/realistic/syncline.toml");
const HUBSPOT: &str = "/crm/objects/2026-03";

/// A seeded sandbox under the example, with the sandbox's accounts in place of the example's.
fn world(records: usize) -> World {
    let data = (records > 0).then_some(SeedPlan { records, leads: records / 4, ..SeedPlan::default() });
    let world = World::with(SandboxConfig { data, ..SandboxConfig::default() });
    let ready = &world.running.ready;
    let mut text = EXAMPLE.to_owned();
    let mut put = |from: &str, to: String| {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, &to);
    };
    put("\"https://api.hubapi.com\"", ready["hubspot"]["url"].to_string());
    put("\"https://MYDOMAIN.my.salesforce.com\"", ready["salesforce"]["url"].to_string());
    put("\"env:HUBSPOT_TOKEN\"", "\"file:secrets/hubspot.token\"".to_owned());
    put("\"env:SALESFORCE_TOKEN\"", "\"file:secrets/salesforce.token\"".to_owned());
    put("# app_id = \"12345\"", format!("app_id = \"{}\"", ready["hubspot"]["app_id"].to_string().trim_matches('"')));
    std::fs::write(world.path("syncline.toml"), text).expect("a config");
    world
}

/// What a person enters in HubSpot.
fn enter(world: &World, object: &str, properties: &Value) -> String {
    let made = world.person("hubspot", "POST", &format!("{HUBSPOT}/{object}"), &json!({ "properties": properties }));
    made["id"].as_str().expect("an id").to_owned()
}

/// What a person enters in Salesforce.
fn add(world: &World, object: &str, fields: &Value) -> String {
    let made = world.person("salesforce", "POST", &format!("{SOBJECTS}/{object}"), fields);
    made["id"].as_str().expect("an id").to_owned()
}

/// Records in which all that is mapped has a value, different ones on both sides and some on one.
fn furnish(world: &World) {
    enter(
        world,
        "companies",
        &json!({
        "name": "Bridges and Sons", "domain": "bridges.example", "address": "Ring 1", "zip": "53113",
        "city": "Bonn", "state": "NRW", "country": "Germany", "industry": "CONSTRUCTION", "type": "PARTNER",
        "hs_ideal_customer_profile": "tier_2", "ownership": "private", "lifecyclestage": "customer",
        "numberofemployees": "120", "annualrevenue": "1234567.89", "founded_year": "1921", "customer_since": "2019-05-01",
        "linkedin_company_page": "https://linkedin.example/bridges", "description": "Builds\nbridges.", "phone": "+49 228 1234" }),
    );
    let account = add(
        world,
        "Account",
        &json!({
        "Name": "Tunnels Ltd", "Website": "https://www.tunnels.example/", "BillingStreet": "High Road 5", "BillingCity": "Leeds",
        "BillingCountry": "UK", "Industry": "Manufacturing", "Type": "Customer - Direct", "Rating": "Cold", "Ownership": "Public",
        "NumberOfEmployees": 7, "AnnualRevenue": 1000, "Founded__c": "1999", "Customer_Since__c": "2021-12-31",
        "AccountNumber": "C-4711", "LinkedIn__c": "https://linkedin.example/tunnels", "Phone": "+44 113 496 0000" }),
    );
    enter(
        world,
        "contacts",
        &json!({
        "email": "ann@bridges.example", "firstname": "Ann", "lastname": "Bridge", "salutation": "Dr", "jobtitle": "Head of bridges",
        "department": "Statics", "mobilephone": "+49 171 555 0100", "home_phone": "+49 228 555 0101", "fax": "+49 228 555 0102",
        "date_of_birth": "1980-02-29", "hs_language": "de", "hs_linkedin_url": "https://linkedin.example/in/ann", "do_not_call": "true",
        "address": "Ring 1", "zip": "53113", "city": "Bonn", "state": "NRW", "country": "Germany", "hs_lead_status": "CONNECTED",
        "lifecyclestage": "salesqualifiedlead", "company": "Bridges and Sons", "website": "https://ann.example" }),
    );
    add(
        world,
        "Contact",
        &json!({
        "Email": "Tom@tunnels.example", "FirstName": "Tom", "LastName": "Tunnel", "Salutation": "Mr.", "AccountId": account,
        "HomePhone": "+44 113 496 0001", "Birthdate": "1990-12-01", "Department": "Digging", "Language__c": "English",
        "DoNotCall": true, "MailingStreet": "High Road 5", "MailingCity": "Leeds", "Fax": "+44 113 496 0002" }),
    );
    add(
        world,
        "Lead",
        &json!({
        "Email": "lea@tunnels.example", "LastName": "Lead", "Company": "Tunnels Ltd", "Salutation": "Ms.", "City": "York",
        "Status": "Working - Contacted", "Website": "https://lea.example", "DoNotCall": true, "Language__c": "French" }),
    );
    enter(
        world,
        "deals",
        &json!({
        "dealname": "A bridge", "amount": "1250.5", "deal_currency_code": "EUR", "closedate": "2027-03-01T00:00:00Z",
        "dealstage": "contractsent", "pipeline": "default", "dealtype": "existingbusiness", "hs_priority": "high",
        "lead_source": "partner", "hs_next_step": "Sign", "description": "One bridge", "contract_start": "2027-04-01", "contract_months": "24" }),
    );
    add(
        world,
        "Opportunity",
        &json!({
        "Name": "A tunnel", "Amount": 99.95, "CurrencyIsoCode": "GBP", "CloseDate": "2027-06-30", "StageName": "Closed Lost",
        "Type": "New Customer", "Priority__c": "Low", "LeadSource": "Phone Inquiry", "Loss_Reason__c": "Too deep",
        "AccountId": account, "Contract_Months__c": 6, "NextStep": "None" }),
    );
    enter(
        world,
        "p_project",
        &json!({
        "code": "br-1", "name": "Bridge 1", "phase": "running", "health": "at_risk", "budget": "5000", "currency": "EUR",
        "start_date": "2026-01-01", "end_date": "2026-12-31", "manager_first": "Mary Ann", "manager_last": "Smith",
        "billable": "true", "hours": "12.345", "description": "The first." }),
    );
    add(
        world,
        "Project__c",
        &json!({
        "Code__c": "TU-1", "Name": "Tunnel 1", "Phase__c": "Planned", "Health__c": "Green", "Budget__c": 12.5, "Hours__c": 3.25,
        "Manager__c": "Jan van Dyk", "Start_Date__c": "2026-02-01", "Description__c": "Dig." }),
    );
}

#[test]
fn it_is_of_realistic_size() {
    let config =
        config::parse(EXAMPLE, std::path::Path::new("syncline.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    let rules = &config.rules;
    assert_eq!(rules.entities.len(), 4);
    let fields =
        EXAMPLE.lines().filter(|line| line.contains("{ type = \"")).count() + EXAMPLE.matches(".fields.").count();
    assert!(fields >= 60, "{fields} fields");
    assert!(EXAMPLE.matches("\nvalues = [").count() >= 12);
}

#[test]
fn it_passes_check_and_a_first_sync_ends_equal() {
    let world = world(60);
    furnish(&world);
    let (code, document) = world.json(&["check"]);
    assert_eq!(code, Some(0), "{document}");
    // Capitals only, a birthday in a text, a date in a moment: what is said of a sound config, it has to be worth reading.
    assert_eq!(document["warnings"].as_array().map(Vec::len), Some(3), "{document}");
    let (code, report) = world.json(&["backfill"]);
    assert_eq!(code, Some(0), "{report}");
    world.assert_equal();
    // Nothing is left to do, and nothing was taken for an edit.
    let writes = world.writes_total();
    assert!(writes > 0);
    for _ in 0..2 {
        let (code, report) = world.json(&["backfill"]);
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(world.writes_total(), writes, "a second run writes nothing");
    }
    world.assert_equal();

    let row = |query: &str| world.query(query).first().cloned().unwrap_or_else(|| panic!("{query}"));
    let bridges = row(
        "SELECT BillingStreet, BillingCity, AnnualRevenue, Industry, Rating, Lifecycle_Stage__c, Site FROM Account WHERE Name = 'Bridges and Sons'",
    );
    let said = ["BillingStreet", "BillingCity", "Industry", "Rating", "Lifecycle_Stage__c", "Site"]
        .map(|name| bridges[name].as_str());
    assert_eq!(said, ["Ring 1", "Bonn", "Construction", "Warm", "Customer", "HubSpot"].map(Some));
    assert_eq!(bridges["AnnualRevenue"].as_f64(), Some(1_234_568.0));
    let ann = row(
        "SELECT Salutation, DoNotCall, Birthdate, LeadSource, Lifecycle_Stage__c FROM Contact WHERE LastName = 'Bridge'",
    );
    assert_eq!(
        (&ann["Salutation"], &ann["DoNotCall"], &ann["Birthdate"]),
        (&json!("Dr."), &json!(true), &json!("1980-02-29"))
    );
    assert_eq!((&ann["LeadSource"], &ann["Lifecycle_Stage__c"]), (&json!("Web"), &json!("SQL")));
    let bridge =
        row("SELECT Amount, CurrencyIsoCode, StageName, Priority__c, Type FROM Opportunity WHERE Name = 'A bridge'");
    assert_eq!((bridge["Amount"].as_f64(), &bridge["CurrencyIsoCode"]), (Some(1250.5), &json!("EUR")));
    let project = row("SELECT Manager__c, Hours__c, Health__c, Code__c FROM Project__c WHERE Name = 'Bridge 1'");
    assert_eq!(
        (&project["Manager__c"], &project["Health__c"], &project["Code__c"]),
        (&json!("Mary Ann Smith"), &json!("Yellow"), &json!("BR-1"))
    );
    assert_eq!(project["Hours__c"].as_f64(), Some(12.35));

    let there = |object: &str, key: (&str, &str), properties: &[&str]| {
        let filter = json!({ "filterGroups": [{ "filters": [{ "propertyName": key.0, "operator": "EQ", "value": key.1 }] }], "properties": properties });
        world.person("hubspot", "POST", &format!("{HUBSPOT}/{object}/search"), &filter)["results"][0]["properties"]
            .clone()
    };
    let tunnels =
        there("companies", ("domain", "tunnels.example"), &["address", "customer_number", "industry", "type"]);
    assert_eq!((&tunnels["address"], &tunnels["industry"]), (&json!("High Road 5"), &json!("MACHINERY")), "{tunnels}");
    assert_eq!((&tunnels["customer_number"], &tunnels["type"]), (&json!("4711"), &json!("PROSPECT")), "{tunnels}");
    let tunnel = there(
        "deals",
        ("dealname", "A tunnel"),
        &["amount", "deal_currency_code", "lead_source", "win_chance", "pipeline"],
    );
    assert_eq!((&tunnel["deal_currency_code"], &tunnel["pipeline"]), (&json!("GBP"), &json!("default")), "{tunnel}");
    let lea = there(
        "contacts",
        ("email", "lea@tunnels.example"),
        &["hs_lead_status", "company", "website", "city", "do_not_call"],
    );
    assert_eq!(
        (&lea["hs_lead_status"], &lea["company"], &lea["city"]),
        (&json!("IN_PROGRESS"), &json!("Tunnels Ltd"), &json!("York")),
        "{lea}"
    );
    let jan = there("p_project", ("code", "TU-1"), &["manager_first", "manager_last", "hours"]);
    assert_eq!((&jan["manager_first"], &jan["manager_last"]), (&json!("Jan van"), &json!("Dyk")), "{jan}");
}

#[test]
fn what_a_system_fills_in_itself_is_in_no_plan_and_follows() {
    let world = world(0);
    furnish(&world);
    let (code, plan) = world.json(&["plan", "--out", "p.plan"]);
    assert_eq!(code, Some(0), "{plan}");
    let (code, done) = world.json(&["apply", "p.plan"]);
    assert_eq!(code, Some(1), "{done}");
    assert!(done["held_back"].as_u64().is_some_and(|held| held > 0), "{done}");
    assert_eq!(json!({ "hubspot": world.writes()[0], "salesforce": world.writes()[1] }), plan["writes"], "{done}");
    let (code, report) = world.json(&["run", "--once", "--interval", "100ms"]);
    assert_eq!(code, Some(0), "{report}");
    world.assert_equal();
}

#[test]
fn an_administrator_is_given_what_it_needs() {
    let world = world(0);
    let (code, document) = world.json(&["init", "--salesforce-metadata", "meta"]);
    assert_eq!(code, Some(0), "{document}");
    assert_eq!(
        document["written"].as_array().map(Vec::len),
        Some(7),
        "five objects, the rights, the package: {document}"
    );
    let read = |name: &str| std::fs::read_to_string(world.path(name)).expect("a file");
    let package = read("meta/package.xml");
    for object in ["Account", "Contact", "Lead", "Opportunity", "Project__c"] {
        assert!(package.contains(&format!("<members>{object}.Syncline_Id__c</members>")), "{package}");
        assert!(read(&format!("meta/objects/{object}.object")).contains("<externalId>true</externalId>"));
    }
    let fields = &document["systems"]["salesforce"];
    assert_eq!(
        (&fields["Contact"]["fields"]["Lifecycle_Stage__c"], &fields["Opportunity"]["fields"]["Probability"]),
        (&json!(true), &json!(false))
    );
    let (code, document) = world.json(&["init", "--salesforce-metadata", "meta"]);
    assert_eq!((code, &document["error"]["code"]), (Some(2), &json!("exists")), "{document}");
}

#[test]
fn a_live_run_is_quiet_and_takes_edits_of_every_kind() {
    let world = world(0);
    furnish(&world);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let writes = world.writes_total();
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    world.settle();
    assert_eq!(world.writes_total(), writes, "no echo");
    let ann = world.hubspot_id("ann@bridges.example");
    let there =
        world.query("SELECT Id FROM Contact WHERE LastName = 'Bridge'")[0]["Id"].as_str().expect("an id").to_owned();
    world.edit_hubspot(&ann, json!({ "zip": "53115", "hs_language": "fr", "do_not_call": "false" }));
    until("the edits arrive", || {
        world.salesforce(&there, "MailingPostalCode") == "53115" && world.salesforce(&there, "Language__c") == "French"
    });
    world.edit_salesforce(
        "Contact",
        &there,
        &json!({ "DoNotCall": true, "Salutation": "Prof.", "Lifecycle_Stage__c": "Lead" }),
    );
    until("the edits arrive", || {
        world.hubspot(&ann, "salutation") == "Prof" && world.hubspot(&ann, "do_not_call") == "true"
    });
    until("the one-way field is as it was", || world.salesforce(&there, "Lifecycle_Stage__c") == "SQL");
    world.settle();
    assert_eq!(world.status()["problems"], 0);
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

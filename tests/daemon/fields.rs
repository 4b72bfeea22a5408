//! Fields that a system cannot hold or that cannot be read: a problem of one field, over both emulated systems.

use super::world::{CONTACTS, SOBJECTS, World, until};
use serde_json::{Value, json};

/// The causes that `status` lists: `system code count`.
fn causes(status: &Value) -> Vec<String> {
    let causes = status["problem_causes"].as_array().expect("a list").iter();
    let mut causes: Vec<String> = causes
        .map(|cause| {
            let text = |key: &str| cause[key].as_str().expect("a text").to_owned();
            format!("{} {} {}", text("system"), text("code"), cause["count"])
        })
        .collect();
    causes.sort();
    causes
}

#[test]
fn one_bad_field_holds_back_no_other() {
    let world = World::new(0);
    world.edit_config(
        "city = {",
        "born = { type = \"date\", hubspot = \"website\", salesforce = \"Department\" }\ncity = {",
    );
    // A title that Salesforce has no room for, and a date that is none.
    let long = "x".repeat(129);
    let properties =
        json!({ "email": "ann@example.org", "lastname": "Ann", "jobtitle": long, "website": "soon", "city": "Rome" });
    let id = world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties }))["id"].clone();
    let id = id.as_str().expect("an id");
    let (code, report) = world.json(&["backfill"]);
    assert_eq!((code, &report["problems"]), (Some(1), &json!(2)), "{report}");
    let bad = ["hubspot UNREADABLE_VALUE 1", "salesforce VALUE_TOO_LONG 1"];
    assert_eq!(causes(&world.status()), bad);
    let there = world.query("SELECT Id, LastName, Title, Department, MailingCity FROM Contact");
    let [contact] = there.as_slice() else { panic!("{there:?}") };
    assert_eq!((&contact["LastName"], &contact["MailingCity"]), (&json!("Ann"), &json!("Rome")), "{contact}");
    assert_eq!((&contact["Title"], &contact["Department"]), (&Value::Null, &Value::Null), "{contact}");
    let there = contact["Id"].as_str().expect("an id").to_owned();
    let (code, verdict) = world.json(&["verify"]);
    let person = &verdict["entities"]["person"];
    assert_eq!(
        (code, &verdict["equal"], &person["excluded"]["problem"]),
        (Some(1), &json!(true), &json!(2)),
        "{verdict}"
    );

    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    // The rest flows, both ways.
    world.edit_hubspot(id, json!({ "city": "Ghent" }));
    until("the city arrives", || world.salesforce(&there, "MailingCity") == "Ghent");
    world.edit_salesforce("Contact", &there, &json!({ "LastName": "Anna" }));
    until("the name arrives", || world.hubspot(id, "lastname") == "Anna");
    world.settle();
    assert_eq!(causes(&world.status()), bad);
    assert_eq!(world.hubspot(id, "website"), "soon");
    // Somebody mends one here and one there.
    world.edit_hubspot(id, json!({ "website": "2001-02-03" }));
    until("the date arrives", || world.salesforce(&there, "Department") == "2001-02-03");
    world.edit_salesforce("Contact", &there, &json!({ "Title": "Clerk" }));
    until("the title arrives", || world.hubspot(id, "jobtitle") == "Clerk");
    until("nothing is listed any more", || world.status()["problems"] == 0);
    // Once more, on the side with a history, and back to what it was when it was last listed.
    world.settle();
    world.edit_hubspot(id, json!({ "website": "later" }));
    until("it is listed", || causes(&world.status()) == ["hubspot UNREADABLE_VALUE 1"]);
    world.edit_hubspot(id, json!({ "website": "2001-02-03" }));
    until("it is not listed any more", || world.status()["problems"] == 0);
    // And on the other.
    world.edit_salesforce("Contact", &there, &json!({ "Department": "later" }));
    until("it is listed", || causes(&world.status()) == ["salesforce UNREADABLE_VALUE 1"]);
    world.edit_salesforce("Contact", &there, &json!({ "Department": "2001-02-03" }));
    until("it is not listed any more", || world.status()["problems"] == 0);
    world.settle();
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn an_expression_converts_both_ways_and_what_it_cannot_is_one_problem() {
    let world = World::new(40);
    world.edit_config(
        "salesforce = \"Title\" }",
        "salesforce = \"Title\", transform.salesforce = [{ cel = \"value.split(' / ')[0] + ' / ' + value.split(' / ')[1]\", \
         back = \"value\" }] }",
    );
    let known = world.query("SELECT Id, Email FROM Contact WHERE Email != null");
    let (email, there) = (known[0]["Email"].as_str().expect("an e-mail"), known[0]["Id"].as_str().expect("an id"));
    let id = world.hubspot_id(email);
    assert_eq!(world.json(&["run", "--once"]).0, Some(2), "no backfill yet");
    let (code, _) = world.json(&["backfill"]);
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
    world.edit_hubspot(&id, json!({ "jobtitle": "Head / Sales / EMEA", "city": "Ghent" }));
    world.json(&["run", "--once", "--interval", "100ms"]);
    assert_eq!(world.salesforce(there, "Title"), "Head / Sales");
    assert_eq!(
        world.hubspot(&id, "jobtitle"),
        "Head / Sales / EMEA",
        "what the other side cannot show is no edit there"
    );
    world.edit_salesforce("Contact", there, &json!({ "Title": "Chief / Sales" }));
    world.json(&["run", "--once", "--interval", "100ms"]);
    assert_eq!(world.hubspot(&id, "jobtitle"), "Chief / Sales");
    // One that the expression cannot convert: the rest of the record flows.
    world.edit_hubspot(&id, json!({ "jobtitle": "Clerk", "city": "Bruges" }));
    let (code, _) = world.json(&["run", "--once", "--interval", "100ms"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        (world.salesforce(there, "MailingCity"), world.salesforce(there, "Title")),
        ("Bruges".into(), "Chief / Sales".into())
    );
    let causes = world.status()["problem_causes"].to_string();
    assert!(causes.contains("VALUE_NOT_CONVERTED"), "{causes}");
}

#[test]
fn a_number_as_it_is_written_at_home_is_the_same_number() {
    let world = World::new(0);
    world.edit_config("rank = [", "region = \"DE\"\nrank = [");
    let people = [("ann", "030 23125 123", "+49 (30) 23125-123"), ("bob", "0049 30 23125 124", "030/23125124")];
    for (name, here, there) in people {
        let properties = json!({ "email": format!("{name}@x.example"), "lastname": name, "phone": here });
        world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties }));
        let fields = json!({ "Email": format!("{name}@x.example"), "LastName": name, "Phone": there });
        world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &fields);
    }
    let (code, report) = world.json(&["backfill"]);
    assert_eq!((code, world.writes_total()), (Some(0), 0), "{report}");
    world.assert_equal();
    // Without the region they are other numbers, and one of them goes everywhere.
    world.edit_config("region = \"DE\"\n", "");
    let (_, report) = world.json(&["backfill"]);
    assert_eq!(world.writes_total(), 2, "{report}");
}

//! Ties to several records over both emulated systems: who has a part in a deal, which one holds as associations and the other as rows
//! of their own.

use super::world::{CONTACTS, Process, SOBJECTS, World, bytes, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const DEALS: &str = "/crm/objects/2026-03/deals";
const LABELS: &str = "/crm/associations/2026-03/deals/contacts/labels";

fn world(records: usize, values: &str) -> World {
    let world = World::new(records);
    let salesforce = if values.is_empty() { "" } else { ", Role" };
    let field = format!(
        "contacts = {{ type = \"refs\", to = \"person\", hubspot = \"associated contacts\", \
         salesforce = \"OpportunityContactRole(OpportunityId, ContactId{salesforce})\"{values} }}\n"
    );
    world.edit_config("amount = {", &format!("{field}amount = {{"));
    world.edit_config("[systems.hubspot]", "[systems.hubspot]\nassociations_every = \"1s\"");
    world.edit_config("[systems.salesforce]", "[systems.salesforce]\nassociations_every = \"1s\"");
    world
}

fn id_of(made: &Value) -> String {
    made["id"].as_str().expect("an id").to_owned()
}

/// A person whom both know: the ids in HubSpot and in Salesforce.
fn person(world: &World, name: &str) -> [String; 2] {
    let properties = json!({ "email": format!("{name}@x.example"), "lastname": name });
    let here = id_of(&world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties })));
    let fields = json!({ "Email": format!("{name}@x.example"), "LastName": name });
    [here, id_of(&world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &fields))]
}

fn hubspot_deal(world: &World, name: &str) -> String {
    let properties = json!({ "dealname": name, "pipeline": "default", "dealstage": "appointmentscheduled", "closedate": "2026-12-31" });
    id_of(&world.person("hubspot", "POST", DEALS, &json!({ "properties": properties })))
}

fn opportunity(world: &World, name: &str) -> String {
    let fields = json!({ "Name": name, "StageName": "Prospecting", "CloseDate": "2026-12-31" });
    id_of(&world.person("salesforce", "POST", &format!("{SOBJECTS}/Opportunity"), &fields))
}

fn tie(world: &World, deal: &str, contact: &str, label: Option<u64>) {
    let kind = label.map_or_else(
        || json!([{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3 }]),
        |label| json!([{ "associationCategory": "USER_DEFINED", "associationTypeId": label }]),
    );
    world.person("hubspot", "PUT", &format!("{DEALS}/{deal}/associations/contacts/{contact}"), &kind);
}

fn untie(world: &World, deal: &str, contact: &str) {
    world.person("hubspot", "DELETE", &format!("{DEALS}/{deal}/associations/contacts/{contact}"), &Value::Null);
}

/// Whom a deal of HubSpot is tied to, with the labels of people behind a sign.
fn associated(world: &World, deal: &str) -> BTreeSet<String> {
    let ties = world.person("hubspot", "GET", &format!("{DEALS}/{deal}/associations/contacts"), &Value::Null);
    let mut all = BTreeSet::new();
    for tie in ties["results"].as_array().expect("results") {
        let id = tie["toObjectId"].to_string();
        for kind in
            tie["associationTypes"].as_array().expect("types").iter().filter(|kind| kind["category"] == "USER_DEFINED")
        {
            all.insert(format!("{id}={}", kind["label"].as_str().expect("a label")));
        }
        all.insert(id);
    }
    all
}

fn role(world: &World, deal: &str, contact: &str, role: Option<&str>) -> String {
    let fields = json!({ "OpportunityId": deal, "ContactId": contact, "Role": role });
    id_of(&world.person("salesforce", "POST", &format!("{SOBJECTS}/OpportunityContactRole"), &fields))
}

/// The rows of a deal in Salesforce.
fn roles(world: &World, deal: &str) -> Vec<(String, String)> {
    let rows = world.query(&format!(
        "SELECT Id, ContactId, Role FROM OpportunityContactRole WHERE OpportunityId = '{deal}' ORDER BY ContactId"
    ));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.iter().map(|row| (text(&row["ContactId"]), text(&row["Role"]))).collect()
}

fn of(people: &[&[String; 2]], side: usize) -> BTreeSet<String> {
    people.iter().map(|ids| ids[side].clone()).collect()
}

fn there(world: &World, deal: &str) -> BTreeSet<String> {
    roles(world, deal).into_iter().map(|(contact, _)| contact).collect()
}

fn start(world: &World) -> Process {
    let start = || world.start(&["run", "--interval", "100ms"]);
    let mut live = start();
    until("the daemon answers", || {
        match live.ended() {
            None => return world.status()["daemon"] == true,
            // Faults may hit all tries of its first calls; whoever keeps it running starts it again.
            Some(Some(3)) => live = start(),
            ended => panic!("{ended:?}: {}", String::from_utf8_lossy(&bytes(&world.path("stderr")))),
        }
        false
    });
    live
}

/// Calls that changed ties, and our writes.
fn written(world: &World) -> (u64, [Value; 2]) {
    let ledger = world.running.hubspot.as_ref().expect("a server").ledger();
    (ledger["calls"]["by_kind"]["associations_write"].as_u64().unwrap_or_default(), world.writes())
}

#[test]
fn a_tie_is_taken_back_like_any_edit() {
    let world = world(0, "");
    let [ann, bob] = ["ann", "bob"].map(|name| person(&world, name));
    let (big, big_there) = (hubspot_deal(&world, "big"), opportunity(&world, "big"));
    tie(&world, &big, &ann[0], None);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let live = start(&world);
    tie(&world, &big, &bob[0], None);
    until("bob's part arrives", || there(&world, &big_there) == of(&[&ann, &bob], 1));
    world.settle();
    let (code, done) = world.json(&["undo", "--by", "hubspot", "--since", "1h", "--yes"]);
    assert_eq!((code, &done["done"]["restored"]), (Some(0), &json!(1)), "{done}");
    until("it is taken back on both sides", || {
        there(&world, &big_there) == of(&[&ann], 1) && associated(&world, &big) == of(&[&ann], 0)
    });
    world.settle();
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn a_first_sync_adds_and_what_comes_or_goes_on_one_side_does_on_the_other() {
    let world = world(0, "");
    let [ann, bob, cyd] = ["ann", "bob", "cyd"].map(|name| person(&world, name));
    let (big, big_there) = (hubspot_deal(&world, "big"), opportunity(&world, "big"));
    // A deal that Salesforce does not know yet, and a person whom it does not.
    let new = hubspot_deal(&world, "new");
    let properties = json!({ "email": "dan@x.example", "lastname": "dan" });
    let dan = id_of(&world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties })));
    tie(&world, &big, &ann[0], None);
    tie(&world, &big, &bob[0], None);
    tie(&world, &new, &dan, None);
    tie(&world, &new, &cyd[0], None);
    role(&world, &big_there, &bob[1], None);
    role(&world, &big_there, &cyd[1], None);
    let (code, plan) = world.json(&["plan", "--out", "p.plan"]);
    assert_eq!(code, Some(0), "{plan}");
    let (_, out, _) = world.run(&["plan"]);
    assert!(out.contains("+ann@x.example") && out.contains("+cyd@x.example"), "as people know them: {out}");
    let (_, mapping, _) = world.run(&["export", "--mapping"]);
    assert!(mapping.contains("Opportunity.OpportunityContactRole(OpportunityId, ContactId)"), "{mapping}");
    let (code, done) = world.json(&["apply", "p.plan"]);
    assert_eq!((code, &done["as_planned"], &done["held_back"]), (Some(0), &json!(true), &json!(0)), "{done}");
    assert_eq!(associated(&world, &big), of(&[&ann, &bob, &cyd], 0));
    assert_eq!(there(&world, &big_there), of(&[&ann, &bob, &cyd], 1));
    assert_eq!(roles(&world, &big_there).len(), 3, "nobody is there twice");
    let find = |query: &str| world.query(query)[0]["Id"].as_str().expect("an id").to_owned();
    let new_there = find("SELECT Id FROM Opportunity WHERE Name = 'new'");
    let dan_there = find("SELECT Id FROM Contact WHERE LastName = 'dan'");
    let dan = [dan, dan_there];
    assert_eq!(there(&world, &new_there), of(&[&cyd, &dan], 1));
    world.assert_equal();
    let (before, live) = (written(&world), start(&world));
    world.settle();
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    world.settle();
    assert_eq!(written(&world), before, "nothing comes back");
    // From HubSpot, where nothing but the association says so.
    tie(&world, &new, &ann[0], None);
    until("ann's part arrives", || there(&world, &new_there) == of(&[&ann, &cyd, &dan], 1));
    untie(&world, &big, &bob[0]);
    until("bob goes", || there(&world, &big_there) == of(&[&ann, &cyd], 1));
    // From Salesforce.
    let row = role(&world, &new_there, &bob[1], None);
    until("bob's part arrives", || associated(&world, &new) == of(&[&ann, &bob, &cyd, &dan], 0));
    world.person("salesforce", "DELETE", &format!("{SOBJECTS}/OpportunityContactRole/{row}"), &Value::Null);
    until("bob goes there, too", || associated(&world, &new) == of(&[&ann, &cyd, &dan], 0));
    // On both at once.
    tie(&world, &big, &dan[0], None);
    role(&world, &big_there, &bob[1], None);
    until("both have both", || {
        associated(&world, &big) == of(&[&ann, &bob, &cyd, &dan], 0)
            && there(&world, &big_there) == of(&[&ann, &bob, &cyd, &dan], 1)
    });
    world.settle();
    assert_eq!(roles(&world, &big_there).len(), 4);
    let before = written(&world);
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    world.settle();
    assert_eq!(written(&world), before, "quiet");
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn labels_are_roles() {
    const VALUES: &str = ", values = [{ is = \"decides\", hubspot = \"Decision maker\", salesforce = \"Decision Maker\" }, \
                          { is = \"pays\", hubspot = \"Payer\", salesforce = \"Economic Buyer\" }]";
    let world = world(0, VALUES);
    // Labels that are not there are told of before anything is done.
    let (code, _, err) = world.run(&["check"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("hubspot has no label `Decision maker`") && err.contains("create the label there"), "{err}");
    let label = |label: &str| {
        let made = world.person("hubspot", "POST", LABELS, &json!({ "label": label, "name": label }));
        made["results"][0]["typeId"].as_u64().expect("a number")
    };
    let (decides, pays, other) = (label("Decision maker"), label("Payer"), label("Friend"));
    let [ann, bob, cyd] = ["ann", "bob", "cyd"].map(|name| person(&world, name));
    let (deal, deal_there) = (hubspot_deal(&world, "big"), opportunity(&world, "big"));
    tie(&world, &deal, &ann[0], Some(decides));
    tie(&world, &deal, &cyd[0], Some(other));
    role(&world, &deal_there, &ann[1], Some("Economic Buyer"));
    role(&world, &deal_there, &bob[1], Some("Evaluator"));
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let shown = |pairs: &[(&[String; 2], &str)]| -> BTreeSet<String> {
        let one = |(ids, label): &(&[String; 2], &str)| [ids[0].clone(), format!("{}={label}", ids[0])];
        pairs.iter().flat_map(one).map(|text| text.trim_end_matches('=').to_owned()).collect()
    };
    let rows = |pairs: &[(&[String; 2], &str)]| -> BTreeSet<(String, String)> {
        pairs.iter().map(|(ids, role)| (ids[1].clone(), (*role).to_owned())).collect()
    };
    let found = || roles(&world, &deal_there).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(
        associated(&world, &deal),
        shown(&[(&ann, "Decision maker"), (&ann, "Payer"), (&bob, ""), (&cyd, "Friend")])
    );
    assert_eq!(found(), rows(&[(&ann, "Decision Maker"), (&ann, "Economic Buyer"), (&bob, "Evaluator"), (&cyd, "")]));
    let live = start(&world);
    // HubSpot's people take one label and give another: all of a pair are said at once.
    tie(&world, &deal, &ann[0], Some(pays));
    tie(&world, &deal, &bob[0], Some(decides));
    until("the roles follow", || {
        found() == rows(&[(&ann, "Economic Buyer"), (&bob, "Decision Maker"), (&bob, "Evaluator"), (&cyd, "")])
    });
    let row = world.query("SELECT Id FROM OpportunityContactRole WHERE Role = 'Economic Buyer'");
    let row = row[0]["Id"].as_str().expect("an id").to_owned();
    world.edit_salesforce("OpportunityContactRole", &row, &json!({ "Role": "Decision Maker" }));
    until("the label follows", || {
        associated(&world, &deal) == shown(&[(&ann, "Decision maker"), (&bob, "Decision maker"), (&cyd, "Friend")])
    });
    world.settle();
    let before = written(&world);
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    world.settle();
    assert_eq!(written(&world), before, "quiet");
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn lost_answers_and_kills_make_nobody_twice_and_lose_nobody() {
    let world = world(0, "");
    let people = ["ann", "bob", "cyd", "dan", "eve"].map(|name| person(&world, name));
    let (deal, deal_there) = (hubspot_deal(&world, "big"), opportunity(&world, "big"));
    tie(&world, &deal, &people[0][0], None);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    world.set_faults(&json!({ "lost_answer": 0.4, "error": 0.1 }));
    let mut live = start(&world);
    for (at, ids) in people.iter().enumerate().skip(1) {
        match at % 2 {
            0 => tie(&world, &deal, &ids[0], None),
            _ => drop(role(&world, &deal_there, &ids[1], None)),
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
        if at == 2 {
            untie(&world, &deal, &people[0][0]);
        }
        live.kill();
        live = start(&world);
    }
    world.set_faults(&json!({}));
    let left: Vec<&[String; 2]> = people.iter().skip(1).collect();
    until("all have what everybody did", || {
        associated(&world, &deal) == of(&left, 0) && there(&world, &deal_there) == of(&left, 1)
    });
    world.settle();
    assert_eq!(roles(&world, &deal_there).len(), left.len(), "{:?}", roles(&world, &deal_there));
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn one_tie_that_is_refused_holds_back_no_other_and_is_listed() {
    let world = world(0, "");
    world.edit_config("{ object = \"Contact\" }", "{ object = [\"Contact\", \"Lead\"], create_as = \"Contact\" }");
    world.edit_config("salesforce = \"MailingCity\"", "salesforce = { Contact = \"MailingCity\", Lead = \"City\" }");
    let ann = person(&world, "ann");
    let (deal, deal_there) = (hubspot_deal(&world, "big"), opportunity(&world, "big"));
    // A lead cannot have a part in an opportunity.
    let properties = json!({ "email": "leo@x.example", "lastname": "leo" });
    let leo = id_of(&world.person("hubspot", "POST", CONTACTS, &json!({ "properties": properties })));
    let fields = json!({ "Email": "leo@x.example", "LastName": "leo", "Company": "Leo's" });
    world.person("salesforce", "POST", &format!("{SOBJECTS}/Lead"), &fields);
    tie(&world, &deal, &leo, None);
    tie(&world, &deal, &ann[0], None);
    let (code, out, err) = world.run(&["backfill"]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert_eq!(there(&world, &deal_there), of(&[&ann], 1));
    let listed = out + &err;
    assert!(listed.contains("Contact ID: id value of incorrect type"), "{listed}");
    let live = start(&world);
    let amount = json!({ "properties": { "amount": "12" } });
    world.person("hubspot", "PATCH", &format!("{DEALS}/{deal}"), &amount);
    until("the rest flows", || world.query("SELECT Amount FROM Opportunity")[0]["Amount"] == json!(12.0));
    untie(&world, &deal, &ann[0]);
    until("ann goes all the same", || there(&world, &deal_there).is_empty());
    untie(&world, &deal, &leo);
    world.settle();
    assert_eq!(live.stop(), Some(0));
    assert!(roles(&world, &deal_there).is_empty());
}

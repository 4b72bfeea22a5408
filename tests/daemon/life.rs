//! The life of records over both emulated systems: what is deleted, restored and made anew.

use super::world::{CONTACTS, SOBJECTS, World, until};
use serde_json::{Value, json};

/// People of both systems by e-mail address: their ids in HubSpot and Salesforce.
fn people(world: &World, count: usize) -> Vec<(String, String, String)> {
    let rows = world.query("SELECT Id, Email FROM Contact WHERE Email != null");
    let both = rows.iter().filter_map(|row| {
        let (email, there) = (row["Email"].as_str()?, row["Id"].as_str()?);
        Some((email.to_owned(), world.hubspot_id(email), there.to_owned()))
    });
    both.take(count).collect()
}

fn is_there(world: &World, id: &str) -> bool {
    !world.query(&format!("SELECT Id FROM Contact WHERE Id = '{id}'")).is_empty()
}

fn archive(world: &World, id: &str) {
    world.person("hubspot", "DELETE", &format!("{CONTACTS}/{id}"), &Value::Null);
}

fn deletes(world: &World) -> [u64; 2] {
    world.writes().map(|writes| writes["delete"].as_u64().expect("a count"))
}

/// A world that is equal, in which deletes in HubSpot propagate.
fn propagating(people: usize) -> World {
    let world = World::new(people);
    world.edit_config("{ object = \"contacts\" }", "{ object = \"contacts\", on_delete = \"propagate\" }");
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    world
}

#[test]
fn deletes_in_hubspot_reach_salesforce_once_though_answers_are_lost() {
    let world = propagating(60);
    let people = people(&world, 6);
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    world.settle();
    let before = world.writes_total();
    world.set_faults(&json!({ "lost_answer": 0.3, "partial": 0.1 }));
    for (_, id, _) in &people[..4] {
        archive(&world, id);
    }
    // The other way it only detaches.
    let path = format!("{SOBJECTS}/Contact/{}", people[4].2);
    world.person("salesforce", "DELETE", &path, &Value::Null);
    // Edited after it was deleted there, by somebody who does not know.
    world.edit_salesforce("Contact", &people[5].2, &json!({ "Title": "Judge" }));
    archive(&world, &people[5].1);
    until("they are deleted there", || people[..4].iter().all(|(_, _, there)| !is_there(&world, there)));
    world.set_faults(&json!({}));
    world.settle();
    world.settle();
    assert_eq!(deletes(&world), [0, 4], "each once");
    assert_eq!(world.writes_total(), before + 4, "and nothing else is written");
    assert_eq!(world.hubspot(&people[4].1, "email"), people[4].0.to_lowercase());
    assert!(is_there(&world, &people[5].2), "the edit keeps it");
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
}

#[test]
fn what_is_restored_or_made_anew_is_linked_again() {
    let world = World::new(40);
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let [(email, id, there), (other_email, other, other_there)] = &people(&world, 2)[..] else { panic!("two") };
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    let writes = world.writes_total();
    // Deleted, restored.
    archive(&world, id);
    world.person("salesforce", "DELETE", &format!("{SOBJECTS}/Contact/{other_there}"), &Value::Null);
    world.settle();
    world.person("hubspot", "POST", &format!("{CONTACTS}/{id}/restore"), &json!({}));
    let undelete = json!({ "IsDeleted": false });
    world.person("salesforce", "PATCH", &format!("{SOBJECTS}/Contact/{other_there}"), &undelete);
    world.settle();
    assert_eq!(world.writes_total(), writes, "nothing is deleted, made or written");
    world.edit_hubspot(id, json!({ "jobtitle": "Judge" }));
    world.edit_hubspot(other, json!({ "jobtitle": "Juror" }));
    until("edits go over again", || {
        world.salesforce(there, "Title") == "Judge" && world.salesforce(other_there, "Title") == "Juror"
    });
    // Deleted, made anew with the same key.
    archive(&world, id);
    world.person("salesforce", "DELETE", &format!("{SOBJECTS}/Contact/{other_there}"), &Value::Null);
    world.settle();
    let body = json!({ "properties": { "email": email, "lastname": world.salesforce(there, "LastName") } });
    let anew = world.person("hubspot", "POST", CONTACTS, &body)["id"].as_str().expect("an id").to_owned();
    let body = json!({ "Email": other_email, "LastName": world.hubspot(other, "lastname") });
    let made = world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &body);
    let anew_there = made["id"].as_str().expect("an id").to_owned();
    until("blanks are filled", || {
        world.hubspot(&anew, "jobtitle") == "Judge" && world.salesforce(&anew_there, "Title") == "Juror"
    });
    world.settle();
    let count = |email: &str| world.query(&format!("SELECT Id FROM Contact WHERE Email = '{email}'")).len();
    assert_eq!((count(email), count(other_email)), (1, 1), "nobody is doubled");
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
    world.assert_created_exactly_what_was_missing();
}

#[test]
fn a_plan_counts_deletes_and_only_planned_ones_are_applied() {
    let world = propagating(40);
    let people = people(&world, 3);
    archive(&world, &people[0].1);
    let (code, plan) = world.json(&["plan", "--out", "p.plan"]);
    assert_eq!((code, &plan["writes"]["salesforce"]["delete"]), (Some(0), &json!(1)), "{plan}");
    assert_eq!(plan["entities"]["person"]["delete"]["salesforce"], 1);
    assert!(is_there(&world, &people[0].2), "a plan deletes nothing");
    let (_, text, _) = world.run(&["plan"]);
    for part in ["delete in salesforce", "costly", "recycle bin there, within 15 days"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    archive(&world, &people[1].1);
    let (code, done) = world.json(&["apply", "p.plan"]);
    assert_eq!((code, &done["writes"]["salesforce"]["delete"]), (Some(1), &json!(1)), "{done}");
    assert_eq!((&done["plan"]["done"], &done["held_back"]), (&json!(1), &json!(1)), "{done}");
    assert_eq!(done["held_back_list"][0]["delete"], true);
    assert!(!is_there(&world, &people[0].2) && is_there(&world, &people[1].2));
    assert_eq!(world.json(&["run", "--once", "--interval", "100ms"]).0, Some(0));
    assert!(!is_there(&world, &people[1].2));
    assert_eq!(deletes(&world), [0, 2]);
}

#[test]
fn a_mass_delete_stops_before_it_begins() {
    let world = propagating(40);
    world.edit_config("[systems.salesforce]\n", "[systems.salesforce]\nmax_deletes = 3\n");
    for (_, id, _) in people(&world, 5) {
        archive(&world, &id);
    }
    let (code, done) = world.json(&["run", "--once", "--interval", "100ms"]);
    assert_eq!((code, &done["problems"]), (Some(1), &json!(5)), "{done}");
    let (_, status) = world.json(&["status"]);
    assert_eq!(status["problem_causes"][0]["code"], "DELETE_LIMIT", "{status}");
    assert_eq!(deletes(&world), [0, 0]);
    world.edit_config("max_deletes = 3", "max_deletes = 5");
    assert_eq!(world.json(&["run", "--once", "--interval", "100ms"]).0, Some(0));
    assert_eq!(deletes(&world), [0, 5]);
    world.assert_equal();
}

#[test]
fn who_lost_a_merge_takes_nobody_along_and_is_one_when_merged_everywhere() {
    let world = propagating(40);
    world.edit_config("{ object = \"Contact\" }", "{ object = \"Contact\", on_delete = \"propagate\" }");
    let people = people(&world, 4);
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    let problems = || world.status()["problems"].as_u64().expect("a count");
    let lost = |loser: usize, winner: usize| {
        let merge = json!({ "MasterRecordId": people[winner].2 });
        world.edit_salesforce("Contact", &people[loser].2, &merge);
    };
    // In HubSpot a merge makes a new contact.
    let merged = |primary: usize, other: usize| {
        let body = json!({ "primaryObjectId": people[primary].1, "objectIdToMerge": people[other].1 });
        let answer = world.person("hubspot", "POST", &format!("{CONTACTS}/merge"), &body);
        answer["id"].as_str().expect("an id").to_owned()
    };
    lost(0, 1);
    let second = merged(2, 3);
    world.settle();
    world.settle();
    assert_eq!((deletes(&world), problems()), ([0, 0], 2), "{}", world.status());
    assert_eq!(world.status()["problem_causes"][0]["code"], "MERGED_ELSEWHERE");
    assert!(is_there(&world, &people[2].2) && is_there(&world, &people[3].2));
    world.edit_hubspot(&people[1].1, json!({ "jobtitle": "Judge" }));
    until("the winner is linked as before", || world.salesforce(&people[1].2, "Title") == "Judge");
    let first = merged(1, 0);
    lost(3, 2);
    until("nothing is two any more", || problems() == 0);
    world.edit_hubspot(&first, json!({ "jobtitle": "Juror" }));
    world.edit_salesforce("Contact", &people[2].2, &json!({ "Title": "Jurist" }));
    until("edits go both ways", || {
        world.salesforce(&people[1].2, "Title") == "Juror" && world.hubspot(&second, "jobtitle") == "Jurist"
    });
    world.settle();
    assert_eq!(deletes(&world), [0, 0]);
    assert_eq!(live.stop(), Some(0));
    world.assert_equal();
    world.assert_created_exactly_what_was_missing();
}

#[test]
fn who_refers_to_the_loser_of_a_merge_refers_to_the_winner() {
    let world = World::new(0);
    world.edit_config(
        "[entities.person.fields]\n",
        "[entities.person.fields]\nemployer = { type = \"ref\", to = \"company\", hubspot = \"primary company\", salesforce = \"AccountId\" }\n",
    );
    let account = |name: &str| {
        let body = json!({ "Name": name, "Website": format!("{name}.example") });
        let made = world.person("salesforce", "POST", &format!("{SOBJECTS}/Account"), &body);
        made["id"].as_str().expect("an id").to_owned()
    };
    let [one, two] = ["acme", "bolt"].map(account);
    let body = json!({ "LastName": "Lee", "Email": "lee@acme.example", "AccountId": one });
    let lee = world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &body);
    let lee = lee["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    // Both have a company in HubSpot: merged here, then there.
    world.edit_salesforce("Account", &one, &json!({ "MasterRecordId": two }));
    world.settle();
    assert_eq!(world.query(&format!("SELECT AccountId FROM Contact WHERE Id = '{lee}'"))[0]["AccountId"], json!(two));
    let companies = "/crm/objects/2026-03/companies";
    let list = world.person("hubspot", "GET", &format!("{companies}?properties=domain"), &Value::Null);
    let id = |domain: &str| {
        let rows = list["results"].as_array().expect("a list").iter();
        let row = rows.clone().find(|row| row["properties"]["domain"] == domain).expect("a company");
        row["id"].as_str().expect("an id").to_owned()
    };
    let body = json!({ "primaryObjectId": id("bolt.example"), "objectIdToMerge": id("acme.example") });
    let survivor = world.person("hubspot", "POST", &format!("{companies}/merge"), &body)["id"].clone();
    let survivor = survivor.as_str().expect("an id");
    until("it is one", || world.status()["problems"] == 0);
    let path = format!("{CONTACTS}/{}/associations/companies", world.hubspot_id("lee@acme.example"));
    until("Lee works there", || {
        let ties = world.person("hubspot", "GET", &path, &Value::Null);
        ties["results"]
            .as_array()
            .is_some_and(|ties| ties.iter().any(|tie| tie["toObjectId"].as_u64() == survivor.parse().ok()))
    });
    world.settle();
    assert_eq!(live.stop(), Some(0));
    assert_eq!(deletes(&world), [0, 0]);
    world.assert_equal();
}

#[test]
fn who_is_there_twice_is_listed_before_anything_is_linked() {
    let world = World::new(0);
    let contact = |email: &str, title: &str| {
        let body = json!({ "LastName": "Lee", "Email": email, "Title": title });
        let made = world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &body);
        made["id"].as_str().expect("an id").to_owned()
    };
    let (one, two) = (contact("lee@acme.example", ""), contact("Lee@acme.example", "Judge"));
    contact("kim@acme.example", "");
    let body = json!({ "properties": { "email": "lee@acme.example" } });
    let there = world.person("hubspot", "POST", CONTACTS, &body)["id"].clone();
    for name in ["One", "Two"] {
        let body = json!({ "Name": name, "Website": "gmail.com" });
        world.person("salesforce", "POST", &format!("{SOBJECTS}/Account"), &body);
    }
    let (code, found) = world.json(&["duplicates"]);
    assert_eq!((code, &found["groups"], &found["surplus"]), (Some(1), &json!(1), &json!(1)), "{found}");
    let group = &found["duplicates"][0];
    assert_eq!(
        (&group["entity"], &group["system"], &group["by"]),
        (&json!("person"), &json!("salesforce"), &json!("email"))
    );
    assert_eq!((&group["survivor"], &group["records"][1]["id"]), (&json!(two), &json!(one)), "more is filled");
    assert_eq!(group["elsewhere"], json!([{ "system": "hubspot", "id": there }]));
    let (_, text, _) = world.run(&["duplicates", "--csv"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[1].contains(&format!("{two},")) && lines[1].contains(",yes,") && lines[2].contains(&one), "{text}");
    assert!(!world.path("syncline.redb").exists());
    // The mirror knows it, too.
    assert_eq!(world.json(&["backfill"]).0, Some(1));
    let (code, offline) = world.json(&["duplicates", "--offline"]);
    assert_eq!((code, &offline["duplicates"]), (Some(1), &found["duplicates"]), "{offline}");
    assert_eq!(deletes(&world), [0, 0]);
}

#[test]
fn an_account_with_contacts_stays_and_one_without_follows_its_company() {
    let world = World::new(0);
    world.edit_config("{ object = \"companies\" }", "{ object = \"companies\", on_delete = \"propagate\" }");
    let account = |name: &str| {
        let body = json!({ "Name": name, "Website": format!("{name}.example") });
        let made = world.person("salesforce", "POST", &format!("{SOBJECTS}/Account"), &body);
        made["id"].as_str().expect("an id").to_owned()
    };
    let [full, empty] = ["acme", "bolt"].map(account);
    let body = json!({ "LastName": "Lee", "Email": "lee@acme.example", "AccountId": full });
    let lee = world.person("salesforce", "POST", &format!("{SOBJECTS}/Contact"), &body)["id"].clone();
    assert_eq!(world.json(&["backfill"]).0, Some(0));
    let companies = "/crm/objects/2026-03/companies";
    let list = world.person("hubspot", "GET", companies, &Value::Null);
    for company in list["results"].as_array().expect("a list") {
        let id = company["id"].as_str().expect("an id");
        world.person("hubspot", "DELETE", &format!("{companies}/{id}"), &Value::Null);
    }
    assert_eq!(world.json(&["run", "--once", "--interval", "100ms"]).0, Some(1));
    let accounts = world.query("SELECT Id FROM Account");
    assert_eq!(accounts.iter().map(|row| &row["Id"]).collect::<Vec<_>>(), [&json!(full)], "not {empty}");
    assert_eq!(world.query("SELECT Id FROM Contact")[0]["Id"], lee);
    assert_eq!(world.status()["problem_causes"][0]["code"], "WOULD_DELETE_MORE");
    assert_eq!(deletes(&world), [0, 1]);
}

//! Three systems: two HubSpot portals and one Salesforce org, each with people of its own. Nothing speaks of "two".

use super::world::{CONTACTS, World, until};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use syncline::sandbox::listener::{Running, SandboxConfig, serve};
use syncline::sandbox::seed::SeedPlan;
use tokio::runtime::Runtime;

/// A second portal, and what is asked of it.
struct Portal {
    running: Running,
    runtime: Runtime,
}

impl Portal {
    fn new(seed: u64, records: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let data = Some(SeedPlan { records, ..SeedPlan::default() });
        let running =
            runtime.block_on(serve(SandboxConfig { seed, data, ..SandboxConfig::default() })).expect("a sandbox");
        Self { running, runtime }
    }

    fn ready(&self, key: &str) -> String {
        self.running.ready["hubspot"][key].as_str().expect("a text").to_owned()
    }

    fn person(&self, method: &str, path: &str, body: &Value) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let request = reqwest::Client::new().request(method, self.ready("url") + path);
        let request = request.bearer_auth(self.ready("user_token")).header("content-type", "application/json");
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        let text = self.runtime.block_on(async { request.send().await.expect("an answer").text().await });
        serde_json::from_str(&text.expect("a text")).unwrap_or_default()
    }

    fn contact(&self, email: &str, property: &str) -> Option<String> {
        let path = format!("{CONTACTS}/{}?idProperty=email&properties={property}", email.to_lowercase());
        self.person("GET", &path, &Value::Null)["properties"][property].as_str().map(str::to_owned)
    }

    fn creates(&self) -> u64 {
        let ledger = self.running.hubspot.as_ref().expect("a portal").ledger();
        ledger["writes"]["integration"]["create"].as_u64().expect("a count")
    }
}

/// A config for all three, with these lines in a person's table for the second portal, and this of the first one's object.
fn configure(world: &World, second: &Portal, lines: &str, first: &str) {
    let secret = world.path("second.token");
    std::fs::write(&secret, second.ready("token")).expect("a file");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    world.edit_config(
        "[systems.salesforce]",
        &format!(
            "[systems.second]\nkind = \"hubspot\"\nurl = \"{}\"\ntoken = \"file:second.token\"\n\n[systems.salesforce]",
            second.ready("url")
        ),
    );
    world.edit_config("rank = [\"salesforce\", \"hubspot\"]", "rank = [\"salesforce\", \"hubspot\", \"second\"]");
    let file = world.path("syncline.toml");
    let text = std::fs::read_to_string(&file).expect("a config");
    // Each field of a person, and the object, live in the second portal too.
    let mut entity = "";
    let mut out = String::new();
    for line in text.lines() {
        if line.starts_with('[') {
            entity = line;
        }
        if entity == "[entities.person]" && line.starts_with("at.salesforce") {
            out += lines;
        }
        if entity == "[entities.person]" && line.starts_with("at.hubspot") {
            out += &line.replace(" }", &format!("{first} }}"));
            out.push('\n');
            continue;
        }
        let second = line.find("hubspot = \"").filter(|_| entity == "[entities.person.fields]").map(|at| {
            let property = line[at + 11..].split('"').next().expect("a property");
            format!("second = \"{property}\", ")
        });
        match second {
            Some(second) => out += &line.replace("hubspot = \"", &format!("{second}hubspot = \"")),
            None => out += line,
        }
        out.push('\n');
    }
    std::fs::write(file, out).expect("a config");
}

#[test]
fn two_portals_and_an_org_become_equal_and_stay_so() {
    let (world, second) = (World::new(60), Portal::new(7, 40));
    // People are created everywhere but in the second portal, which only takes part where it knows them.
    let lines = "at.second = { object = \"contacts\" }\ncreate = [\"hubspot\", \"salesforce\"]\n";
    configure(&world, &second, lines, "");
    // Somebody whom all three know, and somebody of the second portal only.
    let contacts = world.query("SELECT Id, Email FROM Contact");
    let known = contacts[0]["Email"].as_str().expect("an e-mail").to_owned();
    let person = json!({ "email": known, "lastname": "Known" });
    second.person("POST", CONTACTS, &json!({ "properties": person }));
    let person = json!({ "email": "only@second.example", "lastname": "Only", "firstname": "Olga" });
    second.person("POST", CONTACTS, &json!({ "properties": person }));
    let (code, check) = world.json(&["check"]);
    assert_eq!(code, Some(0), "{check}");
    let (code, planned) = world.json(&["plan"]);
    assert_eq!(code, Some(0), "{planned}");
    let (code, report) = world.json(&["backfill"]);
    assert_eq!(code, Some(0), "{report}");
    for system in ["hubspot", "second", "salesforce"] {
        let done = json!({ "create": report["created"][system], "update": report["updated"][system], "delete": 0 });
        assert_eq!(planned["writes"][system], done, "{system}");
    }
    assert_eq!(second.creates(), 0, "nobody is created there");
    assert_eq!(second.contact("only@second.example", "firstname").as_deref(), Some("Olga"));
    let olga = world.hubspot_id("only@second.example");
    let there = world.query("SELECT Id FROM Contact WHERE Email = 'only@second.example'");
    let there = there[0]["Id"].as_str().expect("an id").to_owned();

    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    // From each of them to both others.
    world.edit_hubspot(&olga, json!({ "city": "Ghent" }));
    until("from the first portal", || {
        second.contact("only@second.example", "city").as_deref() == Some("Ghent")
            && world.salesforce(&there, "MailingCity") == "Ghent"
    });
    world.edit_salesforce("Contact", &there, &json!({ "Title": "Judge" }));
    until("from the org", || {
        second.contact("only@second.example", "jobtitle").as_deref() == Some("Judge")
            && world.hubspot(&olga, "jobtitle") == "Judge"
    });
    let path = format!("{CONTACTS}/only@second.example?idProperty=email");
    second.person("PATCH", &path, &json!({ "properties": { "lastname": "Olsen" } }));
    until("from the second portal", || {
        world.hubspot(&olga, "lastname") == "Olsen" && world.salesforce(&there, "LastName") == "Olsen"
    });
    world.settle();
    assert_eq!(live.stop(), Some(0));
    let (code, verdict) = world.json(&["verify"]);
    let person = &verdict["entities"]["person"];
    assert_eq!((code, &verdict["equal"]), (Some(0), &json!(true)), "{verdict}");
    let roots = ["hubspot", "second", "salesforce"].map(|system| &person["root"][system]);
    assert!(roots.iter().all(|root| root.is_string()), "{person}");
}

#[test]
fn each_portal_has_a_scope_of_its_own_and_holds_only_its_people() {
    let (world, second) = (World::new(60), Portal::new(7, 40));
    let elsewhere = "at.second = { object = \"contacts\", where = 'city != \"Paris\"' }\n";
    configure(&world, &second, elsewhere, ", where = 'city == \"Paris\"'");
    let (code, check) = world.json(&["check"]);
    assert_eq!(code, Some(0), "{check}");
    let before = (world.writes_total(), second.creates());
    let (code, planned) = world.json(&["plan"]);
    assert_eq!(code, Some(0), "{planned}");
    assert_eq!((world.writes_total(), second.creates()), before, "a plan writes nothing");
    assert!(planned["entities"]["person"]["out_of_scope"].as_u64() > Some(0), "{planned}");
    let (code, report) = world.json(&["backfill"]);
    assert_eq!(code, Some(0), "{report}");
    for system in ["hubspot", "second", "salesforce"] {
        let done = json!({ "create": report["created"][system], "update": report["updated"][system], "delete": 0 });
        assert_eq!(planned["writes"][system], done, "{system}");
    }
    let (code, verdict) = world.json(&["verify"]);
    assert_eq!((code, &verdict["equal"]), (Some(0), &json!(true)), "{verdict}");
    assert!(verdict["entities"]["person"]["excluded"]["scope"].as_u64() > Some(0), "{verdict}");
    // All of the org's people stand in the portal of their city; in the other one only who had been there before.
    let people = world.query("SELECT Id, Email, MailingCity FROM Contact WHERE Email != null");
    let people: Vec<(String, bool)> = people
        .iter()
        .map(|row| (row["Email"].as_str().expect("an e-mail").to_lowercase(), row["MailingCity"] == "Paris"))
        .collect();
    assert!(people.iter().any(|(_, paris)| *paris) && people.iter().any(|(_, paris)| !paris), "{people:?}");
    for (email, paris) in &people {
        if *paris {
            assert_eq!(world.hubspot(&world.hubspot_id(email), "city"), "Paris", "{email}");
        } else {
            assert!(second.contact(email, "city").as_deref() != Some("Paris"), "{email}");
            assert!(second.contact(email, "lastname").is_some(), "{email}");
        }
    }
    let there = |email: &str| second.contact(email, "lastname");
    let (mover, _) = people.iter().find(|(email, paris)| *paris && there(email).is_none()).expect("somebody in Paris");

    let live = world.start(&["run", "--interval", "100ms"]);
    until("the daemon answers", || world.status()["daemon"] == true);
    // Who moves away leaves one portal, which is told so, and enters the other.
    let id = world.query(&format!("SELECT Id FROM Contact WHERE Email = '{mover}'"));
    let id = id[0]["Id"].as_str().expect("an id").to_owned();
    let at_first = world.hubspot_id(mover);
    world.edit_salesforce("Contact", &id, &json!({ "MailingCity": "Ghent" }));
    until("created in the second portal", || second.contact(mover, "city").as_deref() == Some("Ghent"));
    until("told in the first portal", || world.hubspot(&at_first, "city") == "Ghent");
    world.settle();
    world.edit_salesforce("Contact", &id, &json!({ "Title": "Judge" }));
    until("goes on in the second portal", || second.contact(mover, "jobtitle").as_deref() == Some("Judge"));
    world.settle();
    assert_ne!(world.hubspot(&at_first, "jobtitle"), "Judge", "and stays as it is in the first one");
    assert_eq!(live.stop(), Some(0));
    let (code, verdict) = world.json(&["verify"]);
    assert_eq!((code, &verdict["equal"]), (Some(0), &json!(true)), "{verdict}");
}

#[test]
fn of_two_portals_the_value_that_was_entered_last_wins_the_first_link() {
    let (world, second) = (World::new(0), Portal::new(7, 0));
    configure(&world, &second, "at.second = { object = \"contacts\" }\n", "");
    world.edit_config("on_link = \"prefer salesforce\"", "on_link = \"latest\"");
    let (code, refused) = world.json(&["check"]);
    let said = refused.to_string();
    assert!(code != Some(0) && said.contains("salesforce keeps no history of a field"), "{refused}");
    world.edit_config("on_link = \"latest\"", "on_link = \"prefer salesforce\"");
    let title = "jobtitle = { type = \"text\", second = \"jobtitle\", hubspot = \"jobtitle\", salesforce = \"Title\" }";
    world.edit_config(title, &title.replace("salesforce = \"Title\"", "on_link = \"latest\""));

    // Each is entered in one portal first, a step of the coarsest clock apart; what is touched later is another field.
    let person = |name: &str, title: &str| json!({ "properties": { "email": format!("{name}@both.example"), "lastname": name, "jobtitle": title } });
    let ann =
        world.person("hubspot", "POST", CONTACTS, &person("Ann", "Clerk"))["id"].as_str().expect("an id").to_owned();
    second.person("POST", CONTACTS, &person("Bob", "Judge"));
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    second.person("POST", CONTACTS, &person("Ann", "Baker"));
    let bob =
        world.person("hubspot", "POST", CONTACTS, &person("Bob", "Pilot"))["id"].as_str().expect("an id").to_owned();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    world.edit_hubspot(&ann, json!({ "city": "Ghent" }));

    let (code, planned) = world.json(&["plan"]);
    assert_eq!(code, Some(0), "{planned}");
    let decided = json!({ "overwritten": 2, "split": 0 });
    assert_eq!(planned["entities"]["person"]["initial"]["jobtitle"], decided, "{planned}");
    let (code, report) = world.json(&["backfill"]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(world.hubspot(&ann, "jobtitle"), "Baker");
    assert_eq!(second.contact("ann@both.example", "jobtitle").as_deref(), Some("Baker"));
    assert_eq!(world.hubspot(&bob, "jobtitle"), "Pilot");
    assert_eq!(second.contact("bob@both.example", "jobtitle").as_deref(), Some("Pilot"));
    for system in ["hubspot", "second", "salesforce"] {
        let done = json!({ "create": report["created"][system], "update": report["updated"][system], "delete": 0 });
        assert_eq!(planned["writes"][system], done, "{system}: {planned}");
    }
    let (code, verdict) = world.json(&["verify"]);
    assert_eq!((code, &verdict["equal"]), (Some(0), &json!(true)), "{verdict}");
    assert_eq!(verdict["entities"]["person"]["excluded"]["split"], json!(0), "{verdict}");
    let (code, told, _) = world.run(&["explain", "ann@both.example.jobtitle"]);
    assert_eq!(code, Some(0));
    assert!(told.contains("first link: jobtitle is Baker; Clerk gave way"), "{told}");
}

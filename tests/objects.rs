//! Several objects of one system in one entity, over two systems in memory and the real driver: a person of `crm` is a contact
//! or a lead in `desk`, whose properties have other names, and is never both.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, id, now, put, run};
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, ReadSpec};
use syncline::daemon::connect::Connectors;
use syncline::daemon::{Driver, causes, read_digests, verify_offline};
use syncline::engine::View;
use syncline::model::{FieldKind, Home, Raw, Record};
use syncline::rules::{CreateSpec, EntitySpec, Fault, FieldSpec, Rules, RulesBuilder};
use syncline::store::Store;

fn entity() -> EntitySpec {
    let field = |name: &str| FieldSpec::new(name, FieldKind::Text).at("crm", name);
    EntitySpec::new("person")
        .at_with_id("crm", "people", "ext")
        .at_with_id("desk", "Contact", "ext")
        .at_with_id("desk", "Lead", "ext")
        .create_as("desk", "Contact")
        .create(CreateSpec::Everywhere)
        .match_by("email")
        .field(FieldSpec::new("email", FieldKind::Email).at("crm", "email").at("desk", "Email"))
        .field(field("city").at_object("desk", "Contact", "MailingCity").at_object("desk", "Lead", "City"))
        .field(field("room").at_object("desk", "Contact", "Room"))
}

fn builder(entity: EntitySpec) -> RulesBuilder {
    let ability = Memory::new(now).ability().clone();
    Rules::builder().system("crm", ability.clone()).system("desk", ability).entity(entity)
}

struct Case {
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    rules: Arc<Rules>,
    connectors: Connectors,
    driver: Option<Driver>,
    mark: Option<pair::Mark>,
}

impl Case {
    fn new() -> Self {
        let [crm, desk] = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        let rules = Arc::new(builder(entity()).build().unwrap());
        let connectors = connectors(&crm, &desk);
        Self { crm, desk, rules, connectors, driver: None, mark: None }
    }

    fn crm(&self, remote: &str, fields: &[(&str, &str)]) {
        put(&self.crm, "people", remote, fields);
    }

    fn desk(&self, object: &str, remote: &str, fields: &[(&str, &str)]) {
        put(&self.desk, object, remote, fields);
    }

    async fn sync(&mut self) {
        if self.driver.is_none() {
            let store = Store::in_memory(now()).unwrap();
            let mut driver = Driver::new((*self.rules).clone(), &self.connectors, store).unwrap();
            driver.backfill().await.unwrap();
            let entities = self.rules.entities.iter().map(|entity| entity.id);
            self.mark = Some(pair::Mark::of(driver.store(), entities));
            self.driver = Some(driver);
        }
        self.driver.as_mut().unwrap().live(Duration::from_millis(20), true).await.unwrap();
    }

    /// All records of an object as `properties`, ascending.
    async fn all(&self, system: &Memory, object: &str, properties: &[&str]) -> Vec<Vec<String>> {
        let properties = properties.iter().map(|name| (*name).to_owned()).collect();
        let spec = ReadSpec { object: object.to_owned(), properties, external_id: None };
        let page = system.scan(&spec, None).await.unwrap();
        let text = |raw| if let Raw::Text(text) = raw { text.into() } else { String::new() };
        let row = |at| page.decoder.decode(at).unwrap().into_iter().map(text).collect();
        let mut rows: Vec<Vec<String>> = (0..page.rows.len()).map(row).collect();
        rows.sort();
        rows
    }

    async fn people(&self) -> Vec<Vec<String>> {
        self.all(&self.crm, "people", &["email", "city", "room"]).await
    }

    async fn contacts(&self) -> Vec<Vec<String>> {
        self.all(&self.desk, "Contact", &["Email", "MailingCity", "Room"]).await
    }

    async fn leads(&self) -> Vec<Vec<String>> {
        self.all(&self.desk, "Lead", &["Email", "City"]).await
    }

    /// (records, the document of `verify`, problems by code)
    async fn end(self) -> (Vec<Record>, serde_json::Value, Vec<String>) {
        let store = self.driver.unwrap().into_store();
        self.mark.iter().for_each(|mark| mark.assert_rebuilt(&store));
        let remotes = read_digests(&self.rules, &self.connectors).await.unwrap();
        let verdict = verify_offline(&self.rules, &self.connectors, &store, remotes).await.unwrap();
        let view = store.snapshot().unwrap();
        let records = view.record_scan(self.rules.entities[0].id, None, 100).unwrap();
        let codes = causes(&self.rules, &view).unwrap().into_iter().map(|cause| cause.code).collect();
        (records, verdict, codes)
    }
}

fn row<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

#[test]
fn both_objects_are_read_matched_and_kept_equal_and_new_records_become_one_of_them() {
    run(async {
        let mut case = Case::new();
        case.crm("1", &[("email", "contact@x.example"), ("city", "Rome"), ("room", "7")]);
        case.desk("Contact", "c1", &[("Email", "contact@x.example")]);
        case.crm("2", &[("email", "lead@x.example"), ("room", "8")]);
        case.desk("Lead", "l2", &[("Email", "lead@x.example"), ("City", "Oslo")]);
        case.crm("3", &[("email", "new@x.example"), ("city", "Ghent"), ("room", "9")]);
        case.desk("Lead", "l4", &[("Email", "only@x.example"), ("City", "Lima")]);
        case.sync().await;
        let contact = [row(["contact@x.example", "Rome", "7"]), row(["new@x.example", "Ghent", "9"])];
        assert_eq!(case.contacts().await, contact);
        assert_eq!(case.leads().await, [row(["lead@x.example", "Oslo"]), row(["only@x.example", "Lima"])]);
        let lead = row(["lead@x.example", "Oslo", "8"]);
        let only = row(["only@x.example", "Lima", ""]);
        assert_eq!(case.people().await, [contact[0].clone(), lead, contact[1].clone(), only]);

        // Edits go both ways, to whichever object it is; one that lacks a field neither edits nor clears it.
        case.crm("2", &[("city", "Bergen"), ("room", "80")]);
        case.desk("Lead", "l4", &[("City", "Cusco")]);
        case.desk("Contact", "c1", &[("MailingCity", "Turin")]);
        case.sync().await;
        assert_eq!(case.leads().await, [row(["lead@x.example", "Bergen"]), row(["only@x.example", "Cusco"])]);
        let people = case.people().await;
        assert_eq!(people[0], row(["contact@x.example", "Turin", "7"]));
        assert_eq!(people[1], row(["lead@x.example", "Bergen", "80"]));
        assert_eq!(people[3], row(["only@x.example", "Cusco", ""]));
        assert_eq!(case.all(&case.desk, "Lead", &["Room", "MailingCity"]).await, [row(["", ""]), row(["", ""])]);

        let (records, verdict, codes) = case.end().await;
        let person = &verdict["entities"]["person"];
        assert_eq!((&verdict["equal"], &person["compared"], codes), (&true.into(), &4.into(), vec![]), "{verdict}");
        assert_eq!(person["root"]["crm"], person["root"]["desk"], "{verdict}");
        let homes: Vec<Home> = records.iter().flat_map(|record| record.sides.iter().map(|side| side.home())).collect();
        let count = |object| homes.iter().filter(|home| **home == Home::of("desk", object)).count();
        assert_eq!((count("Contact"), count("Lead")), (2, 2));
    });
}

#[test]
fn who_matches_a_contact_and_a_lead_is_linked_to_neither_and_listed() {
    run(async {
        for later in [false, true] {
            let mut case = Case::new();
            if later {
                case.sync().await;
            }
            case.desk("Contact", "c1", &[("Email", "ann@x.example"), ("MailingCity", "Rome")]);
            case.desk("Lead", "l1", &[("Email", "ann@x.example"), ("City", "Oslo")]);
            if later {
                // Read before she is entered in crm, so that all three are known.
                case.sync().await;
            }
            case.crm("1", &[("email", "ann@x.example")]);
            case.sync().await;
            assert_eq!(case.people().await, [row(["ann@x.example", "", ""])], "later: {later}");
            assert_eq!(case.contacts().await, [row(["ann@x.example", "Rome", ""])], "nothing is created");
            assert_eq!(case.leads().await, [row(["ann@x.example", "Oslo"])]);
            let (records, verdict, codes) = case.end().await;
            assert_eq!(codes.first().map(String::as_str), Some("AMBIGUOUS_MATCH"), "later: {later}");
            assert!(records.iter().all(|record| record.sides.len() == 1), "{records:?}");
            assert_eq!(verdict["entities"]["person"]["excluded"]["unmatched"], 3, "{verdict}");
        }
    });
}

#[test]
fn a_deleted_lead_detaches_and_a_contact_of_the_same_person_is_a_new_link() {
    run(async {
        let mut case = Case::new();
        case.crm("1", &[("email", "ann@x.example"), ("city", "Rome")]);
        case.desk("Lead", "l1", &[("Email", "ann@x.example"), ("City", "Rome")]);
        case.sync().await;
        case.desk.remove("Lead", &id("l1"));
        case.sync().await;
        case.crm("1", &[("city", "Bari")]);
        case.sync().await;
        assert_eq!(case.contacts().await, Vec::<Vec<String>>::new(), "nothing is created again");
        case.desk("Contact", "c1", &[("Email", "ann@x.example")]);
        case.sync().await;
        assert_eq!(case.contacts().await, [row(["ann@x.example", "Bari", ""])]);
        // The lead comes back: a second record of the same person in that system, which is for a person to judge.
        case.desk("Lead", "l1", &[("City", "Back")]);
        case.sync().await;
        assert_eq!(case.people().await, [row(["ann@x.example", "Bari", ""])]);
        let (records, verdict, codes) = case.end().await;
        assert_eq!((verdict["equal"].as_bool(), codes), (Some(true), vec!["AMBIGUOUS_MATCH".to_owned()]), "{verdict}");
        assert_eq!(records.iter().filter(|record| record.live_sides().count() == 2).count(), 1);
    });
}

#[test]
fn a_lead_that_is_entered_beside_is_found_before_a_contact_is_created() {
    run(async {
        for round in 0..20 {
            let mut case = Case::new();
            case.sync().await;
            case.crm("1", &[("email", "ann@x.example"), ("city", "Rome")]);
            let desk = case.desk.clone();
            let enter = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(round));
                put(&desk, "Lead", "l1", &[("Email", "ann@x.example")]);
            });
            case.sync().await;
            enter.join().unwrap();
            case.sync().await;
            // Whichever came first, she is in desk at least once, and never linked twice.
            let (contacts, leads) = (case.contacts().await, case.leads().await);
            if contacts.is_empty() {
                assert_eq!(leads, [row(["ann@x.example", "Rome"])], "round {round}");
            }
            let (records, ..) = case.end().await;
            assert!(records.iter().all(|record| record.live_sides().count() <= 2));
            let linked = records.iter().filter(|record| record.live_sides().count() == 2).count();
            assert_eq!(linked, 1, "round {round}: {contacts:?} {leads:?}");
        }
    });
}

fn faults(entity: EntitySpec) -> Vec<(String, Fault)> {
    builder(entity).build().unwrap_err().0.into_iter().map(|error| (error.at, error.fault)).collect()
}

#[test]
fn creates_need_one_object_and_properties_need_one_that_is_there() {
    let mut undecided = entity();
    undecided.create_as.clear();
    let objects = vec!["Contact".to_owned(), "Lead".to_owned()];
    let wanted = Fault::CreateAsWhich { system: "desk".into(), objects };
    assert_eq!(faults(undecided.clone()), [("entities.person.at.desk.object".to_owned(), wanted)]);
    // Where nothing is created, nothing has to be chosen.
    assert!(builder(undecided.clone().create(CreateSpec::At(vec!["crm".into()]))).build().is_ok());
    assert!(builder(undecided.clone().create(CreateSpec::Nowhere)).build().is_ok());

    let unknown = |near: Option<&str>, object: &str| Fault::UnknownObject {
        object: object.into(),
        near: near.map(str::to_owned),
        known: vec!["Contact".into(), "Lead".into()],
    };
    let elsewhere = undecided.create_as("desk", "Leads");
    assert_eq!(faults(elsewhere)[0], ("entities.person.at.desk.create_as".to_owned(), unknown(Some("Lead"), "Leads")));
    let lost = FieldSpec::new("x", FieldKind::Text).at("crm", "x").at_object("desk", "Kontact", "X");
    let lost = faults(entity().field(lost));
    assert_eq!(lost[0], ("entities.person.fields.x.desk.Kontact".to_owned(), unknown(Some("Contact"), "Kontact")));
    let taken = FieldSpec::new("x", FieldKind::Text).at("crm", "x").at_object("desk", "Lead", "City");
    let (at, fault) = faults(entity().field(taken)).remove(0);
    assert_eq!(at, "entities.person.fields.x.desk.Lead");
    assert!(matches!(fault, Fault::PropertyTaken { by, .. } if by == "city"));
    // The same name in two objects is two properties.
    let apart = FieldSpec::new("x", FieldKind::Text).at("crm", "x").at_object("desk", "Contact", "City");
    assert!(builder(entity().field(apart)).build().is_ok());
    let (at, fault) = faults(entity().at("desk", "Lead")).remove(0);
    assert_eq!((&*at, fault), ("entities.person.at.desk.object", Fault::Twice { what: "object", name: "Lead".into() }));
}

#[test]
fn another_object_is_another_mapping_and_another_object_to_create_is_not() {
    let fingerprint = |entity| builder(entity).build().unwrap().fingerprint();
    let mut leads = entity();
    leads.create_as = vec![("desk".into(), "Lead".into())];
    assert_eq!(fingerprint(entity()), fingerprint(leads));
    let moved = |contact: &str, lead: &str| {
        let field = FieldSpec::new("x", FieldKind::Text).at("crm", "x");
        fingerprint(entity().field(field.at_object("desk", "Contact", contact).at_object("desk", "Lead", lead)))
    };
    assert_ne!(moved("A", "B"), moved("B", "A"));
    let all = FieldSpec::new("x", FieldKind::Text).at("crm", "x").at("desk", "A");
    assert_eq!(moved("A", "A"), fingerprint(entity().field(all)), "one name for all is short for each");
}

#[test]
fn a_converted_lead_goes_on_as_the_contact_that_it_became() {
    run(async {
        for seen_first in [false, true] {
            let mut case = Case::new();
            case.crm("1", &[("email", "ann@x.example"), ("city", "Rome"), ("room", "7")]);
            case.desk("Lead", "l1", &[("Email", "ann@x.example"), ("City", "Rome")]);
            case.sync().await;
            let contact = [("Email", "ann@x.example"), ("MailingCity", "Rome"), ("Room", "")];
            if seen_first {
                // It is listed before the conversion is: a second record of the same person.
                case.desk("Contact", "c1", &contact);
                case.sync().await;
            }
            case.crm("1", &[("city", "Bari")]);
            case.desk("Contact", "c1", &contact);
            case.desk.convert("Lead", &id("l1"), &[("Contact", &id("c1"))]);
            case.sync().await;
            case.sync().await;
            // The edit that was on its way to the lead, and what only a contact has.
            let both = [row(["ann@x.example", "Bari", "7"])];
            assert_eq!((case.contacts().await, case.people().await), (both.to_vec(), both.to_vec()), "{seen_first}");
            case.desk("Contact", "c1", &[("MailingCity", "Oslo"), ("Room", "9")]);
            case.sync().await;
            assert_eq!(case.people().await, [row(["ann@x.example", "Oslo", "9"])]);
            let (records, verdict, codes) = case.end().await;
            assert_eq!((&verdict["equal"], codes), (&true.into(), vec![]), "{verdict}");
            let homes: Vec<Home> =
                records.iter().flat_map(|record| record.sides.iter().map(|side| side.home())).collect();
            assert_eq!(homes.len(), 2, "{records:?}");
            assert!(homes.contains(&Home::of("desk", "Contact")), "{records:?}");
        }
    });
}

#[test]
fn what_a_conversion_does_not_take_over_is_nobodys_edit_and_what_was_entered_with_it_is_one() {
    run(async {
        for edited in [false, true] {
            let mut case = Case::new();
            case.crm("1", &[("email", "ann@x.example"), ("city", "Rome")]);
            case.desk("Lead", "l1", &[("Email", "ann@x.example"), ("City", "Rome")]);
            case.sync().await;
            let city = if edited { "Oslo" } else { "" };
            case.desk("Contact", "c1", &[("Email", "ann@x.example"), ("MailingCity", city)]);
            case.desk.convert("Lead", &id("l1"), &[("Contact", &id("c1"))]);
            case.sync().await;
            case.sync().await;
            let both = [row(["ann@x.example", if edited { "Oslo" } else { "Rome" }, ""])];
            assert_eq!((case.contacts().await, case.people().await), (both.to_vec(), both.to_vec()));
            let (records, verdict, codes) = case.end().await;
            assert_eq!((records.len(), &verdict["equal"], codes), (1, &true.into(), vec![]), "{verdict}");
        }
    });
}

#[test]
fn a_lead_that_became_somebody_with_a_counterpart_is_listed_and_one_that_became_nobody_is_let_go() {
    run(async {
        let mut case = Case::new();
        for (crm, lead) in [("1", "l1"), ("2", "l2")] {
            let email = format!("{crm}@x.example");
            case.crm(crm, &[("email", &email)]);
            case.desk("Lead", lead, &[("Email", &email)]);
        }
        case.crm("3", &[("email", "3@x.example")]);
        case.desk("Contact", "c3", &[("Email", "3@x.example")]);
        case.sync().await;
        case.desk.convert("Lead", &id("l1"), &[("Contact", &id("c3"))]);
        // It is not shown to us.
        case.desk.convert("Lead", &id("l2"), &[("Contact", &id("c9"))]);
        case.sync().await;
        case.crm("2", &[("city", "Rome")]);
        case.sync().await;
        assert_eq!(case.contacts().await, [row(["3@x.example", "", ""])], "nobody is created again");
        let (records, _, codes) = case.end().await;
        assert_eq!(codes, ["MERGED_ELSEWHERE"]);
        let live: Vec<usize> = records.iter().map(|record| record.live_sides().count()).collect();
        assert_eq!((live.iter().sum::<usize>(), live.len()), (4, 3), "{records:?}");
    });
}

/// The firm of a person, and the deals with him.
fn with_firms_and_deals() -> [EntitySpec; 2] {
    let name = |crm: &str| FieldSpec::new("name", FieldKind::Text).at("crm", crm).at("desk", "Name");
    let other = |name: &str, crm: &str, desk: &str| {
        EntitySpec::new(name).at("crm", crm).at("desk", desk).match_by("name").create(CreateSpec::Nowhere)
    };
    let with = FieldSpec::reference("with", "person").at("crm", "with").at("desk", "ContactId");
    [
        other("firm", "firms", "Account").field(name("name")),
        other("deal", "deals", "Opportunity").field(name("title")).field(with),
    ]
}

#[test]
fn what_was_born_with_a_contact_belongs_to_whom_the_lead_belonged_to() {
    run(async {
        for (seen_first, deals) in [(false, 1), (true, 1), (false, 2)] {
            let mut case = Case::new();
            let [firm, deal] = with_firms_and_deals();
            let firm_of = FieldSpec::reference("firm", "firm").at("crm", "firm");
            let person = entity().field(firm_of.at_object("desk", "Contact", "AccountId"));
            case.rules = Arc::new(builder(person).entity(firm).entity(deal).build().unwrap());
            put(&case.crm, "firms", "f1", &[("name", "Acme")]);
            case.crm("1", &[("email", "ann@x.example"), ("firm", "f1")]);
            for deal in 0..deals {
                put(&case.crm, "deals", &format!("d{deal}"), &[("title", "Bridge"), ("with", "1")]);
            }
            case.desk("Lead", "l1", &[("Email", "ann@x.example")]);
            case.sync().await;
            let born = |case: &Case| {
                put(&case.desk, "Account", "a1", &[("Name", "ACME Inc.")]);
                put(&case.desk, "Opportunity", "o1", &[("Name", "ACME Inc.-"), ("ContactId", "c1")]);
                case.desk("Contact", "c1", &[("Email", "ann@x.example"), ("AccountId", "a1")]);
            };
            born(&case);
            if seen_first {
                case.sync().await;
            }
            let into = [("Contact", id("c1")), ("Account", id("a1")), ("Opportunity", id("o1"))];
            let into: Vec<_> = into.iter().map(|(object, id)| (*object, id)).collect();
            case.desk.convert("Lead", &id("l1"), &into);
            case.sync().await;
            case.sync().await;
            let rules = case.rules.clone();
            let store = case.driver.take().unwrap().into_store();
            let view = store.snapshot().unwrap();
            let linked = |name: &str| {
                let entity = rules.entities.iter().find(|entity| entity.name == name).unwrap();
                let records = view.record_scan(entity.id, None, 100).unwrap();
                (records.len(), records.iter().filter(|record| record.live_sides().count() == 2).count())
            };
            assert_eq!(linked("person"), (1, 1), "{seen_first} {deals}");
            assert_eq!(linked("firm"), (1, 1), "{seen_first} {deals}");
            // Of two deals nobody knows which it is.
            assert_eq!(linked("deal"), if deals == 1 { (1, 1) } else { (3, 0) }, "{seen_first}");
        }
    });
}

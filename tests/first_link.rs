//! First link, over two systems in memory and the real driver: what the link policy says holds, nobody's modified time
//! decides, equal records are left alone, and a split ends with the next edit on either side.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, run};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, Keys, ReadSpec};
use syncline::daemon::Driver;
use syncline::engine::View;
use syncline::model::{FieldKind, Millis, Raw, RemoteId, SystemId};
use syncline::rules::{EntitySpec, FieldSpec, LinkSpec, Rules};
use syncline::store::Store;

const MINUTE: i64 = 60_000;

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

struct Case {
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    driver: Driver,
}

fn id() -> RemoteId {
    RemoteId::parse("7").unwrap()
}

fn fields(phone: &str, title: &str) -> Vec<(String, Raw)> {
    let pair = |name: &str, value: &str| (name.to_owned(), Raw::Text(value.into()));
    vec![pair("email", "ann@example.com"), pair("phone", phone), pair("title", title)]
}

impl Case {
    /// The same person in both systems: entered an hour ago in `crm`, and with `touched`, changed there in another field a
    /// minute ago.
    async fn new(on_link: LinkSpec, crm_phone: &str, desk_phone: &str, touched: bool) -> Self {
        // How long ago things happen.
        let ago = Arc::new(AtomicI64::new(60 * MINUTE));
        let system = || {
            let ago = ago.clone();
            Arc::new(Memory::new(move || Millis(now() - ago.load(Ordering::Relaxed))))
        };
        let (crm, desk) = (system(), system());
        crm.put("people", &id(), fields(crm_phone, "Clerk"));
        desk.put("people", &id(), fields(desk_phone, "Clerk"));
        if touched {
            ago.store(MINUTE, Ordering::Relaxed);
            crm.put("people", &id(), [("title".to_owned(), Raw::Text("Clerk".into()))]);
        }
        ago.store(0, Ordering::Relaxed);
        let field = |name: &str, kind| FieldSpec::new(name, kind).at("crm", name).at("desk", name);
        let person = EntitySpec::new("person").at("crm", "people").at("desk", "people").match_by("email");
        let person = person.field(field("email", FieldKind::Email));
        let person = person.field(field("phone", FieldKind::Phone)).field(field("title", FieldKind::Text));
        let rules = Rules::builder()
            .system("crm", crm.ability().clone())
            .system("desk", desk.ability().clone())
            .rank(["desk", "crm"])
            .on_link(on_link)
            .entity(person)
            .build()
            .unwrap();
        let connectors = connectors(&crm, &desk);
        let driver = Driver::new(rules, &connectors, Store::in_memory(Millis(now())).unwrap()).unwrap();
        let mut case = Self { crm, desk, driver };
        let report = case.driver.backfill().await.unwrap();
        assert!(report.equal(), "{report:?}");
        case
    }

    async fn phone(&self, system: &Memory) -> String {
        let spec = ReadSpec { object: "people".into(), properties: vec!["phone".into()], external_id: None };
        let answer = system.read(&spec, Keys::Ids(&[id()]), false).await.unwrap();
        match &answer.rows[0].values[0] {
            Raw::Text(phone) => phone.as_str().to_owned(),
            other => format!("{other:?}"),
        }
    }

    async fn phones(&self) -> [String; 2] {
        [self.phone(&self.crm).await, self.phone(&self.desk).await]
    }

    /// A person edits, and the live run brings it over.
    async fn edit(&mut self, at_crm: bool, phone: &str) {
        let system = if at_crm { &self.crm } else { &self.desk };
        system.put("people", &id(), [("phone".to_owned(), Raw::Text(phone.into()))]);
        self.driver.live(Duration::from_millis(20), true).await.unwrap();
    }

    /// Records written by the first link.
    fn writes(&self) -> u64 {
        self.driver.tally().updated.values().sum()
    }
}

const ONE: &str = "+1 415 555 0101";
const TWO: &str = "+1 415 555 0202";
const ONE_WRITTEN: &str = "+14155550101";
const TWO_WRITTEN: &str = "+14155550202";

#[test]
fn a_blank_never_beats_a_value_whatever_the_policy_and_whoever_was_touched_last() {
    run(async {
        for policy in [LinkSpec::FillBlanks, LinkSpec::Prefer("crm".into()), LinkSpec::Prefer("desk".into())] {
            for touched in [false, true] {
                let case = Case::new(policy.clone(), "", TWO, touched).await;
                assert_eq!(case.phones().await, [TWO_WRITTEN, TWO], "{policy:?}, touched: {touched}");
            }
        }
    });
}

#[test]
fn two_values_go_to_the_link_policy_whoever_was_touched_last() {
    run(async {
        for touched in [false, true] {
            let case = Case::new(LinkSpec::Prefer("desk".into()), ONE, TWO, touched).await;
            assert_eq!(case.phones().await, [TWO_WRITTEN, TWO], "touched: {touched}");
            let case = Case::new(LinkSpec::Prefer("crm".into()), ONE, TWO, touched).await;
            assert_eq!(case.phones().await, [ONE, ONE_WRITTEN], "touched: {touched}");
            let case = Case::new(LinkSpec::FillBlanks, ONE, TWO, touched).await;
            assert_eq!(case.phones().await, [ONE, TWO], "touched: {touched}");
            assert_eq!(case.writes(), 0);
        }
    });
}

#[test]
fn equal_records_are_linked_without_a_write_however_they_are_written() {
    run(async {
        let case = Case::new(LinkSpec::Prefer("desk".into()), ONE, "+1 (415) 555-0101", true).await;
        assert_eq!(case.phones().await, [ONE, "+1 (415) 555-0101"]);
        assert_eq!(case.writes(), 0);
    });
}

#[test]
fn the_next_edit_on_either_side_ends_a_split() {
    run(async {
        for at_crm in [true, false] {
            let mut case = Case::new(LinkSpec::FillBlanks, ONE, TWO, false).await;
            case.edit(at_crm, "+1 415 555 0303").await;
            let other = if at_crm { &case.desk } else { &case.crm };
            assert_eq!(case.phone(other).await, "+14155550303", "at crm: {at_crm}");
        }
    });
}

/// Runs in a row by one driver: a poll that the last run left behind does not count as having read what came after it.
#[test]
fn a_run_reads_what_was_there_when_it_began() {
    run(async {
        let mut case = Case::new(LinkSpec::FillBlanks, ONE, ONE, false).await;
        for round in 10..60 {
            let phone = format!("+141555501{round}");
            case.edit(round % 2 == 0, &phone).await;
            assert_eq!(case.phones().await, [phone.as_str(), phone.as_str()], "round {round}");
        }
    });
}

/// People whom two of three systems know: linked, and none of them is listed as sharing its address with itself.
#[test]
fn whom_two_of_three_systems_know_is_linked_without_a_doubt() {
    run(async {
        let names = ["one", "two", "three"];
        for ranking in [["one", "two", "three"], ["three", "two", "one"]] {
            let systems = names.map(|_| Arc::new(Memory::new(|| Millis(now()))));
            for (at, system) in systems.iter().enumerate() {
                for person in (0..40).filter(|person| person % 3 != at) {
                    let id = RemoteId::parse(&format!("{}", person * 10 + at)).unwrap();
                    let email = Raw::Text(format!("p{person}@example.com").into());
                    system.put("people", &id, [("email".to_owned(), email)]);
                }
            }
            let mut email = FieldSpec::new("email", FieldKind::Email);
            let mut person = EntitySpec::new("person").match_by("email");
            let mut rules = Rules::builder();
            for (name, system) in names.iter().zip(&systems) {
                email = email.at(*name, "email");
                person = person.at(*name, "people");
                rules = rules.system(*name, system.ability().clone());
            }
            let rules = rules.rank(ranking).entity(person.field(email)).build().unwrap();
            let connectors: Vec<_> = names
                .iter()
                .zip(&systems)
                .map(|(name, system)| (SystemId::of(name), system.clone() as Arc<dyn Connector>))
                .collect();
            let mut driver = Driver::new(rules.clone(), &connectors, Store::in_memory(Millis(now())).unwrap()).unwrap();
            driver.backfill().await.unwrap();
            let store = driver.into_store();
            let view = store.snapshot().unwrap();
            let records = view.record_scan(rules.entities[0].id, None, 100).unwrap();
            assert_eq!(records.len(), 40);
            assert!(records.iter().all(|record| record.live_sides().count() == 2));
            assert_eq!(view.problems(10).unwrap(), []);
        }
    });
}

//! Reviews over two systems in memory and the real driver: each side keeps its own value until a person decides, or nobody has
//! for too long.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, now, run};
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, ReadSpec};
use syncline::daemon::connect::Connectors;
use syncline::daemon::reviews::{Choice, Pick, document, operations, outcome};
use syncline::daemon::{Decisions, Driver, read_digests, verify_offline};
use syncline::engine::{Authority, Happening};
use syncline::model::{FieldKind, Raw, Value};
use syncline::rules::{ConflictSpec, CreateSpec, EntitySpec, FieldSpec, LinkSpec, Rules};
use syncline::store::Store;

fn put(system: &Memory, fields: &[(&str, &str)]) {
    pair::put(system, "people", "7", fields);
}

async fn shown(system: &Memory) -> String {
    let spec = ReadSpec { object: "people".into(), properties: vec!["x".into()], external_id: None };
    let page = system.scan(&spec, None).await.unwrap();
    match page.decoder.decode(0).unwrap().remove(0) {
        Raw::Text(text) => text.into(),
        _ => String::new(),
    }
}

struct Case {
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    rules: Arc<Rules>,
    connectors: Connectors,
    driver: Driver,
}

impl Case {
    async fn new(conflict: &str, on_link: LinkSpec, shown: [&str; 2]) -> Self {
        let [crm, desk] = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        for (system, value) in [&crm, &desk].into_iter().zip(shown) {
            put(system, &[("email", "ann@example.com"), ("x", value)]);
        }
        let field = |name: &str, kind| FieldSpec::new(name, kind).at("crm", name).at("desk", name);
        let x = field("x", FieldKind::Text).conflict(conflict.parse::<ConflictSpec>().unwrap()).on_link(on_link);
        let person = EntitySpec::new("person").at_with_id("crm", "people", "ext").at_with_id("desk", "people", "ext");
        let person =
            person.match_by("email").create(CreateSpec::Nowhere).field(field("email", FieldKind::Email)).field(x);
        let rules = Rules::builder()
            .system("crm", crm.ability().clone())
            .system("desk", desk.ability().clone())
            .entity(person)
            .build()
            .unwrap_or_else(|errors| panic!("{errors}"));
        let connectors: Connectors = connectors(&crm, &desk);
        let mut driver = Driver::new(rules.clone(), &connectors, Store::in_memory(now()).unwrap()).unwrap();
        driver.backfill().await.unwrap();
        Self { crm, desk, rules: Arc::new(rules), connectors, driver }
    }

    async fn edit(&mut self, crm: Option<&str>, desk: Option<&str>) -> [String; 2] {
        for (system, value) in [(&self.crm, crm), (&self.desk, desk)] {
            if let Some(value) = value {
                tokio::time::sleep(Duration::from_millis(3)).await;
                put(system, &[("x", value)]);
            }
        }
        self.sync().await
    }

    async fn sync(&mut self) -> [String; 2] {
        self.driver.backfill().await.unwrap();
        self.driver.live(Duration::from_millis(20), true).await.unwrap();
        [shown(&self.crm).await, shown(&self.desk).await]
    }

    /// The only review: its id, its version, and what it offers.
    fn asked(&self) -> Option<(String, u64, [String; 2])> {
        let list = document(&self.rules, &self.driver.store().snapshot().unwrap()).unwrap();
        let list = list["reviews"].as_array().unwrap().clone();
        assert!(list.len() < 2, "{list:?}");
        let review = list.first()?;
        let value = |system: &str| review["sides"][system]["value"].as_str().unwrap().to_owned();
        let (id, version) = (review["id"].as_str().unwrap().to_owned(), review["version"].as_u64().unwrap());
        Some((id, version, ["crm", "desk"].map(value)))
    }

    /// How many were decided, and why others were not.
    fn decide(&mut self, pick: Pick) -> (u64, Vec<String>) {
        let picks = [pick];
        let view = self.driver.store().snapshot().unwrap();
        let (operations, refusals) = operations(&self.rules, &view, &picks).unwrap();
        let decisions = Decisions { what: "review".into(), authority: Authority::Decide, operations };
        let hindered = self.driver.operate(decisions).unwrap();
        let outcome = outcome(&self.rules, 1, refusals, hindered);
        let codes = outcome["refused"].as_array().unwrap().iter().map(|r| r["code"].as_str().unwrap().to_owned());
        (outcome["decided"].as_u64().unwrap(), codes.collect())
    }

    /// (equal, fields in review, values that lost)
    async fn end(self) -> (bool, u64, Vec<String>) {
        let store = self.driver.into_store();
        let remotes = read_digests(&self.rules, &self.connectors).await.unwrap();
        let verdict = verify_offline(&self.rules, &self.connectors, &store, remotes).await.unwrap();
        let lost = store.journal(0, 1_000).unwrap().into_iter().filter_map(|(_, entry)| match entry.what {
            Happening::Lost { value: Value::Text(text), .. } => Some(String::from(text)),
            _ => None,
        });
        let mut lost: Vec<String> = lost.collect();
        lost.dedup();
        (verdict["equal"] == true, verdict["entities"]["person"]["excluded"]["review"].as_u64().unwrap(), lost)
    }
}

fn side(id: &str, version: Option<u64>, system: &str) -> Pick {
    Pick { id: id.into(), version, choice: Choice::Side(system.into()) }
}

#[test]
fn each_side_keeps_its_own_until_a_person_decides() {
    run(async {
        let mut case = Case::new("review", LinkSpec::FillBlanks, ["old", "old"]).await;
        assert_eq!(case.edit(Some("a"), None).await, ["a", "a"], "one edit alone is nobody's question");
        case.sync().await;
        assert_eq!(case.edit(Some("b"), Some("c")).await, ["b", "c"]);
        let (id, version, offered) = case.asked().expect("a review");
        assert_eq!(offered, ["b", "c"]);
        // A newer edit is asked again: what was decided about the older one does not hold.
        assert_eq!(case.edit(None, Some("d")).await, ["b", "d"]);
        let (_, newer, offered) = case.asked().expect("a review");
        assert!(newer > version);
        assert_eq!(offered, ["b", "d"]);
        assert_eq!(case.decide(side(&id, Some(version), "crm")), (0, vec!["asked_again".into()]));
        assert_eq!(case.decide(side(&id, None, "warehouse")), (0, vec!["no_such_side".into()]));
        assert_eq!(case.sync().await, ["b", "d"]);
        assert_eq!(case.decide(side(&id, Some(newer), "crm")), (1, vec![]));
        assert_eq!(case.sync().await, ["b", "b"]);
        assert_eq!(case.asked(), None);
        assert_eq!(case.decide(side(&id, None, "crm")), (0, vec!["no_such_review".into()]));
        // What comes after follows as ever.
        case.sync().await;
        assert_eq!(case.edit(None, Some("e")).await, ["e", "e"]);
        let (equal, open, _) = case.end().await;
        assert_eq!((equal, open), (true, 0));
    });
}

#[test]
fn a_value_of_its_own_goes_to_all_and_agreement_ends_it_too() {
    run(async {
        let mut case = Case::new("review", LinkSpec::FillBlanks, ["old", "old"]).await;
        case.edit(Some("a"), Some("b")).await;
        let (id, ..) = case.asked().expect("a review");
        let pick = Pick { id, version: None, choice: Choice::Value(" c ".into()) };
        assert_eq!(case.decide(pick), (1, vec![]));
        assert_eq!(case.sync().await, ["c", "c"]);
        case.sync().await;
        assert_eq!(case.edit(Some("x"), Some("y")).await, ["x", "y"]);
        assert_eq!(case.edit(Some("y"), None).await, ["y", "y"]);
        assert_eq!(case.asked(), None);
        let (equal, open, _) = case.end().await;
        assert_eq!((equal, open), (true, 0));
    });
}

#[test]
fn an_open_review_counts_apart_and_loses_nothing() {
    run(async {
        let mut case = Case::new("review", LinkSpec::FillBlanks, ["old", "old"]).await;
        case.edit(Some("a"), Some("b")).await;
        assert_eq!(case.end().await, (true, 1, vec![]));
    });
}

#[test]
fn a_review_that_nobody_decides_ends_by_its_default() {
    run(async {
        let mut case = Case::new("review, after 2s prefer crm", LinkSpec::FillBlanks, ["old", "old"]).await;
        assert_eq!(case.edit(Some("a"), Some("b")).await, ["a", "b"]);
        assert!(case.asked().is_some());
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        assert_eq!(case.sync().await, ["a", "a"]);
        assert_eq!(case.asked(), None);
        assert_eq!(case.end().await, (true, 0, vec!["b".into()]));
    });
}

#[test]
fn a_first_link_of_two_values_is_asked_and_edits_do_not_end_it() {
    run(async {
        let mut case = Case::new("latest", LinkSpec::Review, ["a", "b"]).await;
        assert_eq!(case.sync().await, ["a", "b"]);
        let (id, version, offered) = case.asked().expect("a review");
        assert_eq!(offered, ["a", "b"]);
        assert_eq!(case.edit(Some("c"), None).await, ["c", "b"], "its author has not seen the other");
        let (_, newer, offered) = case.asked().expect("a review");
        assert_eq!(offered, ["c", "b"]);
        assert!(newer > version);
        assert_eq!(case.decide(side(&id, Some(newer), "desk")), (1, vec![]));
        assert_eq!(case.sync().await, ["b", "b"]);
        let (equal, open, _) = case.end().await;
        assert_eq!((equal, open), (true, 0));
    });
}

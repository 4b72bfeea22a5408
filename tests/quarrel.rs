//! Two systems whose automations quarrel over a field: we do not carry their values to and fro for ever, and a person is told.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, now, run};
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, ReadSpec};
use syncline::daemon::connect::Connectors;
use syncline::daemon::{Driver, causes};
use syncline::model::{FieldKind, Raw};
use syncline::rules::{CreateSpec, EntitySpec, FieldSpec, Rules};
use syncline::store::Store;

fn put(system: &Memory, fields: &[(&str, &str)]) {
    pair::put(system, "people", "7", fields);
}

async fn shown(system: &Memory, property: &str) -> String {
    let spec = ReadSpec { object: "people".into(), properties: vec![property.into()], external_id: None };
    let page = system.scan(&spec, None).await.unwrap();
    match page.decoder.decode(0).unwrap().remove(0) {
        Raw::Text(text) => text.into(),
        _ => String::new(),
    }
}

/// Writes `x` in its own way.
fn automate(system: &Memory, change: fn(&str) -> String) {
    system.automate(move |property, value| match value {
        Raw::Text(text) if property == "x" => Some(Raw::Text(change(text).into())),
        _ => None,
    });
}

struct Case {
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    rules: Rules,
    driver: Driver,
}

impl Case {
    async fn new(budget: u32) -> Self {
        let [crm, desk] = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        for system in [&crm, &desk] {
            put(system, &[("email", "ann@example.com"), ("x", "one"), ("y", "one")]);
        }
        let field = |name: &str, kind| FieldSpec::new(name, kind).at("crm", name).at("desk", name);
        let person = EntitySpec::new("person").at_with_id("crm", "people", "ext").at_with_id("desk", "people", "ext");
        let person = person.match_by("email").create(CreateSpec::Nowhere).field(field("email", FieldKind::Email));
        let rules = Rules::builder()
            .system("crm", crm.ability().clone())
            .system("desk", desk.ability().clone())
            .entity(person.field(field("x", FieldKind::Text)).field(field("y", FieldKind::Text)))
            .write_budget(budget)
            .build()
            .unwrap_or_else(|errors| panic!("{errors}"));
        let connectors: Connectors = connectors(&crm, &desk);
        let mut driver = Driver::new(rules.clone(), &connectors, Store::in_memory(now()).unwrap()).unwrap();
        driver.backfill().await.unwrap();
        Self { crm, desk, rules, driver }
    }

    async fn sync(&mut self) {
        self.driver.live(Duration::from_millis(10), true).await.unwrap();
    }

    /// Our writes of `x`, and the listed problems.
    fn told(&self) -> (usize, Vec<(String, String)>) {
        let store = self.driver.store();
        let writes = store.journal(0, 10_000).unwrap().into_iter();
        let writes = writes.filter(|(_, entry)| matches!(entry.what, syncline::engine::Happening::Sent { .. })).count();
        let listed = causes(&self.rules, &store.snapshot().unwrap()).unwrap();
        (writes, listed.into_iter().map(|cause| (cause.code, cause.message)).collect())
    }
}

#[test]
fn two_quarrelling_automations_are_left_alone_after_a_few_rounds_and_named() {
    run(async {
        for budget in [2, 5] {
            let mut case = Case::new(budget).await;
            automate(&case.crm, str::to_uppercase);
            automate(&case.desk, str::to_lowercase);
            put(&case.crm, &[("x", "Two")]);
            tokio::time::timeout(Duration::from_secs(30), case.sync()).await.expect("it comes to rest");
            let (writes, listed) = case.told();
            let least = budget as usize;
            assert!((least..=2 * least + 4).contains(&writes), "{writes} writes under a budget of {budget}");
            assert_eq!(listed.len(), 1, "{listed:?}");
            let (code, message) = &listed[0];
            assert_eq!(code, "WRITE_QUARREL");
            assert!(
                message.starts_with("x: ") && message.contains("automation") && message.contains("direction"),
                "{message}"
            );
            // Other fields of the record flow, and nothing more is written of this one.
            put(&case.desk, &[("y", "three")]);
            case.sync().await;
            assert_eq!(shown(&case.crm, "y").await, "three");
            assert_eq!(case.told().0, writes + 1);
        }
    });
}

#[test]
fn one_automation_alone_has_its_way_and_is_no_quarrel() {
    run(async {
        let mut case = Case::new(2).await;
        automate(&case.desk, str::to_lowercase);
        for round in 0..6 {
            put(&case.crm, &[("x", &format!("Round {round}"))]);
            case.sync().await;
            assert_eq!(shown(&case.crm, "x").await, format!("round {round}"));
            assert_eq!(shown(&case.desk, "x").await, format!("round {round}"));
        }
        assert_eq!(case.told().1, []);
    });
}

//! An operator's decisions over two systems in memory and the real driver: they outrank every policy, an undo goes everywhere
//! (that it yields to what it has not seen is shown in tests/merge.rs), and each command is a run of its own in the journal.

#[path = "support/pair.rs"]
mod pair;

use pair::{now, run};
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, Keys, ReadSpec};
use syncline::daemon::connect::Connectors;
use syncline::daemon::{Decisions, Driver, Wanted};
use syncline::engine::{
    Authority, Cause, Change, Clocks, Happening, Hindrance, Input, Operation, OutboxRow, Problem, Run, Task, View, step,
};
use syncline::model::{Apart, Differs, FieldId, FieldKind, Origin, Raw, Record, Stamp, SystemId, Value};
use syncline::rules::{ConflictSpec, CreateSpec, EntitySpec, FieldSpec, Mode, Rules, SystemSpec};
use syncline::store::Store;

const CRM: &str = "crm";
const DESK: &str = "desk";

/// A person in both systems, whose city is `Rome`.
struct Case {
    systems: [Arc<Memory>; 2],
    rules: Rules,
    driver: Driver,
}

/// The desk may be read only.
fn rules(systems: &[Arc<Memory>; 2], conflict: ConflictSpec, mode: Mode) -> Rules {
    let field = |name: &str, kind| FieldSpec::new(name, kind).at(CRM, name).at(DESK, name);
    let person = EntitySpec::new("person").at_with_id(CRM, "people", "ext").at_with_id(DESK, "people", "ext");
    let person = person.match_by("email").create(CreateSpec::Everywhere).field(field("email", FieldKind::Email));
    let person = person.field(field("city", FieldKind::Text).conflict(conflict));
    let desk = SystemSpec { name: DESK.into(), ability: systems[1].ability().clone(), mode, max_deletes: 0 };
    Rules::builder().system(CRM, systems[0].ability().clone()).system_with(desk).entity(person).build().unwrap()
}

impl Case {
    async fn new(conflict: ConflictSpec) -> Self {
        let systems = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        for system in &systems {
            put(system, &[("email", "ann@example.com"), ("city", "Rome")]);
        }
        let rules = rules(&systems, conflict, Mode::ReadWrite);
        let connectors: Connectors = vec![
            (SystemId::of(CRM), systems[0].clone() as Arc<dyn Connector>),
            (SystemId::of(DESK), systems[1].clone() as Arc<dyn Connector>),
        ];
        let mut driver = Driver::new(rules.clone(), &connectors, Store::in_memory(now()).unwrap()).unwrap();
        driver.begin_run("backfill").unwrap();
        driver.backfill().await.unwrap();
        Self { systems, rules, driver }
    }

    async fn sync(&mut self) {
        self.driver.live(Duration::from_millis(20), true).await.unwrap();
    }

    async fn record(&self) -> Record {
        let entity = self.rules.entities[0].id;
        self.driver.store().snapshot().unwrap().record_scan(entity, None, 9).unwrap().remove(0)
    }

    async fn decide(&mut self, authority: Authority, city: &str, expect: Option<Stamp>) -> Vec<Hindrance> {
        let record = self.record().await;
        let (entity, field) = (record.entity, FieldId::of("city"));
        let value = Value::Text(city.into());
        let operation = Operation { entity, record: record.id, field, value, only: None, expect, review: None };
        let decisions = Decisions { what: "a decision".into(), authority, operations: vec![operation] };
        self.driver.operate(decisions).unwrap().into_iter().map(|(_, why)| why).collect()
    }

    async fn cities(&self) -> [String; 2] {
        [city(&self.systems[0]).await, city(&self.systems[1]).await]
    }
}

fn put(system: &Memory, fields: &[(&str, &str)]) {
    pair::put(system, "people", "7", fields);
}

async fn city(system: &Memory) -> String {
    let spec = ReadSpec { object: "people".into(), properties: vec!["city".into()], external_id: None };
    let email = "ann@example.com".to_owned();
    let answer = system.read(&spec, Keys::Values { property: "email", values: &[email] }, false).await.unwrap();
    match &answer.rows[0].values[0] {
        Raw::Text(text) => text.as_str().to_owned(),
        _ => String::new(),
    }
}

#[test]
fn a_decision_goes_everywhere_and_outranks_what_it_has_not_seen_under_every_policy() {
    run(async {
        for policy in [ConflictSpec::Latest, ConflictSpec::Prefer(DESK.into()), ConflictSpec::Owns(CRM.into())] {
            let mut case = Case::new(policy.clone()).await;
            assert_eq!(case.decide(Authority::Decide, "Oslo", None).await, []);
            case.sync().await;
            assert_eq!(case.cities().await, ["Oslo", "Oslo"], "{policy}");
            // Somebody edits, unseen, when the next decision is made.
            put(&case.systems[1], &[("city", "Bern")]);
            assert_eq!(case.decide(Authority::Decide, "Lima", None).await, []);
            case.sync().await;
            assert_eq!(case.cities().await, ["Lima", "Lima"], "{policy}");
            // And what follows it, follows it.
            put(&case.systems[0], &[("city", "Rome")]);
            case.sync().await;
            assert_eq!(case.cities().await, ["Rome", "Rome"], "{policy}");
        }
    });
}

#[test]
fn an_undo_goes_everywhere_too() {
    run(async {
        for edited in [0, 1] {
            let mut case = Case::new(ConflictSpec::Latest).await;
            put(&case.systems[edited], &[("city", "Bern")]);
            case.sync().await;
            assert_eq!(case.cities().await, ["Bern", "Bern"]);
            assert_eq!(case.decide(Authority::Undo, "Rome", None).await, []);
            case.sync().await;
            assert_eq!(case.cities().await, ["Rome", "Rome"]);
        }
    });
}

#[test]
fn a_decision_about_another_value_than_the_one_that_is_there_does_nothing() {
    run(async {
        let mut case = Case::new(ConflictSpec::Latest).await;
        let stamp = case.record().await.register(FieldId::of("city")).unwrap().marker;
        put(&case.systems[0], &[("city", "Bern")]);
        case.sync().await;
        assert_eq!(case.decide(Authority::Decide, "Oslo", Some(stamp)).await, [Hindrance::Moved]);
        case.sync().await;
        assert_eq!(case.cities().await, ["Bern", "Bern"]);
    });
}

#[test]
fn each_command_is_a_run_and_the_run_under_way_goes_on() {
    run(async {
        let mut case = Case::new(ConflictSpec::Latest).await;
        case.driver.begin_run("run").unwrap();
        case.decide(Authority::Decide, "Oslo", None).await;
        case.sync().await;
        let snapshot = case.driver.store().snapshot().unwrap();
        let journal = snapshot.journal(0, usize::MAX).unwrap();
        let began: Vec<_> = journal
            .iter()
            .filter_map(|(_, entry)| match &entry.what {
                Happening::Began { what, .. } => Some((entry.run, what.as_str())),
                _ => None,
            })
            .collect();
        assert_eq!(began, [(Run(1), "backfill"), (Run(2), "run"), (Run(3), "a decision")]);
        let of = |wanted: fn(&Happening) -> bool| {
            let found = journal.iter().rev().find(|(_, entry)| wanted(&entry.what)).unwrap();
            (found.1.run, found.1.cause)
        };
        assert_eq!(of(|what| matches!(what, Happening::Value { .. })), (Run(3), Cause::Operator));
        assert_eq!(of(|what| matches!(what, Happening::Sent { .. })), (Run(2), Cause::Work));
        let runs: Vec<Run> = snapshot.runs(Run(2), 9).unwrap().into_iter().map(|(_, entry)| entry.run).collect();
        assert_eq!(runs, [Run(2), Run(1)]);
        assert_eq!(snapshot.check_chain().unwrap().broken, None);
    });
}

#[test]
fn what_was_owed_to_a_system_that_is_only_read_by_now_is_not_written() {
    run(async {
        let mut case = Case::new(ConflictSpec::Latest).await;
        assert_eq!(case.decide(Authority::Decide, "Oslo", None).await, []);
        for (mode, writes) in [(Mode::ReadWrite, 1), (Mode::Read, 0)] {
            let rules = rules(&case.systems, ConflictSpec::Latest, mode);
            let (entity, system) = (rules.entities[0].id, SystemId::of(DESK));
            let clocks = Clocks { now: now().plus(1), offsets: Vec::new() };
            let view = case.driver.store().snapshot().unwrap();
            let work = step(&rules, &view, &clocks, Input::Work { entity, system, create: true }).unwrap();
            assert_eq!(work.effects.len(), writes, "{mode:?}: {:?}", work.effects);
            // And nothing waits for ever.
            let dropped = work.changes.iter().any(|change| matches!(change, Change::SetOutbox(.., None)));
            assert_eq!(dropped, mode == Mode::Read, "{:?}", work.changes);
        }
    });
}

#[test]
fn what_was_refused_is_tried_again_when_somebody_says_that_the_cause_is_gone() {
    run(async {
        let mut case = Case::new(ConflictSpec::Latest).await;
        // As if the desk had refused a city for the next hour.
        let mut record = case.record().await;
        let (entity, id, desk, city) = (record.entity, record.id, SystemId::of(DESK), FieldId::of("city"));
        let stamp = Stamp::mint(now(), record.register(city).unwrap().marker, Origin::Engine);
        record.set(city, Value::Text("Oslo".into()), stamp);
        let until = now().plus(3_600_000);
        for side in &mut record.sides {
            let apart = (side.system == desk).then_some(Apart::Parked { until });
            let shown = Value::Text(if side.system == desk { "Rome" } else { "Oslo" }.into());
            side.differs = apart
                .into_iter()
                .map(|apart| Differs { field: city, shown: shown.clone(), apart: Some(apart), wanted: None })
                .collect();
        }
        put(&case.systems[0], &[("city", "Oslo")]);
        let (code, message, fields) = ("NOT_NOW".to_owned(), "it is closed".to_owned(), vec!["city".to_owned()]);
        let problem = Problem { since: now(), code, message, fields };
        let object = record.side(desk).unwrap().object;
        let row = OutboxRow {
            object,
            due: until,
            task: Task::Update,
            seen: now(),
            looked: None,
            probe: None,
            flying: None,
            attempts: 1,
        };
        let changes = [
            Change::PutRecord(Arc::new(record)),
            Change::SetOutbox(desk, entity, id, Some(row)),
            Change::SetProblem(entity, id, desk, Some(Box::new(problem))),
        ];
        case.driver.store().apply(&changes).unwrap();
        let again = |case: &mut Case, code: &str| {
            let wanted = Wanted { code: Some(code.to_owned()), ..Wanted::default() };
            case.driver.retry(&wanted).unwrap()
        };
        assert_eq!(again(&mut case, "ANOTHER_CODE"), 0);
        case.sync().await;
        assert_eq!(case.cities().await, ["Oslo", "Rome"], "it is left alone");
        assert_eq!(again(&mut case, "NOT_NOW"), 1);
        case.sync().await;
        assert_eq!(case.cities().await, ["Oslo", "Oslo"]);
        assert_eq!(case.driver.store().snapshot().unwrap().problems_len(), Ok(0));
    });
}

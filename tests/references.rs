//! References by hand, over two systems in memory and the real driver: what leads to whom, and what waits for whom.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, id, now, put, run};
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, Keys, ReadSpec};
use syncline::daemon::connect::Connectors;
use syncline::daemon::{Driver, causes, read_digests, verify_offline};
use syncline::engine::{Authority, Clocks, DeletedRows, Input, Operate, Operation, View, step};
use syncline::model::{Departure, EntityId, FieldId, FieldKind, Home, ObjectId, Raw, RemoteKey, SystemId, Value};
use syncline::rules::{CreateSpec, EntitySpec, FieldSpec, LinkSpec, Rules};
use syncline::store::Store;

/// People and firms in `crm` and in `desk`; a person refers to a firm, a firm to its boss and to the firm above it.
struct Case {
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    rules: Rules,
    connectors: Connectors,
    driver: Driver,
    mark: Option<pair::Mark>,
}

impl Case {
    fn new(firms: CreateSpec) -> Self {
        let [crm, desk] = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        let keyed = |name: &str, object: &str| {
            EntitySpec::new(name).at_with_id("crm", object, "ext").at_with_id("desk", object, "ext").match_by("name")
        };
        let text = |name: &str| FieldSpec::new(name, FieldKind::Text).at("crm", name).at("desk", name);
        let refers = |name: &str, to: &str| FieldSpec::reference(name, to).at("crm", name).at("desk", name);
        let person = keyed("person", "people").create(CreateSpec::Everywhere).field(text("name")).field(text("city"));
        let firm = keyed("firm", "firms").create(firms).field(text("name"));
        let rules = Rules::builder()
            .system("crm", crm.ability().clone())
            .system("desk", desk.ability().clone())
            // The one that refers stands first, and is put behind the other; the firm's own references close two circles.
            .entity(person.field(refers("firm", "firm").on_link(LinkSpec::Prefer("crm".into()))))
            .entity(firm.field(refers("boss", "person")).field(refers("above", "firm")))
            .build()
            .unwrap();
        let connectors = connectors(&crm, &desk);
        let driver = Driver::new(rules.clone(), &connectors, Store::in_memory(now()).unwrap()).unwrap();
        Self { crm, desk, rules, connectors, driver, mark: None }
    }

    async fn sync(&mut self) {
        if self.mark.is_none() {
            let entities: Vec<_> = self.rules.entities.iter().map(|entity| entity.id).collect();
            self.mark = Some(pair::Mark::of(self.driver.store(), entities));
        }
        self.driver.live(Duration::from_millis(20), true).await.unwrap();
    }

    /// The codes of all problems; the sides must agree otherwise.
    async fn end(self) -> Vec<String> {
        let store = self.driver.into_store();
        self.mark.iter().for_each(|mark| mark.assert_rebuilt(&store));
        let rules = Arc::new(self.rules);
        let remotes = read_digests(&rules, &self.connectors).await.unwrap();
        let verdict = verify_offline(&rules, &self.connectors, &store, remotes).await.unwrap();
        assert_eq!(verdict["equal"], true, "{verdict}");
        causes(&rules, &store.snapshot().unwrap()).unwrap().into_iter().map(|cause| cause.code).collect()
    }
}

/// A record by its name: its id, and what it shows of a property.
async fn find(system: &Memory, object: &str, name: &str, property: &str) -> Option<(String, String)> {
    let spec = ReadSpec { object: object.into(), properties: vec![property.into()], external_id: None };
    let keys = [name.to_owned()];
    let answer = system.read(&spec, Keys::Values { property: "name", values: &keys }, false).await.unwrap();
    assert!(answer.rows.len() < 2, "{name} is there twice");
    let row = answer.rows.into_iter().next()?;
    let text = match &row.values[0] {
        Raw::Text(text) => text.clone(),
        _ => String::new().into(),
    };
    Some((row.remote.as_str().to_owned(), text.into()))
}

async fn shown(system: &Memory, object: &str, name: &str, property: &str) -> String {
    find(system, object, name, property).await.unwrap_or_else(|| panic!("no {name}")).1
}

async fn id_of(system: &Memory, object: &str, name: &str) -> String {
    find(system, object, name, "name").await.unwrap_or_else(|| panic!("no {name}")).0
}

#[test]
fn each_system_is_told_its_own_id_and_circles_are_cut() {
    run(async {
        let mut case = Case::new(CreateSpec::Everywhere);
        put(&case.crm, "firms", "f1", &[("name", "Acme"), ("boss", "p1"), ("above", "f2")]);
        put(&case.crm, "firms", "f2", &[("name", "Bolt"), ("above", "f1")]);
        put(&case.crm, "people", "p1", &[("name", "Ann"), ("firm", "f1")]);
        // One that both know, and that each calls by its own id.
        put(&case.desk, "firms", "d9", &[("name", "Cork")]);
        put(&case.crm, "firms", "f3", &[("name", "Cork")]);
        put(&case.desk, "people", "d1", &[("name", "Bob"), ("firm", "d9")]);
        put(&case.crm, "people", "p2", &[("name", "Bob"), ("firm", "f3")]);
        let report = case.driver.backfill().await.unwrap();
        assert_eq!((report.unequal, report.counts.problems), (0, 0), "{report:?}");
        let desk = &case.desk;
        let [acme, bolt, ann] = [("firms", "Acme"), ("firms", "Bolt"), ("people", "Ann")];
        let [acme, bolt, ann] =
            [id_of(desk, acme.0, acme.1).await, id_of(desk, bolt.0, bolt.1).await, id_of(desk, ann.0, ann.1).await];
        assert_eq!(shown(desk, "people", "Ann", "firm").await, acme);
        assert_eq!(shown(desk, "firms", "Acme", "boss").await, ann);
        assert_eq!(shown(desk, "firms", "Acme", "above").await, bolt);
        assert_eq!(shown(desk, "firms", "Bolt", "above").await, acme);
        // Both named the same firm, so nothing was decided and nothing written.
        assert_eq!(shown(desk, "people", "Bob", "firm").await, "d9");
        assert_eq!(shown(&case.crm, "people", "Bob", "firm").await, "f3");
        case.sync().await;
        put(&case.desk, "people", "d1", &[("firm", "")]);
        put(&case.crm, "people", "p1", &[("firm", "f3")]);
        case.sync().await;
        assert_eq!(shown(&case.crm, "people", "Bob", "firm").await, "");
        assert_eq!(shown(&case.desk, "people", "Ann", "firm").await, "d9");
        assert_eq!(case.end().await, Vec::<String>::new());
    });
}

#[test]
fn what_leads_nowhere_is_neither_an_edit_nor_a_blank_and_heals() {
    run(async {
        let mut case = Case::new(CreateSpec::Everywhere);
        put(&case.crm, "firms", "f1", &[("name", "Acme")]);
        put(&case.crm, "people", "p1", &[("name", "Ann"), ("firm", "f1")]);
        case.driver.backfill().await.unwrap();
        let acme = id_of(&case.desk, "firms", "Acme").await;
        assert_eq!(shown(&case.desk, "people", "Ann", "firm").await, acme);
        // She goes to a firm that nobody has read yet.
        put(&case.crm, "people", "p1", &[("firm", "f7"), ("city", "Rome")]);
        case.sync().await;
        assert_eq!(shown(&case.desk, "people", "Ann", "firm").await, acme, "no blank");
        assert_eq!(shown(&case.desk, "people", "Ann", "city").await, "Rome", "the rest flows");
        let codes: Vec<String> = {
            let store = case.driver.into_store();
            let codes = causes(&case.rules, &store.snapshot().unwrap()).unwrap().into_iter().map(|cause| cause.code);
            let codes = codes.collect();
            case.driver = Driver::new(case.rules.clone(), &case.connectors, store).unwrap();
            codes
        };
        assert_eq!(codes, ["REFERENCE_UNKNOWN"]);
        put(&case.crm, "firms", "f7", &[("name", "Newt")]);
        case.sync().await;
        case.sync().await;
        assert_eq!(shown(&case.desk, "people", "Ann", "firm").await, id_of(&case.desk, "firms", "Newt").await);
        assert_eq!(case.end().await, Vec::<String>::new());
    });
}

#[test]
fn where_the_other_record_is_not_to_be_the_rest_goes_without_it() {
    run(async {
        let mut case = Case::new(CreateSpec::Nowhere);
        put(&case.crm, "firms", "f1", &[("name", "Acme")]);
        put(&case.crm, "people", "p1", &[("name", "Ann"), ("firm", "f1"), ("city", "Rome")]);
        let report = case.driver.backfill().await.unwrap();
        assert_eq!((report.unequal, report.counts.problems), (0, 1), "{report:?}");
        assert_eq!(shown(&case.desk, "people", "Ann", "city").await, "Rome");
        assert_eq!(shown(&case.desk, "people", "Ann", "firm").await, "");
        // Somebody makes it, and it is known by its name.
        put(&case.desk, "firms", "d5", &[("name", "acme")]);
        case.sync().await;
        case.sync().await;
        assert_eq!(shown(&case.desk, "people", "Ann", "firm").await, "d5");
        assert_eq!(case.end().await, Vec::<String>::new());
    });
}

#[test]
fn a_reference_that_a_first_link_wrote_over_is_given_back_also_under_the_name_that_its_record_has_since() {
    run(async {
        for (merged, firm) in [(false, "d2"), (true, "d3")] {
            let mut case = Case::new(CreateSpec::Everywhere);
            for (system, sign, own) in [(&case.crm, "c", "c1"), (&case.desk, "d", "d2")] {
                for (at, name) in [("1", "Acme"), ("2", "Bolt"), ("3", "Cork")] {
                    put(system, "firms", &format!("{sign}{at}"), &[("name", name)]);
                }
                put(system, "people", &format!("{sign}9"), &[("name", "Ann"), ("firm", own)]);
            }
            case.driver.backfill().await.unwrap();
            assert_eq!(shown(&case.desk, "people", "Ann", "firm").await, "d1");
            let store = case.driver.into_store();
            let give = |input| {
                let clocks = Clocks { now: now(), offsets: Vec::new() };
                let step = step(&case.rules, &store.snapshot().unwrap(), &clocks, input).unwrap();
                store.apply(&step.changes).unwrap();
            };
            let [people, firms] = ["person", "firm"].map(EntityId::of);
            let desk = RemoteKey {
                entity: firms,
                system: SystemId::of("desk"),
                object: ObjectId::of("firms"),
                remote: id("d2"),
            };
            let view = store.snapshot().unwrap();
            let record = view.record_scan(people, None, 1).unwrap().remove(0).id;
            let value = Value::Ref(view.index(&desk).unwrap().unwrap());
            let (field, only) = (FieldId::of("firm"), Some(desk.system));
            let back = Operation { entity: people, record, field, value, only, expect: None, review: None };
            let operate = Operate { authority: Authority::Undo, begin: None, operations: vec![back] };
            give(Input::Operate(operate));
            if merged {
                // Before that is written, the firm is no more one of its own.
                for (system, name, loser, winner) in [(&case.crm, "crm", "c2", "c3"), (&case.desk, "desk", "d2", "d3")]
                {
                    system.merge("firms", &id(loser), &id(winner));
                    let home = Home { system: SystemId::of(name), object: desk.object };
                    let rows = vec![(id(loser), Departure::Merged(id(winner)))];
                    give(Input::Deleted(DeletedRows { entity: firms, home, rows, cursor: None }));
                }
                assert_eq!(store.snapshot().unwrap().record_scan(firms, None, 9).unwrap().len(), 2);
            }
            case.driver = Driver::new(case.rules.clone(), &case.connectors, store).unwrap();
            case.sync().await;
            assert_eq!(shown(&case.desk, "people", "Ann", "firm").await, firm);
            assert_eq!(shown(&case.crm, "people", "Ann", "firm").await, "c1");
            assert_eq!(case.end().await, Vec::<String>::new());
        }
    });
}

//! The life of records, over systems in memory and the real driver: what a delete does elsewhere, and what comes after it.

mod by_hand;
mod merged;
#[path = "../support/pair.rs"]
mod pair;

use pair::{connectors, id, now, person, run};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, ReadSpec};
use syncline::daemon::connect::Connectors;
use syncline::daemon::{Driver, causes};
use syncline::engine::{Clocks, Happening, Input, Keeping, View};
use syncline::model::{EntityId, FieldKind, Raw, SideState, SystemId, Value};
use syncline::rules::{
    CreateSpec, EditAgainstDelete, EntitySpec, FieldSpec, Leaves, Mode, OnDelete, Rules, ScopeSpec, SystemSpec,
};
use syncline::store::Store;

fn person_id() -> EntityId {
    EntityId::of("person")
}

/// People whose firm is a record, too.
fn employed() -> (EntitySpec, EntitySpec) {
    let name = FieldSpec::new("name", FieldKind::Text).at("crm", "name").at("desk", "name");
    let firm = EntitySpec::new("firm")
        .at_with_id("crm", "firms", "ext")
        .at_with_id("desk", "firms", "ext")
        .create(CreateSpec::Everywhere)
        .match_by("name")
        .field(name)
        .on_delete_in("crm", OnDelete::Propagate);
    (firm, person().field(FieldSpec::reference("firm", "firm").at("crm", "firm").at("desk", "firm")))
}

struct Setup {
    entities: Vec<EntitySpec>,
    mode: Mode,
    max_deletes: u32,
}

impl Setup {
    fn of(entity: EntitySpec) -> Self {
        Self { entities: vec![entity], mode: Mode::ReadWrite, max_deletes: 100 }
    }

    fn rules(self) -> Rules {
        let ability = Memory::new(now).ability().clone();
        let desk = SystemSpec {
            name: "desk".into(),
            ability: ability.clone(),
            mode: self.mode,
            max_deletes: self.max_deletes,
        };
        let builder = Rules::builder().system("crm", ability).system_with(desk);
        self.entities.into_iter().fold(builder, |builder, entity| builder.entity(entity)).build().unwrap()
    }
}

struct Case {
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    rules: Rules,
    connectors: Connectors,
    driver: Option<Driver>,
    mark: Option<pair::Mark>,
}

impl Case {
    fn new(setup: Setup) -> Self {
        let [crm, desk] = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        let connectors = connectors(&crm, &desk);
        Self { crm, desk, rules: setup.rules(), connectors, driver: None, mark: None }
    }

    /// One with Ann and Bob in both.
    async fn linked(entity: EntitySpec) -> Self {
        let mut case = Self::new(Setup::of(entity));
        case.people().await;
        case
    }

    async fn people(&mut self) {
        for (remote, email) in [("1", "ann@x"), ("2", "bob@x")] {
            put(&self.crm, remote, &[("email", email), ("city", "Rome"), ("stage", "customer")]);
            put(&self.desk, &format!("d{remote}"), &[("email", email), ("city", "Rome"), ("stage", "customer")]);
        }
        self.sync().await;
    }

    async fn sync(&mut self) {
        if self.driver.is_none() {
            let store = Store::in_memory(now()).unwrap();
            let mut driver = Driver::new(self.rules.clone(), &self.connectors, store).unwrap();
            driver.backfill().await.unwrap();
            let entities = self.rules.entities.iter().map(|entity| entity.id);
            self.mark = Some(pair::Mark::of(driver.store(), entities));
            self.driver = Some(driver);
        }
        self.driver.as_mut().unwrap().live(Duration::from_millis(20), true).await.unwrap();
    }

    /// The program ends and begins again, with other rules.
    fn restart(&mut self, setup: Setup) {
        self.rules = setup.rules();
        let store = self.driver.take().unwrap().into_store();
        self.driver = Some(Driver::new(self.rules.clone(), &self.connectors, store).unwrap());
    }

    /// All people of both as `email city`, ascending.
    async fn both(&self) -> (Vec<String>, Vec<String>) {
        (all(&self.crm).await, all(&self.desk).await)
    }

    fn deletes(&self) -> (u64, u64) {
        (self.crm.deletes(), self.desk.deletes())
    }

    /// Problems by code, and what the journal says of deletes.
    fn end(self) -> (Vec<String>, Vec<Happening>, Store) {
        let store = self.driver.unwrap().into_store();
        self.mark.iter().for_each(|mark| mark.assert_rebuilt(&store));
        let view = store.snapshot().unwrap();
        let codes = causes(&self.rules, &view).unwrap().into_iter().map(|cause| cause.code).collect();
        let journal = view.journal(0, 10_000).unwrap().into_iter().map(|(_, entry)| entry.what);
        let deletes = journal.filter(|what| {
            matches!(
                what,
                Happening::DeleteDue { .. }
                    | Happening::DeleteDropped { .. }
                    | Happening::DeleteSent { .. }
                    | Happening::Deleted { .. }
                    | Happening::Detached { .. }
            )
        });
        (codes, deletes.collect(), store)
    }
}

async fn all(system: &Memory) -> Vec<String> {
    let properties = ["email", "city"].map(str::to_owned).to_vec();
    let spec = ReadSpec { object: "people".to_owned(), properties, external_id: None };
    let page = system.scan(&spec, None).await.unwrap();
    let text = |raw| if let Raw::Text(text) = raw { text } else { "-".to_owned().into() };
    let row = |at| page.decoder.decode(at).unwrap().into_iter().map(text).collect::<Vec<_>>().join(" ");
    let mut rows: Vec<String> = (0..page.rows.len()).map(row).collect();
    rows.sort();
    rows
}

fn put(system: &Memory, remote: &str, fields: &[(&str, &str)]) {
    pair::put(system, "people", remote, fields);
}

#[test]
fn a_delete_detaches_unless_told_and_nothing_is_made_anew() {
    run(async {
        for ignore in [false, true] {
            let entity = if ignore { person().on_delete(OnDelete::Ignore) } else { person() };
            let mut case = Case::linked(entity).await;
            case.crm.remove("people", &id("1"));
            case.sync().await;
            put(&case.desk, "d1", &[("city", "Oslo")]);
            case.sync().await;
            let (crm, desk) = case.both().await;
            assert_eq!((crm, desk), (vec!["bob@x Rome".to_owned()], vec!["ann@x Oslo".into(), "bob@x Rome".into()]));
            assert_eq!(case.deletes(), (0, 0));
            let (codes, journal, _) = case.end();
            assert!(codes.is_empty(), "{codes:?}");
            assert!(matches!(&journal[..], [Happening::Detached { .. }]), "{journal:?}");
        }
    });
}

#[test]
fn a_delete_propagates_where_the_rules_say_so_once_and_its_echo_is_no_news() {
    run(async {
        let mut case = Case::linked(person().on_delete_in("crm", OnDelete::Propagate)).await;
        case.crm.remove("people", &id("1"));
        case.sync().await;
        case.sync().await;
        assert_eq!(case.both().await, (vec!["bob@x Rome".to_owned()], vec!["bob@x Rome".to_owned()]));
        // The other way it only detaches.
        case.desk.remove("people", &id("d2"));
        case.sync().await;
        case.sync().await;
        assert_eq!(case.both().await, (vec!["bob@x Rome".to_owned()], vec![]));
        assert_eq!(case.deletes(), (0, 1));
        let (codes, journal, _) = case.end();
        assert!(codes.is_empty(), "{codes:?}");
        let kinds: Vec<&str> = journal
            .iter()
            .map(|what| match what {
                Happening::Detached { .. } => "detached",
                Happening::DeleteDue { .. } => "due",
                Happening::DeleteSent { .. } => "sent",
                Happening::Deleted { .. } => "deleted",
                _ => "else",
            })
            .collect();
        assert_eq!(kinds, ["detached", "due", "sent", "deleted", "detached"]);
    });
}

#[test]
fn an_edit_that_the_deleter_had_not_seen_keeps_the_record_unless_the_delete_is_to_win() {
    run(async {
        for wins in [EditAgainstDelete::EditWins, EditAgainstDelete::DeleteWins] {
            let entity = person().on_delete(OnDelete::Propagate).edit_against_delete(wins);
            let mut case = Case::linked(entity).await;
            put(&case.desk, "d1", &[("city", "Oslo")]);
            case.crm.remove("people", &id("1"));
            case.sync().await;
            case.sync().await;
            let desk = all(&case.desk).await;
            if wins == EditAgainstDelete::EditWins {
                assert_eq!((desk, case.deletes()), (vec!["ann@x Oslo".to_owned(), "bob@x Rome".into()], (0, 0)));
                let (_, journal, _) = case.end();
                let kept = Happening::DeleteDropped { system: SystemId::of("desk"), why: Keeping::Edited };
                assert!(journal.contains(&kept), "{journal:?}");
            } else {
                assert_eq!((desk, case.deletes()), (vec!["bob@x Rome".to_owned()], (0, 1)));
            }
        }
    });
}

#[test]
fn nothing_is_deleted_in_a_system_that_is_only_read() {
    run(async {
        let setup = Setup { mode: Mode::Read, ..Setup::of(person().on_delete(OnDelete::Propagate)) };
        let mut case = Case::new(setup);
        case.people().await;
        case.crm.remove("people", &id("1"));
        case.sync().await;
        assert_eq!((case.deletes(), all(&case.desk).await.len()), ((0, 0), 2));
    });
}

#[test]
fn more_deletes_than_an_hour_may_have_wait_for_a_person() {
    run(async {
        let setup = |max_deletes, on_delete| Setup { max_deletes, ..Setup::of(person().on_delete(on_delete)) };
        for undone in [false, true] {
            let mut case = Case::new(setup(2, OnDelete::Propagate));
            put(&case.crm, "3", &[("email", "cid@x"), ("city", "Rome")]);
            case.people().await;
            for remote in ["1", "2", "3"] {
                case.crm.remove("people", &id(remote));
            }
            case.sync().await;
            case.restart(setup(2, OnDelete::Propagate));
            case.sync().await;
            assert_eq!((case.deletes(), all(&case.desk).await.len()), ((0, 0), 3), "none of them is deleted");
            if undone {
                case.restart(setup(2, OnDelete::Detach));
                case.sync().await;
                assert_eq!(case.deletes(), (0, 0));
            } else {
                case.restart(setup(3, OnDelete::Propagate));
                case.sync().await;
                assert_eq!((case.deletes(), all(&case.desk).await.len()), ((0, 3), 0));
                // They count for an hour, and over a restart.
                put(&case.crm, "4", &[("email", "dan@x"), ("city", "Rome")]);
                case.sync().await;
                case.crm.remove("people", &id("4"));
                case.restart(setup(3, OnDelete::Propagate));
                case.sync().await;
                assert_eq!((case.deletes(), all(&case.desk).await.len()), ((0, 3), 1));
                let (codes, ..) = case.end();
                assert_eq!(codes, ["DELETE_LIMIT"]);
                continue;
            }
            let (codes, ..) = case.end();
            assert!(codes.is_empty(), "{codes:?}");
        }
    });
}

#[test]
fn what_others_refer_to_is_not_deleted_until_they_are_gone() {
    run(async {
        let (firm, person) = employed();
        let mut case = Case::new(Setup { entities: vec![firm, person], mode: Mode::ReadWrite, max_deletes: 100 });
        let text = |text: &str| Raw::Text(text.into());
        case.crm.put("firms", &id("f"), [("name".to_owned(), text("Acme"))]);
        case.desk.put("firms", &id("df"), [("name".to_owned(), text("Acme"))]);
        put(&case.crm, "1", &[("email", "ann@x"), ("city", "Rome"), ("firm", "f")]);
        put(&case.desk, "d1", &[("email", "ann@x"), ("city", "Rome"), ("firm", "df")]);
        case.sync().await;
        case.crm.remove("firms", &id("f"));
        case.sync().await;
        assert_eq!(case.deletes(), (0, 0));
        let entity = case.rules.entities.iter().find(|entity| entity.name == "firm").unwrap().id;
        let store = case.driver.take().unwrap().into_store();
        let listed = store.snapshot().unwrap().problems(10).unwrap();
        assert!(
            listed.iter().any(|(of, problem)| of.entity == entity && problem.code == "DELETE_HAS_CHILDREN"),
            "{listed:?}"
        );
        case.driver = Some(Driver::new(case.rules.clone(), &case.connectors, store).unwrap());
        case.desk.remove("people", &id("d1"));
        case.sync().await;
        case.sync().await;
        assert_eq!(case.deletes(), (0, 1), "the firm follows when nobody refers to it any more");
        let (codes, ..) = case.end();
        assert!(!codes.contains(&"DELETE_HAS_CHILDREN".to_owned()), "{codes:?}");
    });
}

#[test]
fn what_is_restored_or_made_anew_is_linked_again_and_nothing_is_doubled() {
    run(async {
        for on_delete in [OnDelete::Detach, OnDelete::Propagate] {
            let mut case = Case::linked(person().on_delete(on_delete)).await;
            let gone = on_delete == OnDelete::Propagate;
            // Deleted.
            case.crm.remove("people", &id("1"));
            case.sync().await;
            assert_eq!(all(&case.desk).await.len(), if gone { 1 } else { 2 });
            // Restored, and edited while it was away: both values are kept, since nobody had seen the other.
            put(&case.crm, "1", &[("city", "Oslo")]);
            case.sync().await;
            case.sync().await;
            let (crm, desk) = case.both().await;
            assert_eq!(crm, ["ann@x Oslo", "bob@x Rome"]);
            assert_eq!(desk, if gone { vec!["bob@x Rome"] } else { vec!["ann@x Rome", "bob@x Rome"] });
            // It lives: edits go over, where it stands on both sides.
            if gone {
                put(&case.desk, "d1", &[("city", "Rome")]);
                case.sync().await;
            }
            put(&case.crm, "1", &[("city", "Lima")]);
            case.sync().await;
            assert_eq!(case.both().await.1, ["ann@x Lima", "bob@x Rome"]);
            // Deleted and made anew, with another id.
            case.crm.remove("people", &id("1"));
            put(&case.desk, "d1", &[("city", "Bonn")]);
            case.sync().await;
            assert_eq!(case.both().await.1, ["ann@x Bonn", "bob@x Rome"], "an edit keeps it");
            put(&case.crm, "9", &[("email", "ann@x"), ("city", "Bonn")]);
            case.sync().await;
            put(&case.desk, "d1", &[("city", "Kiel")]);
            case.sync().await;
            let (crm, desk) = case.both().await;
            assert_eq!(
                (crm, desk),
                (
                    vec!["ann@x Kiel".into(), "bob@x Rome".to_owned()],
                    vec!["ann@x Kiel".into(), "bob@x Rome".to_owned()]
                )
            );
            let (codes, _, store) = case.end();
            assert!(codes.is_empty(), "{codes:?}");
            let records = store.snapshot().unwrap().record_scan(person_id(), None, 10).unwrap();
            assert_eq!(records.len(), 2);
            assert!(records.iter().all(|record| record.live_sides().count() == 2), "{records:?}");
        }
    });
}

#[test]
fn a_restored_record_takes_the_delete_of_its_counterpart_back() {
    run(async {
        let setup = |max_deletes| Setup { max_deletes, ..Setup::of(person().on_delete(OnDelete::Propagate)) };
        let mut case = Case::new(setup(0));
        case.people().await;
        case.crm.remove("people", &id("1"));
        case.sync().await;
        put(&case.crm, "1", &[("city", "Rome")]);
        case.sync().await;
        case.restart(setup(100));
        case.sync().await;
        assert_eq!((case.deletes(), all(&case.desk).await.len()), ((0, 0), 2));
        let (codes, journal, _) = case.end();
        let kept = Happening::DeleteDropped { system: SystemId::of("desk"), why: Keeping::Restored };
        assert!(codes.is_empty() && journal.contains(&kept), "{codes:?} {journal:?}");
    });
}

#[test]
fn what_leaves_the_scope_for_good_is_deleted_elsewhere_under_the_same_limits() {
    run(async {
        for max_deletes in [0, 1] {
            let customer = |values: &[&Value]| *values[0] == Value::Text("customer".into());
            let scope = ScopeSpec::new("stage is customer", ["stage"], customer).leaves(Leaves::Archived);
            let mut case = Case::new(Setup { max_deletes, ..Setup::of(person().scope("crm", scope)) });
            case.people().await;
            put(&case.crm, "1", &[("stage", "lost")]);
            // A delete only detaches here.
            case.crm.remove("people", &id("2"));
            case.sync().await;
            case.sync().await;
            let left = if max_deletes == 0 { vec!["ann@x Rome", "bob@x Rome"] } else { vec!["bob@x Rome"] };
            let (crm, desk) = case.both().await;
            assert_eq!((crm, desk), (vec!["ann@x Rome".to_owned()], left.into_iter().map(str::to_owned).collect()));
            assert_eq!(case.deletes(), (0, u64::from(max_deletes)));
            let (codes, _, store) = case.end();
            assert_eq!(codes, if max_deletes == 0 { vec!["DELETE_LIMIT"] } else { vec![] });
            let records = store.snapshot().unwrap().record_scan(person_id(), None, 10).unwrap();
            let gone = |system: &str| {
                let side = |record: &&syncline::model::Record| {
                    record.side(SystemId::of(system)).is_some_and(|side| side.state == SideState::Detached)
                };
                records.iter().filter(side).count()
            };
            assert_eq!((gone("crm"), gone("desk")), (2, max_deletes as usize));
        }
    });
}

#[test]
fn what_is_gone_from_everywhere_is_forgotten_after_90_days() {
    run(async {
        let mut case = Case::linked(person()).await;
        case.crm.remove("people", &id("1"));
        case.desk.remove("people", &id("d1"));
        case.crm.remove("people", &id("2"));
        case.sync().await;
        let (_, _, store) = case.end();
        let rules = Setup::of(person()).rules();
        let forget = |days: i64| {
            let clocks = Clocks { now: now().plus(days * 86_400_000), offsets: Vec::new() };
            let input = Input::Forget { entity: person_id(), after: None, limit: 10 };
            let step = syncline::engine::step(&rules, &store.snapshot().unwrap(), &clocks, input).unwrap();
            store.apply(&step.changes).unwrap();
            store.snapshot().unwrap().record_scan(person_id(), None, 10).unwrap().len()
        };
        assert_eq!((forget(89), forget(91)), (2, 1), "Bob stands in one system yet");
        let key = |system: &str, remote: &str| syncline::model::RemoteKey {
            entity: person_id(),
            system: SystemId::of(system),
            object: syncline::model::ObjectId::of("people"),
            remote: id(remote),
        };
        let view = store.snapshot().unwrap();
        let known = |system, remote| view.index(&key(system, remote)).unwrap().is_some();
        assert_eq!([known("crm", "1"), known("desk", "d1"), known("crm", "2")], [false, false, true]);
    });
}

#[test]
fn of_three_systems_all_others_follow_and_one_unseen_edit_keeps_both() {
    run(async {
        for edited in [false, true] {
            let names = ["crm", "desk", "shop"];
            let systems = names.map(|_| Arc::new(Memory::new(now)));
            let field =
                |name: &str, kind| names.iter().fold(FieldSpec::new(name, kind), |field, at| field.at(*at, name));
            let entity =
                names.iter().fold(EntitySpec::new("person"), |entity, at| entity.at_with_id(*at, "people", "ext"));
            let entity =
                entity.match_by("email").create(CreateSpec::Everywhere).on_delete_in("crm", OnDelete::Propagate);
            let entity = entity.field(field("email", FieldKind::Email)).field(field("city", FieldKind::Text));
            let ability = systems[0].ability().clone();
            let builder = names.iter().fold(Rules::builder(), |builder, name| builder.system(*name, ability.clone()));
            let rules = builder.entity(entity).build().unwrap();
            let connectors = names.iter().zip(&systems);
            let connectors: Connectors =
                connectors.map(|(name, system)| (SystemId::of(name), system.clone() as Arc<dyn Connector>)).collect();
            for system in &systems {
                put(system, "1", &[("email", "ann@x"), ("city", "Rome")]);
            }
            let mut driver = Driver::new(rules, &connectors, Store::in_memory(now()).unwrap()).unwrap();
            driver.backfill().await.unwrap();
            if edited {
                put(&systems[2], "1", &[("city", "Oslo")]);
            }
            systems[0].remove("people", &id("1"));
            driver.live(Duration::from_millis(20), true).await.unwrap();
            driver.live(Duration::from_millis(20), true).await.unwrap();
            let deletes = systems.each_ref().map(|system| system.deletes());
            let left = (all(&systems[1]).await, all(&systems[2]).await);
            if edited {
                let kept = vec!["ann@x Oslo".to_owned()];
                assert_eq!((deletes, left), ([0, 0, 0], (kept.clone(), kept)));
            } else {
                assert_eq!((deletes, left), ([0, 1, 1], (vec![], vec![])));
            }
        }
    });
}

/// What a person does to a record in one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Nothing,
    EditCrm,
    EditDesk,
    DeleteCrm,
    DeleteDesk,
    EditAndDelete,
    DeleteBoth,
}

fn acts() -> impl Strategy<Value = Vec<[Act; 3]>> {
    let act = prop_oneof![
        Just(Act::Nothing),
        Just(Act::EditCrm),
        Just(Act::EditDesk),
        Just(Act::DeleteCrm),
        Just(Act::DeleteDesk),
        Just(Act::EditAndDelete),
        Just(Act::DeleteBoth)
    ];
    prop::collection::vec([act.clone(), act.clone(), act], 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    /// Of each record that a person deletes on one side, and nobody edits unseen on the other, exactly one other is deleted; of all
    /// others none.
    #[test]
    fn so_many_are_deleted_as_must_be(rounds in acts()) {
        run(async {
            let mut case = Case::new(Setup::of(person().on_delete(OnDelete::Propagate)));
            let names = ["1", "2", "3"];
            for name in names {
                put(&case.crm, name, &[("email", &format!("p{name}@x")), ("city", "Rome")]);
                put(&case.desk, &format!("d{name}"), &[("email", &format!("p{name}@x")), ("city", "Rome")]);
            }
            case.sync().await;
            let (mut linked, mut expected) = ([true; 3], (0, 0));
            for (round, acts) in rounds.iter().enumerate() {
                let city = format!("C{round}");
                for (at, act) in acts.iter().enumerate().filter(|(at, _)| linked[*at]).collect::<Vec<_>>() {
                    let (crm, desk) = (id(names[at]), format!("d{}", names[at]));
                    match act {
                        Act::Nothing => {}
                        Act::EditCrm => put(&case.crm, names[at], &[("city", &city)]),
                        Act::EditDesk => put(&case.desk, &desk, &[("city", &city)]),
                        Act::DeleteCrm => case.crm.remove("people", &crm),
                        Act::DeleteDesk => case.desk.remove("people", &id(&desk)),
                        Act::EditAndDelete => {
                            put(&case.desk, &desk, &[("city", &city)]);
                            case.crm.remove("people", &crm);
                        }
                        Act::DeleteBoth => {
                            case.crm.remove("people", &crm);
                            case.desk.remove("people", &id(&desk));
                        }
                    }
                    expected.0 += u64::from(*act == Act::DeleteDesk);
                    expected.1 += u64::from(*act == Act::DeleteCrm);
                    linked[at] = matches!(act, Act::Nothing | Act::EditCrm | Act::EditDesk);
                }
                case.sync().await;
            }
            case.sync().await;
            assert_eq!(case.deletes(), expected, "{rounds:?}");
            let (crm, desk) = case.both().await;
            let both = linked.iter().filter(|linked| **linked).count();
            let kept = rounds.iter().flatten().any(|act| *act == Act::EditAndDelete);
            assert!(crm.len() == both && (kept || desk == crm), "{crm:?} {desk:?} {rounds:?}");
        });
    }
}

//! The life of records, over systems in memory and the real driver: what a delete does elsewhere, and what comes after it.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, id, now, run};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, Keys, Outcome, ReadSpec};
use syncline::daemon::connect::Connectors;
use syncline::daemon::{Driver, causes};
use syncline::engine::{
    Answer, Answers, Clocks, DeletedRows, Effect, Happening, Input, Keeping, PageRows, Pass, Reads, View,
};
use syncline::model::{
    ClockOffset, Departure, EntityId, FieldKind, Home, Millis, ObjectId, OpId, Raw, RecordId, SideState, SystemId,
    Timing, Value,
};
use syncline::rules::{
    CreateSpec, EditAgainstDelete, EntitySpec, FieldSpec, Leaves, Mode, OnDelete, Rules, ScopeSpec, SystemSpec,
};
use syncline::store::Store;

fn person_id() -> EntityId {
    EntityId::of("person")
}

fn person() -> EntitySpec {
    let field = |name: &str, kind| FieldSpec::new(name, kind).at("crm", name).at("desk", name);
    EntitySpec::new("person")
        .at_with_id("crm", "people", "ext")
        .at_with_id("desk", "people", "ext")
        .create(CreateSpec::Everywhere)
        .match_by("email")
        .field(field("email", FieldKind::Email))
        .field(field("city", FieldKind::Text))
        .field(field("stage", FieldKind::Text))
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
}

impl Case {
    fn new(setup: Setup) -> Self {
        let [crm, desk] = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        let connectors = connectors(&crm, &desk);
        Self { crm, desk, rules: setup.rules(), connectors, driver: None }
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
    let text = |raw| if let Raw::Text(text) = raw { text } else { "-".to_owned() };
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
        let text = |text: &str| Raw::Text(text.to_owned());
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
            listed.iter().any(|(of, .., problem)| *of == entity && problem.code == "DELETE_HAS_CHILDREN"),
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
fn records_that_were_merged_become_one_when_they_are_one_everywhere() {
    run(async {
        for (loser, winner) in [("d2", "d1"), ("d1", "d2")] {
            let mut case = Case::linked(person().on_delete(OnDelete::Propagate)).await;
            case.crm.merge("people", &id("2"), &id("1"));
            put(&case.crm, "1", &[("city", "Oslo")]);
            case.sync().await;
            case.sync().await;
            assert_eq!(case.deletes(), (0, 0), "a lost merge is no delete");
            assert_eq!(case.both().await.1, ["ann@x Oslo", "bob@x Rome"]);
            let store = case.driver.take().unwrap().into_store();
            let listed = store.snapshot().unwrap().problems(10).unwrap();
            let [(.., problem)] = &listed[..] else { panic!("{listed:?}") };
            assert_eq!(problem.code, "MERGED_ELSEWHERE");
            assert!(problem.message.contains("d1 and d2"), "{}", problem.message);
            case.driver = Some(Driver::new(case.rules.clone(), &case.connectors, store).unwrap());
            case.desk.merge("people", &id(loser), &id(winner));
            case.sync().await;
            case.sync().await;
            put(&case.crm, "1", &[("city", "Lima")]);
            case.sync().await;
            let (crm, desk) = case.both().await;
            assert_eq!((&crm, crm[0].ends_with("Lima")), (&desk, true), "{crm:?} {desk:?}");
            assert_eq!(case.deletes(), (0, 0));
            let (codes, _, store) = case.end();
            assert!(codes.is_empty(), "{codes:?}");
            let records = store.snapshot().unwrap().record_scan(person_id(), None, 10).unwrap();
            assert_eq!((records.len(), records[0].live_sides().count()), (1, 2), "{records:?}");
        }
    });
}

#[test]
fn a_counterpart_goes_to_the_winner_with_its_values_and_fills_its_blanks() {
    run(async {
        let mut case = Case::new(Setup::of(person().create(CreateSpec::Nowhere)));
        put(&case.crm, "1", &[("email", "ann@x"), ("city", "Oslo")]);
        put(&case.crm, "2", &[("email", "bob@x"), ("city", "Rome"), ("stage", "customer")]);
        put(&case.desk, "d2", &[("email", "bob@x"), ("city", "Rome"), ("stage", "customer")]);
        case.sync().await;
        case.crm.merge("people", &id("2"), &id("1"));
        case.sync().await;
        case.sync().await;
        assert_eq!(case.both().await, (vec!["ann@x Oslo".to_owned()], vec!["ann@x Oslo".to_owned()]));
        put(&case.desk, "d2", &[("city", "Kiel")]);
        case.sync().await;
        assert_eq!(case.both().await.0, ["ann@x Kiel"]);
        // The merge is undone: the loser is a record of its own again, and no side of the winner.
        put(&case.crm, "2", &[("email", "bob@x"), ("city", "Bonn")]);
        case.sync().await;
        put(&case.desk, "d2", &[("city", "Graz")]);
        case.sync().await;
        assert_eq!(
            case.both().await,
            (vec!["ann@x Graz".into(), "bob@x Bonn".to_owned()], vec!["ann@x Graz".to_owned()])
        );
        let (codes, _, store) = case.end();
        assert!(codes.is_empty(), "{codes:?}");
        let records = store.snapshot().unwrap().record_scan(person_id(), None, 10).unwrap();
        let stage = records.iter().find(|record| record.live_sides().count() == 2).unwrap();
        let stage = stage.register(syncline::model::FieldId::of("stage")).map(|reg| reg.val.clone());
        assert_eq!((records.len(), stage), (2, Some(Value::Text("customer".into()))));
    });
}

#[test]
fn a_winner_that_the_merge_has_made_takes_the_place_of_the_loser() {
    run(async {
        for seen_first in [false, true] {
            let mut case = Case::linked(person().on_delete(OnDelete::Propagate)).await;
            let new = |case: &Case| {
                put(&case.crm, "9", &[("email", "ann@x"), ("city", "Oslo"), ("stage", "customer")]);
            };
            if seen_first {
                new(&case);
            }
            case.crm.merge("people", &id("1"), &id("9"));
            case.sync().await;
            if !seen_first {
                new(&case);
            }
            case.sync().await;
            case.sync().await;
            let all = vec!["ann@x Oslo".to_owned(), "bob@x Rome".into()];
            assert_eq!(case.both().await, (all.clone(), all), "seen first: {seen_first}");
            put(&case.desk, "d1", &[("city", "Kiel")]);
            case.sync().await;
            assert_eq!(case.both().await.0, ["ann@x Kiel", "bob@x Rome"]);
            assert_eq!(case.deletes(), (0, 0));
            let (codes, _, store) = case.end();
            assert!(codes.is_empty(), "{codes:?}");
            assert_eq!(store.snapshot().unwrap().record_scan(person_id(), None, 10).unwrap().len(), 2);
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

/// The engine by hand, over what a driver has left behind.
struct Hand {
    rules: Rules,
    store: Store,
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    now: i64,
}

impl Hand {
    async fn of(entity: EntitySpec) -> Self {
        let case = Case::linked(entity).await;
        let (crm, desk, rules) = (case.crm.clone(), case.desk.clone(), case.rules.clone());
        Self { rules, store: case.end().2, crm, desk, now: now().0 + 10_000 }
    }

    fn give(&mut self, input: Input<'_>) -> Vec<Effect> {
        self.now += 1_000;
        let clocks = Clocks { now: Millis(self.now), offsets: Vec::new() };
        let step = syncline::engine::step(&self.rules, &self.store.snapshot().unwrap(), &clocks, input).unwrap();
        self.store.apply(&step.changes).unwrap();
        step.effects
    }

    fn home(system: &str) -> Home {
        Home { system: SystemId::of(system), object: ObjectId::of("people") }
    }

    fn deleted(&mut self, system: &str, remote: &str) {
        let rows = vec![(id(remote), Departure::Deleted)];
        self.give(Input::Deleted(DeletedRows { entity: person_id(), home: Self::home(system), rows, cursor: None }));
    }

    fn timing(&self, ago: i64) -> Timing {
        Timing { sent: Millis(self.now - ago), offset: ClockOffset::default() }
    }

    /// A page of all that a system shows, asked for so long ago.
    async fn page(&mut self, system: &str, ago: i64) {
        let page = self.system(system).scan(&self.spec(), None).await.unwrap();
        let timing = self.timing(ago);
        self.give(Input::Page(PageRows {
            entity: person_id(),
            home: Self::home(system),
            pass: Pass::Changes,
            rows: &page.rows,
            decoder: &*page.decoder,
            timing,
            cursor: None,
            complete: None,
        }));
    }

    fn system(&self, system: &str) -> Arc<Memory> {
        if system == "crm" { self.crm.clone() } else { self.desk.clone() }
    }

    fn spec(&self) -> ReadSpec {
        let entity = &self.rules.entities[0];
        let properties = entity.fields_at(Self::home("crm")).flat_map(|(_, at)| at.properties.clone()).collect();
        ReadSpec { object: "people".to_owned(), properties, external_id: Some("ext".into()) }
    }

    /// What is to be done in a system, with reads answered as asked for now.
    async fn work(&mut self, system: &str) -> Vec<Effect> {
        let mut left = Vec::new();
        for _ in 0..3 {
            let of = SystemId::of(system);
            for effect in self.give(Input::Work { entity: person_id(), system: of, create: true }) {
                let Effect::Read { ids, .. } = &effect else {
                    left.push(effect);
                    continue;
                };
                let rows = self.system(system).read(&self.spec(), Keys::Ids(ids), false).await.unwrap().rows;
                let (asked, timing) = (ids.clone(), self.timing(0));
                let home = Self::home(system);
                self.give(Input::Read(Reads { entity: person_id(), home, asked, rows, timing }));
            }
        }
        left
    }

    fn answer(&mut self, system: &str, record: RecordId, op: OpId, outcome: Outcome) {
        let (entity, system) = (person_id(), SystemId::of(system));
        self.give(Input::Answers(Answers { entity, system, answers: vec![Answer { op, record, outcome }] }));
    }

    fn state(&self, system: &str, remote: &str) -> Option<SideState> {
        let records = self.store.snapshot().unwrap().record_scan(person_id(), None, 10).unwrap();
        let side = |record: &syncline::model::Record| record.side(SystemId::of(system)).cloned();
        records.iter().filter_map(side).find(|side| side.remote == id(remote)).map(|side| side.state)
    }
}

fn only_delete(effects: &[Effect]) -> (RecordId, OpId) {
    match effects {
        [Effect::Delete { items, .. }] if items.len() == 1 => (items[0].0, items[0].1.op),
        other => panic!("one delete is due: {other:?}"),
    }
}

#[test]
fn a_delete_whose_answer_is_lost_is_repeated_also_after_a_crash() {
    run(async {
        let mut hand = Hand::of(person().on_delete(OnDelete::Propagate)).await;
        hand.deleted("crm", "1");
        let (record, op) = only_delete(&hand.work("desk").await);
        hand.answer("desk", record, op, Outcome::Unknown);
        hand.now += 60_000;
        let (again, second) = only_delete(&hand.work("desk").await);
        assert!(again == record && second > op);
        // The program ends before it hears of that one.
        hand.give(Input::Start);
        let (again, third) = only_delete(&hand.work("desk").await);
        assert!(again == record && third > second);
        hand.answer("desk", record, third, Outcome::Gone(Departure::Deleted));
        assert_eq!((hand.state("desk", "d1"), hand.work("desk").await), (Some(SideState::Detached), vec![]));
        assert_eq!(hand.store.snapshot().unwrap().outbox_len(person_id()), Ok(0));
        // Its echo.
        hand.deleted("desk", "d1");
        assert_eq!((hand.work("crm").await, hand.work("desk").await), (vec![], vec![]));
    });
}

#[test]
fn a_row_that_was_asked_for_before_the_end_was_known_brings_nobody_back() {
    run(async {
        let mut hand = Hand::of(person()).await;
        hand.deleted("crm", "1");
        hand.page("crm", 5_000).await;
        assert_eq!(hand.state("crm", "1"), Some(SideState::Detached));
        // The read that it leads to finds nobody.
        hand.crm.remove("people", &id("1"));
        hand.work("crm").await;
        assert_eq!(hand.state("crm", "1"), Some(SideState::Detached));
        // Restored; the row is a stale one again, and the read tells.
        put(&hand.crm, "1", &[("city", "Rome")]);
        hand.page("crm", 100_000).await;
        assert_eq!(hand.state("crm", "1"), Some(SideState::Detached));
        hand.now += 60_000;
        hand.work("crm").await;
        assert_eq!(hand.state("crm", "1"), Some(SideState::Live));
    });
}

#[test]
fn a_write_that_finds_its_record_gone_ends_the_link_and_deletes_nothing() {
    run(async {
        let wins = EditAgainstDelete::DeleteWins;
        let mut hand = Hand::of(person().on_delete(OnDelete::Propagate).edit_against_delete(wins)).await;
        put(&hand.desk, "d1", &[("city", "Oslo")]);
        hand.page("desk", 0).await;
        let [Effect::Write { items, .. }] = &hand.work("crm").await[..] else { panic!("one write is due") };
        hand.answer("crm", items[0].0, items[0].1.op, Outcome::Gone(Departure::Deleted));
        assert_eq!(
            (hand.state("crm", "1"), hand.state("desk", "d1")),
            (Some(SideState::Detached), Some(SideState::Live))
        );
        assert_eq!(hand.work("desk").await, []);
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

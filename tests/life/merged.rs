//! Records that were merged in one of the systems.

use super::pair::{id, run};
use super::{Case, Setup, person, person_id, put};
use syncline::daemon::Driver;
use syncline::engine::View;
use syncline::model::Value;
use syncline::rules::{CreateSpec, OnDelete};

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

//! What a driver seldom meets: lost answers, rows from before, and writes that find their record gone.

use super::pair::{id, now, run};
use super::{Case, person, person_id, put};
use std::sync::Arc;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, Keys, Outcome, ReadSpec};
use syncline::engine::{
    Answer, Answers, Clocks, DeleteItem, DeletedRows, Effect, Happening, Input, Keeping, PageRows, Pass, Reads, View,
};
use syncline::model::{ClockOffset, Departure, Home, Millis, ObjectId, RecordId, SideState, SystemId, Timing};
use syncline::rules::{EditAgainstDelete, EntitySpec, OnDelete, Rules};
use syncline::store::Store;

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

    /// The write that is due in the CRM is answered: there is no such record.
    async fn finds_gone(&mut self) {
        let [Effect::Write { items, .. }] = &self.work("crm").await[..] else { panic!("one write is due") };
        let (record, item) = &items[0];
        self.answer("crm", Answer::of(*record, item, Outcome::Gone(Departure::Deleted)));
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

    fn answer(&mut self, system: &str, answer: Answer) {
        let (entity, system) = (person_id(), SystemId::of(system));
        self.give(Input::Answers(Answers { entity, system, answers: vec![answer] }));
    }

    fn state(&self, system: &str, remote: &str) -> Option<SideState> {
        let records = self.store.snapshot().unwrap().record_scan(person_id(), None, 10).unwrap();
        let side = |record: &syncline::model::Record| record.side(SystemId::of(system)).cloned();
        records.iter().filter_map(side).find(|side| side.remote == id(remote)).map(|side| side.state)
    }
}

fn only_delete(effects: &[Effect]) -> (RecordId, DeleteItem) {
    match effects {
        [Effect::Delete { items, .. }] if items.len() == 1 => items[0].clone(),
        other => panic!("one delete is due: {other:?}"),
    }
}

#[test]
fn a_delete_whose_answer_is_lost_is_repeated_also_after_a_crash() {
    run(async {
        let mut hand = Hand::of(person().on_delete(OnDelete::Propagate)).await;
        hand.deleted("crm", "1");
        let (record, item) = only_delete(&hand.work("desk").await);
        hand.answer("desk", Answer::of_delete(record, &item, Outcome::Unknown));
        hand.now += 60_000;
        let (again, second) = only_delete(&hand.work("desk").await);
        assert!(again == record && second.op > item.op);
        // The program ends before it hears of that one.
        hand.give(Input::Start);
        let (again, third) = only_delete(&hand.work("desk").await);
        assert!(again == record && third.op > second.op);
        hand.answer("desk", Answer::of_delete(record, &third, Outcome::Gone(Departure::Deleted)));
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

/// An edit is on its way to a record that somebody has deleted, which only the answer tells so far.
async fn edited_and_deleted(wins: EditAgainstDelete) -> Hand {
    let mut hand = Hand::of(person().on_delete(OnDelete::Propagate).edit_against_delete(wins)).await;
    put(&hand.desk, "d1", &[("city", "Oslo")]);
    hand.page("desk", 0).await;
    hand.finds_gone().await;
    hand
}

#[test]
fn a_write_that_finds_its_record_gone_waits_for_the_list_that_tells_what_became_of_it() {
    run(async {
        let states = |hand: &Hand| (hand.state("crm", "1"), hand.state("desk", "d1"));
        for wins in [EditAgainstDelete::EditWins, EditAgainstDelete::DeleteWins] {
            let mut hand = edited_and_deleted(wins).await;
            // It may be gone from our sight only.
            assert_eq!(states(&hand), (Some(SideState::Live), Some(SideState::Live)));
            assert_eq!((hand.work("crm").await, hand.work("desk").await), (vec![], vec![]));
            // No list tells of it: it is looked for once more, and then its link ends.
            hand.now += 5 * 60_000;
            hand.finds_gone().await;
            assert_eq!(states(&hand), (Some(SideState::Detached), Some(SideState::Live)));
            hand.deleted("crm", "1");
            assert_eq!(hand.work("desk").await, []);
        }
    });
}

#[test]
fn an_edit_wins_whether_a_list_or_an_answer_tells_of_the_delete_first() {
    run(async {
        let mut hand = edited_and_deleted(EditAgainstDelete::EditWins).await;
        hand.deleted("crm", "1");
        assert_eq!(hand.state("crm", "1"), Some(SideState::Detached));
        assert_eq!(hand.work("desk").await, []);
        assert_eq!(hand.state("desk", "d1"), Some(SideState::Live));
        let journal = hand.store.snapshot().unwrap().journal(0, 10_000).unwrap();
        let kept = Happening::DeleteDropped { system: SystemId::of("desk"), why: Keeping::Edited };
        assert!(journal.iter().any(|(_, entry)| entry.what == kept), "{journal:?}");
    });
}

#[test]
fn a_delete_that_is_to_win_goes_on_whether_a_list_or_an_answer_tells_of_it_first() {
    run(async {
        let mut hand = edited_and_deleted(EditAgainstDelete::DeleteWins).await;
        hand.deleted("crm", "1");
        assert_eq!(hand.state("crm", "1"), Some(SideState::Detached));
        let (record, item) = only_delete(&hand.work("desk").await);
        hand.answer("desk", Answer::of_delete(record, &item, Outcome::Gone(Departure::Deleted)));
        assert_eq!(hand.state("desk", "d1"), Some(SideState::Detached));
    });
}

//! The engine by hand: a write is answered as one to a record that is gone, before a list tells that it was merged.

use syncline::engine::{Answer, Answers, Clocks, DeletedRows, Effect, Input, MemoryView, PageRows, Pass, View, step};
use syncline::model::{
    Ability, BatchLimits, ClockOffset, Creates, Departure, EntityId, FieldKind, Home, Mark, Millis, ObjectId, Outcome,
    Raw, RawDigest, RawRow, RemoteId, RowDecoder, SourceKind, SystemId, Target, Timing,
};
use syncline::rules::{CreateSpec, EntitySpec, FieldSpec, Rules};

struct Hand {
    rules: Rules,
    view: MemoryView,
    now: i64,
}

struct Shown(Vec<Vec<Raw>>);

impl RowDecoder for Shown {
    fn decode(&self, index: usize) -> Result<Vec<Raw>, String> {
        Ok(self.0[index].clone())
    }
}

fn home(system: &str) -> Home {
    Home { system: SystemId::of(system), object: ObjectId::of("things") }
}

fn remote(id: &str) -> RemoteId {
    RemoteId::parse(id).expect("an id")
}

impl Hand {
    fn new() -> Self {
        let ability = Ability {
            source: SourceKind::Polled,
            resolution_ms: 1,
            stray_ms: 0,
            lag_ms: 0,
            batch: BatchLimits { read: 10, read_history: 10, write: 10 },
            creates: Some(Creates::Upsert),
            lookups: None,
        };
        let thing = EntitySpec::new("thing").at("a", "things").at("b", "things").match_by("key");
        let thing = thing.field(FieldSpec::new("key", FieldKind::Text).at("a", "key").at("b", "key"));
        let thing = thing.field(FieldSpec::new("f", FieldKind::Text).at("a", "f").at("b", "f"));
        let rules = Rules::builder().system("a", ability.clone()).system("b", ability);
        let rules = rules.entity(thing.create(CreateSpec::Nowhere)).build().expect("rules");
        Self { rules, view: MemoryView::new(), now: 1_000 }
    }

    fn entity(&self) -> EntityId {
        self.rules.entities[0].id
    }

    fn give(&mut self, input: Input<'_>) -> Vec<Effect> {
        let clocks = Clocks { now: Millis(self.now), offsets: Vec::new() };
        let step = step(&self.rules, &self.view, &clocks, input).expect("a view in memory");
        self.view.apply(&step.changes);
        step.effects
    }

    /// A whole listing: ids, keys and values of f.
    fn page(&mut self, system: &str, rows: &[(&str, &str, &str)], pass: Pass) {
        self.now += 1_000;
        let timing = Timing { sent: Millis(self.now - 10), offset: ClockOffset::default() };
        // In the order of the fields' ids.
        let mut names = [("key", 1), ("f", 2)];
        names.sort_by_key(|(name, _)| syncline::model::FieldId::of(name));
        let text = |row: &(&str, &str, &str), at| Raw::Text(if at == 1 { row.1 } else { row.2 }.to_owned());
        let decoder = Shown(rows.iter().map(|row| names.iter().map(|(_, at)| text(row, *at)).collect()).collect());
        let raw = |row: &(&str, &str, &str)| RawRow {
            remote: remote(row.0),
            modified: Millis(self.now - 50),
            raw: RawDigest::of_bytes(format!("{row:?}").as_bytes()),
            mark: Mark::Theirs,
            who: None,
        };
        let rows: Vec<RawRow> = rows.iter().map(raw).collect();
        let (entity, rows, complete) = (self.entity(), &rows[..], Some(timing));
        let page =
            PageRows { entity, home: home(system), pass, rows, decoder: &decoder, timing, cursor: None, complete };
        self.give(Input::Page(page));
    }
}

#[test]
fn what_a_write_finds_gone_is_followed_when_a_list_tells_that_it_was_merged() {
    let mut hand = Hand::new();
    let entity = hand.entity();
    hand.page("a", &[("1", "k", "x"), ("2", "m", "y")], Pass::Backfill);
    hand.page("b", &[("7", "m", "y")], Pass::Backfill);
    hand.give(Input::Link { entity, after: None, create: false, limit: 10 });
    // Somebody merges 2 into 1; before that is known, an edit elsewhere is written to 2.
    hand.page("b", &[("7", "m", "z")], Pass::Changes);
    let effects = hand.give(Input::Work { entity, system: SystemId::of("a"), create: false });
    let [Effect::Write { items, .. }] = &effects[..] else { panic!("{effects:?}") };
    let (record, item) = &items[0];
    assert_eq!(item.target, Target::Update(remote("2")));
    let answers = vec![Answer { op: item.op, record: *record, outcome: Outcome::Gone(Departure::Deleted) }];
    hand.give(Input::Answers(Answers { entity, system: SystemId::of("a"), answers }));
    for _ in 0..2 {
        let rows = vec![(remote("2"), Departure::Merged(remote("1")))];
        hand.give(Input::Deleted(DeletedRows { entity, home: home("a"), rows, cursor: None }));
    }
    let records = hand.view.record_scan(entity, None, 10).expect("a view in memory");
    let sides: Vec<usize> = records.iter().map(|record| record.live_sides().count()).collect();
    assert_eq!(sides, [2], "{records:?}");
}

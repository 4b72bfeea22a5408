//! The engine by hand: a write is answered as one to a record that is gone, before a list tells that it was merged.

use syncline::engine::{
    Answer, Answers, Clocks, DeletedRows, Effect, Input, MemoryView, PageRows, Pass, Reads, View, step,
};
use syncline::model::{
    Ability, BatchLimits, ClockOffset, Creates, Departure, EntityId, FieldKind, Home, Mark, Millis, ObjectId, OpId,
    Outcome, Raw, RawDigest, RawRow, ReadRow, RecordId, RemoteId, RowDecoder, SourceKind, SystemId, Target, Timing,
};
use syncline::rules::{ConflictSpec, CreateSpec, EntitySpec, FieldSpec, Rules};

struct Hand {
    rules: Rules,
    view: MemoryView,
    now: i64,
}

/// One write: of which record, as which operation, where to, and what.
type Written = (RecordId, OpId, Target, Vec<(String, Raw)>);

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
        Self::by(ConflictSpec::Latest)
    }

    /// Whose word holds of f.
    fn by(policy: ConflictSpec) -> Self {
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
        let thing = thing.field(FieldSpec::new("f", FieldKind::Text).at("a", "f").at("b", "f").conflict(policy));
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
        let text = |row: &(&str, &str, &str), at| Raw::Text(if at == 1 { row.1 } else { row.2 }.into());
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

    /// What a read of one record shows of f.
    fn read(&mut self, system: &str, (id, key, f): (&str, &str, &str)) {
        self.now += 1_000;
        let timing = Timing { sent: Millis(self.now - 10), offset: ClockOffset::default() };
        let mut values = [("key", key), ("f", f)];
        values.sort_by_key(|(name, _)| syncline::model::FieldId::of(name));
        let values = values.iter().map(|(_, value)| Raw::Text((*value).into())).collect();
        let row = ReadRow {
            remote: remote(id),
            modified: Millis(self.now - 50),
            mark: Mark::Theirs,
            who: None,
            values,
            history: Vec::new(),
        };
        let (entity, asked) = (self.entity(), vec![remote(id)]);
        self.give(Input::Read(Reads { entity, home: home(system), asked, rows: vec![row], timing }));
    }

    /// What is written to a system now, if anything.
    fn written(&mut self, system: &str) -> Vec<Written> {
        self.now += 1_000;
        let effects = self.give(Input::Work { entity: self.entity(), system: SystemId::of(system), create: false });
        let writes = effects.into_iter().filter_map(|effect| match effect {
            Effect::Write { items, .. } => Some(items),
            _ => None,
        });
        writes.flatten().map(|(record, item)| (record, item.op, item.target, item.fields)).collect()
    }

    fn answer(&mut self, system: &str, record: RecordId, op: OpId, outcome: Outcome) {
        let answers = vec![Answer { op, record, outcome }];
        self.give(Input::Answers(Answers { entity: self.entity(), system: SystemId::of(system), answers }));
    }

    fn merged(&mut self, system: &str, loser: &str, winner: &str) {
        let rows = vec![(remote(loser), Departure::Merged(remote(winner)))];
        self.give(Input::Deleted(DeletedRows { entity: self.entity(), home: home(system), rows, cursor: None }));
    }
}

/// The same record in both, and in `a` one more.
fn linked(policy: ConflictSpec) -> Hand {
    let mut hand = Hand::by(policy);
    let entity = hand.entity();
    hand.page("a", &[("1", "k", "x"), ("2", "m", "y")], Pass::Backfill);
    hand.page("b", &[("7", "m", "y")], Pass::Backfill);
    hand.give(Input::Link { entity, after: None, create: false, limit: 10 });
    hand
}

fn f(value: &str) -> Raw {
    Raw::Text(value.into())
}

#[test]
fn a_merge_writes_over_no_owner() {
    let mut hand = linked(ConflictSpec::Owns("b".into()));
    hand.merged("a", "2", "1");
    hand.read("b", ("7", "m", "y"));
    hand.read("a", ("1", "k", "x"));
    let writes = hand.written("b");
    assert!(writes.iter().flat_map(|write| &write.3).all(|(name, _)| name != "f"), "{writes:?}");
    let writes = hand.written("a");
    let [(.., target, fields)] = &writes[..] else { panic!("{writes:?}") };
    assert_eq!(*target, Target::Update(remote("1")));
    assert!(fields.contains(&("f".to_owned(), f("y"))), "the owner's value goes to the winner: {fields:?}");
}

#[test]
fn a_write_to_the_counterpart_of_a_loser_is_still_ours_after_the_merge() {
    let mut hand = linked(ConflictSpec::Latest);
    hand.page("a", &[("2", "m", "z")], Pass::Changes);
    let writes = hand.written("b");
    let [(record, op, ..)] = &writes[..] else { panic!("{writes:?}") };
    hand.merged("a", "2", "1");
    hand.answer("b", *record, *op, Outcome::Done { remote: remote("7"), created: None });
    // It has landed, which is nobody's edit, and no first link of two values either.
    hand.read("b", ("7", "m", "z"));
    hand.read("a", ("1", "k", "x"));
    let records = hand.view.record_scan(hand.entity(), None, 10).expect("a view in memory");
    let [record] = &records[..] else { panic!("{records:?}") };
    let apart = record.live_sides().flat_map(|side| &side.differs).find_map(|differs| differs.apart);
    assert_eq!(apart, None, "{record:?}");
    let writes = hand.written("b");
    let fields: Vec<_> = writes.iter().flat_map(|write| &write.3).collect();
    assert!(fields.contains(&&("f".to_owned(), f("x"))), "the winner's value is whoever merged's: {fields:?}");
}

#[test]
fn an_answer_that_the_loser_is_gone_says_nothing_of_a_winner_that_was_not_known_before() {
    let mut hand = linked(ConflictSpec::Latest);
    hand.page("b", &[("7", "m", "z")], Pass::Changes);
    let writes = hand.written("a");
    let [(record, op, ..)] = &writes[..] else { panic!("{writes:?}") };
    // The merge made a new record.
    hand.merged("a", "2", "9");
    hand.answer("a", *record, *op, Outcome::Gone(Departure::Deleted));
    let kept = hand.view.record(hand.entity(), *record).expect("a view in memory").expect("a record");
    let sides: Vec<String> = kept.live_sides().map(|side| side.remote.to_string()).collect();
    assert_eq!(sides, ["7", "9"], "{kept:?}");
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

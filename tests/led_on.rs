//! The engine by hand: people merge records in a system; what was on its way there, and what others did meanwhile.

use syncline::engine::{
    Answer, Answers, Clocks, DeletedRows, Effect, Event, Events, Input, MemoryView, PageRows, Pass, Reads, View, step,
};
use syncline::model::{
    Ability, ClockOffset, Departure, EntityId, FieldKind, Home, Mark, Millis, ObjectId, OpId, Outcome, Place, Raw,
    RawDigest, RawRow, ReadRow, RecordId, RemoteId, RowDecoder, SourceKind, SystemId, Target, Timing,
};
use syncline::rules::{ConflictSpec, CreateSpec, EntitySpec, FieldSpec, Rules};

struct Hand {
    rules: Rules,
    view: MemoryView,
    now: i64,
    /// Of the reads.
    mark: Mark,
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
        Self::among(&["a", "b"], SourceKind::Polled, policy)
    }

    fn among(systems: &[&str], source: SourceKind, policy: ConflictSpec) -> Self {
        let ability = Ability { stray_ms: 60_000, read_first: false, ..Ability::of(source) };
        let thing = systems.iter().fold(EntitySpec::new("thing"), |thing, system| thing.at(*system, "things"));
        let at =
            |name: &str| systems.iter().fold(FieldSpec::new(name, FieldKind::Text), |f, system| f.at(*system, name));
        let thing = thing.match_by("key").field(at("key")).field(at("f").conflict(policy));
        let rules = systems.iter().fold(Rules::builder(), |rules, system| rules.system(*system, ability.clone()));
        let rules = rules.entity(thing.create(CreateSpec::Nowhere)).build().expect("rules");
        Self { rules, view: MemoryView::new(), now: 1_000, mark: Mark::Theirs }
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
    fn read(&mut self, system: &str, row: (&str, &str, &str)) {
        self.read_of(system, row, self.now + 950);
    }

    /// The same of one that was last modified at a time.
    fn read_of(&mut self, system: &str, (id, key, f): (&str, &str, &str), modified: i64) {
        self.now += 1_000;
        let timing = Timing { sent: Millis(self.now - 10), offset: ClockOffset::default() };
        let mut values = [("key", key), ("f", f)];
        values.sort_by_key(|(name, _)| syncline::model::FieldId::of(name));
        let values = values.iter().map(|(_, value)| Raw::Text((*value).into())).collect();
        let row = ReadRow {
            remote: remote(id),
            modified: Millis(modified),
            mark: self.mark,
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

    fn answer(&mut self, system: &str, (record, op, target, _): &Written, outcome: Outcome) {
        let target = match target {
            Target::Update(remote) => Some(remote.clone()),
            Target::Create { .. } => None,
        };
        let answers = vec![Answer { op: *op, record: *record, target, outcome }];
        self.give(Input::Answers(Answers { entity: self.entity(), system: SystemId::of(system), answers }));
    }

    /// A stream tells up to now: ids, values of f, whose.
    fn told(&mut self, system: &str, events: &[(&str, &str, Mark)]) {
        self.now += 1_000;
        let place = |back: i64| Place { time: Millis(self.now - back), position: Some((self.now - back) as u64) };
        let event = |(id, f, mark): &(&str, &str, Mark)| Event {
            remote: remote(id),
            place: place(20),
            fields: vec![("f".to_owned(), Raw::Text((*f).into()))],
            mark: *mark,
        };
        let (entity, events) = (self.entity(), events.iter().map(event).collect());
        self.give(Input::Events(Events { entity, home: home(system), events, delivered: place(10) }));
        self.give(Input::Sweep { entity, after: None, limit: 10 });
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
    let [write] = &writes[..] else { panic!("{writes:?}") };
    hand.merged("a", "2", "1");
    hand.answer("b", write, Outcome::Done { remote: remote("7"), created: None });
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
    let [write] = &writes[..] else { panic!("{writes:?}") };
    // The merge made a new record.
    hand.merged("a", "2", "9");
    hand.answer("a", write, Outcome::Gone(Departure::Deleted));
    let kept = hand.view.record(hand.entity(), write.0).expect("a view in memory").expect("a record");
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
    let answers = vec![Answer::of(*record, item, Outcome::Gone(Departure::Deleted))];
    hand.give(Input::Answers(Answers { entity, system: SystemId::of("a"), answers }));
    for _ in 0..2 {
        let rows = vec![(remote("2"), Departure::Merged(remote("1")))];
        hand.give(Input::Deleted(DeletedRows { entity, home: home("a"), rows, cursor: None }));
    }
    let records = hand.view.record_scan(entity, None, 10).expect("a view in memory");
    let sides: Vec<usize> = records.iter().map(|record| record.live_sides().count()).collect();
    assert_eq!(sides, [2], "{records:?}");
}

/// What is written of f to a system now.
fn of_f(hand: &mut Hand, system: &str) -> Vec<Raw> {
    let writes = hand.written(system);
    writes.into_iter().flat_map(|write| write.3).filter(|(name, _)| name == "f").map(|(_, raw)| raw).collect()
}

/// In `a` a record that stands in `b`, too, where another one is that stands alone; the word of `a` is preferred.
fn beside_a_winner(source: SourceKind) -> Hand {
    beside_a_winner_by(source, ConflictSpec::Prefer("a".into()))
}

fn beside_a_winner_by(source: SourceKind, policy: ConflictSpec) -> Hand {
    let mut hand = Hand::among(&["a", "b"], source, policy);
    let entity = hand.entity();
    hand.page("a", &[("2", "m", "y")], Pass::Backfill);
    hand.page("b", &[("7", "m", "y"), ("8", "n", "t")], Pass::Backfill);
    hand.give(Input::Link { entity, after: None, create: false, limit: 10 });
    hand
}

#[test]
fn what_was_on_its_way_to_a_loser_is_not_what_the_winner_shows() {
    let mut hand = beside_a_winner(SourceKind::Stream);
    hand.told("a", &[("2", "z", Mark::Theirs)]);
    assert_eq!(of_f(&mut hand, "b"), [f("z")]);
    // Whoever merged chose another value, and the write never landed.
    let at = hand.now + 500;
    hand.merged("b", "7", "8");
    hand.told("b", &[]);
    hand.told("b", &[]);
    hand.told("a", &[]);
    hand.read_of("a", ("2", "m", "z"), at);
    hand.read_of("b", ("8", "n", "t"), at);
    assert!(of_f(&mut hand, "a").is_empty(), "who chose had not seen the preferred edit");
    assert_eq!(of_f(&mut hand, "b"), [f("z")]);
}

#[test]
fn what_had_landed_on_a_loser_whoever_merged_had_seen() {
    let mut hand = beside_a_winner(SourceKind::Stream);
    hand.told("a", &[("2", "z", Mark::Theirs)]);
    let writes = hand.written("b");
    let [write] = &writes[..] else { panic!("{writes:?}") };
    // It is given up, and lands late, before the merge.
    hand.answer("b", write, Outcome::Unknown);
    hand.told("b", &[]);
    hand.told("b", &[]);
    let at = hand.now + 990;
    hand.merged("b", "7", "8");
    hand.told("b", &[("7", "z", Mark::Ours)]);
    hand.told("b", &[]);
    hand.told("a", &[]);
    hand.read_of("a", ("2", "m", "z"), at);
    hand.read_of("b", ("8", "n", "t"), at);
    assert_eq!(of_f(&mut hand, "a"), [f("t")]);
}

#[test]
fn the_answer_to_a_write_to_a_loser_is_heard_by_the_record_that_it_has_become() {
    let mut hand = beside_a_winner(SourceKind::Polled);
    hand.page("a", &[("2", "m", "z")], Pass::Changes);
    let writes = hand.written("b");
    let [write] = &writes[..] else { panic!("{writes:?}") };
    hand.merged("b", "7", "8");
    hand.answer("b", write, Outcome::Done { remote: remote("7"), created: None });
    hand.read("a", ("2", "m", "z"));
    hand.read("b", ("8", "n", "t"));
    assert_eq!(of_f(&mut hand, "a"), [f("t")], "who chose had seen the edit");
}

#[test]
fn a_write_that_found_the_loser_gone_is_not_taken_for_landed_when_somebody_enters_its_value() {
    let mut hand = beside_a_winner_by(SourceKind::Polled, ConflictSpec::Latest);
    hand.page("a", &[("2", "m", "z")], Pass::Changes);
    let writes = hand.written("b");
    let [write] = &writes[..] else { panic!("{writes:?}") };
    hand.merged("b", "7", "8");
    hand.read("a", ("2", "m", "z"));
    hand.read("b", ("8", "n", "t"));
    hand.answer("b", write, Outcome::Gone(Departure::Deleted));
    hand.page("a", &[("2", "m", "u")], Pass::Changes);
    hand.mark = Mark::Unknown;
    hand.read("b", ("8", "n", "z"));
    let written = ["a", "b"].map(|system| of_f(&mut hand, system));
    assert_eq!(written, [vec![f("z")], vec![]], "it is their edit, not our write");
}

#[test]
fn a_late_answer_that_the_loser_is_gone_ends_no_winner_that_owes_nothing() {
    let mut hand = beside_a_winner(SourceKind::Stream);
    hand.told("a", &[("2", "z", Mark::Theirs)]);
    let writes = hand.written("b");
    let [write] = &writes[..] else { panic!("{writes:?}") };
    // The merge made a new record, with the value that was on its way.
    let at = hand.now + 500;
    hand.merged("b", "7", "9");
    hand.told("b", &[("9", "z", Mark::Theirs)]);
    hand.told("b", &[]);
    hand.read_of("b", ("9", "m", "z"), at);
    hand.answer("b", write, Outcome::Gone(Departure::Deleted));
    let kept = hand.view.record(hand.entity(), write.0).expect("a view in memory").expect("a record");
    let mut sides: Vec<String> = kept.live_sides().map(|side| side.remote.to_string()).collect();
    sides.sort();
    assert_eq!(sides, ["2", "9"], "{kept:?}");
}

/// In `a` two records of one value, one of which stands in `b`, too, is merged into the other one; meanwhile somebody in `b` enters w.
fn the_same_is_chosen(policy: ConflictSpec) -> [Vec<Raw>; 2] {
    let mut hand = Hand::by(policy);
    let entity = hand.entity();
    hand.page("a", &[("1", "k", "y"), ("2", "m", "y")], Pass::Backfill);
    hand.page("b", &[("7", "m", "y")], Pass::Backfill);
    hand.give(Input::Link { entity, after: None, create: false, limit: 10 });
    hand.merged("a", "2", "1");
    hand.read("b", ("7", "m", "w"));
    hand.read("a", ("1", "k", "y"));
    ["a", "b"].map(|system| of_f(&mut hand, system))
}

#[test]
fn a_choice_that_changes_nothing_is_a_choice_and_prevails_over_no_change_by_its_time() {
    assert_eq!(the_same_is_chosen(ConflictSpec::Prefer("a".into())), [vec![], vec![f("y")]]);
    assert_eq!(the_same_is_chosen(ConflictSpec::Latest), [vec![f("w")], vec![]]);
}

#[test]
fn a_choice_of_what_the_loser_was_owed_is_a_choice() {
    let mut hand = linked(ConflictSpec::Latest);
    hand.page("b", &[("7", "m", "w")], Pass::Changes);
    hand.merged("a", "2", "1");
    hand.read("b", ("7", "m", "v"));
    hand.read("a", ("1", "k", "w"));
    assert_eq!(of_f(&mut hand, "b"), [f("w")]);
}

/// Two records of `a`, one of which stands in `c`, too, and the other one in `b`.
fn elsewhere_each(policy: ConflictSpec) -> Hand {
    let mut hand = Hand::among(&["a", "b", "c"], SourceKind::Polled, policy);
    let entity = hand.entity();
    hand.page("a", &[("1", "k", "x"), ("2", "m", "y")], Pass::Backfill);
    hand.page("b", &[("7", "m", "y")], Pass::Backfill);
    hand.page("c", &[("5", "k", "x")], Pass::Backfill);
    hand.give(Input::Link { entity, after: None, create: false, limit: 10 });
    hand
}

fn read_all(hand: &mut Hand, f: [&str; 3]) {
    hand.read("a", ("1", "k", f[0]));
    hand.read("b", ("7", "m", f[1]));
    hand.read("c", ("5", "k", f[2]));
}

#[test]
fn the_value_of_a_winner_that_stands_elsewhere_is_owed_to_the_sides_of_the_loser() {
    let mut hand = elsewhere_each(ConflictSpec::Latest);
    hand.merged("a", "2", "1");
    let records = hand.view.record_scan(hand.entity(), None, 10).expect("a view in memory");
    let sides: Vec<usize> = records.iter().map(|record| record.live_sides().count()).collect();
    assert_eq!(sides, [3], "{records:?}");
    read_all(&mut hand, ["x", "y", "x"]);
    assert_eq!(["a", "b", "c"].map(|system| of_f(&mut hand, system)), [vec![], vec![f("x")], vec![]]);
}

#[test]
fn an_owner_among_the_sides_of_a_loser_keeps_its_value() {
    let mut hand = elsewhere_each(ConflictSpec::Owns("b".into()));
    hand.merged("a", "2", "1");
    read_all(&mut hand, ["x", "y", "x"]);
    assert_eq!(["a", "b", "c"].map(|system| of_f(&mut hand, system)), [vec![f("y")], vec![], vec![f("y")]]);
}

#[test]
fn what_the_others_did_after_the_loser_last_showed_is_new_to_the_winner() {
    let edits = |seen: bool| {
        let mut hand = elsewhere_each(ConflictSpec::Prefer("b".into()));
        hand.page("b", &[("7", "m", "w")], Pass::Changes);
        if seen {
            let writes = hand.written("a");
            let [write] = &writes[..] else { panic!("{writes:?}") };
            hand.answer("a", write, Outcome::Done { remote: remote("2"), created: None });
            hand.read("a", ("2", "m", "w"));
        }
        hand.merged("a", "2", "1");
        read_all(&mut hand, ["x", "w", "x"]);
        hand.page("a", &[("1", "k", "v")], Pass::Changes);
        ["a", "b", "c"].map(|system| of_f(&mut hand, system))
    };
    // Whose people had seen w on the loser, they knowingly replace it.
    assert_eq!(edits(true), [vec![], vec![f("v")], vec![f("v")]]);
    assert_eq!(edits(false), [vec![f("w")], vec![], vec![f("w")]]);
}

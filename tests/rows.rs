//! The engine by hand, one input after the other: what rows say, and who is believed to have changed what.

use syncline::engine::{
    Answer, Answers, Change, Clocks, Effect, Happening, Input, MemoryView, PageRows, Pass, Reads, View, step,
};
use syncline::merge::SettledBy;
use syncline::model::{
    Ability, ClockOffset, FieldKind, Home, Mark, Millis, ObjectId, Outcome, PastValue, Raw, RawDigest, RawRow, ReadRow,
    RecordId, RemoteId, RowDecoder, SourceKind, SystemId, Timing, Value, WriteItem,
};
use syncline::rules::{ConflictSpec, EntitySpec, FieldSpec, Rules};

const FIELDS: [&str; 3] = ["key", "f", "g"];

struct Hand {
    rules: Rules,
    view: MemoryView,
    now: i64,
    journal: Vec<Happening>,
}

struct One(Vec<Raw>);

impl RowDecoder for One {
    fn decode(&self, _index: usize) -> Result<Vec<Raw>, String> {
        Ok(self.0.clone())
    }
}

fn remote() -> RemoteId {
    RemoteId::parse("7").expect("an id")
}

fn a() -> SystemId {
    SystemId::of("a")
}

fn b() -> SystemId {
    SystemId::of("b")
}

fn home(system: SystemId) -> Home {
    Home { system, object: ObjectId::of("things") }
}

/// Of f and g, in the order of the fields' ids: g, f, key.
fn raws([f, g]: [&str; 2]) -> Vec<Raw> {
    [g, f, "k"].map(|value| Raw::Text(value.into())).into()
}

impl Hand {
    /// A record in two polled systems, linked, that shows `values` in both.
    fn new(values: [&str; 2]) -> Self {
        Self::of(SourceKind::Polled, values)
    }

    fn of(source: SourceKind, values: [&str; 2]) -> Self {
        Self::apart(source, [values; 2], 0)
    }

    /// With values of its own in each, changed last at a moment.
    fn apart(source: SourceKind, values: [[&str; 2]; 2], modified: i64) -> Self {
        Self::reading(false, source, values, modified)
    }

    /// With records that are read, or not, before they are written over.
    fn reading(read_first: bool, source: SourceKind, [in_a, in_b]: [[&str; 2]; 2], modified: i64) -> Self {
        let ability = Ability { stray_ms: 30_000, read_first, ..Ability::of(source) };
        let mut thing = EntitySpec::new("thing").at("a", "things").at("b", "things").match_by("key");
        for name in FIELDS {
            thing = thing.field(FieldSpec::new(name, FieldKind::Text).at("a", name).at("b", name));
        }
        let rules = Rules::builder().system("a", ability.clone()).system("b", ability).rank(["a", "b"]);
        let rules = rules.conflict(ConflictSpec::Latest).entity(thing).build().expect("rules");
        let mut hand = Self { rules, view: MemoryView::new(), now: 1_000, journal: Vec::new() };
        hand.page(a(), in_a, modified, Mark::Theirs, 1_000, Pass::Backfill);
        hand.page(b(), in_b, modified, Mark::Theirs, 1_000, Pass::Backfill);
        let entity = hand.rules.entities[0].id;
        hand.give(Input::Link { entity, after: None, create: true, limit: 10 });
        hand.now = 10_000;
        hand.page(a(), in_a, modified, Mark::Theirs, 9_990, Pass::Changes);
        hand.page(b(), in_b, modified, Mark::Theirs, 9_990, Pass::Changes);
        hand.journal.clear();
        hand
    }

    fn give(&mut self, input: Input<'_>) -> Vec<Effect> {
        let clocks = Clocks { now: Millis(self.now), offsets: Vec::new() };
        let step = step(&self.rules, &self.view, &clocks, input).expect("a view in memory");
        self.view.apply(&step.changes);
        self.journal.extend(step.changes.into_iter().filter_map(|change| match change {
            Change::Journal(entry) => Some(entry.what),
            _ => None,
        }));
        step.effects
    }

    /// A whole listing of a system that was asked for at a moment; a row's modified time and mark with it.
    fn page(&mut self, system: SystemId, values: [&str; 2], modified: i64, mark: Mark, asked: i64, pass: Pass) {
        let raw = RawDigest::of_bytes(values.concat().as_bytes());
        let who = Some(if mark == Mark::Ours { "us" } else { "somebody" }.to_owned());
        let rows = [RawRow { remote: remote(), modified: Millis(modified), raw, mark, who }];
        let timing = Timing { sent: Millis(asked), offset: ClockOffset::default() };
        let entity = self.rules.entities[0].id;
        let (decoder, complete) = (One(raws(values)), Some(timing));
        self.give(Input::Page(PageRows {
            entity,
            home: home(system),
            pass,
            rows: &rows,
            decoder: &decoder,
            timing,
            cursor: None,
            complete,
        }));
    }

    fn read(&mut self, system: SystemId, values: [&str; 2], modified: i64, mark: Mark, asked: i64) {
        let rows = vec![ReadRow {
            remote: remote(),
            modified: Millis(modified),
            mark,
            who: None,
            values: raws(values),
            history: Vec::new(),
        }];
        let timing = Timing { sent: Millis(asked), offset: ClockOffset::default() };
        let entity = self.rules.entities[0].id;
        self.give(Input::Read(Reads { entity, home: home(system), asked: vec![remote()], rows, timing }));
    }

    /// A read of b with the history of f, newest first.
    fn read_history(&mut self, f: &[(&str, i64)], modified: i64, asked: i64) {
        let past = |(value, at): &(&str, i64)| PastValue {
            value: Raw::Text((*value).into()),
            at: Millis(*at),
            mark: Mark::Theirs,
            who: None,
        };
        let of = |entries: &[(&str, i64)]| entries.iter().map(past).collect::<Vec<_>>();
        let rows = vec![ReadRow {
            remote: remote(),
            modified: Millis(modified),
            mark: Mark::Unknown,
            who: None,
            values: raws([f[0].0, "0"]),
            history: vec![of(&[("0", 0)]), of(f), of(&[("k", 0)])],
        }];
        let timing = Timing { sent: Millis(asked), offset: ClockOffset::default() };
        let entity = self.rules.entities[0].id;
        self.give(Input::Read(Reads { entity, home: home(b()), asked: vec![remote()], rows, timing }));
    }

    /// What is written to a system now.
    fn write(&mut self, system: SystemId) -> (RecordId, WriteItem) {
        let entity = self.rules.entities[0].id;
        let effects = self.give(Input::Work { entity, system, create: true });
        let written = effects.into_iter().find_map(|effect| match effect {
            Effect::Write { items, .. } => items.into_iter().next(),
            _ => None,
        });
        written.expect("a write")
    }

    fn answer(&mut self, system: SystemId, record: RecordId, item: &WriteItem, outcome: Outcome) {
        let answers = vec![Answer::of(record, item, outcome)];
        let entity = self.rules.entities[0].id;
        self.give(Input::Answers(Answers { entity, system, answers }));
    }

    fn done() -> Outcome {
        Outcome::Done { remote: remote(), created: None }
    }

    fn owes(&self, system: SystemId) -> bool {
        let due = self.view.outbox_due(system, self.rules.entities[0].id, Millis(i64::MAX), 4).expect("a view");
        !due.is_empty()
    }

    fn guessed(&self) -> bool {
        self.journal.iter().any(|what| matches!(what, Happening::Settled { by: SettledBy::Guessed, .. }))
    }
}

#[test]
fn whoever_changed_a_row_last_is_named_with_its_edits_unless_that_was_us() {
    let mut hand = Hand::new(["old", "0"]);
    let named = |hand: &Hand| {
        let who = hand.journal.iter().rev().find_map(|what| match what {
            Happening::Value { who, .. } => Some(who.clone()),
            _ => None,
        });
        who.expect("an edit")
    };
    hand.now = 11_000;
    hand.page(a(), ["x", "0"], 10_500, Mark::Theirs, 10_990, Pass::Changes);
    assert_eq!(named(&hand).as_deref(), Some("somebody"));
    hand.now = 12_000;
    hand.page(a(), ["y", "0"], 11_500, Mark::Ours, 11_990, Pass::Changes);
    assert_eq!(named(&hand), None, "somebody edited it before we changed something else there");
}

/// b was sent `f = x` without an answer; it was given up, the register went on to y, and b shows that.
fn with_a_stray() -> Hand {
    let mut hand = Hand::new(["old", "0"]);
    hand.now = 11_000;
    hand.page(a(), ["x", "0"], 10_500, Mark::Theirs, 10_990, Pass::Changes);
    let (record, item) = hand.write(b());
    hand.answer(b(), record, &item, Outcome::Unknown);
    hand.now = 12_000;
    hand.read(b(), ["old", "0"], 0, Mark::Theirs, 11_900);
    hand.page(a(), ["y", "0"], 11_500, Mark::Theirs, 11_990, Pass::Changes);
    hand.now = 13_000;
    let (record, item) = hand.write(b());
    hand.now = 13_010;
    hand.answer(b(), record, &item, Hand::done());
    hand.now = 14_000;
    hand.read(b(), ["y", "0"], 13_005, Mark::Ours, 13_900);
    assert!(!hand.owes(b()));
    hand
}

#[test]
fn a_person_who_restores_the_value_of_a_lost_write_is_told_from_it_by_the_mark() {
    for (mark, theirs) in [(Mark::Theirs, true), (Mark::Ours, false), (Mark::Unknown, false)] {
        let mut hand = with_a_stray();
        hand.now = 15_000;
        hand.page(b(), ["x", "0"], 14_500, mark, 14_990, Pass::Changes);
        assert_eq!((hand.owes(a()), hand.guessed()), (theirs, !theirs), "{mark:?}: {:?}", hand.journal);
    }
}

/// A page of b is asked for; then we write g there. That the page does not show it says nothing of who changed f.
#[test]
fn a_row_from_before_a_write_is_not_moved_by_not_showing_it() {
    let mut hand = with_a_stray();
    hand.now = 15_000;
    hand.page(a(), ["y", "1"], 14_800, Mark::Theirs, 14_990, Pass::Changes);
    let (record, item) = hand.write(b());
    hand.now = 15_010;
    hand.answer(b(), record, &item, Hand::done());
    hand.now = 15_020;
    hand.page(b(), ["x", "0"], 14_500, Mark::Theirs, 14_990, Pass::Changes);
    // As far as it can be put in order: the next listing shows the same.
    hand.now = 16_000;
    hand.page(b(), ["x", "1"], 15_005, Mark::Ours, 15_900, Pass::Changes);
    assert!(hand.owes(a()) && !hand.guessed(), "{:?}", hand.journal);
}

/// We write x over y in b, answered; a person there takes it back at once: the row has the digest of before.
#[test]
fn a_write_that_is_taken_back_at_once_is_not_passed_over() {
    let mut hand = Hand::new(["y", "0"]);
    hand.now = 11_000;
    hand.page(a(), ["x", "0"], 10_500, Mark::Theirs, 10_990, Pass::Changes);
    let (record, item) = hand.write(b());
    hand.now = 11_010;
    hand.answer(b(), record, &item, Hand::done());
    hand.now = 13_000;
    hand.page(b(), ["y", "0"], 12_000, Mark::Theirs, 12_990, Pass::Changes);
    assert!(hand.owes(a()), "{:?}", hand.journal);
}

/// A page shows a change of b; its history is asked for; meanwhile another page shows a further one. The history that was asked
/// for before does not show that, and does not count as having told it.
#[test]
fn a_history_that_was_asked_for_before_a_page_does_not_answer_it() {
    let mut hand = Hand::of(SourceKind::History, ["0", "0"]);
    let asks = |hand: &mut Hand| {
        let entity = hand.rules.entities[0].id;
        let effects = hand.give(Input::Work { entity, system: b(), create: true });
        effects.iter().any(|effect| matches!(effect, Effect::Read { .. }))
    };
    hand.now = 12_000;
    hand.page(b(), ["1", "0"], 11_500, Mark::Unknown, 11_990, Pass::Changes);
    assert!(asks(&mut hand));
    hand.now = 13_000;
    hand.page(b(), ["2", "0"], 12_700, Mark::Unknown, 12_900, Pass::Changes);
    hand.now = 13_100;
    hand.read_history(&[("1", 11_500), ("0", 0)], 11_500, 12_010);
    assert!(asks(&mut hand), "the second change has not been told");
    hand.now = 13_500;
    hand.read_history(&[("2", 12_700), ("1", 11_500), ("0", 0)], 12_700, 13_200);
    assert!(!asks(&mut hand) && hand.owes(a()));
}

/// A row shows what we wrote to b before the answer comes, and much later the answer comes. A person goes on, and then restores
/// our value together with another field, so that the mark proves nothing: it is his edit, since our write had been seen.
#[test]
fn a_late_answer_to_a_write_that_was_seen_leaves_nothing_that_may_land() {
    let mut hand = Hand::new(["0", "1"]);
    hand.now = 11_000;
    hand.page(a(), ["2", "1"], 10_500, Mark::Theirs, 10_990, Pass::Changes);
    let (record, item) = hand.write(b());
    hand.now = 12_000;
    hand.page(b(), ["2", "1"], 11_500, Mark::Ours, 11_990, Pass::Changes);
    for asked in [15_000, 20_000] {
        hand.now = asked + 10;
        hand.page(a(), ["2", "1"], 10_500, Mark::Theirs, asked, Pass::Changes);
        hand.page(b(), ["2", "1"], 11_500, Mark::Ours, asked, Pass::Changes);
    }
    hand.now = 20_500;
    hand.read(b(), ["2", "1"], 11_500, Mark::Ours, 20_400);
    hand.now = 21_000;
    hand.answer(b(), record, &item, Hand::done());
    hand.now = 22_000;
    hand.read(b(), ["0", "1"], 21_500, Mark::Theirs, 21_990);
    let (record, item) = hand.write(a());
    hand.answer(a(), record, &item, Hand::done());
    hand.now = 23_000;
    hand.read(a(), ["0", "1"], 22_100, Mark::Ours, 22_900);
    hand.now = 24_000;
    hand.page(b(), ["2", "0"], 23_500, Mark::Theirs, 23_990, Pass::Changes);
    assert!(!hand.guessed() && !hand.owes(b()) && hand.owes(a()), "{:?}", hand.journal);
}

/// A property of b is taken away: rows have no value for it. That is no blank: nobody cleared anything. When it is back it is
/// linked: a blank is filled.
#[test]
fn what_is_not_shown_is_not_cleared() {
    let mut hand = Hand::new(["x", "1"]);
    let row = |f: Raw, g: &str| vec![Raw::Text(g.into()), f, Raw::Text("k".into())];
    let page = |hand: &mut Hand, values: Vec<Raw>, modified: i64| {
        let raw = RawDigest::of_bytes(format!("{values:?}").as_bytes());
        let rows = [RawRow { remote: remote(), modified: Millis(modified), raw, mark: Mark::Theirs, who: None }];
        let timing = Timing { sent: Millis(hand.now - 10), offset: ClockOffset::default() };
        let (entity, decoder, complete) = (hand.rules.entities[0].id, One(values), Some(timing));
        hand.give(Input::Page(PageRows {
            entity,
            home: home(b()),
            pass: Pass::Changes,
            rows: &rows,
            decoder: &decoder,
            timing,
            cursor: None,
            complete,
        }));
    };
    let problems = |hand: &Hand| -> Vec<String> {
        hand.view.problems(9).expect("a view").into_iter().map(|(.., problem)| problem.code).collect()
    };
    hand.now = 12_000;
    page(&mut hand, row(Raw::Absent, "2"), 11_000);
    assert_eq!(problems(&hand), ["PROPERTY_NOT_SHOWN"]);
    assert!(hand.owes(a()), "g goes on");
    let (record, item) = hand.write(a());
    assert_eq!(item.fields, [("g".to_owned(), Raw::Text("2".into()))]);
    hand.answer(a(), record, &item, Hand::done());
    hand.now = 13_000;
    hand.read(a(), ["x", "2"], 12_010, Mark::Ours, 12_900);
    // Edits elsewhere wait for it.
    hand.now = 14_000;
    hand.page(a(), ["y", "2"], 13_500, Mark::Theirs, 13_990, Pass::Changes);
    assert!(!hand.owes(b()), "nothing is written to what is not there");
    hand.now = 15_000;
    page(&mut hand, row(Raw::Null, "2"), 14_500);
    assert_eq!(problems(&hand), [""; 0]);
    let (_, item) = hand.write(b());
    assert_eq!(item.fields, [("f".to_owned(), Raw::Text("y".into()))], "{:?}", hand.journal);
}

/// Two records are linked whose values differ. When the history of one is read for another reason, its last change from before the
/// link is no edit.
#[test]
fn the_last_change_before_a_link_is_no_edit_when_its_history_is_read() {
    let mut hand = Hand::apart(SourceKind::History, [["x", "0"], ["y", "0"]], 1_000);
    let entity = hand.rules.entities[0].id;
    let past = |value: &str, at: i64| PastValue {
        value: Raw::Text(value.into()),
        at: Millis(at),
        mark: Mark::Theirs,
        who: None,
    };
    hand.now = 12_000;
    hand.page(b(), ["y", "1"], 11_500, Mark::Unknown, 11_990, Pass::Changes);
    let history = vec![vec![past("1", 11_500), past("0", 900)], vec![past("y", 1_000)], vec![past("k", 900)]];
    let values = raws(["y", "1"]);
    let rows =
        vec![ReadRow { remote: remote(), modified: Millis(11_500), mark: Mark::Unknown, who: None, values, history }];
    let timing = Timing { sent: Millis(12_100), offset: ClockOffset::default() };
    hand.now = 12_200;
    hand.give(Input::Read(Reads { entity, home: home(b()), asked: vec![remote()], rows, timing }));
    let (_, item) = hand.write(a());
    assert_eq!(item.fields, [("g".to_owned(), Raw::Text("1".into()))], "{:?}", hand.journal);
}

/// Much further ahead than any clock.
const CENTURY: i64 = 4_000_000_000_000;

/// An import dates a row a century ahead: it counts as of now, and what people do afterwards is taken in.
#[test]
fn a_row_that_is_dated_ahead_of_its_clock_hides_no_later_edit() {
    let mut hand = Hand::new(["old", "0"]);
    hand.now = 11_000;
    hand.page(a(), ["x", "0"], CENTURY, Mark::Theirs, 10_990, Pass::Changes);
    let (record, item) = hand.write(b());
    hand.answer(b(), record, &item, Hand::done());
    hand.now = 12_000;
    hand.read(b(), ["x", "0"], 11_005, Mark::Ours, 11_900);
    assert!(!hand.owes(b()));
    for (value, at) in [("y", 20_000), ("z", 30_000)] {
        hand.now = at;
        hand.page(a(), [value, "0"], at - 500, Mark::Theirs, at - 10, Pass::Changes);
        assert!(hand.owes(b()), "{value}: {:?}", hand.journal);
    }
}

/// Nor does it win against whoever edits the other side later.
#[test]
fn a_row_that_is_dated_ahead_loses_to_a_later_edit() {
    let mut hand = Hand::new(["old", "0"]);
    hand.now = 11_000;
    hand.page(a(), ["x", "0"], CENTURY, Mark::Theirs, 10_990, Pass::Changes);
    hand.now = 12_000;
    hand.page(b(), ["y", "0"], 11_900, Mark::Theirs, 11_990, Pass::Changes);
    assert!(hand.owes(a()) && !hand.owes(b()), "{:?}", hand.journal);
}

/// Of a history whose newest entry is dated a century ahead nothing is told up to then, and the entry is an edit of now, once.
#[test]
fn a_history_that_is_dated_ahead_of_its_clock_tells_no_time() {
    for modified in [11_500, CENTURY] {
        let mut hand = Hand::of(SourceKind::History, ["0", "0"]);
        hand.now = 12_000;
        hand.page(b(), ["1", "0"], modified, Mark::Unknown, 11_990, Pass::Changes);
        hand.read_history(&[("1", CENTURY), ("0", 0)], modified, 11_995);
        assert!(hand.owes(a()), "{:?}", hand.journal);
        let (record, item) = hand.write(a());
        assert_eq!(item.fields, [("f".to_owned(), Raw::Text("1".into()))]);
        hand.answer(a(), record, &item, Hand::done());
        hand.journal.clear();
        hand.now = 13_000;
        hand.read_history(&[("1", CENTURY), ("0", 0)], modified, 12_900);
        let edits = hand.journal.iter().filter(|what| matches!(what, Happening::Value { .. } | Happening::Lost { .. }));
        assert_eq!(edits.count(), 0, "{:?}", hand.journal);
        // A later edit is one, whichever the remote lists first.
        hand.now = 20_000;
        hand.page(b(), ["2", "0"], 19_500, Mark::Unknown, 19_990, Pass::Changes);
        hand.read_history(&[("2", 19_500), ("1", CENTURY), ("0", 0)], 19_500, 19_995);
        let taken = |what: &Happening| matches!(what, Happening::Value { to, .. } if *to == Value::Text("2".into()));
        assert!(hand.journal.iter().any(taken), "{:?}", hand.journal);
    }
}

/// A record that was dated ahead when it was linked is edited later.
#[test]
fn a_record_that_is_linked_while_it_is_dated_ahead_hides_no_later_edit() {
    let mut hand = Hand::apart(SourceKind::History, [["0", "0"]; 2], CENTURY);
    hand.now = 20_000;
    hand.page(b(), ["2", "0"], 19_500, Mark::Unknown, 19_990, Pass::Changes);
    hand.read_history(&[("2", 19_500), ("0", 0)], 19_500, 19_995);
    assert!(hand.owes(a()), "{:?}", hand.journal);
}

/// Believed, each of them costs an edit.
#[cfg(feature = "defects")]
#[test]
fn without_that_rule_edits_are_lost() {
    let scenarios: [fn(); 4] = [
        a_row_that_is_dated_ahead_of_its_clock_hides_no_later_edit,
        a_row_that_is_dated_ahead_loses_to_a_later_edit,
        a_history_that_is_dated_ahead_of_its_clock_tells_no_time,
        a_record_that_is_linked_while_it_is_dated_ahead_hides_no_later_edit,
    ];
    for (at, scenario) in scenarios.into_iter().enumerate() {
        syncline::defects::set(Some("ahead"));
        let ended = std::panic::catch_unwind(scenario);
        syncline::defects::set(None);
        assert!(ended.is_err(), "the {at}th is right without it");
    }
}

/// What is to be done in b now: is its record to be read, and what is written of f.
fn due(hand: &mut Hand) -> (bool, Option<Raw>) {
    let entity = hand.rules.entities[0].id;
    let (mut read, mut written) = (false, None);
    for effect in hand.give(Input::Work { entity, system: b(), create: true }) {
        match effect {
            Effect::Read { .. } => read = true,
            Effect::Write { items, .. } => {
                let fields = items.into_iter().flat_map(|(_, item)| item.fields);
                written = fields.filter(|(name, _)| name == "f").map(|(_, raw)| raw).next();
            }
            other => panic!("{other:?}"),
        }
    }
    (read, written)
}

#[test]
fn what_was_not_listed_since_a_write_was_decided_is_read_before_it_is_written_over() {
    let edited = || {
        let mut hand = Hand::reading(true, SourceKind::Polled, [["x", "0"]; 2], 500);
        hand.now = 20_000;
        hand.page(a(), ["y", "0"], 19_000, Mark::Theirs, 19_990, Pass::Changes);
        assert_eq!(due(&mut hand), (false, None), "it is to be read first");
        hand.now += 300;
        assert_eq!(due(&mut hand), (true, None));
        hand
    };
    // Nobody was there: it leaves at once.
    let mut hand = edited();
    hand.read(b(), ["x", "0"], 500, Mark::Theirs, 20_290);
    let text = |value: &str| Raw::Text(value.into());
    assert_eq!(due(&mut hand), (false, Some(text("y"))));
    // Somebody was, later: his value holds, and goes the other way. Somebody was, before: ours goes over, and his is told as lost.
    for (modified, wins) in [(19_500, true), (18_000, false)] {
        let mut hand = edited();
        hand.read(b(), ["z", "0"], modified, Mark::Theirs, 20_290);
        assert_eq!(due(&mut hand).1, (!wins).then(|| text("y")), "{modified}");
        let lost = hand.journal.iter().any(|what| matches!(what, Happening::Lost { .. }));
        assert!(lost, "whoever gives way is told: {:?}", hand.journal);
    }
    // A read that is long past says nothing of now.
    let mut hand = edited();
    hand.read(b(), ["x", "0"], 500, Mark::Theirs, 20_290);
    hand.now += 60_000;
    assert_eq!(due(&mut hand), (false, None));
    // Whatever was listed since is known.
    hand.now += 1_000;
    let asked = hand.now - 10;
    hand.page(b(), ["x", "0"], 500, Mark::Theirs, asked, Pass::Changes);
    assert_eq!(due(&mut hand), (true, None));
    hand.read(b(), ["x", "0"], 500, Mark::Theirs, asked);
    hand.now += 70_000;
    assert_eq!(due(&mut hand), (false, Some(text("y"))));
}

#[cfg(feature = "defects")]
#[test]
fn without_that_read_an_edit_is_written_over() {
    syncline::defects::set(Some("read-first"));
    let ended =
        std::panic::catch_unwind(what_was_not_listed_since_a_write_was_decided_is_read_before_it_is_written_over);
    syncline::defects::set(None);
    assert!(ended.is_err(), "nobody notices");
}

#[test]
fn a_row_that_is_listed_again_and_again_does_not_put_its_read_off() {
    let mut hand = Hand::new(["x", "0"]);
    hand.now = 20_000;
    hand.page(b(), ["y", "0"], 19_995, Mark::Theirs, 19_999, Pass::Changes);
    let entity = hand.rules.entities[0].id;
    let due = |hand: &Hand| {
        let due = hand.view.reread_due(b(), entity, Millis(i64::MAX), 10).expect("a view in memory");
        due.into_iter().map(|(_, row)| row.due).next()
    };
    // Which of two edits within one step of the clock was the later one no list can say.
    let mut first = None;
    for listed in 0..6 {
        hand.now = 20_010 + 10 * listed;
        hand.page(b(), ["z", "0"], 19_995, Mark::Theirs, 19_995, Pass::Changes);
        let due = due(&hand).expect("it is to be read");
        assert_eq!(*first.get_or_insert(due), due, "listed {listed} times");
    }
    hand.now = 20_200;
    hand.read(b(), ["z", "0"], 19_995, Mark::Theirs, 20_190);
    assert_eq!(due(&hand), None);
    assert_eq!(hand.write(a()).1.fields, [("f".to_owned(), Raw::Text("z".into()))]);
}

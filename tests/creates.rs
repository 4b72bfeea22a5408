//! The engine by hand: creates whose answers are lost, repeated, and found.

use syncline::engine::{
    Answer, Answers, Change, Clocks, Effect, Happening, Input, LookedUp, MemoryView, PageRows, Pass, Reads, View, step,
};
use syncline::merge::SettledBy;
use syncline::model::{
    Ability, ClockOffset, Creates, EntityId, FieldKind, Home, Mark, Millis, ObjectId, Outcome, Raw, RawDigest, RawRow,
    ReadRow, RecordId, RemoteId, RemoteKey, RowDecoder, SourceKind, SystemId, Target, Timing, WriteItem,
};
use syncline::rules::{ConflictSpec, EntitySpec, FieldSpec, Rules};

fn home(system: SystemId) -> Home {
    Home { system, object: ObjectId::of("things") }
}

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

fn a() -> SystemId {
    SystemId::of("a")
}

fn b() -> SystemId {
    SystemId::of("b")
}

fn remote() -> RemoteId {
    RemoteId::parse("7").expect("an id")
}

/// In the order of the fields' ids: g, f, key.
fn raws(f: &str, g: &str, external: Option<&str>) -> Vec<Raw> {
    let id = external.map_or(Raw::Null, |id| Raw::Text(id.into()));
    [g, f, "k"].map(|value| Raw::Text(value.into())).into_iter().chain([id]).collect()
}

impl Hand {
    /// A record in a, polled, that b lacks.
    fn new(creates: Creates) -> Self {
        let ability = Ability {
            creates: Some(creates),
            lookups: Some(Vec::new()),
            read_first: false,
            ..Ability::of(SourceKind::Polled)
        };
        let mut thing =
            EntitySpec::new("thing").at_with_id("a", "things", "id").at_with_id("b", "things", "id").match_by("key");
        for name in ["key", "f", "g"] {
            thing = thing.field(FieldSpec::new(name, FieldKind::Text).at("a", name).at("b", name));
        }
        let thing = thing.create(syncline::rules::CreateSpec::Everywhere);
        let rules = Rules::builder().system("a", ability.clone()).system("b", ability).rank(["a", "b"]);
        let rules = rules.conflict(ConflictSpec::Latest).entity(thing).build().expect("rules");
        let mut hand = Self { rules, view: MemoryView::new(), now: 1_000, journal: Vec::new() };
        hand.page(a(), Some(raws("1", "0", None)), 0, Mark::Theirs, Pass::Backfill);
        hand.page(b(), None, 0, Mark::Theirs, Pass::Backfill);
        let entity = hand.entity();
        hand.give(Input::Link { entity, after: None, create: true, limit: 10 });
        hand.later();
        hand
    }

    fn entity(&self) -> EntityId {
        self.rules.entities[0].id
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

    fn timing(&self) -> Timing {
        Timing { sent: Millis(self.now - 10), offset: ClockOffset::default() }
    }

    /// A whole listing of a system.
    fn page(&mut self, system: SystemId, values: Option<Vec<Raw>>, modified: i64, mark: Mark, pass: Pass) {
        let raw = RawDigest::of_bytes(format!("{values:?}").as_bytes());
        let rows: Vec<RawRow> = values
            .iter()
            .map(|_| RawRow { remote: remote(), modified: Millis(modified), raw, mark, who: None })
            .collect();
        let (entity, timing, decoder) = (self.entity(), self.timing(), One(values.unwrap_or_default()));
        let complete = Some(timing);
        let rows = &rows[..];
        let page =
            PageRows { entity, home: home(system), pass, rows, decoder: &decoder, timing, cursor: None, complete };
        self.give(Input::Page(page));
    }

    /// Both systems were listed once more; b has nothing yet.
    fn later(&mut self) {
        self.now += 5_000;
        self.page(b(), None, 0, Mark::Theirs, Pass::Changes);
        self.now += 100;
    }

    /// A person in a enters f.
    fn person(&mut self, f: &str) {
        let at = self.now - 50;
        self.page(a(), Some(raws(f, "0", None)), at, Mark::Theirs, Pass::Changes);
    }

    fn work(&mut self) -> Vec<Effect> {
        let entity = self.entity();
        self.give(Input::Work { entity, system: b(), create: true })
    }

    fn create(&mut self) -> (RecordId, WriteItem) {
        let effects = self.work();
        let written = effects.into_iter().find_map(|effect| match effect {
            Effect::Write { items, .. } => items.into_iter().next(),
            _ => None,
        });
        let (record, item) = written.expect("a create");
        assert!(matches!(item.target, Target::Create { .. }), "{item:?}");
        (record, item)
    }

    fn answer(&mut self, (record, item): &(RecordId, WriteItem), outcome: Outcome) {
        let (entity, answers) = (self.entity(), vec![Answer::of(*record, item, outcome)]);
        self.give(Input::Answers(Answers { entity, system: b(), answers }));
    }

    /// The engine asks b for our external id, and b shows this.
    fn asked(&mut self, found: Option<(&str, &str)>, modified: i64, mark: Mark) {
        self.now += 20_000;
        let looked = self.work().into_iter().find_map(|effect| match effect {
            Effect::LookUp { asks, records, .. } => Some((asks, records)),
            _ => None,
        });
        let (asks, records) = looked.expect("a look-up");
        assert_eq!((asks.len(), &*asks[0].property), (1, "id"));
        let values = &asks[0].values;
        let row = |(f, g)| ReadRow {
            remote: remote(),
            modified: Millis(modified),
            mark,
            who: None,
            values: raws(f, g, Some(&values[0])),
            history: Vec::new(),
        };
        let (entity, timing, rows) =
            (self.entity(), self.timing(), found.map(row).map(|row| (asks[0].object, row)).into_iter().collect());
        self.give(Input::LookedUp(LookedUp { entity, system: b(), records, rows, timing }));
    }

    /// b is read again.
    fn read(&mut self, f: &str, g: &str, modified: i64, mark: Mark) {
        self.now += 5_000;
        let values = raws(f, g, None);
        let rows = vec![ReadRow {
            remote: remote(),
            modified: Millis(modified),
            mark,
            who: None,
            values,
            history: Vec::new(),
        }];
        let (entity, timing) = (self.entity(), self.timing());
        self.give(Input::Read(Reads { entity, home: home(b()), asked: vec![remote()], rows, timing }));
    }

    fn owes(&self, system: SystemId) -> bool {
        !self.view.outbox_due(system, self.entity(), Millis(i64::MAX), 4).expect("a view").is_empty()
    }

    fn value(&self, name: &str) -> String {
        let field = self.rules.entities[0].fields.iter().find(|field| field.name == name).expect("a field").id;
        let key = RemoteKey { entity: self.entity(), system: a(), object: ObjectId::of("things"), remote: remote() };
        let id = self.view.index(&key).expect("a view").expect("a record");
        let record = self.view.record(self.entity(), id).expect("a view").expect("a record");
        record.register(field).map_or_else(String::new, |register| register.val.to_string())
    }
}

/// Two attempts at a create, with f = 1 and f = 2. Neither was answered; the second was found to be refused or not to have
/// landed, and b holds the first.
fn twice(creates: Creates) -> Hand {
    let mut hand = Hand::new(creates);
    let first = hand.create();
    hand.answer(&first, Outcome::Unknown);
    hand.asked(None, 0, Mark::Ours);
    hand.later();
    hand.person("2");
    hand.now += 20_000;
    hand.later();
    let second = hand.create();
    let outcome = if creates == Creates::Insert { Outcome::Taken } else { Outcome::Unknown };
    hand.answer(&second, outcome);
    hand
}

/// The second attempt was refused: b holds the first, in which a person entered g since.
#[test]
fn a_create_that_is_refused_as_a_double_finds_its_record_and_what_people_entered_there() {
    let mut hand = twice(Creates::Insert);
    let at = hand.now - 1_000;
    hand.asked(Some(("1", "5")), at, Mark::Theirs);
    hand.read("1", "5", at, Mark::Theirs);
    assert_eq!((hand.value("f"), hand.value("g")), ("2".into(), "5".into()), "{:?}", hand.journal);
    assert!(hand.owes(a()) && hand.owes(b()), "g goes to a, f to b");
    let effects = hand.work();
    let update = effects.iter().find_map(|effect| match effect {
        Effect::Write { items, .. } => Some(&items[0].1),
        _ => None,
    });
    let update = update.expect("an update");
    assert_eq!(
        (&update.target, &update.fields[..]),
        (&Target::Update(remote()), &[("f".to_owned(), Raw::Text("2".into()))][..])
    );
}

/// Once the record is there, no other attempt can land: who enters what one of them carried did so himself.
#[test]
fn no_other_attempt_at_an_insert_lands_later() {
    for (creates, his) in [(Creates::Insert, true), (Creates::Upsert, false)] {
        let mut hand = twice(creates);
        let at = hand.now - 1_000;
        hand.asked(Some(("1", "0")), at, Mark::Ours);
        hand.read("1", "0", at, Mark::Ours);
        // It is brought up to date, and goes on.
        let update = hand.work().into_iter().find_map(|effect| match effect {
            Effect::Write { items, .. } => items.into_iter().next(),
            _ => None,
        });
        let update = update.expect("an update");
        hand.answer(&update, Outcome::Done { remote: remote(), created: None });
        let at = hand.now;
        hand.read("2", "0", at, Mark::Ours);
        hand.now += 1_000;
        hand.person("3");
        let update = hand.work().into_iter().find_map(|effect| match effect {
            Effect::Write { items, .. } => items.into_iter().next(),
            _ => None,
        });
        let update = update.expect("an update");
        hand.answer(&update, Outcome::Done { remote: remote(), created: None });
        let at = hand.now;
        hand.read("3", "0", at, Mark::Ours);
        // The remote does not say who.
        let at = hand.now;
        hand.read("2", "0", at, Mark::Unknown);
        let guessed = hand.journal.iter().any(|what| matches!(what, Happening::Settled { by: SettledBy::Guessed, .. }));
        assert_eq!((hand.value("f") == "2", guessed), (his, !his), "{creates:?}: {:#?}", hand.journal);
    }
}

/// A record that the credential may not see carries our external id: it is tried ever more slowly, and listed.
#[test]
fn a_double_that_is_never_shown_is_listed() {
    let mut hand = Hand::new(Creates::Insert);
    let mut pauses = Vec::new();
    for attempt in 1..=7 {
        let item = hand.create();
        hand.answer(&item, Outcome::Taken);
        hand.asked(None, 0, Mark::Ours);
        let due = hand.view.outbox_due(b(), hand.entity(), Millis(i64::MAX), 1).expect("a view")[0].1.due;
        pauses.push(due.0 - hand.now);
        let listed =
            hand.view.problems(9).expect("a view").iter().any(|(.., problem)| problem.code == "CREATE_NOT_SEEN");
        assert_eq!(listed, attempt >= 6, "{attempt}");
        hand.now = due.0;
        hand.later();
    }
    assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]), "{pauses:?}");
    let item = hand.create();
    hand.answer(&item, Outcome::Done { remote: remote(), created: Some(true) });
    assert!(hand.view.problems(9).expect("a view").is_empty(), "it has been made after all");
}

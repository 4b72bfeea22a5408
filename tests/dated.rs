//! `on_link = "latest"`: of two values that a first link finds, the one that its history says was entered last goes everywhere.

use proptest::prelude::*;
use syncline::engine::{
    Authority, Clocks, Effect, Happening, Input, MemoryView, Operate, Operation, PageRows, Pass, Reads, View, step,
};
use syncline::model::{
    Ability, Apart, ClockOffset, EntityId, FieldId, FieldKind, Home, Mark, Millis, ObjectId, PastValue, Raw, RawDigest,
    RawRow, ReadRow, RemoteId, RowDecoder, SourceKind, SystemId, Timing,
};
use syncline::rules::{ConflictSpec, CreateSpec, EntitySpec, FieldSpec, LinkSpec, Rules};

const NAMES: [&str; 3] = ["a", "b", "c"];
/// When the link is made.
const LINK: i64 = 1_000_000;

/// A value, since when it is there, and whose write that was.
type Past = (&'static str, i64, Mark);

struct Hand {
    rules: Rules,
    view: MemoryView,
    now: i64,
    /// By system, oldest first.
    past: Vec<Vec<Past>>,
}

struct Shown(Vec<Raw>);

impl RowDecoder for Shown {
    fn decode(&self, _: usize) -> Result<Vec<Raw>, String> {
        Ok(self.0.clone())
    }
}

fn home(system: usize) -> Home {
    Home { system: SystemId::of(NAMES[system]), object: ObjectId::of("things") }
}

fn remote(system: usize) -> RemoteId {
    RemoteId::parse(NAMES[system]).expect("an id")
}

fn text(value: &str) -> Raw {
    Raw::Text(value.into())
}

/// The key and f in the order in which the engine asks for them.
fn in_order<T>(key: T, f: T) -> Vec<T> {
    if FieldId::of("key") < FieldId::of("f") { vec![key, f] } else { vec![f, key] }
}

impl Hand {
    fn new(source: SourceKind, on_link: LinkSpec, past: &[&[Past]]) -> Self {
        let ability = Ability { stray_ms: 60_000, read_first: false, ..Ability::of(source) };
        let systems = &NAMES[..past.len()];
        let thing = systems.iter().fold(EntitySpec::new("thing"), |thing, system| thing.at(*system, "things"));
        let at =
            |name: &str| systems.iter().fold(FieldSpec::new(name, FieldKind::Text), |f, system| f.at(*system, name));
        let thing = thing.match_by("key").field(at("key")).field(at("f").conflict(ConflictSpec::Latest));
        let rules = systems.iter().fold(Rules::builder(), |rules, system| rules.system(*system, ability.clone()));
        let rules = rules.rank(systems.iter().rev().copied());
        let rules = rules.on_link(on_link).entity(thing.create(CreateSpec::Nowhere)).build().expect("rules");
        let past = past.iter().map(|past| past.to_vec()).collect();
        Self { rules, view: MemoryView::new(), now: LINK, past }
    }

    /// The same record in all systems, listed and linked.
    fn linked(past: &[&[Past]]) -> Self {
        let mut hand = Self::new(SourceKind::History, LinkSpec::Latest, past);
        for system in 0..past.len() {
            hand.page(system, Pass::Backfill);
        }
        let entity = hand.entity();
        hand.give(Input::Link { entity, after: None, create: false, limit: 10 });
        hand
    }

    fn entity(&self) -> EntityId {
        self.rules.entities[0].id
    }

    fn give(&mut self, input: Input<'_>) -> Vec<Effect> {
        self.now += 1_000;
        let clocks = Clocks { now: Millis(self.now), offsets: Vec::new() };
        let step = step(&self.rules, &self.view, &clocks, input).expect("a view in memory");
        self.view.apply(&step.changes);
        step.effects
    }

    fn timing(&self) -> Timing {
        Timing { sent: Millis(self.now), offset: ClockOffset::default() }
    }

    fn shows(&self, system: usize) -> Raw {
        self.past[system].last().map_or(Raw::Null, |past| text(past.0))
    }

    fn page(&mut self, system: usize, pass: Pass) {
        let (timing, shown) = (self.timing(), self.shows(system));
        let decoder = Shown(in_order(text("k"), shown.clone()));
        let rows = [RawRow {
            remote: remote(system),
            modified: Millis(self.past[system].last().map_or(0, |past| past.1)),
            raw: RawDigest::of_bytes(format!("{shown:?}").as_bytes()),
            mark: Mark::Theirs,
            who: None,
        }];
        let (entity, rows, complete) = (self.entity(), &rows[..], Some(timing));
        let home = home(system);
        self.give(Input::Page(PageRows {
            entity,
            home,
            pass,
            rows,
            decoder: &decoder,
            timing,
            cursor: None,
            complete,
        }));
    }

    /// Does what is to be done in a system: the reads that it asks for, and what it writes to f.
    fn work(&mut self, system: usize, tells: bool) -> (usize, Vec<Raw>) {
        let (entity, id) = (self.entity(), SystemId::of(NAMES[system]));
        let (mut reads, mut writes) = (0, Vec::new());
        for effect in self.give(Input::Work { entity, system: id, create: false }) {
            match effect {
                Effect::Read { ids, .. } => {
                    reads += ids.len();
                    self.read(system, tells);
                }
                Effect::Write { items, .. } => {
                    let fields = items.into_iter().flat_map(|(_, item)| item.fields);
                    writes.extend(fields.filter(|(name, _)| name == "f").map(|(_, raw)| raw));
                }
                other => panic!("{other:?}"),
            }
        }
        (reads, writes)
    }

    fn read(&mut self, system: usize, tells: bool) {
        let past = |(value, at, mark): &Past| PastValue { value: text(value), at: Millis(*at), mark: *mark, who: None };
        let history: Vec<PastValue> = self.past[system].iter().rev().map(past).collect();
        let history = if tells { history } else { Vec::new() };
        let row = ReadRow {
            remote: remote(system),
            modified: Millis(self.past[system].last().map_or(0, |past| past.1)),
            mark: Mark::Theirs,
            who: None,
            values: in_order(text("k"), self.shows(system)),
            history: in_order(vec![past(&("k", 1, Mark::Theirs))], history),
        };
        let (entity, timing, asked) = (self.entity(), self.timing(), vec![remote(system)]);
        self.give(Input::Read(Reads { entity, home: home(system), asked, rows: vec![row], timing }));
    }

    /// All that is read and written until nothing is to be done, the systems asked in this order: the reads, and what each is given.
    fn settle(&mut self, order: &[usize]) -> (usize, Vec<Option<Raw>>) {
        let (mut reads, mut given) = (0, vec![None; self.past.len()]);
        for &system in order.iter().chain(order) {
            let (asked, writes) = self.work(system, true);
            reads += asked;
            for raw in writes {
                assert_eq!(given[system].replace(raw), None, "one write is enough");
            }
        }
        (reads, given)
    }

    fn apart(&self) -> usize {
        let records = self.view.record_scan(self.entity(), None, 10).expect("a view in memory");
        let differs = records.iter().flat_map(|record| &record.sides).flat_map(|side| &side.differs);
        differs.filter(|differs| differs.apart == Some(Apart::Split)).count()
    }

    fn decisions(&self) -> Vec<bool> {
        let split = self.view.journal(0, 1_000).filter_map(|(_, entry)| match entry.what {
            Happening::LinkDecided { split, .. } => Some(split),
            _ => None,
        });
        split.collect()
    }

    /// Is nothing of the recent past kept, long after?
    fn is_forgotten(&mut self) -> bool {
        self.now += 10 * 60_000;
        let entity = self.entity();
        for system in 0..self.past.len() {
            self.page(system, Pass::Changes);
        }
        self.give(Input::Sweep { entity, after: None, limit: 10 });
        let records = self.view.record_scan(entity, None, 10).expect("a view in memory");
        records.iter().all(|record| {
            self.view.lately(entity, record.id).expect("a view in memory").is_none_or(|lately| lately.is_empty())
        })
    }
}

const THEIRS: Mark = Mark::Theirs;

#[test]
fn the_value_that_was_entered_last_goes_everywhere_in_whatever_order_the_histories_are_read() {
    for (a, b) in [(500, 700), (700, 500)] {
        for order in [[0, 1], [1, 0]] {
            let mut hand = Hand::linked(&[&[("x", a, THEIRS)], &[("w", 10, THEIRS), ("y", b, THEIRS)]]);
            assert_eq!((hand.apart(), hand.decisions()), (1, vec![true]), "until they are read, both stay");
            let (reads, given) = hand.settle(&order);
            let expected = if a < b { [Some(text("y")), None] } else { [None, Some(text("x"))] };
            assert_eq!((reads, &given[..]), (2, &expected[..]), "{a} {b} {order:?}");
            assert_eq!((hand.apart(), hand.decisions()), (0, vec![true, false]));
        }
    }
}

#[test]
fn of_two_that_are_of_the_same_time_the_higher_rank_wins() {
    let mut hand = Hand::linked(&[&[("x", 500, THEIRS)], &[("y", 500, THEIRS)]]);
    assert_eq!(hand.settle(&[0, 1]).1, [Some(text("y")), None]);
}

#[test]
fn a_blank_beats_no_value_however_late_it_is_and_equal_values_are_not_read() {
    let mut hand = Hand::linked(&[&[("x", 500, THEIRS)], &[("", 900, THEIRS)]]);
    assert_eq!(hand.settle(&[0, 1]), (0, vec![None, Some(text("x"))]));
    let mut hand = Hand::linked(&[&[("x", 500, THEIRS)], &[("x", 900, THEIRS)]]);
    assert_eq!(hand.settle(&[0, 1]), (0, vec![None, None]));
}

#[test]
fn what_we_had_written_has_no_time_of_its_own() {
    // A write of ours repeated what somebody had entered: that is when.
    let mut hand = Hand::linked(&[&[("x", 500, THEIRS), ("x", 900, Mark::Ours)], &[("y", 700, THEIRS)]]);
    assert_eq!(hand.settle(&[0, 1]).1, [Some(text("y")), None]);
    // It stands for somebody who cannot be asked: both stay, and nothing is kept of it.
    for order in [[0, 1], [1, 0]] {
        let mut hand = Hand::linked(&[&[("x", 900, Mark::Ours)], &[("y", 700, THEIRS)]]);
        assert_eq!(hand.settle(&order), (2, vec![None, None]));
        assert_eq!((hand.apart(), hand.decisions()), (1, vec![true]));
        assert!(hand.is_forgotten());
    }
}

#[test]
fn where_a_history_does_not_tell_both_stay() {
    for (quiet, order) in [(0, [0, 1]), (0, [1, 0]), (1, [0, 1]), (1, [1, 0])] {
        let mut hand = Hand::linked(&[&[("x", 500, THEIRS)], &[("y", 700, THEIRS)]]);
        for system in order {
            assert_eq!(hand.work(system, system != quiet), (1, vec![]));
        }
        assert_eq!(hand.settle(&order), (0, vec![None, None]));
        assert_eq!(hand.apart(), 1);
        assert!(hand.is_forgotten());
    }
}

#[test]
fn the_first_edit_on_either_side_goes_over_before_the_histories_are_read() {
    for by in [0, 1] {
        let mut hand = Hand::linked(&[&[("x", 900, THEIRS)], &[("y", 700, THEIRS)]]);
        assert_eq!(hand.work(0, true), (1, vec![]), "one of them has told");
        hand.past[by].push(("z", LINK + 60_000, THEIRS));
        hand.now = LINK + 70_000;
        hand.read(by, true);
        let mut given = [None, None];
        given[1 - by] = Some(text("z"));
        assert_eq!(hand.settle(&[0, 1]).1, given);
        assert_eq!(hand.apart(), 0);
    }
}

#[test]
fn what_an_operator_says_meanwhile_holds() {
    let mut hand = Hand::linked(&[&[("x", 500, THEIRS)], &[("y", 700, THEIRS)]]);
    let record = hand.view.record_scan(hand.entity(), None, 10).expect("a view in memory")[0].id;
    let (entity, field) = (hand.entity(), FieldId::of("f"));
    let value = syncline::model::Value::Text("o".into());
    let only = None;
    let operations = vec![Operation { entity, record, field, value, only, expect: None, review: None }];
    hand.give(Input::Operate(Operate { authority: Authority::Decide, begin: None, operations }));
    assert_eq!(hand.settle(&[0, 1]).1, [Some(text("o")), Some(text("o"))]);
    assert_eq!((hand.apart(), hand.decisions()), (0, vec![true]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 200 } else { 2_000 }))]

    /// Three systems with values of their own or the same ones: whatever the order of the reads, all are given the value that was
    /// entered last, and nobody is written to who shows it.
    #[test]
    fn of_three_the_latest_wins_in_every_order(
        values in prop::collection::vec((prop::sample::select(vec!["x", "y", "z"]), 1i64..1_000), 3),
        order in Just(vec![0usize, 1, 2]).prop_shuffle(),
    ) {
        let past: Vec<[Past; 1]> = values.iter().map(|(value, at)| [(*value, *at, THEIRS)]).collect();
        let mut hand = Hand::linked(&[&past[0], &past[1], &past[2]]);
        let (_, given) = hand.settle(&order);
        // The last in rank loses a tie.
        let latest = (0..3).max_by_key(|ix| (values[*ix].1, *ix)).expect("three");
        for ix in 0..3 {
            let expected = (values[ix].0 != values[latest].0).then(|| text(values[latest].0));
            prop_assert_eq!(&given[ix], &expected, "{:?} by {:?}", values, order);
        }
        prop_assert_eq!(hand.apart(), 0);
    }
}

//! Atomic groups through the engine, by hand: their fields are decided together, whoever edits which of them, and never mixed.

use syncline::engine::{
    Answer, Answers, Clocks, Effect, Event, Events, Input, MemoryView, PageRows, Pass, ProblemPlace, Reads, View, step,
};
use syncline::model::{
    Ability, EntityId, FieldId, FieldKind, Home, Mark, Millis, Outcome, PastValue, Place, Raw, RawDigest, RawRow,
    ReadRow, RecordId, RemoteId, RowDecoder, SourceKind, SystemId, Target, Timing, WriteItem,
};
use syncline::rules::{ConflictSpec, EntitySpec, FieldSpec, Limits, LinkSpec, Rules};

/// A match key, and the three fields of a group.
const PROPERTIES: [&str; 4] = ["email", "city", "street", "zip"];

/// A system with one record.
struct World {
    source: SourceKind,
    /// Per property, oldest first: when, what, whose.
    history: [Vec<(i64, String, Mark)>; 4],
    modified: i64,
    ours: bool,
}

struct Case {
    rules: Rules,
    view: MemoryView,
    worlds: [World; 2],
    now: i64,
    /// Writes that left, and where to; they land when they are told to.
    left: Vec<(usize, RecordId, WriteItem)>,
    reads: usize,
}

struct OneRow(Vec<Raw>);

impl RowDecoder for OneRow {
    fn decode(&self, _index: usize) -> Result<Vec<Raw>, String> {
        Ok(self.0.clone())
    }
}

const HERE: usize = 0;
const THERE: usize = 1;
const FIRST: [&str; 4] = ["ann@example.com", "Bonn", "Main 1", "53113"];

fn system(side: usize) -> SystemId {
    home(side).system
}

fn home(side: usize) -> Home {
    let (system, object) = [("here", "people"), ("there", "Person")][side];
    Home::of(system, object)
}

fn remote() -> RemoteId {
    RemoteId::parse("7").unwrap()
}

fn raw(text: &str) -> Raw {
    if text.is_empty() { Raw::Null } else { Raw::Text(text.into()) }
}

impl Case {
    /// Both sides show the same and are linked.
    fn new(sources: [SourceKind; 2], conflict: ConflictSpec) -> Self {
        let mut case = Self::unlinked(sources, conflict, [FIRST, FIRST]);
        case.link();
        case
    }

    fn unlinked(sources: [SourceKind; 2], conflict: ConflictSpec, shown: [[&str; 4]; 2]) -> Self {
        let ability =
            |source| Ability { stray_ms: 30_000, lookups: Some(Vec::new()), read_first: false, ..Ability::of(source) };
        let field = |name: &str, kind| FieldSpec::new(name, kind).at("here", name).at("there", name);
        let part = |name: &str| field(name, FieldKind::Text).group("address");
        let short = Limits { length: Some(5), ..Limits::default() };
        let entity = EntitySpec::new("person").at("here", "people").at("there", "Person").match_by("email");
        let entity = entity.conflict(conflict).field(field("email", FieldKind::Email));
        let entity = entity.field(part("city")).field(part("street")).field(part("zip").limit("there", short));
        let rules = Rules::builder().system("here", ability(sources[0])).system("there", ability(sources[1]));
        let rules = rules.entity(entity.on_link(LinkSpec::FillBlanks)).build().unwrap();
        let world = |side: usize| World {
            source: sources[side],
            history: shown[side].map(|text| vec![(1, text.to_owned(), Mark::Theirs)]),
            modified: 1,
            ours: false,
        };
        let worlds = [world(0), world(1)];
        Self { rules, view: MemoryView::new(), worlds, now: 10_000, left: Vec::new(), reads: 0 }
    }

    fn link(&mut self) {
        for side in [HERE, THERE] {
            self.list(side, Pass::Backfill);
        }
        self.feed(Input::Link { entity: entity(), after: None, create: true, limit: 10 });
        self.settle();
    }

    /// Takes in one input; writes are kept, reads answered at once.
    fn feed(&mut self, input: Input<'_>) {
        self.now += 10;
        let clocks = Clocks { now: Millis(self.now), offsets: Vec::new() };
        let step = step(&self.rules, &self.view, &clocks, input).unwrap();
        self.view.apply(&step.changes);
        for effect in step.effects {
            match effect {
                Effect::Read { home: at, .. } => self.read(usize::from(at == home(THERE))),
                Effect::Write { home: at, items, .. } => {
                    let side = usize::from(at == home(THERE));
                    self.left.extend(items.into_iter().map(|(record, item)| (side, record, item)));
                }
                Effect::LookUp { .. } | Effect::Delete { .. } => panic!("nothing is created or deleted"),
            }
        }
    }

    fn values(&self, side: usize) -> [String; 4] {
        let last = |history: &Vec<(i64, String, Mark)>| history.last().map(|last| last.1.clone()).unwrap_or_default();
        self.worlds[side].history.each_ref().map(last)
    }

    fn raws(&self, side: usize) -> Vec<Raw> {
        self.rules.entities[0].properties_at(home(side)).map(|name| raw(&self.values(side)[place(name)])).collect()
    }

    fn mark(&self, side: usize) -> Mark {
        match (self.worlds[side].source, self.worlds[side].ours) {
            (SourceKind::History, _) => Mark::Unknown,
            (_, true) => Mark::Ours,
            (_, false) => Mark::Theirs,
        }
    }

    fn timing(&self) -> Timing {
        Timing { sent: Millis(self.now), offset: Default::default() }
    }

    /// A listing of all that is there.
    fn list(&mut self, side: usize, pass: Pass) {
        self.now += 10;
        let raws = self.raws(side);
        let raw = RawDigest::of_bytes(format!("{raws:?}").as_bytes());
        let (modified, mark) = (Millis(self.worlds[side].modified), self.mark(side));
        let rows = [RawRow { remote: remote(), modified, raw, mark, who: None }];
        let (timing, decoder) = (self.timing(), OneRow(raws));
        let (entity, home, complete) = (entity(), home(side), Some(timing));
        self.feed(Input::Page(PageRows {
            entity,
            home,
            pass,
            rows: &rows,
            decoder: &decoder,
            timing,
            cursor: None,
            complete,
        }));
    }

    fn read(&mut self, side: usize) {
        self.reads += 1;
        self.now += 10;
        let past = |(at, value, mark): &(i64, String, Mark)| PastValue {
            value: raw(value),
            at: Millis(*at),
            mark: *mark,
            who: None,
        };
        let history = match self.worlds[side].source {
            SourceKind::History => {
                let of = |name: &String| self.worlds[side].history[place(name)].iter().rev().map(past).collect();
                self.rules.entities[0].properties_at(home(side)).map(of).collect()
            }
            _ => Vec::new(),
        };
        let (modified, mark, values) = (Millis(self.worlds[side].modified), self.mark(side), self.raws(side));
        let rows = vec![ReadRow { remote: remote(), modified, mark, who: None, values, history }];
        let (asked, timing) = (vec![remote()], self.timing());
        self.feed(Input::Read(Reads { entity: entity(), home: home(side), asked, rows, timing }));
    }

    /// Somebody, or a write of ours, enters a value at a time.
    fn enter(&mut self, side: usize, at: i64, name: &str, value: &str, mark: Mark) {
        let world = &mut self.worlds[side];
        let history = &mut world.history[place(name)];
        if history.last().is_none_or(|last| last.1 != value) {
            history.push((at, value.to_owned(), mark));
        }
        world.modified = world.modified.max(at);
        world.ours = mark == Mark::Ours;
    }

    fn edit(&mut self, side: usize, name: &str, value: &str) {
        self.now += 10;
        self.enter(side, self.now, name, value, Mark::Theirs);
    }

    /// What has left lands, with its parts so many milliseconds apart, and is answered.
    fn land(&mut self, apart: i64) {
        for (side, record, item) in std::mem::take(&mut self.left) {
            for (name, value) in &item.fields {
                self.now += apart;
                let text = match value {
                    Raw::Text(text) => text,
                    Raw::Null => "",
                    other => panic!("{other:?}"),
                };
                self.enter(side, self.now, name, text, Mark::Ours);
            }
            let outcome = Outcome::Done { remote: remote(), created: None };
            self.answer(side, record, &item, outcome);
        }
    }

    fn answer(&mut self, side: usize, record: RecordId, item: &WriteItem, outcome: Outcome) {
        let answers = vec![Answer::of(record, item, outcome)];
        self.feed(Input::Answers(Answers { entity: entity(), system: system(side), answers }));
    }

    /// Lets the engine look for work, once.
    fn work(&mut self) {
        self.now += 1_000;
        self.feed(Input::Sweep { entity: entity(), after: None, limit: 10 });
        for side in [HERE, THERE] {
            self.feed(Input::Work { entity: entity(), system: system(side), create: true });
        }
    }

    /// Everything is listed, written and read back until nothing is left; what was written.
    fn settle(&mut self) -> Vec<(usize, Vec<String>)> {
        let mut written = Vec::new();
        for _ in 0..40 {
            for side in [HERE, THERE] {
                if self.worlds[side].source != SourceKind::Stream {
                    self.list(side, Pass::Changes);
                }
            }
            self.work();
            written.extend(self.left.iter().map(|(side, _, item)| (*side, names(item))));
            self.land(0);
        }
        assert_eq!((self.view.outbox_len(entity()), self.view.reread_len()), (Ok(0), Ok(0)));
        written
    }

    /// What both show in the end.
    fn end(&mut self) -> [String; 3] {
        self.settle();
        let [_, city, street, zip] = self.values(HERE);
        assert_eq!(self.values(THERE), self.values(HERE));
        [city, street, zip]
    }

    fn event(&mut self, fields: &[(&str, &str)], position: u64, mark: Mark) {
        self.now += 10;
        for (name, value) in fields {
            self.enter(THERE, self.now, name, value, mark);
        }
        self.tell(fields, position, mark);
    }

    /// The stream tells of what happened there just now.
    fn tell(&mut self, fields: &[(&str, &str)], position: u64, mark: Mark) {
        let place = Place { time: Millis(self.now), position: Some(position) };
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), raw(value))).collect();
        let events = vec![Event { remote: remote(), place, fields, mark }];
        self.now += 10;
        let delivered = Place { time: Millis(self.now), position: Some(position) };
        self.feed(Input::Events(Events { entity: entity(), home: home(THERE), events, delivered }));
    }
}

fn entity() -> EntityId {
    EntityId::of("person")
}

fn place(name: &str) -> usize {
    PROPERTIES.iter().position(|property| *property == name).unwrap()
}

fn names(item: &WriteItem) -> Vec<String> {
    assert!(matches!(item.target, Target::Update(_)));
    item.fields.iter().map(|(name, _)| name.clone()).collect()
}

const EXACT: [SourceKind; 2] = [SourceKind::History, SourceKind::History];
const MIXED: [SourceKind; 2] = [SourceKind::History, SourceKind::Polled];

fn prefer(system: &str) -> ConflictSpec {
    ConflictSpec::Prefer(system.into())
}

#[test]
fn an_edit_of_one_field_goes_with_all_of_its_group() {
    for sources in [EXACT, MIXED] {
        for side in [HERE, THERE] {
            let mut case = Case::new(sources, ConflictSpec::Latest);
            assert_eq!(case.settle(), [], "linking equal records writes nothing");
            case.edit(side, "zip", "53115");
            assert_eq!(case.settle(), [(1 - side, ["city", "street", "zip"].map(str::to_owned).to_vec())]);
            assert_eq!(case.end(), ["Bonn", "Main 1", "53115"]);
        }
    }
}

#[test]
fn of_two_edits_of_different_fields_one_wins_and_nothing_is_mixed() {
    for (sources, conflict, wanted) in [
        (EXACT, prefer("here"), ["Cologne", "Main 1", "53113"]),
        (EXACT, prefer("there"), ["Bonn", "Main 1", "50667"]),
        (EXACT, ConflictSpec::Latest, ["Bonn", "Main 1", "50667"]),
        (MIXED, prefer("here"), ["Cologne", "Main 1", "53113"]),
        (MIXED, prefer("there"), ["Bonn", "Main 1", "50667"]),
    ] {
        let mut case = Case::new(sources, conflict.clone());
        case.edit(HERE, "city", "Cologne");
        case.edit(THERE, "zip", "50667");
        assert_eq!(case.end(), wanted, "{conflict:?}");
    }
}

#[test]
fn people_of_one_system_who_edit_different_fields_both_count() {
    let mut case = Case::new(EXACT, prefer("there"));
    case.edit(HERE, "city", "Cologne");
    case.now += 5_000;
    case.edit(HERE, "zip", "50667");
    assert_eq!(case.end(), ["Cologne", "Main 1", "50667"]);
}

/// A history is read late: the edit in it had not seen the other, which was written over it meanwhile.
#[test]
fn an_edit_that_a_history_tells_late_is_judged_as_the_group_was_then() {
    for (conflict, wanted) in
        [(prefer("there"), ["Bonn", "Main 1", "50667"]), (prefer("here"), ["Cologne", "Main 1", "53113"])]
    {
        let mut case = Case::new(EXACT, conflict);
        case.edit(HERE, "city", "Cologne");
        case.list(HERE, Pass::Changes);
        case.work();
        // On its way to the other side, where somebody edits another field before it lands.
        case.work();
        assert_eq!(case.left.len(), 1);
        case.edit(THERE, "zip", "50667");
        case.now += 50;
        case.land(0);
        assert_eq!(case.values(THERE)[1..], ["Cologne", "Main 1", "53113"], "it was written over");
        assert_eq!(case.end(), wanted);
    }
}

#[test]
fn a_write_whose_parts_are_dated_a_hair_apart_is_one_write() {
    let mut case = Case::new(EXACT, ConflictSpec::Latest);
    case.edit(HERE, "city", "Cologne");
    case.edit(HERE, "zip", "50667");
    case.list(HERE, Pass::Changes);
    case.work();
    case.work();
    case.land(20);
    case.settle();
    assert_eq!(case.end(), ["Cologne", "Main 1", "50667"]);
    let alarms =
        case.view.journal(0, usize::MAX).filter(|(_, entry)| format!("{:?}", entry.what).contains("Alarm")).count();
    assert_eq!(alarms, 0, "no part of it was taken for a write that nobody knows");
}

#[test]
fn an_edit_behind_a_write_in_flight_waits_and_follows() {
    for sources in [EXACT, MIXED] {
        let mut case = Case::new(sources, ConflictSpec::Latest);
        case.edit(HERE, "city", "Cologne");
        case.list(HERE, Pass::Changes);
        case.work();
        case.work();
        case.land(0);
        // Before the write is read back, somebody there goes on from what it shows.
        case.edit(THERE, "street", "Ring 2");
        assert_eq!(case.end(), ["Cologne", "Ring 2", "53113"]);
    }
}

#[test]
fn a_write_without_an_answer_that_did_not_land_leaves_the_others_edit_alone() {
    let mut case = Case::new(EXACT, prefer("there"));
    case.edit(HERE, "city", "Cologne");
    case.list(HERE, Pass::Changes);
    case.work();
    case.work();
    let (side, record, item) = case.left.pop().unwrap();
    case.answer(side, record, &item, Outcome::Unknown);
    case.edit(THERE, "zip", "50667");
    assert_eq!(case.end(), ["Bonn", "Main 1", "50667"]);
}

#[test]
fn an_event_of_some_fields_reads_the_record_and_our_own_settles_by_itself() {
    let mut case = Case::new([SourceKind::History, SourceKind::Stream], ConflictSpec::Latest);
    case.event(&[("zip", "50667")], 1, Mark::Theirs);
    assert_eq!(case.view.reread_len(), Ok(1), "a part of an address says nothing");
    case.now += 10;
    case.tell(&[], 2, Mark::Theirs);
    case.settle();
    assert_eq!(case.end(), ["Bonn", "Main 1", "50667"]);

    case.edit(HERE, "city", "Cologne");
    case.list(HERE, Pass::Changes);
    case.work();
    case.work();
    let (_, record, item) = case.left.pop().unwrap();
    assert_eq!(names(&item), ["city", "street", "zip"]);
    case.event(&[("city", "Cologne")], 3, Mark::Ours);
    case.answer(THERE, record, &item, Outcome::Done { remote: remote(), created: None });
    let reads = case.reads;
    assert_eq!(case.view.reread_len(), Ok(0), "what it does not name is as it carried it");
    // Once more, as streams do.
    case.tell(&[("city", "Cologne")], 3, Mark::Ours);
    case.event(&[("city", "Rome"), ("street", "Via 1"), ("zip", "00100")], 4, Mark::Theirs);
    assert_eq!(case.reads, reads, "an event of all fields needs no read");
    assert_eq!(case.end(), ["Rome", "Via 1", "00100"]);
}

#[test]
fn a_first_link_mixes_nothing_and_a_blank_group_is_filled() {
    let (other, none) = ([FIRST[0], "", "", "50667"], [FIRST[0], "", "", ""]);
    let mut case = Case::unlinked(EXACT, ConflictSpec::Latest, [FIRST, other]);
    case.link();
    assert_eq!((case.values(HERE), case.values(THERE)), (FIRST.map(str::to_owned), other.map(str::to_owned)));
    case.edit(THERE, "city", "Cologne");
    assert_eq!(case.settle().len(), 1);
    assert_eq!(case.values(THERE)[1..], ["Cologne", "", "50667"], "the next edit takes all of it along");

    let mut case = Case::unlinked(EXACT, ConflictSpec::Latest, [FIRST, none]);
    case.link();
    assert_eq!(case.end(), ["Bonn", "Main 1", "53113"]);
}

#[test]
fn what_one_field_cannot_hold_holds_back_its_group_and_names_the_field() {
    let mut case = Case::new(EXACT, ConflictSpec::Latest);
    case.edit(HERE, "zip", "D-53113");
    assert_eq!(case.settle(), []);
    let problems = case.view.problems(9).unwrap();
    let [(ProblemPlace { record, .. }, problem)] = &problems[..] else { panic!("{problems:?}") };
    assert_eq!((problem.code.as_str(), &*problem.fields), ("VALUE_TOO_LONG", &["zip".to_owned()][..]));
    assert!(problem.message.starts_with("zip (zip): 7 characters"), "{}", problem.message);
    let register = case.view.record(entity(), *record).unwrap().unwrap();
    let address = register.register(FieldId::of("address")).unwrap().val.to_string();
    assert_eq!(address, "Bonn | Main 1 | D-53113");
    case.edit(HERE, "zip", "53114");
    assert_eq!(case.end(), ["Bonn", "Main 1", "53114"]);
    assert_eq!(case.view.problems(9).unwrap(), []);
}

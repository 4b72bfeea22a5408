use super::*;
use crate::engine::{Change, MemoryView, OutboxRow};
use crate::model::{Ability, Differs, FieldKind, Hlc, Home, Millis, Origin, Place, Side, Stamp};
use crate::rules::{Binding, ConflictPolicy, FieldBinding, LinkPolicy, Mismatch, Mode, StampPolicy, System};
use std::sync::Arc;

const ENTITY: EntityId = EntityId(1);
const SYSTEMS: [SystemId; 2] = [SystemId(1), SystemId(2)];
const FIELDS: [FieldId; 2] = [FieldId(1), FieldId(2)];
const OBJECT: ObjectId = ObjectId(1);

fn home(system: SystemId) -> Home {
    Home { system, object: OBJECT }
}

fn rules() -> Rules {
    let field = |id: FieldId| Field {
        sensitive: false,
        members: Vec::new(),
        shared_domains: None,
        id,
        name: format!("f{}", id.0),
        kind: FieldKind::Text,
        bindings: SYSTEMS.map(|system| FieldBinding::new(home(system), "p")).into(),
        conflict: ConflictPolicy::Latest,
        on_link: LinkPolicy::FillBlanks,
        mismatch: Mismatch::default(),
    };
    let binding = |system| Binding {
        system,
        object: "things".into(),
        object_id: OBJECT,
        create: true,
        external_id: None,
        on_create: Vec::new(),
        scope: None,
        on_delete: Default::default(),
        links: Vec::new(),
    };
    let entity = Entity {
        id: ENTITY,
        name: "thing".into(),
        bindings: SYSTEMS.map(binding).into(),
        fields: FIELDS.map(field).into(),
        match_keys: Vec::new(),
        stamp: StampPolicy::OnCreate,
        edit_against_delete: Default::default(),
    };
    let system = |id: SystemId| System {
        id,
        name: format!("s{}", id.0),
        mode: Mode::ReadWrite,
        ability: Ability::polled(),
        max_deletes: crate::rules::MAX_DELETES,
    };
    Rules {
        systems: SYSTEMS.map(system).into(),
        entities: vec![entity],
        write_budget: Rules::WRITE_BUDGET,
        max_drift_ms: Rules::MAX_DRIFT_MS,
    }
}

fn remote(number: u8) -> RemoteId {
    RemoteId::parse(&format!("r{number}")).expect("an id")
}

fn side(number: u8, system: SystemId) -> Side {
    Side {
        system,
        object: OBJECT,
        remote: remote(number),
        state: SideState::Live,
        settled: Place::at(Millis(0)),
        made: Millis::MIN,
        unbased: Vec::new(),
        differs: Vec::new(),
    }
}

/// A record with `a` and `b` in its registers, standing in so many systems.
fn record(number: u8, sides: usize) -> Record {
    let mut record = Record::new(RecordId([number; 16]), ENTITY);
    for (field, text) in FIELDS.into_iter().zip(["a", "b"]) {
        record.set(field, Value::Text(text.into()), Stamp { hlc: Hlc::from_bits(1), origin: Origin::Engine });
    }
    SYSTEMS.into_iter().take(sides).for_each(|system| record.put_side(side(number, system)));
    record
}

struct World {
    rules: Rules,
    view: MemoryView,
    remotes: Remotes,
}

impl World {
    /// Two records that stand and show the same on both sides.
    fn equal() -> Self {
        let mut world = Self { rules: rules(), view: MemoryView::new(), remotes: Remotes::default() };
        for number in [1, 2] {
            world.put(record(number, 2));
            SYSTEMS.into_iter().for_each(|system| world.shows(number, system, ["a", "b"]));
        }
        world
    }

    fn put(&mut self, record: Record) {
        self.view.apply(&[Change::PutRecord(Arc::new(record))]);
    }

    fn shows(&mut self, number: u8, system: SystemId, texts: [&str; 2]) {
        let raws = texts.map(|text| Raw::Text(text.into()));
        self.remotes.put(&self.rules.entities[0], home(system), remote(number), &raws);
    }

    fn verdict(&self) -> Verdict {
        let verdict = verify(&self.rules, &self.view, &self.remotes, ENTITY).expect("a view in memory");
        assert_eq!(verdict.records, verdict.compared + verdict.detached + verdict.unmatched, "{verdict:?}");
        verdict
    }
}

fn same_roots(verdict: &Verdict) -> bool {
    verdict.roots.windows(2).all(|pair| pair[0].1 == pair[1].1)
}

#[test]
fn equal_sides_have_one_root_that_depends_on_the_values() {
    let mut world = World::equal();
    let verdict = world.verdict();
    assert!(verdict.sound() && same_roots(&verdict) && verdict.compared == 2, "{verdict:?}");
    let before = verdict.roots[0].1;

    world.shows(1, SYSTEMS[1], ["a", "x"]);
    let verdict = world.verdict();
    assert!(!verdict.equal() && !same_roots(&verdict), "{verdict:?}");
    let [difference] = verdict.differences.as_slice() else { panic!("{verdict:?}") };
    assert_eq!((difference.record, difference.field), (RecordId([1; 16]), Some(FIELDS[1])));
    assert_eq!(verdict.doubtful.len(), 2, "both sides are worth a second look");
    assert_eq!(verdict.roots[0].1, before, "the side that shows the register's value keeps its root");
}

#[test]
fn both_sides_off_by_the_same_is_a_difference_too() {
    // Equal to each other is not equal to what was decided: somebody edited both, and nobody took it in.
    let mut world = World::equal();
    SYSTEMS.into_iter().for_each(|system| world.shows(1, system, ["a", "x"]));
    let verdict = world.verdict();
    assert!(!verdict.equal() && same_roots(&verdict), "{verdict:?}");
}

#[test]
fn what_is_kept_apart_or_on_its_way_is_counted_and_left_out() {
    let mut world = World::equal();
    let mut split = record(1, 2);
    let differs = Differs { field: FIELDS[0], shown: Value::Text("x".into()), apart: Some(Apart::Split), wanted: None };
    split.side_mut(SYSTEMS[1]).expect("a side").differs.push(differs);
    world.put(split);
    world.shows(1, SYSTEMS[1], ["x", "b"]);
    let verdict = world.verdict();
    assert!(verdict.sound() && same_roots(&verdict) && verdict.excluded.split == 1, "{verdict:?}");

    world.shows(2, SYSTEMS[1], ["a", "x"]);
    let row = OutboxRow {
        object: OBJECT,
        due: Millis(0),
        task: crate::engine::Task::Update,
        seen: Millis(0),
        looked: None,
        probe: None,
        flying: None,
        attempts: 0,
    };
    world.view.apply(&[Change::SetOutbox(SYSTEMS[1], ENTITY, RecordId([2; 16]), Some(row))]);
    let verdict = world.verdict();
    assert!(!verdict.equal() && verdict.differences.is_empty() && verdict.excluded.pending == 1, "{verdict:?}");

    // A record that is about to be created counts as compared, with all its fields on their way.
    let mut world = World::equal();
    world.put(record(3, 1));
    world.shows(3, SYSTEMS[0], ["a", "b"]);
    let create = OutboxRow { task: crate::engine::Task::Create, ..row };
    world.view.apply(&[Change::SetOutbox(SYSTEMS[1], ENTITY, RecordId([3; 16]), Some(create))]);
    let verdict = world.verdict();
    assert_eq!((verdict.compared, verdict.excluded.pending, verdict.unmatched), (3, 2, 0), "{verdict:?}");
}

#[test]
fn a_digest_is_enough_of_what_shows_what_the_mirror_holds() {
    let raws = |texts: [&str; 2]| texts.map(|text| Raw::Text(text.into()));
    let mut world = World::equal();
    let mut split = record(3, 2);
    let differs = Differs { field: FIELDS[0], shown: Value::Text("x".into()), apart: Some(Apart::Split), wanted: None };
    split.side_mut(SYSTEMS[1]).expect("a side").differs.push(differs);
    world.put(split);
    let rows = [(1, ["a", "b"], ["a", "b"]), (2, ["a", "b"], ["a", "b"]), (3, ["a", "b"], ["x", "b"])];
    let mut noted = Remotes::default();
    for (number, one, other) in rows {
        for (system, texts) in SYSTEMS.into_iter().zip([one, other]) {
            world.shows(number, system, texts);
            noted.note(&world.rules.entities[0], home(system), remote(number), &raws(texts));
        }
    }
    // Entered since, and one that nobody knows.
    noted.note(&world.rules.entities[0], home(SYSTEMS[1]), remote(9), &raws(["a", "b"]));
    world.shows(9, SYSTEMS[1], ["a", "b"]);
    let whole = world.verdict();
    assert!(whole.sound() && (whole.compared, whole.unmatched, whole.excluded.split) == (3, 1, 1), "{whole:?}");
    world.remotes = noted;
    assert_eq!(world.verdict(), whole);
    assert_eq!(world.remotes.rows(ENTITY, home(SYSTEMS[0])).count(), 0);

    // What shows something else is wanted as a whole, on all sides.
    world.remotes.note(&world.rules.entities[0].clone(), home(SYSTEMS[1]), remote(1), &raws(["a", "x"]));
    let doubted = world.verdict();
    assert!(!doubted.equal() && doubted.differences.is_empty() && doubted.excluded.pending == 2, "{doubted:?}");
    assert_eq!(doubted.doubtful, SYSTEMS.map(|system| (home(system), remote(1))));
    world.shows(1, SYSTEMS[1], ["a", "x"]);
    assert_eq!(world.verdict().differences.len(), 1);
    // One that is gone is gone.
    world.remotes.remove(ENTITY, home(SYSTEMS[1]), &remote(2));
    assert_eq!(world.verdict().differences.len(), 2);

    // A value that cannot be read has no digest.
    world.rules.entities[0].fields[0].kind = FieldKind::Integer;
    world.remotes.note(&world.rules.entities[0].clone(), home(SYSTEMS[0]), remote(1), &raws(["a", "b"]));
    assert_eq!(world.remotes.rows(ENTITY, home(SYSTEMS[0])).next().map(|(_, row)| &row[0]), Some(&None));
}

#[test]
fn records_without_a_counterpart_are_told_apart() {
    let mut world = World::equal();
    world.put(record(3, 1));
    world.shows(3, SYSTEMS[0], ["a", "b"]);
    let mut detached = record(4, 2);
    detached.side_mut(SYSTEMS[1]).expect("a side").state = SideState::Detached;
    world.put(detached);
    world.shows(4, SYSTEMS[0], ["a", "b"]);
    // Entered since the last poll.
    world.shows(5, SYSTEMS[1], ["a", "b"]);
    let verdict = world.verdict();
    assert_eq!((verdict.compared, verdict.detached, verdict.unmatched), (2, 1, 2), "{verdict:?}");
    assert!(verdict.sound(), "{verdict:?}");

    world.remotes.remove(ENTITY, home(SYSTEMS[0]), &remote(1));
    let verdict = world.verdict();
    assert_eq!(verdict.differences.first().map(|difference| difference.field), Some(None), "{verdict:?}");
}

#[test]
fn what_a_side_cannot_hold_is_a_problem_once_it_is_listed() {
    let mut world = World::equal();
    world.rules.entities[0].fields[0].bindings[1].limits.length = Some(3);
    let mut held = record(1, 2);
    held.set(FIELDS[0], Value::Text("long".into()), Stamp { hlc: Hlc::from_bits(2), origin: Origin::Engine });
    let side = held.side_mut(SYSTEMS[1]).expect("a side");
    side.differs.push(Differs { field: FIELDS[0], shown: Value::Text("a".into()), apart: None, wanted: None });
    world.put(held);
    world.shows(1, SYSTEMS[0], ["long", "b"]);
    assert_eq!(world.verdict().differences.len(), 1, "nobody was told");
    let problem = crate::engine::Problem {
        since: Millis(0),
        code: "VALUE_TOO_LONG".into(),
        message: String::new(),
        fields: vec!["f1".into()],
    };
    let of = RecordId([1; 16]);
    world.view.apply(&[Change::SetFieldProblem(ENTITY, of, SYSTEMS[1], FIELDS[0], Some(Box::new(problem)))]);
    let verdict = world.verdict();
    assert!(
        verdict.equal() && !verdict.sound() && verdict.excluded.problem == 1 && same_roots(&verdict),
        "{verdict:?}"
    );
}

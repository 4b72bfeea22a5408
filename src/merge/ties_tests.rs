use super::*;
use crate::merge::{Landing, SideField, SideRules};
use crate::model::{FieldId, FieldKind, Home, ObjectId, OpId, SourceKind, SystemId, Tied};
use crate::rules::{ConflictPolicy, Field, FieldBinding, LinkPolicy, Mismatch};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const STRAY_MS: i64 = 600_000;

fn system(side: usize) -> SystemId {
    SystemId(side as u32 + 1)
}

fn tied(to: u8) -> Tied {
    Tied::plain(RecordId([to; 16]))
}

fn set(of: &[u8]) -> Value {
    Value::ties(of.iter().map(|to| tied(*to)))
}

/// One record's ties in two systems.
struct Story {
    field: Field,
    state: FieldState,
    remotes: [Value; 2],
    now: i64,
    ops: u64,
    /// Writes that were given up, and may land yet.
    out: Vec<(usize, i64, TieChange)>,
    fates: Vec<Fate>,
}

impl Story {
    fn of(shown: [&[u8]; 2]) -> Self {
        let binding =
            |side| FieldBinding::new(Home { system: system(side), object: ObjectId(1) }, "associations:people");
        let field = Field {
            id: FieldId(1),
            name: "people".to_owned(),
            kind: FieldKind::Refs { to: crate::model::EntityId(7) },
            bindings: (0..2).map(binding).collect(),
            conflict: ConflictPolicy::Latest,
            on_link: LinkPolicy::FillBlanks,
            mismatch: Mismatch::default(),
            sensitive: false,
            shared_domains: None,
            members: Vec::new(),
        };
        let state = FieldState::new(field.id);
        let remotes = shown.map(set);
        let mut story = Self { field, state, remotes, now: 1, ops: 0, out: Vec::new(), fates: Vec::new() };
        for side in 0..2 {
            story
                .state
                .sides
                .push(SideField::new(Home { system: system(side), object: ObjectId(1) }, Place::at(Millis(0))));
            let shown = story.remotes[side].clone();
            story.with(|state, rules, fates| {
                state.link(rules, side, shown, Place::at(Millis(0)), Millis(0), fates);
            });
        }
        story
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut FieldState, &FieldRules<'_>, &mut Vec<Fate>) -> T) -> T {
        let sides = (0..self.state.sides.len()).map(|side| SideRules {
            rank: side,
            step_ms: 1,
            source: SourceKind::Polled,
            stray_ms: STRAY_MS,
            latest: Millis(self.now),
            ahead_ms: 0,
            binding: &self.field.bindings[side],
        });
        let rules =
            FieldRules { policy: &self.field.conflict, coarse_ms: 1, field: &self.field, sides: sides.collect() };
        act(&mut self.state, &rules, &mut self.fates)
    }

    /// A person ties or unties.
    fn edit(&mut self, side: usize, to: u8, on: bool) {
        self.now += 5;
        let one = BTreeSet::from([tied(to)]);
        let change = match on {
            true => TieChange { added: one, ..TieChange::default() },
            false => TieChange { removed: one, ..TieChange::default() },
        };
        self.remotes[side] = change.on(&self.remotes[side]);
    }

    fn read(&mut self, side: usize) -> SnapshotFate {
        self.now += GRACE_MS + 1;
        let (value, begun, now) = (self.remotes[side].clone(), Millis(self.now), Millis(self.now));
        let sight = Sight { value, begun, asked: begun, gone: Vec::new() };
        self.with(|state, rules, fates| state.ties(rules, side, sight, now, fates))
    }

    /// What the side is owed leaves. `landed`, `answered`: what becomes of it.
    fn write(&mut self, side: usize, landed: bool, answered: bool) {
        self.now += 5;
        let own = &self.state.sides[side];
        let change = TieChange::between(&own.shown, &self.state.value);
        if own.late.flight.is_some() || change.is_empty() {
            return;
        }
        self.ops += 1;
        let (op, shows, now) = (OpId(self.ops), change.on(&own.shown), Millis(self.now));
        self.state.fly(side, op, shows, (now, now), now.plus(60_000));
        match landed {
            true => self.remotes[side] = change.on(&self.remotes[side]),
            false => self.out.push((side, self.now + STRAY_MS, change)),
        }
        let landing = if landed && answered { Landing::Answered } else { Landing::Unknown };
        self.now += 1;
        let now = Millis(self.now);
        self.with(|state, rules, fates| state.answered(rules, side, op, landing, now, fates));
    }

    /// One that was given up lands, if it is in time.
    fn land_late(&mut self) {
        if let Some((side, until, change)) = self.out.pop().filter(|(_, until, _)| *until > self.now) {
            let _ = until;
            self.remotes[side] = change.on(&self.remotes[side]);
        }
    }

    /// Has a write that nobody answered, or not yet, to do with this tie?
    fn is_out(&self, side: usize, to: u8) -> bool {
        let own = &self.state.sides[side];
        let flight = own.late.flight.iter().map(|flight| TieChange::between(&own.shown, &flight.value));
        let strays = own.late.strays.iter().map(|stray| of_note(&stray.value));
        let names = |change: TieChange| change.added.contains(&tied(to)) || change.removed.contains(&tied(to));
        flight.chain(strays).any(names)
    }

    fn prune(&mut self) {
        let now = Millis(self.now);
        for side in &mut self.state.sides {
            side.settled = Place::at(now.plus(-1));
        }
        self.with(|state, rules, _| state.prune(rules, now));
    }

    /// Reads and writes until nothing is left to do.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 50, "it never ends");
            for side in 0..2 {
                self.read(side);
                self.write(side, true, true);
            }
            let rests = |side: &SideField| side.late.flight.is_none() && side.shown == self.state.value;
            if self.state.sides.iter().all(rests) && self.remotes.iter().all(|remote| *remote == self.state.value) {
                return;
            }
        }
    }
}

#[test]
fn while_a_write_flies_other_ties_are_judged_and_its_own_are_not() {
    let mut story = Story::of([&[1], &[1]]);
    story.edit(0, 2, true);
    story.read(0);
    story.write(1, false, false);
    // It has not landed; meanwhile a person there ties 3 and unties 1.
    story.edit(1, 3, true);
    story.edit(1, 1, false);
    story.read(1);
    assert_eq!(story.state.value, set(&[2, 3]), "2 is none of theirs, and nobody took it away");
    // Given up, it lands: it is nobody's edit.
    story.land_late();
    story.edit(0, 2, false);
    story.read(0);
    assert_eq!(story.state.value, set(&[3]));
    story.read(1);
    assert_eq!(story.state.value, set(&[3]), "no resurrection");
    story.settle();
    assert_eq!(story.remotes, [set(&[3]), set(&[3])]);
}

#[test]
fn what_an_answered_write_does_not_show_was_taken_back_but_not_at_once() {
    let mut story = Story::of([&[], &[]]);
    story.edit(0, 2, true);
    story.read(0);
    story.write(1, true, true);
    story.edit(1, 2, false);
    // A read that follows the answer at once may not show it yet.
    let (begun, value) = (Millis(story.now + 1), story.remotes[1].clone());
    let sight = Sight { value, begun, asked: begun, gone: Vec::new() };
    let fate = story.with(|state, rules, fates| state.ties(rules, 1, sight, begun, fates));
    assert_eq!((fate, story.state.value.clone()), (SnapshotFate::Reread, set(&[2])));
    story.read(1);
    assert_eq!(story.state.value, Value::Null);
    story.settle();
    assert_eq!(story.remotes, [Value::Null, Value::Null]);
}

#[test]
fn a_tie_whose_end_is_gone_is_nobodys_edit() {
    let mut story = Story::of([&[1, 2], &[1, 2]]);
    let sight = Sight { value: set(&[2]), begun: Millis(50), asked: Millis(50), gone: vec![RecordId([1; 16])] };
    story.with(|state, rules, fates| state.ties(rules, 0, sight, Millis(50), fates));
    assert_eq!((story.state.value.clone(), story.state.sides[0].shown.clone()), (set(&[1, 2]), set(&[2])));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever is lost, late or repeated: all end equal; who was only ever tied is tied, who was only ever untied is not, and of
    /// whom nobody touched nothing changes. Of a tie that a write without an answer touches as well, nobody can say whose it was.
    #[test]
    fn all_end_equal_and_nothing_is_lost(
        first in (prop::collection::vec(0u8..5, 0..4), prop::collection::vec(0u8..5, 0..4)),
        steps in prop::collection::vec((0u8..12, 0usize..2, 0u8..5), 0..40),
    ) {
        let mut story = Story::of([&first.0, &first.1]);
        let union: Vec<u8> = first.0.iter().chain(&first.1).copied().collect();
        let mut touched: BTreeMap<u8, Vec<bool>> = BTreeMap::new();
        let mut doubtful: BTreeSet<u8> = BTreeSet::new();
        for (what, side, to) in steps {
            match what {
                0..=2 => {
                    // People touch what they see otherwise.
                    let on = !story.remotes[side].tied().contains(&tied(to));
                    touched.entry(to).or_default().push(on);
                    if story.is_out(side, to) {
                        doubtful.insert(to);
                    }
                    story.edit(side, to, on);
                }
                3..=5 => drop(story.read(side)),
                6 => story.write(side, true, true),
                7 => story.write(side, true, false),
                8 => story.write(side, false, false),
                9 => story.land_late(),
                10 => story.prune(),
                _ => story.now += 60_000,
            }
        }
        story.settle();
        prop_assert_eq!(&story.remotes[0], &story.remotes[1]);
        for to in (0..5).filter(|to| !doubtful.contains(to)) {
            let tied = story.remotes[0].tied().contains(&tied(to));
            match touched.get(&to).map(Vec::as_slice) {
                None => prop_assert_eq!(tied, union.contains(&to), "{}", to),
                Some(touches) if touches.iter().all(|on| *on) => prop_assert!(tied, "{} was only ever tied", to),
                Some(touches) if touches.iter().all(|on| !*on) => prop_assert!(!tied, "{} was only ever untied", to),
                Some(_) => {}
            }
        }
        // And nothing is kept for ever.
        story.now += 2 * STRAY_MS;
        story.prune();
        prop_assert!(story.state.sides.iter().all(|side| side.late.is_empty()), "{:?}", story.state.sides);
    }
}

//! One field of one record, and what happens to it.

use syncline::merge::{Evidence, Fate, FieldRules, FieldState, Landing, SideField, SideRules, Snapshot, SnapshotFate};
use syncline::model::{FieldId, FieldKind, Home, Mark, Millis, ObjectId, OpId, Place, SourceKind, SystemId, Value};
use syncline::rules::ConflictPolicy;
use syncline::rules::{Field, FieldBinding, LinkPolicy, Mismatch};

pub const STRAY_MS: i64 = 30_000;
pub const HOUR: i64 = 3_600_000;
pub const A: usize = 0;
pub const B: usize = 1;
pub const C: usize = 2;

pub fn system(side: usize) -> SystemId {
    SystemId(side as u32 + 1)
}

pub fn text(value: &str) -> Value {
    if value.is_empty() { Value::Null } else { Value::Text(value.into()) }
}

/// One field of one record, in two or three systems whose clocks are right.
pub struct Story {
    pub field: Field,
    sources: Vec<SourceKind>,
    pub state: FieldState,
    pub now: i64,
    ops: u64,
    pub fates: Vec<Fate>,
}

impl Story {
    /// The sides show `shown` and are linked at time 0.
    pub fn linked(conflict: ConflictPolicy, on_link: LinkPolicy, source: SourceKind, shown: &[&str]) -> Self {
        let binding = |side| FieldBinding::new(Home { system: system(side), object: ObjectId(1) }, "name");
        let bindings = (0..shown.len()).map(binding).collect();
        let (id, name, kind) = (FieldId(1), "name".to_owned(), FieldKind::Text);
        let field = Field {
            id,
            name,
            kind,
            bindings,
            conflict,
            on_link,
            mismatch: Mismatch::default(),
            sensitive: false,
            members: Vec::new(),
            shared_domains: None,
        };
        let state = FieldState::new(id);
        let sources = vec![source; shown.len()];
        let mut story = Self { field, sources, state, now: 0, ops: 0, fates: Vec::new() };
        for (side, value) in shown.iter().enumerate() {
            story
                .state
                .sides
                .push(SideField::new(Home { system: system(side), object: ObjectId(1) }, Place::at(Millis(0))));
            story.with(|state, rules, fates| {
                state.link(rules, side, text(value), Place::at(Millis(0)), Millis(0), fates);
            });
        }
        story
    }

    /// All sides show "old".
    pub fn of(conflict: ConflictPolicy, source: SourceKind, sides: usize) -> Self {
        Self::linked(conflict, LinkPolicy::FillBlanks, source, &vec!["old"; sides])
    }

    pub fn with<T>(&mut self, act: impl FnOnce(&mut FieldState, &FieldRules<'_>, &mut Vec<Fate>) -> T) -> T {
        let sides = self.sources.iter().enumerate().map(|(side, source)| SideRules {
            rank: side,
            step_ms: 1,
            source: *source,
            stray_ms: STRAY_MS,
            latest: Millis(self.now),
            ahead_ms: 0,
            binding: &self.field.bindings[side],
        });
        let sides = sides.take(self.state.sides.len()).collect();
        let rules = FieldRules { policy: &self.field.conflict, coarse_ms: 1, field: &self.field, sides };
        act(&mut self.state, &rules, &mut self.fates)
    }

    pub fn tell(&mut self, side: usize, value: &str, at: i64, mark: Mark) {
        self.tell_place(side, value, Place::at(Millis(at)), mark);
    }

    pub fn tell_place(&mut self, side: usize, value: &str, place: Place, mark: Mark) {
        self.now = self.now.max(place.time.0);
        let evidence = Evidence { place, value: text(value), mark };
        self.with(|state, rules, fates| state.evidence(rules, side, &evidence, false, fates));
    }

    /// A side tells of an edit by a person.
    pub fn person(&mut self, side: usize, value: &str, at: i64) {
        self.tell(side, value, at, Mark::Theirs);
    }

    /// Whoever operates Syncline decides, or takes back.
    pub fn operator(&mut self, author: SystemId, value: &str, at: i64) {
        self.now = self.now.max(at);
        self.with(|state, rules, fates| state.operate(rules, author, text(value), Millis(at), fates));
    }

    /// A side tells that a write of ours landed.
    pub fn lands(&mut self, side: usize, value: &str, at: i64) {
        self.tell(side, value, at, Mark::Ours);
    }

    /// A read that began now shows a value.
    pub fn read(&mut self, side: usize, value: &str, modified: i64, theirs: bool) -> SnapshotFate {
        self.read_as(side, value, modified, (theirs, false))
    }

    /// The same of a record that was changed last by somebody else, and this field alone; or by us, with the write in flight.
    pub fn read_as(&mut self, side: usize, value: &str, modified: i64, (theirs, ours): (bool, bool)) -> SnapshotFate {
        let snapshot = Snapshot {
            value: text(value),
            begun: Millis(self.now),
            modified: Millis(modified),
            since: Millis(0),
            asked: Millis(self.now),
            alone: true,
            landed: false,
            theirs,
            ours,
            told: Snapshot::ALL_TOLD,
        };
        let now = Millis(self.now);
        self.with(|state, rules, fates| state.snapshot(rules, side, snapshot, now, fates))
    }

    /// Is a write to this side due?
    pub fn owes(&mut self, side: usize) -> bool {
        let shows = self.with(|state, rules, _| state.shows_register(rules, side));
        let state = &self.state.sides[side];
        !shows && state.apart.is_none() && state.late.flight.is_none()
    }

    /// A write leaves at a time.
    pub fn send(&mut self, side: usize, at: i64) -> OpId {
        assert!(self.owes(side), "nothing to write");
        self.now = self.now.max(at);
        self.ops += 1;
        let op = OpId(self.ops);
        let (value, sent) = (self.state.value.clone(), Millis(at));
        self.state.fly(side, op, value, (sent, sent), Millis(at + 60_000));
        op
    }

    pub fn answer(&mut self, side: usize, op: OpId, landing: Landing) {
        let now = Millis(self.now);
        self.with(|state, rules, fates| state.answered(rules, side, op, landing, now, fates));
    }

    /// Everything up to now was told, and no write of ours was in it.
    pub fn no_trace(&mut self, side: usize) {
        self.with(|state, rules, fates| state.no_trace(rules, side, fates));
    }

    /// A write that leaves, lands and is answered at once.
    pub fn write(&mut self, side: usize, at: i64) {
        let op = self.send(side, at);
        let Value::Text(value) = self.state.value.clone() else { panic!("a text") };
        self.answer(side, op, Landing::Answered);
        self.lands(side, &value, at);
    }

    /// What is owed is written, and everybody has seen everything.
    pub fn settle(&mut self, at: i64) {
        for side in 0..self.state.sides.len() {
            if self.owes(side) {
                self.write(side, at);
            }
        }
        self.now = at;
        self.close();
    }

    pub fn close(&mut self) {
        let now = Millis(self.now);
        self.with(|state, rules, _| state.close(rules, |_| now));
    }

    pub fn forget(&mut self) -> bool {
        let now = Millis(self.now);
        self.with(|state, rules, _| state.prune(rules, now))
    }

    pub fn value(&self) -> String {
        match &self.state.value {
            Value::Text(value) => value.clone().into(),
            _ => String::new(),
        }
    }

    pub fn shows(&self, side: usize) -> &Value {
        &self.state.sides[side].shown
    }

    pub fn lost(&self, value: &str) -> bool {
        self.fates.iter().any(|fate| matches!(fate, Fate::Lost { value: lost, .. } if *lost == text(value)))
    }
}

//! An edit arrives: seen, waiting, superseded, or decided.

use super::operate::{is_over, outranking};
use super::policy::{self, Ground, Verdict};
use super::{Edit, Entry, EntryKind, FieldState, SettledBy, Taken, Turn};
use crate::model::{Apart, Millis, OpId, Origin, Place, SourceKind, Stamp, SystemId, Value};
use crate::rules::{ConflictPolicy, Field, FieldBinding};

/// What the rules must know of a field's surroundings.
#[derive(Clone)]
pub struct FieldRules<'a> {
    /// Who wins.
    pub policy: &'a ConflictPolicy,
    /// The coarsest resolution of the entity's systems, in milliseconds.
    pub coarse_ms: i64,
    /// The field.
    pub field: &'a Field,
    /// One per side of the state, in the same order.
    pub sides: Vec<SideRules<'a>>,
}

/// What the rules must know of one side.
#[derive(Clone)]
pub struct SideRules<'a> {
    /// Place in the ranking, 0 = highest.
    pub rank: usize,
    /// Step of this system's times, in milliseconds.
    pub step_ms: i64,
    /// What its source promises.
    pub source: SourceKind,
    /// How long a lost request may still land, in milliseconds.
    pub stray_ms: i64,
    /// The latest time that its clock can show now.
    pub latest: Millis,
    /// How far its clock can be ahead of ours, in milliseconds.
    pub ahead_ms: i64,
    /// The field's counterpart.
    pub binding: &'a FieldBinding,
}

impl FieldRules<'_> {
    /// What side `ix` would show of a value.
    pub fn project(&self, ix: usize, value: &Value) -> Value {
        self.field.project(self.sides[ix].binding, value)
    }

    /// Is that how side `ix` shows a value?
    pub fn is_shown(&self, ix: usize, value: &Value, shown: &Value) -> bool {
        *self.field.projected(self.sides[ix].binding, value) == *shown
    }

    /// Can side `ix` hold a value?
    pub fn fits(&self, ix: usize, value: &Value) -> bool {
        self.field.fits(self.sides[ix].binding, value).is_ok()
    }
}

/// Something that the journal must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The register took a value.
    Took {
        /// Before.
        from: Value,
        /// After.
        to: Value,
        /// The new stamp.
        stamp: Stamp,
        /// Whose edit.
        system: SystemId,
        /// Where.
        place: Place,
        /// Had it rivals?
        contested: bool,
    },
    /// An edit's value does not hold.
    Lost {
        /// The value.
        value: Value,
        /// Whose.
        system: SystemId,
        /// Where.
        place: Place,
        /// Superseded by a later edit of its own side, rather than by the policy?
        at_home: bool,
    },
    /// The first link decided about two different values.
    Linked {
        /// The linked system.
        system: SystemId,
        /// The register's value before.
        from: Value,
        /// The register's value from now on.
        to: Value,
        /// The other value.
        other: Value,
        /// Do both stay where they are?
        split: bool,
        /// What is to be written over, and where.
        over: Vec<(SystemId, Value)>,
    },
    /// A write settled.
    Settled {
        /// Where.
        system: SystemId,
        /// Which.
        op: OpId,
        /// How that is known.
        by: SettledBy,
    },
    /// The rule of one's own gave nothing of use, and the latest edit won.
    RuleFailed {
        /// Whose edit that was.
        system: SystemId,
        /// What went wrong, in words without values.
        why: String,
    },
    /// A value with our mark and no write of ours behind it.
    Alarm {
        /// Where.
        system: SystemId,
        /// On that side.
        place: Place,
    },
}

/// What became of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Known already.
    Seen,
    /// It corrected the place of a known edit.
    Refined,
    /// A write of ours is in flight: it waits.
    Waits,
    /// An older word of its own side: journaled.
    Superseded,
    /// Taken in.
    Decided,
}

/// A field as one read of its record showed it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The value in canonical form.
    pub value: Value,
    /// Earliest beginning of the read by the side's clock, floored to its step.
    pub begun: Millis,
    /// The record's modified time.
    pub modified: Millis,
    /// Beginning of the last complete read before this one.
    pub since: Millis,
    /// When the read left, by our clock.
    pub asked: Millis,
    /// Did no other field of the record move?
    pub alone: bool,
    /// Another field shows that the write in flight has landed.
    pub landed: bool,
    /// Not a write of ours that was given up: somebody else changed the record last, and nothing but this field moved.
    pub theirs: bool,
    /// We changed the record last, and with no other write than the one in flight.
    pub ours: bool,
    /// The source tells by itself what was changed at this time or later; [`Self::ALL_TOLD`] where it never does.
    pub told: Millis,
}

impl Snapshot {
    /// Of a source that tells nothing by itself.
    pub const ALL_TOLD: Millis = Millis(i64::MAX);
}

/// What became of a snapshot's field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotFate {
    /// Nothing moved.
    Same,
    /// It was judged.
    Judged,
    /// Order is in doubt: read the record again.
    Reread,
}

/// Edits that wait behind one write at most; more means that its deadline has come.
pub(super) const WAITING_MAX: usize = 64;

impl FieldState {
    /// Place of a system among the sides.
    pub fn ix(&self, system: SystemId) -> Option<usize> {
        self.sides.iter().position(|side| side.system == system)
    }

    /// Does this side show what it should?
    pub fn shows_register(&self, rules: &FieldRules<'_>, ix: usize) -> bool {
        rules.is_shown(ix, &self.value, &self.sides[ix].shown)
    }

    /// Takes in an edit by the people of side `ix`. `current` = a read shows the value now.
    pub fn edit(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        edit: Edit,
        current: bool,
        out: &mut Vec<Fate>,
    ) -> Arrival {
        let current = current && edit.value != self.sides[ix].shown;
        if !current {
            if self.seen(ix, &edit) {
                return Arrival::Seen;
            }
            if let Some(at) = self.refined_by(ix, &edit) {
                self.refine(rules, ix, at, edit, out);
                return Arrival::Refined;
            }
        }
        let side = &mut self.sides[ix];
        if let Some(flight) = &mut side.late.flight {
            if side.late.waiting.len() >= WAITING_MAX {
                flight.deadline = Millis::MIN;
            }
            if !side.late.waiting.contains(&edit) {
                side.late.waiting.push(edit);
            }
            return Arrival::Waits;
        }
        let superseded = side.late.edited.is_some_and(|edited| edit.place.before(&edited));
        if !current && superseded && !crate::defect!("superseded") {
            out.push(Fate::Lost { value: edit.value, system: side.system, place: edit.place, at_home: true });
            return Arrival::Superseded;
        }
        let (base, overtaken) = self.base(ix, &edit, current);
        if !rules.is_shown(ix, &self.value, &edit.value) {
            // The side did not show the register's value after all when that was thought to be so.
            let void = |entry: &Entry| entry.kind == EntryKind::Closing && edit.place.before(&entry.place);
            self.sides[ix].late.entries.retain(|entry| !void(entry));
        }
        self.take(rules, ix, edit, base, overtaken, out);
        Arrival::Decided
    }

    /// Rule 1: known by place and value, or older than what has been delivered in full.
    fn seen(&self, ix: usize, edit: &Edit) -> bool {
        let side = &self.sides[ix];
        let known = self.recent.iter().any(|taken| {
            taken.system == side.system && taken.edit.place == edit.place && taken.edit.value == edit.value
        });
        let ours = side.late.ours.iter().any(|own| own.place == edit.place && own.value == edit.value);
        if crate::defect!("seen") {
            return false;
        }
        known || (ours && !crate::defect!("ours")) || !side.settled.before(&edit.place)
    }

    /// A taken edit known only by an interval, of which this is the exact word.
    fn refined_by(&self, ix: usize, edit: &Edit) -> Option<usize> {
        let system = self.sides[ix].system;
        let time = edit.place.time;
        edit.since.is_none().then_some(())?;
        self.recent.iter().position(|taken| {
            let inside = taken.edit.since.is_some_and(|since| since < time && time <= taken.edit.place.time);
            taken.system == system && taken.edit.value == edit.value && inside
        })
    }

    fn refine(&mut self, rules: &FieldRules<'_>, ix: usize, at: usize, edit: Edit, out: &mut Vec<Fate>) {
        let (old, turn) = (self.recent[at].edit.place, self.recent[at].turn);
        let side = &mut self.sides[ix];
        for entry in &mut side.late.entries {
            if entry.kind == EntryKind::Edit && entry.turn == turn {
                entry.place = edit.place;
            }
        }
        if side.late.edited == Some(old) {
            side.late.edited = Some(edit.place);
        }
        self.recent[at].edit = edit;
        self.decide_again(rules, at, out);
    }

    /// Rule 5: up to which turn had its people seen, and did a write of ours cover it?
    fn base(&self, ix: usize, edit: &Edit, current: bool) -> (Turn, bool) {
        let late = &self.sides[ix].late;
        if current {
            let start = edit.since.unwrap_or(edit.place.time);
            let base = late.base_where(|entry| entry.kind != EntryKind::Closing || entry.place.time < start);
            return (base, false);
        }
        let base = late.base_where(|entry| entry.place.before(&edit.place));
        let covers = |entry: &Entry| {
            let counts =
                entry.kind == EntryKind::Write || (crate::defect!("overtakers") && entry.place.time > Millis::MIN);
            counts && !entry.place.before(&edit.place)
        };
        (base, !crate::defect!("overtaken") && late.entries.iter().any(covers))
    }

    /// Rules 6 and 7b: decide over the set of what this edit had not seen.
    fn take(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        edit: Edit,
        base: Turn,
        overtaken: bool,
        out: &mut Vec<Fate>,
    ) {
        let place = edit.place;
        self.note_past(rules.policy.is_three_way());
        self.turn = Turn(self.turn.0 + 1);
        let turn = self.turn;
        let system = self.sides[ix].system;
        if !overtaken {
            self.sides[ix].shown = edit.value.clone();
        }
        // Out-of-order words may come in below the newest one.
        let edited = &mut self.sides[ix].late.edited;
        if edited.is_none_or(|known| known.before(&place)) {
            *edited = Some(place);
        }
        let from_source = rules.policy.owner() == Some(system);
        let mut split = false;
        for side in &mut self.sides {
            side.apart = match side.apart {
                Some(Apart::Split) => {
                    split = true;
                    None
                }
                Some(Apart::OneWay) if from_source => None,
                Some(Apart::Parked { .. } | Apart::OneWay) if side.system == system => None,
                apart => apart,
            };
        }
        if split {
            self.forget_dates();
        }
        if self.recent.is_empty() {
            // Nearly always it is the only one.
            self.recent.reserve_exact(1);
        }
        self.recent.push(Taken { system, edit, base, turn });
        let rivals = self.decide_at(rules, self.recent.len() - 1, out);
        self.note_past(rules.policy.is_three_way());
        if !overtaken && rules.policy.keeps_edits_of(system) && !self.shows_register(rules, ix) {
            self.sides[ix].apart = Some(Apart::OneWay);
        }
        if (rivals == 0 || crate::defect!("winner-entry")) && !overtaken {
            self.sides[ix].late.enter(Entry { place, turn, kind: EntryKind::Edit });
        }
        if crate::defect!("loser-forgotten") && self.value != self.recent[self.recent.len() - 1].edit.value {
            self.recent.pop();
        }
    }

    /// Decides again about a taken edit whose place or base was corrected; its turn stays.
    pub(super) fn decide_again(&mut self, rules: &FieldRules<'_>, at: usize, out: &mut Vec<Fate>) {
        let (system, turn) = (self.recent[at].system, self.recent[at].turn);
        let known = self.recent.iter().any(|taken| taken.system != system && taken.base >= turn);
        let newer = self.recent.iter().any(|taken| taken.system == system && taken.turn > turn);
        if !known && !newer {
            self.decide_at(rules, at, out);
            self.note_past(rules.policy.is_three_way());
        }
    }

    /// Applies the policy to the edit at `at` and its rivals; returns how many there were.
    pub(super) fn decide_at(&mut self, rules: &FieldRules<'_>, at: usize, out: &mut Vec<Fate>) -> usize {
        self.decide_by(rules, rules.policy, at, out)
    }

    /// As [`Self::decide_at`], by a policy that need not be the field's.
    pub(super) fn decide_by(
        &mut self,
        rules: &FieldRules<'_>,
        policy: &ConflictPolicy,
        at: usize,
        out: &mut Vec<Fate>,
    ) -> usize {
        if self.take_alone(rules, policy, at, out) {
            return 0;
        }
        let edit = &self.recent[at];
        // Who cannot change the field replaces nobody's edit in it, and brings back none that has lost.
        let counts = |taken: &Taken| match policy {
            ConflictPolicy::Owns(owner) => taken.system == *owner || taken.system.is_operator(),
            _ => true,
        };
        let mut set = vec![edit];
        let authors = self.sides.iter().map(|side| side.system).chain([SystemId::OPERATOR, SystemId::UNDO]);
        for author in authors.filter(|author| *author != edit.system) {
            let unseen = self.recent.iter().filter(|taken| taken.system == author && taken.turn > edit.base);
            let newest = unseen.max_by(|a, b| a.edit.place.order(&b.edit.place).then(a.turn.cmp(&b.turn)));
            let replaced = |rival: &Taken| {
                let mut others = self.recent.iter().filter(|taken| taken.system != rival.system && counts(taken));
                others.any(|taken| taken.base >= rival.turn)
            };
            set.extend(newest.filter(|rival| crate::defect!("replaced") || !replaced(rival)));
            if crate::defect!("pairwise") {
                set.truncate(2);
            }
        }
        let seen = set.iter().map(|taken| taken.base).max().unwrap_or_default();
        let over = |taken: &Taken| is_over(&self.recent, taken, seen);
        set.retain(|taken| taken.turn == edit.turn || !over(taken));
        let rank = |system| self.ix(system).map_or(usize::MAX, |ix| rules.sides[ix].rank);
        let own_before = |taken: &Taken| {
            let since = |other: &&Taken| other.system == taken.system && other.turn > taken.base;
            let before = |other: &&Taken| other.turn != taken.turn && !taken.edit.place.before(&other.edit.place);
            self.recent.iter().filter(since).filter(before).map(|other| other.edit.value.clone()).collect()
        };
        let shown = |system, value: &Value| self.ix(system).map_or(value.clone(), |ix| rules.project(ix, value));
        let ground = Ground {
            coarse_ms: rules.coarse_ms,
            rank: &rank,
            as_of: &|turn| self.as_of(turn).clone(),
            shown: &shown,
            before: &own_before,
        };
        let rivals = set.len() - 1;
        let mut ranked = match counts(edit) {
            true => set.iter().copied().filter(|taken| !over(taken)).collect(),
            false => vec![edit],
        };
        let mut verdict = match outranking(&mut ranked) {
            Some(decision) => Verdict::Edit(decision),
            None if rivals == 0 && self.stays_in_review(rules, &edit.edit.value) => Verdict::Review(self.value.clone()),
            None => policy::decide(policy, &ranked, &ground),
        };
        let review = matches!(verdict, Verdict::Review(_));
        if let (Verdict::Value(value), Some(latest)) = (&verdict, ground.latest(ranked.iter().copied()))
            && !rules.field.kind.holds(value)
        {
            let why = format!("it gives a value that is none of type {}", rules.field.kind.name());
            verdict = Verdict::Failed { edit: latest, why };
        }
        let mut failed = None;
        let (value, of, merged) = match verdict {
            Verdict::Edit(taken) => (Some(taken.edit.value.clone()), Some(taken), false),
            Verdict::Failed { edit, why } => {
                failed = Some(Fate::RuleFailed { system: edit.system, why });
                (Some(edit.edit.value.clone()), Some(edit), false)
            }
            Verdict::Register => (None, None, false),
            Verdict::Value(value) => (Some(value), None, false),
            Verdict::Merged(value) => (Some(value), None, true),
            // Nothing is lost as long as nobody has decided.
            Verdict::Review(value) => (Some(value), None, true),
        };
        let holds = |taken: &Taken| match (&value, of) {
            _ if merged && !taken.system.is_operator() => true,
            (Some(value), Some(_)) => taken.edit.value == *value,
            // What the register shows anyway is not lost.
            (value, _) => {
                let value = value.as_ref().unwrap_or(&self.value);
                let shown = self.ix(taken.system).map_or(value.clone(), |ix| rules.project(ix, value));
                taken.edit.value == shown
            }
        };
        let losers: Vec<Fate> = set
            .iter()
            // A choice that changed nothing has nothing to lose.
            .filter(|taken| !holds(taken) && taken.edit.place.time > Millis::MIN)
            .map(|taken| Fate::Lost {
                value: taken.edit.value.clone(),
                system: taken.system,
                place: taken.edit.place,
                at_home: false,
            })
            .collect();
        if let Some(to) = value {
            // Where no edit carries it, it has the time of the newest.
            let by = of.or_else(|| ground.latest(ranked.iter().copied().filter(|taken| taken.edit.value == to)));
            let by = by.or_else(|| ground.latest(ranked.iter().copied())).map(|taken| (taken.system, taken.edit.place));
            let shows = |system| self.ix(system).is_some_and(|ix| rules.is_shown(ix, &self.value, &to));
            let known = to == self.value || of.is_some_and(|taken| shows(taken.system));
            if let Some(by) = by.filter(|_| !known) {
                self.hold(to, by, rivals > 0, out);
            }
        }
        out.extend(losers);
        out.extend(failed);
        self.leave_apart(rules, review);
        if review { rivals.max(1) } else { rivals }
    }

    /// As [`Self::decide_by`], of an edit without a rival under a policy that takes such a one as it is: nearly all are, and then there
    /// is no set to be made.
    fn take_alone(&mut self, rules: &FieldRules<'_>, policy: &ConflictPolicy, at: usize, out: &mut Vec<Fate>) -> bool {
        let Taken { system, edit, base, .. } = &self.recent[at];
        let (system, place) = (*system, edit.place);
        let alone = self.recent.iter().all(|taken| taken.system == system || taken.turn <= *base);
        if !alone || !policy::takes_alone(policy) || self.stays_in_review(rules, &edit.value) {
            return false;
        }
        let shows = |ix| rules.is_shown(ix, &self.value, &edit.value);
        if edit.value != self.value && !self.ix(system).is_some_and(shows) {
            self.hold(edit.value.clone(), (system, place), false, out);
        }
        self.leave_apart(rules, false);
        true
    }

    /// The register holds another value from now on.
    fn hold(&mut self, to: Value, (system, place): (SystemId, Place), contested: bool, out: &mut Vec<Fate>) {
        let stamp = Stamp::mint(place.time, self.stamp, Origin::of(system));
        let from = std::mem::replace(&mut self.value, to.clone());
        out.push(Fate::Took { from, to, stamp, system, place, contested });
        self.stamp = stamp;
        // What was refused was another value.
        for side in &mut self.sides {
            side.apart = side.apart.filter(|apart| !matches!(apart, Apart::Parked { .. }));
        }
    }

    /// Is a write or an edit of this side known in the same step as `begun`, or later? Then a read that began there cannot
    /// be put in order.
    pub(super) fn known_since(&self, rules: &FieldRules<'_>, ix: usize, begun: Millis) -> bool {
        let late = &self.sides[ix].late;
        let step = rules.sides[ix].step_ms;
        let known = late.entries.iter().filter(|entry| matches!(entry.kind, EntryKind::Write | EntryKind::Edit));
        let newest = known.map(|entry| entry.place.time);
        newest.chain(late.edited.map(|place| place.time)).any(|time| time.floor(step) >= begun)
    }

    /// Takes in a field as a read showed it (sources without history).
    pub fn snapshot(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        snapshot: Snapshot,
        now: Millis,
        out: &mut Vec<Fate>,
    ) -> SnapshotFate {
        if self.sides[ix].late.flight.is_some() {
            return self.snapshot_in_flight(rules, ix, snapshot, now, out);
        }
        self.judge(rules, ix, snapshot, out)
    }

    /// Rule "Snapshots" for a field without a write in flight.
    pub(super) fn judge(
        &mut self,
        rules: &FieldRules<'_>,
        ix: usize,
        snapshot: Snapshot,
        out: &mut Vec<Fate>,
    ) -> SnapshotFate {
        if snapshot.value == self.sides[ix].shown {
            return SnapshotFate::Same;
        }
        // Of a stream's record a read shows no more than what passed while it was nobody's.
        let untold = snapshot.modified >= snapshot.told;
        let place = Place::at(snapshot.modified);
        if (untold || self.out_of_order(rules, ix, &snapshot)) && !crate::defect!("order-test") {
            self.take_covered(rules, ix, snapshot, out);
            return SnapshotFate::Reread;
        }
        if self.snapshot_of_stray(rules, ix, &snapshot, out) {
            return SnapshotFate::Judged;
        }
        let since = Some(snapshot.since);
        self.edit(rules, ix, Edit { value: snapshot.value, place, since }, true, out);
        SnapshotFate::Judged
    }

    /// Did the read begin before, or in the same step as, something that we know of this side?
    pub(super) fn out_of_order(&self, rules: &FieldRules<'_>, ix: usize, snapshot: &Snapshot) -> bool {
        snapshot.begun <= self.sides[ix].settled.time || self.known_since(rules, ix, snapshot.begun)
    }

    /// A late read may still tell of an edit that a write of ours has covered.
    pub(super) fn take_covered(&mut self, rules: &FieldRules<'_>, ix: usize, snapshot: Snapshot, out: &mut Vec<Fate>) {
        if rules.sides[ix].source == SourceKind::Polled && self.covered(ix, &snapshot) {
            let (place, since) = (Place::at(snapshot.modified), Some(snapshot.since));
            self.edit(rules, ix, Edit { value: snapshot.value, place, since }, false, out);
        }
    }

    /// Does a late read show what neither we wrote nor had known to be there, before a write of ours that settled?
    fn covered(&self, ix: usize, snapshot: &Snapshot) -> bool {
        let ours = &self.sides[ix].late.ours;
        let next = ours.iter().filter(|own| own.place.time > snapshot.modified).min_by_key(|own| own.place.time);
        next.is_some_and(|own| own.value != snapshot.value && own.over != snapshot.value)
    }
}

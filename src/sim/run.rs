//! One simulated history: people, a lossy network, crashes, and the real engine over a map.

use super::oracle::{Edited, Order, admissible};
use super::rng::Rng;
use super::world::{EditSet, FIELDS, Told, World};
use crate::engine::{
    Answer, Answers, Clocks, Effect, Event, Events, Input, LookedUp, MemoryView, PageRows, Pass, Reads, Step, View,
    step,
};
use crate::merge::Turn;
use crate::model::{
    Ability, BatchLimits, ClockOffset, EntityId, FieldId, FieldKind, Mark, Millis, ObjectId, OpId, Outcome, PastValue,
    Place, Raw, RawDigest, RawRow, ReadRow, RecordId, RemoteId, RemoteKey, RowDecoder, SourceKind, SystemId, Target,
    Timing, Value, WriteItem,
};
use crate::rules::{
    Binding, ConflictPolicy, Entity, Field, FieldBinding, LinkPolicy, Mode, Rules, StampPolicy, System,
};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Which conflict policy a run uses; systems are named by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// `latest`.
    Latest,
    /// `prefer` the first system.
    Prefer,
    /// The first system `owns`.
    Owns,
}

/// What the sides' sources are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources {
    /// Ordered streams with positions everywhere.
    Streams,
    /// Marks with history everywhere.
    Histories,
    /// A history and a stream (and a history).
    Mixed,
    /// One side is only polled, the others have histories.
    OnePolled,
    /// All sides are only polled.
    AllPolled,
}

/// One run's parameters.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The seed of every choice.
    pub seed: u64,
    /// Two or three systems.
    pub systems: usize,
    /// The policy.
    pub policy: Policy,
    /// The sources.
    pub sources: Sources,
    /// Print what happens.
    pub trace: bool,
}

/// What was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// The final value is none that is right: an edit was lost.
    Lost,
    /// An edit on a polled side looked exactly like a write of ours whose answer was lost, and was taken for it.
    Mistaken,
    /// The sides do not show the same in the end.
    Diverged,
    /// Work is left when nothing happens any more.
    Restless,
    /// More writes than edits can explain, or writes in the silence.
    Loop,
    /// A record was created twice.
    Duplicate,
    /// The engine said that its view cannot be read.
    Broken,
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What was wrong, if anything.
    pub violation: Option<Violation>,
    /// Edits by people.
    pub edits: u32,
    /// Writes of ours that were accepted.
    pub writes: u32,
    /// Crashes.
    pub crashes: u32,
    /// Answers lost.
    pub lost_answers: u32,
    /// Is there a side whose rows cannot say who changed a record last?
    pub unmarked: bool,
}

const POLL_MS: i64 = 4_000;
const STRAY_MS: i64 = 30_000;
/// Answers lost; besides, every crash loses those that are under way.
const LOST_PERCENT: i64 = 15;
const STORM_MS: i64 = 60_000;
const LIMIT_MS: i64 = 600_000;

enum Doing {
    /// A person edits.
    Edit { side: usize, field: usize },
    /// A listing leaves for a system.
    Poll { side: usize },
    /// A stream's run arrives; doubled, it begins at the beginning.
    Stream { side: usize, doubled: bool, upto: u64, clock: i64, life: u32 },
    /// A page arrives.
    Page { side: usize, row: Option<Row>, timing: Timing, complete: bool, life: u32 },
    /// A read is evaluated by the remote.
    Read { side: usize, timing: Timing, life: u32, latency: i64 },
    /// Its answer arrives.
    ReadBack { side: usize, row: Option<Row>, timing: Timing, life: u32 },
    /// A look-up is evaluated and answered at once.
    LookUp { side: usize, values: Vec<String>, records: Vec<RecordId>, timing: Timing, life: u32 },
    /// A write is applied by the remote.
    Apply { side: usize, item: WriteItem, knew: [EditSet; FIELDS], answer: Option<i64>, record: RecordId, life: u32 },
    /// Its answer arrives.
    Answered { side: usize, record: RecordId, op: OpId, outcome: Outcome, life: u32 },
    /// The engine looks for work.
    Tick { life: u32 },
    /// The program starts again.
    Restart,
}

/// What a field of a side showed at a moment.
#[derive(Clone)]
struct Sight {
    side: usize,
    field: usize,
    at: i64,
    /// The record's modified time then.
    modified: i64,
    value: Value,
    /// The newest edit then, if a person made it.
    edit: Option<usize>,
    /// The write that put it there, if one of ours did.
    op: Option<OpId>,
    /// Taken in after a listing that was made later?
    late: bool,
    /// Taken in after any row that was made later?
    stale: bool,
}

#[derive(Clone)]
struct Row {
    /// Per field what it showed when the row was read.
    shows: [Sight; FIELDS],
    raws: Vec<Raw>,
    modified: i64,
    mark: Mark,
    history: Vec<Vec<PastValue>>,
}

struct OneRow(Vec<Raw>);

impl RowDecoder for OneRow {
    fn decode(&self, _index: usize) -> Result<Vec<Raw>, String> {
        Ok(self.0.clone())
    }
}

struct Run {
    options: Options,
    rng: Rng,
    now: i64,
    order: u64,
    queue: BinaryHeap<Reverse<(i64, u64, usize)>>,
    doings: Vec<Option<Doing>>,
    worlds: Vec<World>,
    rules: Rules,
    view: MemoryView,
    edits: Vec<Edited>,
    /// Per edit, the writes of ours that its author saw, and what each told.
    told: Vec<Vec<Told>>,
    /// What rows that were taken in have shown.
    sights: Vec<Sight>,
    /// Writes of ours that landed.
    landings: Vec<(OpId, Sight)>,
    /// Per side, when the newest listing that was taken in was made.
    listed: Vec<i64>,
    /// Writes that left.
    outstanding: Vec<(OpId, Sight)>,
    /// Operations whose answer was heard.
    heard: Vec<(OpId, i64)>,
    /// Edits whose event passed before the record was known: told by a read, if at all.
    missed: EditSet,
    first: [Value; FIELDS],
    known: [EditSet; FIELDS],
    life: u32,
    up: bool,
    busy: Vec<bool>,
    /// Position up to which each stream was committed, and its clock then.
    streamed: Vec<u64>,
    told_until: Vec<i64>,
    storm: bool,
    traced: Vec<bool>,
    report: Report,
    broken: bool,
    committed: bool,
}

fn field_name(field: usize) -> &'static str {
    ["f", "g"][field]
}

fn system_name(side: usize) -> &'static str {
    ["alpha", "beta", "gamma"][side]
}

fn system_id(side: usize) -> SystemId {
    SystemId(side as u32 + 1)
}

fn remote_id() -> RemoteId {
    RemoteId::parse("r1").expect("a constant")
}

const ENTITY: EntityId = EntityId(1);
const OBJECT: ObjectId = ObjectId(1);

fn source(options: &Options, side: usize) -> SourceKind {
    match (options.sources, side) {
        (Sources::Streams, _) | (Sources::Mixed, 1) => SourceKind::Stream,
        (Sources::Histories | Sources::Mixed, _) => SourceKind::History,
        (Sources::OnePolled, 1) | (Sources::AllPolled, _) => SourceKind::Polled,
        (Sources::OnePolled, _) => SourceKind::History,
    }
}

/// Runs one history.
pub fn run(options: Options) -> Report {
    let mut run = Run::new(options);
    run.storm();
    run.heal();
    run.report
}

impl Run {
    fn new(options: Options) -> Self {
        let mut rng = Rng::new(options.seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5eed);
        let n = options.systems;
        let worlds: Vec<World> = (0..n)
            .map(|side| {
                let skew = rng.range(-700, 700);
                let (under, over) = (rng.range(0, 1_200), rng.range(0, 1_200));
                let source = source(&options, side);
                let coarse = match source {
                    SourceKind::History => false,
                    _ => rng.percent(70),
                };
                World {
                    source,
                    // A stream's rows say it too; histories have better marks.
                    marked: source == SourceKind::Stream || (source == SourceKind::Polled && rng.percent(50)),
                    step: if coarse { 1_000 } else { 1 },
                    skew,
                    offset: ClockOffset { low: skew - under, high: skew + over },
                    remote: None,
                    position: 0,
                    accepted: 0,
                }
            })
            .collect();
        let rules = rules(&options, &worlds);
        let unmarked = worlds.iter().any(|world| world.source == SourceKind::Polled && !world.marked);
        let traced = (0..n).map(|_| rng.percent(50)).collect();
        Self {
            options,
            rng,
            now: 1_700_000_000_000,
            order: 0,
            queue: BinaryHeap::new(),
            doings: Vec::new(),
            worlds,
            rules,
            view: MemoryView::new(),
            edits: Vec::new(),
            told: Vec::new(),
            sights: Vec::new(),
            landings: Vec::new(),
            listed: vec![0; n],
            heard: Vec::new(),
            outstanding: Vec::new(),
            missed: 0,
            first: [Value::Null, Value::Null],
            known: [0; FIELDS],
            life: 0,
            up: true,
            busy: vec![false; n],
            streamed: vec![0; n],
            told_until: vec![0; n],
            storm: false,
            traced,
            report: Report { unmarked, ..Report::default() },
            broken: false,
            committed: false,
        }
    }

    fn say(&self, text: impl FnOnce() -> String) {
        if self.options.trace {
            println!("{:>8} {}", self.now - 1_700_000_000_000, text());
        }
    }

    fn after(&mut self, delay: i64, doing: Doing) {
        self.order += 1;
        self.doings.push(Some(doing));
        self.queue.push(Reverse((self.now + delay.max(0), self.order, self.doings.len() - 1)));
    }

    /// Sets the world up, lets the engine link it, and plays the storm.
    fn storm(&mut self) {
        let n = self.worlds.len();
        let born_everywhere = self.rng.percent(75);
        for value in &mut self.first {
            *value = Value::Int(self.rng.range(0, 3)).into_text();
        }
        let first = self.first.clone();
        for side in 0..n {
            if born_everywhere || side == 0 {
                let now = self.now;
                self.worlds[side].create(now, &first, None, None);
            }
        }
        self.now += 10_000;
        for side in 0..n {
            self.first_read(side);
        }
        self.feed(|_, _| Input::Link { entity: ENTITY, after: None, create: true, limit: 100 });
        self.storm = true;
        let edits = self.rng.range(1, 9);
        let mut at = self.rng.range(0, 4_000);
        for _ in 0..edits {
            let side = self.rng.range(0, n as i64) as usize;
            let field = usize::from(self.rng.percent(30));
            self.after(at, Doing::Edit { side, field });
            // Bursts and pauses.
            at += match self.rng.range(0, 4) {
                0 => self.rng.range(0, 30),
                1 => self.rng.range(0, 1_500),
                2 => self.rng.range(0, 6_000),
                _ => self.rng.range(0, 25_000),
            };
        }
        for side in 0..n {
            let delay = self.rng.range(0, POLL_MS);
            self.after(delay, Doing::Poll { side });
        }
        self.after(100, Doing::Tick { life: 0 });
        let end = self.now + STORM_MS;
        while self.now < end && self.next() {}
        self.storm = false;
    }

    fn first_read(&mut self, side: usize) {
        let timing = self.timing(side);
        let row = self.row(side);
        self.page(side, row, timing, true, Pass::Backfill);
    }

    /// No more faults: everything must become equal and quiet, and stay so.
    fn heal(&mut self) {
        self.up = true;
        let end = self.now + LIMIT_MS;
        let mut quiet_since = None;
        let mut writes = 0;
        while self.now < end && self.next() && !self.broken {
            if !self.quiet() {
                quiet_since = None;
                continue;
            }
            let since = *quiet_since.get_or_insert_with(|| {
                writes = self.writes();
                self.now
            });
            if self.now - since > 4 * POLL_MS + STRAY_MS + 4 * POLL_MS {
                break;
            }
        }
        self.report.edits = self.edits.len() as u32;
        self.report.writes = self.writes();
        let silent = quiet_since.is_some_and(|_| self.writes() == writes);
        self.report.violation = self.verdict(silent);
        if self.options.trace {
            let records = self.view.record_scan(ENTITY, None, 2);
            let lately = self.view.lately_scan(ENTITY, None, 4).unwrap_or_default();
            let lately: Vec<_> = lately.iter().map(|id| self.view.lately(ENTITY, *id)).collect();
            println!("{records:#?}\n{lately:#?}");
            let rows: Vec<_> = (0..self.worlds.len())
                .map(|side| self.view.outbox_due(system_id(side), ENTITY, Millis(i64::MAX), 4))
                .collect();
            println!("{rows:?} {:?}", self.report);
        }
    }

    fn writes(&self) -> u32 {
        self.worlds.iter().map(|world| world.accepted).sum()
    }

    fn quiet(&self) -> bool {
        let idle = self.view.outbox_len(ENTITY) == Ok(0) && self.view.reread_len() == Ok(0);
        let flying =
            self.doings.iter().flatten().any(|doing| matches!(doing, Doing::Apply { .. } | Doing::Edit { .. }));
        idle && !flying && self.view.lately_scan(ENTITY, None, 1).is_ok_and(|ids| ids.is_empty())
    }

    fn verdict(&mut self, silent: bool) -> Option<Violation> {
        if self.broken {
            return Some(Violation::Broken);
        }
        if self.worlds.iter().any(|world| world.remote.as_ref().is_some_and(|remote| remote.creates > 1)) {
            return Some(Violation::Duplicate);
        }
        if !silent {
            return Some(Violation::Restless);
        }
        for field in 0..FIELDS {
            let shown: Vec<Option<&Value>> =
                self.worlds.iter().map(|world| world.remote.as_ref().map(|remote| remote.value(field))).collect();
            if shown.windows(2).any(|pair| pair[0] != pair[1]) {
                return Some(Violation::Diverged);
            }
        }
        let edits = self.edits.len() as u32;
        let unknown = self.report.lost_answers + self.report.crashes * 4;
        let bound = (edits * 2 + unknown + 4) * self.worlds.len() as u32;
        if self.writes() > bound {
            return Some(Violation::Loop);
        }
        // What only a late row shows, over which a listing has gone already, may be taken in or not.
        let (shown, shown_in_order) = (self.shown(true), self.shown(false));
        for field in 0..FIELDS {
            let judged: Vec<Edited> = (0..self.edits.len()).map(|id| self.as_known(id)).collect();
            let of_field = judged.iter().enumerate().filter(|(_, edit)| edit.field == field);
            let edits: Vec<(usize, &Edited)> = of_field.filter(|(id, _)| self.can_be_known(shown, *id)).collect();
            let unsure = !shown_in_order & (self.missed | (shown & self.of_polled()));
            let sure: Vec<(usize, &Edited)> = edits.iter().copied().filter(|(id, _)| unsure & (1 << id) == 0).collect();
            // What a read alone shows is dated by the record's modified time.
            let dated = edits.iter().all(|(id, _)| self.missed & (1 << id) == 0);
            let source = |world: &World| if dated { world.source } else { SourceKind::Polled };
            let sources: Vec<SourceKind> = self.worlds.iter().map(source).collect();
            let order = Order {
                policy: self.rules.entities[0].fields[field].conflict,
                side_of: &|system| system.0 as usize - 1,
                rank: &|side| self.rules.rank(system_id(side)),
                coarse: self.worlds.iter().map(|world| world.step).max().unwrap_or(1),
                sources: &sources,
            };
            let mut right = admissible(&edits, &self.first[field], &order);
            if sure.len() < edits.len() {
                right.extend(admissible(&sure, &self.first[field], &order));
            }
            let shown = self.worlds[0].remote.as_ref().map(|remote| remote.value(field).clone()).unwrap_or_default();
            self.say(|| format!("end {}: {shown}, right: {right:?}", field_name(field)));
            if !right.contains(&shown) {
                let alike: Vec<usize> = sure.iter().map(|(id, _)| *id).filter(|id| self.looks_ours(*id)).collect();
                let others = |alike: &[usize]| -> Vec<(usize, &Edited)> {
                    sure.iter().copied().filter(|(id, _)| !alike.contains(id)).collect()
                };
                let excused = (1u32..1 << alike.len().min(6)).any(|choice| {
                    let without = alike.iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0);
                    let without: Vec<usize> = without.map(|(_, id)| *id).collect();
                    admissible(&others(&without), &self.first[field], &order).contains(&shown)
                });
                return Some(if excused { Violation::Mistaken } else { Violation::Lost });
            }
        }
        None
    }

    /// What our own write covered between two polls nobody can ever know of: the limit of a side that is only polled.
    fn can_be_known(&self, shown: EditSet, id: usize) -> bool {
        let polled = self.worlds[self.edits[id].side].source == SourceKind::Polled;
        !polled || shown & (1 << id) != 0
    }

    /// An edit as the engine could know it: of what its author saw through a write of ours that nobody can know to have
    /// landed, he may have seen nothing.
    fn as_known(&self, id: usize) -> Edited {
        let mut edit = self.edits[id].clone();
        let (known, unknown): (Vec<&Told>, Vec<&Told>) =
            self.told[id].iter().partition(|told| self.is_known(edit.side, edit.field, told.op, told.traced));
        let all = |told: &[&Told]| told.iter().fold(0, |set, told| set | told.knew);
        let own = self.edits[..id]
            .iter()
            .enumerate()
            .filter(|(_, other)| other.side == edit.side && other.field == edit.field);
        let own: EditSet = own.fold(0, |set, (id, _)| set | (1 << id));
        let sure = (own | all(&known)) & edit.saw;
        edit.may |= edit.saw & all(&unknown) & !sure;
        edit.saw = sure;
        edit
    }

    /// Does an edit on a polled side show the value of a write that was not answered yet, or never, while that might land?
    fn looks_ours(&self, id: usize) -> bool {
        let edit = &self.edits[id];
        let time = edit.time - self.worlds[edit.side].skew;
        let alike = |sent: &Sight| {
            let here = sent.side == edit.side && sent.field == edit.field && sent.value == edit.value;
            // Times of rows and clocks are rough.
            here && (-3_000..STRAY_MS + 3_000).contains(&(time - sent.at))
        };
        let answered = |op: &OpId| self.heard.iter().any(|(heard, at)| heard == op && *at < time);
        let polled = self.worlds[edit.side].source == SourceKind::Polled;
        polled && self.outstanding.iter().any(|(op, sent)| !answered(op) && alike(sent))
    }

    fn of_polled(&self) -> EditSet {
        let polled = |edit: &Edited| self.worlds[edit.side].source == SourceKind::Polled;
        self.edits.iter().enumerate().fold(0, |set, (id, edit)| set | (u64::from(polled(edit)) << id))
    }

    /// Plays the next event; false when none is left.
    fn next(&mut self) -> bool {
        let Some(Reverse((at, _, slot))) = self.queue.pop() else { return false };
        self.now = self.now.max(at);
        if let Some(doing) = self.doings[slot].take() {
            self.play(doing);
        }
        !self.broken
    }

    fn alive(&self, life: u32) -> bool {
        self.up && life == self.life
    }

    fn play(&mut self, doing: Doing) {
        match doing {
            Doing::Edit { side, field } => self.person(side, field),
            Doing::Poll { side } => self.poll(side),
            Doing::Stream { side, doubled, upto, clock, life } if self.alive(life) => {
                self.stream(side, doubled, upto, clock);
            }
            Doing::Page { side, row, timing, complete, life } if self.alive(life) => {
                self.page(side, row, timing, complete, Pass::Changes);
            }
            Doing::Read { side, timing, life, latency } => {
                let row = self.row(side);
                self.after(latency, Doing::ReadBack { side, row, timing, life });
            }
            Doing::ReadBack { side, row, timing, life } if self.alive(life) => {
                self.busy[side] = false;
                let seen = row.as_ref().map(|row| row.shows.clone());
                let rows = row.into_iter().map(|row| ReadRow {
                    remote: remote_id(),
                    modified: Millis(row.modified),
                    mark: row.mark,
                    values: row.raws,
                    history: row.history,
                });
                let reads = Reads {
                    entity: ENTITY,
                    system: system_id(side),
                    asked: vec![remote_id()],
                    rows: rows.collect(),
                    timing,
                };
                self.say(|| format!("read-back of {}: {:?}", system_name(side), reads.rows));
                self.feed(move |_, _| Input::Read(reads));
                self.show(seen, false);
            }
            Doing::LookUp { side, values, records, timing, life } if self.alive(life) => {
                self.busy[side] = false;
                let row = self.row(side).filter(|row| {
                    let external = row.raws.last();
                    values.iter().any(|value| external == Some(&Raw::Text(value.clone())))
                });
                let rows = row.into_iter().map(|row| ReadRow {
                    remote: remote_id(),
                    modified: Millis(row.modified),
                    mark: row.mark,
                    values: row.raws,
                    history: Vec::new(),
                });
                let rows = rows.collect();
                let looked = LookedUp { entity: ENTITY, system: system_id(side), records, rows, timing };
                self.feed(move |_, _| Input::LookedUp(looked));
            }
            Doing::Apply { side, item, knew, answer, record, life } => {
                self.apply(side, item, knew, answer, record, life)
            }
            Doing::Answered { side, record, op, outcome, life } if self.alive(life) => {
                self.busy[side] = false;
                self.say(|| format!("answer of {}: {outcome:?}", system_name(side)));
                let answers = vec![Answer { op, record, outcome }];
                let answers = Answers { entity: ENTITY, system: system_id(side), answers };
                let done = matches!(answers.answers[0].outcome, Outcome::Done { .. });
                self.feed(move |_, _| Input::Answers(answers));
                if done && self.committed {
                    self.heard.push((op, self.now));
                }
            }
            Doing::Tick { life } if self.alive(life) => self.tick(),
            Doing::Restart => {
                self.up = true;
                self.busy.fill(false);
                self.say(|| "restart".into());
                self.feed(|_, _| Input::Start);
                let life = self.life;
                self.after(50, Doing::Tick { life });
            }
            _ => {}
        }
    }

    fn person(&mut self, side: usize, field: usize) {
        let now = self.now;
        let traced = self.traced[side];
        let id = self.edits.len();
        let world = &mut self.worlds[side];
        let Some(remote) = &world.remote else { return };
        // Few values, so that reverts and equal saves happen.
        let value = match self.rng.range(0, 6) {
            0 => remote.value(field).clone(),
            1 => self.first[field].clone(),
            n => Value::Int(n - 2).into_text(),
        };
        let before = remote.value(field).clone();
        let equal = before == value;
        if equal && !traced {
            // Nobody can ever know of it.
            world.set(now, field, &value, None, None, false);
            return;
        }
        world.set(now, field, &value, None, Some(id), true);
        let time = world.clock(now);
        let Some(remote) = &mut world.remote else { return };
        let saw = remote.seen[field];
        let told = remote.told[field].clone();
        remote.seen[field] |= 1 << id;
        let same = |(at, edit): (usize, &Edited)| {
            (edit.field == field && edit.side != side && edit.value == before).then_some(1u64 << at)
        };
        let may = self.edits.iter().enumerate().filter_map(same).fold(0, |set, bit| set | bit);
        if let Some(remote) = &mut self.worlds[side].remote {
            remote.may[field] |= may;
            let may = remote.may[field];
            self.edits.push(Edited { side, field, time, value: value.clone(), saw, may });
        }
        self.told.push(told);
        self.say(|| format!("edit {id}: {}.{} = {value} at {time}, saw {saw:b}", system_name(side), field_name(field)));
    }

    fn timing(&self, side: usize) -> Timing {
        Timing { sent: Millis(self.now), offset: self.worlds[side].offset }
    }

    fn latency(&mut self) -> i64 {
        if !self.storm {
            return self.rng.range(1, 50);
        }
        match self.rng.range(0, 10) {
            0 => self.rng.range(0, 6_000),
            1 | 2 => self.rng.range(0, 1_500),
            _ => self.rng.range(1, 200),
        }
    }

    fn row(&self, side: usize) -> Option<Row> {
        let world = &self.worlds[side];
        let remote = world.remote.as_ref()?;
        let raw = |value: &Value| FieldKind::Text.write(value);
        let mut raws: Vec<Raw> = (0..FIELDS).map(|field| raw(remote.value(field))).collect();
        raws.push(remote.external.clone().map_or(Raw::Null, Raw::Text));
        let history = match world.source {
            SourceKind::History => (0..FIELDS).map(|field| self.history(side, field)).collect(),
            _ => Vec::new(),
        };
        let mark = match (world.marked, remote.ours) {
            (false, _) => Mark::Unknown,
            (true, true) => Mark::Ours,
            (true, false) => Mark::Theirs,
        };
        let shows = [0, 1].map(|field| {
            let newest = remote.history[field].last();
            let (edit, op) = (newest.and_then(|past| past.edit), newest.and_then(|past| past.op));
            Sight {
                side,
                field,
                at: self.now,
                modified: remote.modified,
                value: remote.value(field).clone(),
                edit,
                op,
                late: false,
                stale: false,
            }
        });
        Some(Row { shows, raws, modified: remote.modified, mark, history })
    }

    fn history(&self, side: usize, field: usize) -> Vec<PastValue> {
        let Some(remote) = &self.worlds[side].remote else { return Vec::new() };
        let entries = remote.history[field].iter().rev().map(|past| PastValue {
            value: FieldKind::Text.write(&past.value),
            at: Millis(past.time),
            mark: if past.op.is_some() { Mark::Ours } else { Mark::Theirs },
            who: None,
        });
        entries.collect()
    }

    fn poll(&mut self, side: usize) {
        let pause = POLL_MS + self.rng.range(-500, 500);
        self.after(pause, Doing::Poll { side });
        if !self.up {
            return;
        }
        let life = self.life;
        let timing = self.timing(side);
        if self.worlds[side].source == SourceKind::Stream {
            let upto = self.worlds[side].position;
            let doubled = self.storm && self.rng.one_in(3);
            let clock = self.worlds[side].clock(self.now);
            let latency = self.latency();
            self.after(latency, Doing::Stream { side, doubled, upto, clock, life });
            return;
        }
        let there = self.latency();
        let back = self.latency();
        // Evaluated on arrival: for simplicity the page is taken then, and delivered later.
        let at = self.now;
        self.now += there;
        let row = self.row(side);
        self.now = at;
        let twice = self.storm && self.rng.one_in(6);
        // A row taken in the future would see edits that have not happened: so evaluate now instead when people are about.
        let row = if there > 0 { self.row(side) } else { row };
        let again = row.clone();
        self.after(there + back, Doing::Page { side, row, timing, complete: true, life });
        if twice {
            let later = self.latency() + self.latency();
            self.after(there + back + later, Doing::Page { side, row: again, timing, complete: true, life });
        }
    }

    /// In order, from what was committed last; now and then everything is told once more.
    fn stream(&mut self, side: usize, doubled: bool, upto: u64, clock: i64) {
        let from = if doubled { 0 } else { self.streamed[side] };
        let mut events: Vec<(u64, Event)> = Vec::new();
        let mut passed: EditSet = 0;
        for (field, remote) in (0..FIELDS).filter_map(|field| Some((field, self.worlds[side].remote.as_ref()?))) {
            for past in remote.history[field].iter().filter(|past| past.position > from && past.position <= upto) {
                let fields = vec![(field_name(field).to_owned(), FieldKind::Text.write(&past.value))];
                let place = Place { time: Millis(past.time), position: Some(past.position) };
                let mark = if past.op.is_some() { Mark::Ours } else { Mark::Theirs };
                events.push((past.position, Event { remote: remote_id(), place, fields, mark }));
                passed |= past.edit.map_or(0, |edit| 1 << edit);
            }
        }
        events.sort_by_key(|(position, _)| *position);
        let events: Vec<Event> = events.into_iter().map(|(_, event)| event).collect();
        let delivered = Place { time: Millis(clock), position: Some(upto) };
        self.say(|| format!("stream of {} up to {upto}", system_name(side)));
        let events = Events { entity: ENTITY, system: system_id(side), events, delivered };
        let unknown = !self.linked(side);
        self.feed(move |_, _| Input::Events(events));
        if self.committed {
            self.streamed[side] = self.streamed[side].max(upto);
            self.told_until[side] = self.told_until[side].max(clock);
            self.missed |= if unknown { passed } else { 0 };
        }
        if unknown {
            // A stream tells of new records too; here a page does.
            let timing = self.timing(side);
            let row = self.row(side);
            self.page(side, row, timing, false, Pass::Changes);
        }
    }

    fn linked(&self, side: usize) -> bool {
        let key = RemoteKey { entity: ENTITY, system: system_id(side), object: OBJECT, remote: remote_id() };
        self.view.index(&key).is_ok_and(|id| id.is_some())
    }

    fn page(&mut self, side: usize, row: Option<Row>, timing: Timing, complete: bool, pass: Pass) {
        let seen = row.as_ref().map(|row| row.shows.clone());
        let raws = row.as_ref().map(|row| row.raws.clone()).unwrap_or_default();
        let text = format!("{raws:?}");
        let rows: Vec<RawRow> = row
            .iter()
            .map(|row| RawRow {
                remote: remote_id(),
                modified: Millis(row.modified),
                mark: row.mark,
                raw: RawDigest::of_bytes(text.as_bytes()),
            })
            .collect();
        self.say(|| format!("page of {} asked at {}: {text}", system_name(side), timing.sent.0 - 1_700_000_000_000));
        let decoder = OneRow(raws);
        self.feed(move |_, _| {
            Input::Page(PageRows {
                entity: ENTITY,
                system: system_id(side),
                pass,
                rows: Box::leak(rows.into_boxed_slice()),
                decoder: Box::leak(Box::new(decoder)),
                timing,
                cursor: None,
                complete: complete.then_some(timing),
            })
        });
        self.show(seen, true);
    }

    /// One input: decided, committed (unless a crash comes before), effects sent (unless one comes after).
    fn feed<'i>(&mut self, input: impl FnOnce(&Rules, Millis) -> Input<'i>) {
        let offsets = self.worlds.iter().enumerate().map(|(side, world)| (system_id(side), world.offset)).collect();
        let clocks = Clocks { now: Millis(self.now), offsets };
        let input = input(&self.rules, clocks.now);
        let step = match step(&self.rules, &self.view, &clocks, input) {
            Ok(step) => step,
            Err(_) => {
                self.broken = true;
                return;
            }
        };
        let crash = self.storm && !step.changes.is_empty() && self.rng.one_in(25);
        self.committed = false;
        if crash && self.rng.percent(30) {
            return self.crash("before a commit");
        }
        self.view.apply(&step.changes);
        if self.options.trace {
            for change in &step.changes {
                if let crate::engine::Change::Journal(entry) = change {
                    self.say(|| format!("journal {:?}", entry.what));
                }
            }
        }
        self.committed = true;
        self.learn();
        for effect in &step.effects {
            let Effect::Write { system, items, .. } = effect else { continue };
            items.iter().for_each(|(_, item)| self.leaves(system.0 as usize - 1, item));
        }
        if crash {
            return self.crash("after a commit");
        }
        self.send(step);
    }

    /// A row was taken in.
    fn show(&mut self, row: Option<[Sight; FIELDS]>, listing: bool) {
        for mut sight in row.into_iter().flatten().filter(|_| self.committed) {
            let listed = &mut self.listed[sight.side];
            // Within one step of the clock a late row and a write that was read back since cannot be put in order.
            let covered = self.landings.iter().any(|(op, landing)| {
                let here = landing.side == sight.side && landing.field == sight.field;
                let read = |other: &Sight| other.side == sight.side && other.op == Some(*op);
                let same = here && landing.at > sight.at && landing.modified <= sight.modified;
                same && self.sights.iter().any(read)
            });
            // A read of a stream's record judges only what the stream has told past.
            let source = self.worlds[sight.side].source;
            let untold = source == SourceKind::Stream && sight.modified >= self.told_until[sight.side];
            sight.late = sight.at < *listed || covered || untold;
            let rows = self.sights.iter().filter(|row| row.side == sight.side && row.field == sight.field);
            sight.stale = rows.map(|row| row.at).max().is_some_and(|newest| sight.at < newest);
            if listing {
                *listed = sight.at.max(*listed);
            }
            self.sights.push(sight);
        }
    }

    /// Can the engine know that a write of ours landed? It was answered, or a row showed it, or a stream or history tells.
    fn is_known(&self, side: usize, field: usize, op: OpId, traced: bool) -> bool {
        let told = traced && self.worlds[side].source != SourceKind::Polled;
        let heard = self.heard.iter().any(|(heard, _)| *heard == op);
        told || heard
            || self
                .sights
                .iter()
                .any(|sight| sight.side == side && sight.field == field && sight.op == Some(op) && !sight.stale)
    }

    /// Edits that some row has shown to the engine: by which the row differs from what could be known of the moment before,
    /// by older rows and by writes of ours that were answered. One that brings back that value stays a secret.
    fn shown(&self, late: bool) -> EditSet {
        let known = |(op, landing): &&(OpId, Sight)| self.is_known(landing.side, landing.field, *op, false);
        let heard = self.landings.iter().filter(known).map(|(_, landing)| landing);
        let mut known: Vec<&Sight> = self.sights.iter().filter(|sight| late || !sight.late).chain(heard).collect();
        known.sort_by_key(|sight| sight.at);
        let mut shown = 0;
        for (at, sight) in known.iter().enumerate() {
            // What a row showed that came in behind a later one was not known when that was judged.
            let same =
                |other: &&&Sight| other.side == sight.side && other.field == sight.field && (late || !other.stale);
            let before = known[..at].iter().rev().find(same);
            if before.is_none_or(|before| before.value != sight.value) {
                shown |= sight.edit.map_or(0, |edit| 1 << edit);
            }
        }
        shown
    }

    fn land(&mut self, side: usize, op: OpId, value: impl Fn(usize) -> Option<Value>) {
        let (at, modified) = (self.now, self.worlds[side].clock(self.now));
        let fields = (0..FIELDS).filter_map(|field| Some((field, value(field)?)));
        let landings = fields.map(|(field, value)| {
            (op, Sight { side, field, at, modified, value, edit: None, op: Some(op), late: false, stale: false })
        });
        self.landings.extend(landings);
    }

    fn crash(&mut self, when: &str) {
        self.say(|| format!("crash {when}"));
        self.report.crashes += 1;
        self.life += 1;
        self.up = false;
        let down = if self.rng.one_in(4) { self.rng.range(0, 20_000) } else { self.rng.range(0, 1_500) };
        self.after(down, Doing::Restart);
    }

    /// Which edits has the engine taken in? Read off its memory of them, by side, place and value.
    fn learn(&mut self) {
        let ids = self.view.lately_scan(ENTITY, None, 4).unwrap_or_default();
        for id in ids {
            let Ok(Some(lately)) = self.view.lately(ENTITY, id) else { continue };
            for row in &lately.fields {
                let field = row.field.0 as usize - 1;
                for taken in &row.recent {
                    let side = taken.system.0 as usize - 1;
                    let time = taken.edit.place.time.0;
                    // A position names it; a time alone may fit several, of which the newest was shown.
                    let history = self.worlds[side].remote.as_ref().map(|remote| &remote.history[field]);
                    let named = taken.edit.place.position.and_then(|position| {
                        history?.iter().find(|past| past.position == position).and_then(|past| past.edit)
                    });
                    let fits = |edit: &&(usize, &Edited)| {
                        let (id, edit) = edit;
                        let alike = edit.time <= time && edit.value == taken.edit.value;
                        edit.field == field && edit.side == side && named.map_or(alike, |named| named == *id)
                    };
                    let newest = self.edits.iter().enumerate().collect::<Vec<_>>();
                    if let Some((id, edit)) = newest.iter().rev().find(fits) {
                        self.known[field] |= (1 << id) | edit.saw;
                    }
                    debug_assert!(taken.turn > Turn(0));
                }
            }
        }
    }

    fn tick(&mut self) {
        let life = self.life;
        self.after(if self.storm { 150 } else { 300 }, Doing::Tick { life });
        self.feed(|_, _| Input::Sweep { entity: ENTITY, after: None, limit: 10 });
        for side in 0..self.worlds.len() {
            if self.up && self.life == life && !self.busy[side] {
                self.feed(|_, _| Input::Work { entity: ENTITY, system: system_id(side), create: true });
            }
        }
    }

    fn send(&mut self, step: Step) {
        let life = self.life;
        for effect in step.effects {
            self.say(|| format!("effect {effect:?}"));
            match effect {
                Effect::Read { system, .. } => {
                    let side = system.0 as usize - 1;
                    self.busy[side] = true;
                    let timing = self.timing(side);
                    let there = self.latency();
                    let latency = self.latency();
                    self.after(there, Doing::Read { side, timing, life, latency });
                }
                Effect::LookUp { system, values, records, .. } => {
                    let side = system.0 as usize - 1;
                    self.busy[side] = true;
                    let timing = self.timing(side);
                    let latency = self.latency();
                    self.after(latency, Doing::LookUp { side, values, records, timing, life });
                }
                Effect::Write { system, items, .. } => {
                    let side = system.0 as usize - 1;
                    self.busy[side] = true;
                    for (record, item) in items {
                        self.launch(side, record, item);
                    }
                }
            }
        }
    }

    /// As far as the engine knows, a write leaves.
    fn leaves(&mut self, side: usize, item: &WriteItem) {
        for (name, raw) in &item.fields {
            let field = (0..FIELDS).find(|field| field_name(*field) == name).unwrap_or_default();
            let value = FieldKind::Text.read(raw).unwrap_or_default();
            let sight = Sight {
                side,
                field,
                at: self.now,
                modified: 0,
                value,
                edit: None,
                op: None,
                late: false,
                stale: false,
            };
            self.outstanding.push((item.op, sight));
        }
    }

    /// A write leaves: it may land or not, soon or late, and its answer may be heard or not.
    fn launch(&mut self, side: usize, record: RecordId, item: WriteItem) {
        let life = self.life;
        let knew = self.known;
        self.say(|| format!("write to {}: {:?}", system_name(side), item));
        let lost = self.storm && self.rng.percent(LOST_PERCENT);
        let lands = !self.storm || self.rng.percent(if lost { 60 } else { 95 });
        let there = self.latency();
        let (op, back) = (item.op, self.latency());
        if lost {
            self.report.lost_answers += 1;
            let late = if self.rng.one_in(3) { self.rng.range(0, STRAY_MS - 8_000) } else { there };
            if lands {
                self.after(late, Doing::Apply { side, item, knew, answer: None, record, life });
            }
            self.after(there + back, Doing::Answered { side, record, op, outcome: Outcome::Unknown, life });
        } else if lands {
            self.after(there, Doing::Apply { side, item, knew, answer: Some(back), record, life });
        } else {
            let code = "BUSY".to_owned();
            self.after(
                there + back,
                Doing::Answered { side, record, op, outcome: Outcome::Retry { code, after_ms: 500 }, life },
            );
        }
    }

    fn apply(
        &mut self,
        side: usize,
        item: WriteItem,
        knew: [EditSet; FIELDS],
        answer: Option<i64>,
        record: RecordId,
        life: u32,
    ) {
        let now = self.now;
        let traced = self.traced[side];
        let text = |raw: &Raw| FieldKind::Text.read(raw).unwrap_or_default();
        let world = &mut self.worlds[side];
        world.accepted += 1;
        let mut created = None;
        if let Target::Upsert { value, .. } = &item.target {
            created = Some(world.remote.is_none());
            if world.remote.is_none() {
                let given = |field: usize| item.fields.iter().find(|(name, _)| name == field_name(field));
                let values = [0, 1].map(|field| given(field).map(|(_, raw)| text(raw)).unwrap_or_default());
                world.create(now, &values, Some(value.clone()), Some(item.op));
                if let Some(remote) = &mut world.remote {
                    remote.seen = knew;
                    // Whoever sees the record knows that it was made.
                    remote.told = knew.map(|knew| vec![Told { op: item.op, traced: true, knew }]);
                }
                self.land(side, item.op, |field| Some(values[field].clone()));
                self.heard.push((item.op, self.now));
                self.say(|| format!("created on {}: {:?}", system_name(side), item.fields));
                if let Some(back) = answer {
                    let outcome = Outcome::Done { remote: remote_id(), created };
                    self.after(back, Doing::Answered { side, record, op: item.op, outcome, life });
                }
                return;
            }
        }
        for field in 0..FIELDS {
            let Some((_, raw)) = item.fields.iter().find(|(name, _)| name == field_name(field)) else { continue };
            let traced = world.set(now, field, &text(raw), Some(item.op), None, traced);
            if let Some(remote) = &mut world.remote {
                remote.seen[field] |= knew[field];
                remote.told[field].push(Told { op: item.op, traced, knew: knew[field] });
            }
        }
        self.land(side, item.op, |field| {
            item.fields.iter().find(|(name, _)| name == field_name(field)).map(|(_, raw)| text(raw))
        });
        self.say(|| format!("lands on {}: {:?}", system_name(side), item.fields));
        if let Some(back) = answer {
            let outcome = Outcome::Done { remote: remote_id(), created };
            self.after(back, Doing::Answered { side, record, op: item.op, outcome, life });
        }
    }
}

fn rules(options: &Options, worlds: &[World]) -> Rules {
    let policy = match options.policy {
        Policy::Latest => ConflictPolicy::Latest,
        Policy::Prefer => ConflictPolicy::Prefer(system_id(0)),
        Policy::Owns => ConflictPolicy::Owns(system_id(0)),
    };
    let systems = worlds.iter().enumerate().map(|(side, world)| System {
        id: system_id(side),
        name: system_name(side).into(),
        mode: Mode::ReadWrite,
        ability: Ability {
            source: world.source,
            resolution_ms: world.step,
            stray_ms: STRAY_MS,
            lag_ms: 0,
            batch: BatchLimits { read: 10, read_history: 10, write: 10 },
            upsert: true,
            lookups: Some(Vec::new()),
        },
    });
    let bindings = |field: usize| {
        let binding = |side| FieldBinding {
            system: system_id(side),
            property: field_name(field).into(),
            values: Vec::new(),
            default: None,
        };
        (0..worlds.len()).map(binding).collect()
    };
    let fields = (0..FIELDS).map(|field| Field {
        id: FieldId(field as u32 + 1),
        name: field_name(field).into(),
        kind: FieldKind::Text,
        bindings: bindings(field),
        conflict: policy,
        on_link: LinkPolicy::FillBlanks,
    });
    let objects = (0..worlds.len()).map(|side| Binding {
        system: system_id(side),
        object: "things".into(),
        object_id: OBJECT,
        create: true,
        external_id: Some("ext".into()),
    });
    let entity = Entity {
        id: ENTITY,
        name: "thing".into(),
        bindings: objects.collect(),
        fields: fields.collect(),
        match_keys: vec![FieldId(1)],
        stamp: StampPolicy::OnCreate,
    };
    Rules { systems: systems.collect(), entities: vec![entity] }
}

impl Value {
    fn into_text(self) -> Self {
        Self::Text(self.to_string())
    }
}

//! One simulated history: people, a lossy network, crashes, and the real engine over a map.

mod audit;
mod besides;
mod checkpoint;
mod clock;
mod merges;
mod mirror;
mod network;
mod setup;
mod small;
mod undo;

use super::oracle::Edited;
use super::rng::Rng;
use super::world::{EditSet, FIELDS, Told, World};
use super::{Also, Options, Policy, Report, Sources};
use crate::engine::{Answer, Answers, Books, Effect, Input, LookedUp, Operation, Pass, Reads, Step, step};
use crate::model::{
    ClockOffset, Millis, OpId, Outcome, Raw, ReadRow, RecordId, RemoteId, SourceKind, Timing, Value, WriteItem,
};
use crate::rules::Rules;
use crate::store::StoreError;
use audit::Sight;
use mirror::Mirror;
use network::Row;
use setup::{ENTITY, OBJECT, entered, field_name, home, remote_id, rules, some_value, source, system_id, system_name};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub use small::{Size, every, replay};

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
    Read { side: usize, ids: Vec<RemoteId>, timing: Timing, life: u32, latency: i64 },
    /// Its answer arrives.
    ReadBack { side: usize, ids: Vec<RemoteId>, row: Option<Row>, twin: Option<Box<Row>>, timing: Timing, life: u32 },
    /// A look-up is evaluated and answered at once.
    LookUp { side: usize, values: Vec<String>, records: Vec<RecordId>, timing: Timing, life: u32 },
    /// A write is applied by the remote.
    Apply { side: usize, item: WriteItem, knew: [EditSet; FIELDS], answer: Option<i64>, record: RecordId, life: u32 },
    /// Its answer arrives.
    Answered { side: usize, answer: Answer, life: u32 },
    /// The engine looks for work.
    Tick { life: u32 },
    /// The program starts again.
    Restart,
    /// An operator decides.
    Decide { field: usize },
    /// An operator looks at what would be taken back.
    Undo,
    /// And takes it back.
    TakeBack { operations: Vec<Operation> },
    /// A person merges two records.
    Merge,
    /// A list tells of it.
    Merged { side: usize, life: u32 },
    /// A person deletes the record.
    Delete { side: usize },
    /// A list of what was deleted arrives.
    Gone { side: usize, life: u32 },
    /// A delete of ours is applied by the remote.
    Bury { side: usize },
    /// Its answer arrives.
    Buried { side: usize, answer: Answer, life: u32 },
    /// A copy of the mirror is made.
    Backup,
    /// It takes the mirror's place.
    Restore,
    /// Our clock is set, further by so much or right again; maybe while the program is down.
    Jump { by: Option<i64>, down: bool },
}

impl Doing {
    /// Does it change what a remote shows?
    fn moves(&self) -> bool {
        matches!(self, Self::Apply { .. } | Self::Edit { .. } | Self::Bury { .. } | Self::Delete { .. } | Self::Merge)
    }
}

struct Run {
    options: Options,
    rng: Rng,
    now: i64,
    order: u64,
    queue: BinaryHeap<Reverse<(i64, u64, usize)>>,
    doings: Vec<Option<Doing>>,
    /// How many of them will change a remote.
    moving: usize,
    worlds: Vec<World>,
    rules: Rules,
    mirror: Mirror,
    /// Of disks alone, so that a seed gives the same history with either mirror but for what a power cut takes.
    luck: Rng,
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
    /// Edits that were told by what was taken in.
    delivered: EditSet,
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
    deleted: Option<besides::Deleted>,
    /// A copy of the mirror, and of the positions in streams.
    backup: Option<(mirror::Backup, Vec<u64>, Vec<i64>)>,
    restored: bool,
    /// Our clock minus true time.
    ahead: i64,
    stamps: clock::Stamps,
    moves: undo::Moves,
    /// Is it an operator's command that is taken in?
    operates: bool,
    twin: Option<merges::Twin>,
    merge: Option<merges::Merge>,
    /// Was a write answered as one to what is gone since?
    led_on: bool,
    checkpoints: checkpoint::Checkpoints,
    /// Set where choices are made one after the other, and not by chance.
    small: Option<small::Small>,
}

/// Runs one history.
pub fn run(options: Options) -> Report {
    tell(Run::new(options))
}

/// Runs the history whose choices are these bytes, and the seed's when they end.
pub fn run_bytes(options: Options, bytes: &[u8]) -> Report {
    tell(Run::by(options, Rng::of_bytes(bytes)))
}

fn tell(mut run: Run) -> Report {
    run.storm();
    run.heal();
    run.report
}

impl Run {
    fn new(options: Options) -> Self {
        Self::by(options, Rng::new(options.seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5eed))
    }

    fn by(options: Options, mut rng: Rng) -> Self {
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
                    marked: source == SourceKind::Stream
                        || matches!(options.sources, Sources::OnePolled | Sources::AllPolled),
                    step: if coarse { 1_000 } else { 1 },
                    skew,
                    offset: ClockOffset { low: skew - under, high: skew + over },
                    remote: None,
                    buried: None,
                    position: 0,
                    accepted: 0,
                }
            })
            .collect();
        let rules = rules(&options, &worlds);
        let traced = (0..n).map(|_| rng.percent(50)).collect();
        let mirror = if options.stored { Mirror::on_disk() } else { Ok(Mirror::in_maps()) };
        let (mirror, broken) = mirror.map_or_else(|_| (Mirror::in_maps(), true), |mirror| (mirror, false));
        Self {
            options,
            rng,
            now: 1_700_000_000_000,
            order: 0,
            queue: BinaryHeap::new(),
            doings: Vec::new(),
            moving: 0,
            worlds,
            rules,
            mirror,
            luck: Rng::new(options.seed ^ 0xd15c),
            edits: Vec::new(),
            told: Vec::new(),
            sights: Vec::new(),
            landings: Vec::new(),
            listed: vec![0; n],
            heard: Vec::new(),
            outstanding: Vec::new(),
            missed: 0,
            first: [0, 0].map(|n| some_value(options.policy, n)),
            known: [0; FIELDS],
            delivered: 0,
            life: 0,
            up: true,
            busy: vec![false; n],
            streamed: vec![0; n],
            told_until: vec![0; n],
            storm: false,
            traced,
            report: Report::default(),
            broken,
            committed: false,
            deleted: None,
            backup: None,
            restored: false,
            ahead: 0,
            stamps: clock::Stamps::default(),
            moves: undo::Moves::default(),
            operates: false,
            twin: None,
            merge: None,
            led_on: false,
            checkpoints: checkpoint::Checkpoints::new(options.seed),
            small: None,
        }
    }

    fn say(&self, text: impl FnOnce() -> String) {
        if self.options.trace {
            println!("{:>8} {}", self.now - 1_700_000_000_000, text());
        }
    }

    fn after(&mut self, delay: i64, doing: Doing) {
        self.order += 1;
        self.moving += usize::from(doing.moves());
        self.doings.push(Some(doing));
        self.queue.push(Reverse((self.now + delay.max(0), self.order, self.doings.len() - 1)));
    }

    /// Sets the world up, lets the engine link it, and plays the storm.
    fn storm(&mut self) {
        let born_everywhere = self.rng.percent(75) || self.options.also == Also::Merges;
        for value in &mut self.first {
            *value = some_value(self.options.policy, self.rng.range(0, 3));
        }
        self.begin(born_everywhere);
        let n = self.worlds.len();
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
        self.plan_besides();
        let end = self.now + STORM_MS;
        while self.now < end && self.next() {}
        self.storm = false;
    }

    /// The record is born, read and linked; then the storm may begin.
    fn begin(&mut self, everywhere: bool) {
        if self.options.grouped {
            let other = some_value(self.options.policy, self.rng.range(0, 3));
            self.first[0] = Value::group([self.first[0].clone(), other]);
        }
        let first = self.first.clone();
        let n = self.worlds.len();
        for side in 0..n {
            if everywhere || side == 0 {
                let now = self.now;
                self.worlds[side].create(now, &first, None, None);
            }
        }
        self.bear_twin();
        self.now += 10_000;
        for side in 0..n {
            self.first_read(side);
        }
        self.feed(|_, _| Input::Link { entity: ENTITY, after: None, create: true, limit: 100 });
        self.storm = true;
        for side in 0..n {
            let delay = self.rng.range(0, POLL_MS);
            self.after(delay, Doing::Poll { side });
        }
        self.after(100, Doing::Tick { life: 0 });
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
            let records = self.view().record_scan(ENTITY, None, 2);
            let lately = self.view().lately_scan(ENTITY, None, 4).unwrap_or_default();
            let lately: Vec<_> = lately.iter().map(|id| self.view().lately(ENTITY, *id)).collect();
            println!("{records:#?}\n{lately:#?}");
            let rows: Vec<_> = (0..self.worlds.len())
                .map(|side| self.view().outbox_due(system_id(side), ENTITY, Millis(i64::MAX), 4))
                .collect();
            println!("{rows:?} {:?}", self.report);
        }
    }

    fn writes(&self) -> u32 {
        self.worlds.iter().map(|world| world.accepted).sum()
    }

    /// Nothing is to be sent or read.
    fn idle(&self) -> bool {
        self.view().outbox_len(ENTITY) == Ok(0) && self.view().reread_len() == Ok(0)
    }

    /// And nothing of the recent past is kept.
    fn at_rest(&self) -> bool {
        self.idle() && self.view().lately_scan(ENTITY, None, 1).is_ok_and(|ids| ids.is_empty())
    }

    fn quiet(&self) -> bool {
        self.at_rest() && self.moving == 0
    }

    /// Plays the next event; false when none is left.
    fn next(&mut self) -> bool {
        let Some(Reverse((at, _, slot))) = self.queue.pop() else { return false };
        self.now = self.now.max(at);
        if let Some(doing) = self.doings[slot].take() {
            self.moving -= usize::from(doing.moves());
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
            Doing::Read { side, ids, timing, life, latency } => {
                let row = self.row(side).filter(|_| ids.contains(&self.id(side)));
                let twin = self.twin_row(side).filter(|_| ids.contains(&merges::twin_id())).map(Box::new);
                self.after(latency, Doing::ReadBack { side, ids, row, twin, timing, life });
            }
            Doing::ReadBack { side, ids, row, twin, timing, life } if self.alive(life) => {
                self.busy[side] = false;
                let seen = row.as_ref().map(|row| row.shows.clone());
                let rows = row.into_iter().chain(twin.map(|twin| *twin)).map(|row| ReadRow {
                    remote: row.id,
                    modified: Millis(row.modified),
                    mark: row.mark,
                    who: None,
                    values: row.raws,
                    history: row.history,
                });
                let reads = Reads { entity: ENTITY, home: home(side), asked: ids, rows: rows.collect(), timing };
                self.say(|| format!("read-back of {}: {:?}", system_name(side), reads.rows));
                self.feed(move |_, _| Input::Read(reads));
                self.show(seen, false);
            }
            Doing::LookUp { side, values, records, timing, life } if self.alive(life) => {
                self.busy[side] = false;
                let row = self.row(side).filter(|row| {
                    let external = row.raws.last();
                    values.iter().any(|value| external == Some(&Raw::Text(value.as_str().into())))
                });
                let rows = row.into_iter().map(|row| ReadRow {
                    remote: row.id,
                    modified: Millis(row.modified),
                    mark: row.mark,
                    who: None,
                    values: row.raws,
                    history: Vec::new(),
                });
                let rows = rows.map(|row| (OBJECT, row)).collect();
                let looked = LookedUp { entity: ENTITY, system: system_id(side), records, rows, timing };
                self.feed(move |_, _| Input::LookedUp(looked));
            }
            Doing::Apply { side, item, knew, answer, record, life } => {
                self.apply(side, item, knew, answer, record, life)
            }
            Doing::Answered { side, answer, life } if self.alive(life) => {
                self.busy[side] = false;
                self.say(|| format!("answer of {}: {:?}", system_name(side), answer.outcome));
                let (op, done) = (answer.op, matches!(answer.outcome, Outcome::Done { .. }));
                let answers = Answers { entity: ENTITY, system: system_id(side), answers: vec![answer] };
                self.feed(move |_, _| Input::Answers(answers));
                if done && self.committed {
                    self.heard.push((op, self.now));
                }
            }
            Doing::Decide { field } => self.decide(field),
            Doing::Undo => self.undo(),
            Doing::Merge => self.merge(),
            Doing::Merged { side, life } if self.alive(life) => self.tell_merge(side),
            Doing::TakeBack { operations } => self.take_back(operations),
            Doing::Delete { side } => self.delete(side),
            Doing::Gone { side, life } if self.alive(life) => self.tell_gone(side),
            Doing::Bury { side } => {
                self.say(|| format!("our delete lands on {}", system_name(side)));
                let remote = self.worlds[side].remote.take();
                self.worlds[side].buried = remote.or(self.worlds[side].buried.take());
            }
            Doing::Buried { side, answer, life } if self.alive(life) => {
                self.buried(side, answer);
            }
            Doing::Backup => {
                self.backup = Some((self.mirror.backup(), self.streamed.clone(), self.told_until.clone()));
            }
            Doing::Restore => self.restore(),
            Doing::Jump { by, down } => self.jump(by, down),
            Doing::Tick { life } if self.alive(life) => self.tick(),
            Doing::Restart => {
                self.up = true;
                self.busy.fill(false);
                self.say(|| "restart".into());
                self.feed(|_, _| Input::Start);
                if self.up {
                    self.begin_run();
                }
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
        if self.worlds[side].remote.is_none() {
            return;
        }
        // Few values, so that reverts and equal saves happen.
        let chosen = match self.small_entry() {
            Some(chosen) => chosen,
            None => self.rng.range(0, 6),
        };
        let Some(remote) = &self.worlds[side].remote else { return };
        let value = match chosen {
            0 => remote.value(field).clone(),
            1 => self.first[field].clone(),
            n => entered(self.options.policy, remote.value(field), n - 2),
        };
        let before = remote.value(field).clone();
        let shown: Vec<Option<&Value>> =
            self.worlds.iter().map(|world| world.remote.as_ref().map(|remote| remote.value(field))).collect();
        let calm = shown.iter().all(|value| *value == Some(&before));
        let value = match (&before, &value) {
            // One of them at a time, unless all are taken back.
            (Value::Group(_), Value::Text(_)) if self.rng.percent(50) => {
                Value::group([value, before.member(1).clone()])
            }
            (Value::Group(_), Value::Text(_)) => Value::group([before.member(0).clone(), value]),
            _ => value,
        };
        let equal = before == value;
        let world = &mut self.worlds[side];
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
        // Where all show the same, whoever edits may count as having seen how that came about. What was latest anyway, and what a
        // preferred side entered, is decided the same either way; what an operator decided is not.
        let operated = matches!(self.options.also, Also::Operator | Also::Undo);
        let outer = operated || !matches!(self.options.policy, Policy::Latest | Policy::Prefer | Policy::Owns);
        let may = if outer && calm { may | self.edits_of(field) } else { may };
        if let Some(remote) = &mut self.worlds[side].remote {
            remote.may[field] |= may;
            let may = remote.may[field];
            self.edits.push(Edited { side, field, time, value: value.clone(), saw, may });
        }
        self.told.push(told);
        self.say(|| format!("edit {id}: {}.{} = {value} at {time}, saw {saw:b}", system_name(side), field_name(field)));
    }

    /// All edits of a field so far.
    fn edits_of(&self, field: usize) -> EditSet {
        let own = self.edits.iter().enumerate().filter(|(_, edit)| edit.field == field);
        own.fold(0, |set, (id, _)| set | (1 << id))
    }

    /// One input: decided, committed (unless a crash comes before), effects sent (unless one comes after).
    fn feed<'i>(&mut self, input: impl FnOnce(&Rules, Millis) -> Input<'i>) {
        let clocks = self.clocks();
        let input = input(&self.rules, clocks.now);
        let step = match step(&self.rules, self.view(), &clocks, input) {
            Ok(step) => step,
            Err(_) => {
                self.broken = true;
                return;
            }
        };
        let storm = self.storm && !step.changes.is_empty();
        let (crash, early) = match self.small.is_some() {
            true => [(false, false), (true, true), (true, false)][if storm { self.fault(2) } else { 0 }],
            false => {
                let crash = storm && self.rng.one_in(25);
                (crash, crash && self.rng.percent(30))
            }
        };
        self.committed = false;
        if early {
            let there = self.mirror.crash_within(&step.changes, &mut self.luck);
            if self.is_done(there) == Some(true) {
                self.took(&step);
                return self.crash("at the end of a commit");
            }
            return self.crash("before a commit");
        }
        let done = self.mirror.commit(&step.changes);
        if self.is_done(done).is_none() {
            return;
        }
        if self.options.trace {
            for change in &step.changes {
                if let crate::engine::Change::Journal(entry) = change {
                    self.say(|| format!("journal {:?}", entry.what));
                }
            }
        }
        self.took(&step);
        if crash {
            let done = self.mirror.crash(&mut self.luck);
            self.is_done(done);
            return self.crash("after a commit");
        }
        self.send(step);
    }

    /// What the mirror says; a history whose mirror fails is over.
    fn is_done<T>(&mut self, result: Result<T, StoreError>) -> Option<T> {
        if let Err(error) = &result {
            self.say(|| format!("the store fails: {error}"));
            self.broken = true;
        }
        result.ok()
    }

    fn view(&self) -> &dyn Books {
        self.mirror.books()
    }

    /// A step is committed.
    fn took(&mut self, step: &Step) {
        self.committed = true;
        self.stamps.take(&step.changes);
        self.note_moves(&step.changes);
        self.mark(step);
        self.learn();
        for effect in &step.effects {
            let Effect::Write { home, items, .. } = effect else { continue };
            items.iter().for_each(|(_, item)| self.leaves(home.system.0 as usize - 1, item));
        }
    }

    fn crash(&mut self, when: &str) {
        self.say(|| format!("crash {when}"));
        self.report.crashes += 1;
        self.life += 1;
        self.up = false;
        let down = if self.rng.one_in(4) { self.rng.range(0, 20_000) } else { self.rng.range(0, 1_500) };
        self.after(down, Doing::Restart);
    }

    fn tick(&mut self) {
        let life = self.life;
        self.after(if self.storm { 150 } else { 300 }, Doing::Tick { life });
        // What has nothing to do changes nothing, and is not asked.
        if self.at_rest() {
            return;
        }
        self.feed(|_, _| Input::Sweep { entity: ENTITY, after: None, limit: 10 });
        for side in 0..self.worlds.len() {
            if self.up && self.life == life && !self.busy[side] {
                self.feed(|_, _| Input::Work { entity: ENTITY, system: system_id(side), create: true });
            }
        }
    }
}

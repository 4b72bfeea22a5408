//! The way between the engine and the worlds: late, doubled, out of order, with lost answers.

use super::audit::Sight;
use super::merges::twin_id;
use super::setup::{ENTITY, OBJECT, home, kind, part, parts, remote_id, system_id, system_name, whole};
use super::{Doing, LOST_PERCENT, POLL_MS, Run, STRAY_MS};
use crate::engine::{Answer, Effect, Event, Events, Input, PageRows, Pass, Step};
use crate::model::{
    Departure, FieldKind, Mark, Millis, Outcome, PastValue, Place, Raw, RawDigest, RawRow, RecordId, RemoteId,
    RemoteKey, RowDecoder, SourceKind, Target, Timing, Value, WriteItem,
};
use crate::sim::world::{EditSet, FIELDS, Past, Remote, Told};

#[derive(Clone)]
pub(super) struct Row {
    pub(super) id: RemoteId,
    /// Per field what it showed when the row was read.
    pub(super) shows: [Sight; FIELDS],
    pub(super) raws: Vec<Raw>,
    pub(super) modified: i64,
    pub(super) mark: Mark,
    pub(super) history: Vec<Vec<PastValue>>,
}

pub(super) struct Rows(Vec<Vec<Raw>>);

impl RowDecoder for Rows {
    fn decode(&self, index: usize) -> Result<Vec<Raw>, String> {
        Ok(self.0[index].clone())
    }
}

impl Run {
    pub(super) fn latency(&mut self) -> i64 {
        if !self.storm {
            return self.rng.range(1, 50);
        }
        match self.rng.range(0, 10) {
            0 => self.rng.range(0, 6_000),
            1 | 2 => self.rng.range(0, 1_500),
            _ => self.rng.range(1, 200),
        }
    }

    /// Is a delivery doubled?
    fn doubled(&mut self, once_in: i64) -> bool {
        match self.small.is_some() {
            true => self.fault(1) > 0,
            false => self.storm && self.rng.one_in(once_in),
        }
    }

    pub(super) fn row(&self, side: usize) -> Option<Row> {
        let remote = self.worlds[side].remote.as_ref()?;
        Some(self.row_of(side, self.id(side), remote))
    }

    /// The second record of a system.
    pub(super) fn twin_row(&self, side: usize) -> Option<Row> {
        let twin = self.twin.as_ref().filter(|twin| twin.side == side)?;
        Some(self.row_of(side, twin_id(), &twin.remote))
    }

    fn row_of(&self, side: usize, id: RemoteId, remote: &Remote) -> Row {
        let world = &self.worlds[side];
        let each = |field: usize| self.parts_of(field, remote.value(field));
        let mut raws: Vec<Raw> = (0..FIELDS).flat_map(each).collect();
        raws.push(remote.external.clone().map_or(Raw::Null, |key| Raw::Text(key.into())));
        let history = match world.source {
            SourceKind::History => (0..FIELDS).flat_map(|field| self.histories(side, remote, field)).collect(),
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
        Row { id, shows, raws, modified: remote.modified, mark, history }
    }

    /// What the properties of a field show.
    fn parts_of(&self, field: usize, value: &Value) -> Vec<Raw> {
        let parts = parts(self.options.grouped, field);
        (0..parts.len()).map(|at| FieldKind::Text.write(&part(parts, value, at))).collect()
    }

    /// The history of each property, newest first.
    fn histories(&self, side: usize, remote: &Remote, field: usize) -> Vec<Vec<PastValue>> {
        let parts = parts(self.options.grouped, field);
        let entries = (0..remote.history[field].len()).rev();
        let mut histories = vec![Vec::new(); parts.len()];
        for (past, told) in entries.filter_map(|at| self.told(side, remote, field, at)) {
            for at in told {
                histories[at].push(PastValue {
                    value: FieldKind::Text.write(&part(parts, &past.value, at)),
                    at: Millis(past.time),
                    mark: if past.op.is_some() { Mark::Ours } else { Mark::Theirs },
                    who: None,
                });
            }
        }
        histories
    }

    /// A change of a field, and which of its properties it tells of: those that changed, and all that we wrote where an equal
    /// save leaves a trace.
    fn told<'r>(&self, side: usize, remote: &'r Remote, field: usize, at: usize) -> Option<(&'r Past, Vec<usize>)> {
        let parts = parts(self.options.grouped, field);
        let past = remote.history[field].get(at)?;
        let before = at.checked_sub(1).and_then(|at| remote.history[field].get(at)).map(|past| &past.value);
        let all = parts.len() < 2 || past.op.is_some() && self.traced[side];
        let changed =
            |at: &usize| all || before.is_none_or(|before| part(parts, before, *at) != part(parts, &past.value, *at));
        let mut told: Vec<usize> = (0..parts.len()).filter(changed).collect();
        if told.is_empty() {
            told.push(0);
        }
        Some((past, told))
    }

    pub(super) fn poll(&mut self, side: usize) {
        let pause = POLL_MS + self.rng.range(-500, 500);
        self.after(pause, Doing::Poll { side });
        if !self.up {
            return;
        }
        let life = self.life;
        let timing = self.timing(side);
        if self.worlds[side].remote.is_none() && self.worlds[side].buried.is_some() {
            let delay = self.latency() + self.latency();
            self.after(delay, Doing::Gone { side, life });
        }
        if self.merge.is_some() {
            let delay = self.latency() + self.latency();
            self.after(delay, Doing::Merged { side, life });
        }
        if self.worlds[side].source == SourceKind::Stream {
            let upto = self.worlds[side].position;
            let doubled = self.doubled(3);
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
        let twice = self.doubled(6);
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
    pub(super) fn stream(&mut self, side: usize, doubled: bool, upto: u64, clock: i64) {
        let from = if doubled { 0 } else { self.streamed[side] };
        let mut events: Vec<(u64, Event)> = Vec::new();
        let mut passed: EditSet = 0;
        for field in 0..FIELDS {
            let parts = parts(self.options.grouped, field);
            let now = self.worlds[side].known().map(|remote| (self.id(side), remote));
            let before = self.merge.as_ref().filter(|merge| merge.before.is_some() && self.id(side) != remote_id());
            let before = before.and_then(|merge| Some((remote_id(), merge.before.as_ref()?)));
            let pasts = before.into_iter().chain(now).flat_map(|(id, remote)| {
                let told = (0..remote.history[field].len()).filter_map(|at| self.told(side, remote, field, at));
                told.map(move |(past, told)| (id.clone(), past, told)).collect::<Vec<_>>()
            });
            for (remote, past, told) in pasts.filter(|(_, past, _)| past.position > from && past.position <= upto) {
                let raw = |at: usize| FieldKind::Text.write(&part(parts, &past.value, at));
                let fields = told.into_iter().map(|at| (parts[at].to_owned(), raw(at))).collect();
                let place = Place { time: Millis(past.time), position: Some(past.position) };
                let mark = if past.op.is_some() { Mark::Ours } else { Mark::Theirs };
                events.push((past.position, Event { remote, place, fields, mark }));
                passed |= past.edit.map_or(0, |edit| 1 << edit);
            }
        }
        events.sort_by_key(|(position, _)| *position);
        let events: Vec<Event> = events.into_iter().map(|(_, event)| event).collect();
        let delivered = Place { time: Millis(clock), position: Some(upto) };
        self.say(|| format!("stream of {} up to {upto}", system_name(side)));
        let events = Events { entity: ENTITY, home: home(side), events, delivered };
        let unknown = !self.linked(side);
        self.feed(move |_, _| Input::Events(events));
        if self.committed {
            self.streamed[side] = self.streamed[side].max(upto);
            self.told_until[side] = self.told_until[side].max(clock);
            self.missed |= if unknown { passed } else { 0 };
            self.delivered |= if unknown { 0 } else { passed };
        }
        if unknown {
            // A stream tells of new records too; here a page does.
            let timing = self.timing(side);
            let row = self.row(side);
            self.page(side, row, timing, false, Pass::Changes);
        }
    }

    pub(super) fn linked(&self, side: usize) -> bool {
        let key = RemoteKey { entity: ENTITY, system: system_id(side), object: OBJECT, remote: self.id(side) };
        self.view().index(&key).is_ok_and(|id| id.is_some())
    }

    pub(super) fn page(&mut self, side: usize, row: Option<Row>, timing: Timing, complete: bool, pass: Pass) {
        let seen = row.as_ref().map(|row| row.shows.clone());
        let twin = self.twin.as_ref().is_some_and(|twin| twin.listed).then(|| self.twin_row(side)).flatten();
        let shown: Vec<Row> = row.into_iter().chain(twin).collect();
        let raws: Vec<Vec<Raw>> = shown.iter().map(|row| row.raws.clone()).collect();
        let text = format!("{raws:?}");
        let rows: Vec<RawRow> = shown
            .iter()
            .map(|row| RawRow {
                remote: row.id.clone(),
                modified: Millis(row.modified),
                mark: row.mark,
                who: None,
                raw: RawDigest::of_bytes(format!("{:?}", row.raws).as_bytes()),
            })
            .collect();
        self.say(|| format!("page of {} asked at {}: {text}", system_name(side), timing.sent.0 - 1_700_000_000_000));
        let decoder = Rows(raws);
        self.feed(|_, _| {
            Input::Page(PageRows {
                entity: ENTITY,
                home: home(side),
                pass,
                rows: &rows,
                decoder: &decoder,
                timing,
                cursor: None,
                complete: complete.then_some(timing),
            })
        });
        self.show(seen, true);
    }

    pub(super) fn send(&mut self, step: Step) {
        let life = self.life;
        for effect in step.effects {
            self.say(|| format!("effect {effect:?}"));
            match effect {
                Effect::Read { home, ids, .. } => {
                    let side = home.system.0 as usize - 1;
                    self.busy[side] = true;
                    let timing = self.timing(side);
                    let there = self.latency();
                    let latency = self.latency();
                    self.after(there, Doing::Read { side, ids, timing, life, latency });
                }
                Effect::LookUp { system, asks, records, .. } => {
                    let values = asks.into_iter().flat_map(|ask| ask.values).collect();
                    let side = system.0 as usize - 1;
                    self.busy[side] = true;
                    let timing = self.timing(side);
                    let latency = self.latency();
                    self.after(latency, Doing::LookUp { side, values, records, timing, life });
                }
                Effect::Delete { home, items, .. } => {
                    let side = home.system.0 as usize - 1;
                    self.busy[side] = true;
                    for (record, item) in items {
                        self.launch_delete(side, record, item);
                    }
                }
                Effect::Write { home, items, .. } => {
                    let side = home.system.0 as usize - 1;
                    self.busy[side] = true;
                    for (record, item) in items {
                        self.launch(side, record, item);
                    }
                }
            }
        }
    }

    /// A write leaves: it may land or not, soon or late, and its answer may be heard or not.
    pub(super) fn launch(&mut self, side: usize, record: RecordId, item: WriteItem) {
        let life = self.life;
        let knew = self.known;
        if matches!(item.target, Target::Create { .. }) {
            self.creates(side);
        }
        self.say(|| format!("write to {}: {:?}", system_name(side), item));
        let (lost, lands) = match self.small.is_some() {
            true => [(false, true), (true, true), (true, false), (false, false)][self.fault(3)],
            false => {
                let lost = self.storm && self.rng.percent(LOST_PERCENT);
                (lost, !self.storm || self.rng.percent(if lost { 60 } else { 95 }))
            }
        };
        let there = self.latency();
        let back = self.latency();
        if lost {
            self.report.lost_answers += 1;
            let late = if self.rng.one_in(3) { self.rng.range(0, STRAY_MS - 8_000) } else { there };
            let answer = Answer::of(record, &item, Outcome::Unknown);
            if lands {
                self.after(late, Doing::Apply { side, item, knew, answer: None, record, life });
            }
            self.after(there + back, Doing::Answered { side, answer, life });
        } else if lands {
            self.after(there, Doing::Apply { side, item, knew, answer: Some(back), record, life });
        } else {
            let code = "BUSY".to_owned();
            let answer = Answer::of(record, &item, Outcome::Retry { code, after_ms: 500 });
            self.after(there + back, Doing::Answered { side, answer, life });
        }
    }

    pub(super) fn apply(
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
        let grouped = self.options.grouped;
        let kind = kind(self.options.policy);
        let given = |field: usize| whole(&kind, parts(grouped, field), &item.fields);
        let back = |run: &mut Self, outcome: Outcome| {
            if let Some(back) = answer {
                let answer = Answer::of(record, &item, outcome);
                run.after(back, Doing::Answered { side, answer, life });
            }
        };
        if let Target::Update(id) = &item.target
            && self.is_led_on(side, id)
        {
            self.led_on = true;
            self.say(|| format!("led on from {id} on {}", system_name(side)));
            back(self, Outcome::Gone(Departure::Deleted));
            return;
        }
        let (id, world) = (self.id(side), &mut self.worlds[side]);
        let mut created = None;
        if let Target::Create { value, .. } = &item.target {
            created = Some(world.remote.is_none());
            if world.remote.is_none() {
                world.accepted += 1;
                let values = [0, 1].map(|field| given(field).unwrap_or_default());
                world.create(now, &values, Some(value.clone()), Some(item.op));
                if let Some(remote) = &mut world.remote {
                    remote.seen = knew;
                    // Whoever sees the record knows that it was made.
                    remote.told = knew.map(|knew| vec![Told { op: item.op, traced: true, knew }]);
                }
                self.land(side, item.op, |field| Some(values[field].clone()));
                self.heard.push((item.op, self.now));
                self.say(|| format!("created on {}: {:?}", system_name(side), item.fields));
                back(self, Outcome::Done { remote: remote_id(), created });
                return;
            }
            if world.source != SourceKind::History {
                self.say(|| format!("refused on {}: it is there already", system_name(side)));
                back(self, Outcome::Taken);
                return;
            }
        }
        if world.remote.is_none() {
            self.say(|| format!("gone on {}", system_name(side)));
            back(self, Outcome::Gone(Departure::Deleted));
            return;
        }
        world.accepted += 1;
        for (field, knew) in knew.into_iter().enumerate() {
            let Some(value) = given(field) else { continue };
            let traced = world.set(now, field, &value, Some(item.op), None, traced);
            if let Some(remote) = &mut world.remote {
                remote.seen[field] |= knew;
                remote.told[field].push(Told { op: item.op, traced, knew });
            }
        }
        self.land(side, item.op, given);
        self.say(|| format!("lands on {}: {:?}", system_name(side), item.fields));
        back(self, Outcome::Done { remote: id, created });
    }
}

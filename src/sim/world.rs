//! One system of the simulated world, at the level of values: what people see, what listings and histories show.

use crate::model::{ClockOffset, Millis, OpId, SourceKind, Value};

/// Sets of edits as bits: a history has fewer than 64 of them.
pub type EditSet = u64;

/// Number of fields in a simulated record.
pub const FIELDS: usize = 2;

/// One change of a field, as the system remembers it.
#[derive(Debug, Clone)]
pub struct Past {
    /// When, by this system's clock, floored to its step.
    pub time: i64,
    /// Position in this system's stream.
    pub position: u64,
    /// The value from then on.
    pub value: Value,
    /// Our write, if it is one.
    pub op: Option<OpId>,
    /// The person's edit, if it is one.
    pub edit: Option<usize>,
}

/// A write of ours as people there could see it.
#[derive(Debug, Clone)]
pub struct Told {
    /// Which.
    pub op: OpId,
    /// Did it leave a trace in the field's history?
    pub traced: bool,
    /// The edits that its value rested on.
    pub knew: EditSet,
}

/// A record in one system.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Modified time by the system's clock, floored.
    pub modified: i64,
    /// History per field, oldest first.
    pub history: [Vec<Past>; FIELDS],
    /// Per field, the edits that people there have been able to see.
    pub seen: [EditSet; FIELDS],
    /// Per field, the writes of ours that landed.
    pub told: [Vec<Told>; FIELDS],
    /// Per field, edits elsewhere whose value people there have seen, because it had been there before.
    pub may: [EditSet; FIELDS],
    /// Was the last modification ours?
    pub ours: bool,
    /// Our external id.
    pub external: Option<String>,
    /// Times that we created it.
    pub creates: u32,
}

/// One system.
#[derive(Debug, Clone)]
pub struct World {
    /// What its source promises.
    pub source: SourceKind,
    /// Step of its times.
    pub step: i64,
    /// Do rows say who changed the record last?
    pub marked: bool,
    /// Its clock minus true time.
    pub skew: i64,
    /// What the engine believes about that.
    pub offset: ClockOffset,
    /// The record, if it exists here.
    pub remote: Option<Remote>,
    /// What it was when somebody deleted it.
    pub buried: Option<Remote>,
    /// Last position of the stream.
    pub position: u64,
    /// Writes of ours that it accepted.
    pub accepted: u32,
}

impl World {
    /// The record, or what it was when it was deleted.
    pub fn known(&self) -> Option<&Remote> {
        self.remote.as_ref().or(self.buried.as_ref())
    }

    /// The clock, floored to the step.
    pub fn clock(&self, now: i64) -> i64 {
        Millis(now + self.skew).floor(self.step).0
    }

    /// Makes the record.
    pub fn create(&mut self, now: i64, values: &[Value; FIELDS], external: Option<String>, op: Option<OpId>) {
        let time = self.clock(now);
        self.position += 1;
        let position = self.position;
        let history = values.clone().map(|value| vec![Past { time, position, value, op, edit: None }]);
        let creates = u32::from(op.is_some());
        let ours = op.is_some();
        let (seen, told, may) = ([0; FIELDS], [Vec::new(), Vec::new()], [0; FIELDS]);
        self.remote = Some(Remote { modified: time, history, seen, told, may, ours, external, creates });
    }

    /// Sets a field. An equal value leaves no trace where the system keeps none (`traced` false); it bumps the modified
    /// time all the same. Returns whether there is a trace.
    pub fn set(
        &mut self,
        now: i64,
        field: usize,
        value: &Value,
        op: Option<OpId>,
        edit: Option<usize>,
        traced: bool,
    ) -> bool {
        let time = self.clock(now);
        self.position += 1;
        let position = self.position;
        let Some(remote) = &mut self.remote else { return false };
        remote.modified = remote.modified.max(time);
        remote.ours = op.is_some();
        let same = remote.history[field].last().is_some_and(|last| last.value == *value);
        if !same || traced {
            remote.history[field].push(Past { time, position, value: value.clone(), op, edit });
        }
        !same || traced
    }
}

impl Remote {
    /// The value that a field shows now.
    pub fn value(&self, field: usize) -> &Value {
        static BLANK: Value = Value::Null;
        self.history[field].last().map_or(&BLANK, |past| &past.value)
    }
}

//! The state of one (record, field) that the rules need, and its stored form. Absent in the steady state.

use crate::codec::{self, BorrowDecode, BorrowDecoder, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder};
use crate::model::{Apart, FieldId, Home, Millis, ObjectId, OpId, Place, Stamp, SystemId, Value};

/// Number of an edit in the line of those taken in; 0 = before all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Default)]
pub struct Turn(pub u32);

/// Why a side's people had seen something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum EntryKind {
    /// A write of ours landed.
    Write,
    /// They made an edit that nothing rivalled.
    Edit,
    /// Every side showed the same, and nothing was on its way.
    Closing,
    /// Of turn 0, and says nothing of what they had seen: since when the side shows what its first link found is asked.
    Undated,
    /// The same, and told: since this place.
    Dated,
}

/// From this place on the side's people had seen everything up to the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// From here on.
    pub place: Place,
    /// Everything up to this.
    pub turn: Turn,
    /// Why.
    pub kind: EntryKind,
}

/// How a write was found to have landed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum SettledBy {
    /// The answer to a create.
    Answer,
    /// Its own event or history entry.
    Mark,
    /// A read-back showed its value.
    Value,
    /// The answer, although something else is shown now.
    Covered,
    /// The answer; the field had shown the value before.
    EqualSave,
    /// It turned up after it had been given up.
    Late,
    /// The same, guessed from its value where no mark proves it: it may have been a person who entered the same.
    Guessed,
}

/// What is known of a write that has not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum FlightState {
    /// The call has left, or is about to.
    Sent,
    /// The remote said "done" (our clock); that alone does not settle it.
    Answered(Millis),
    /// No answer (our clock): it may have landed, or may still.
    Unknown(Millis),
}

/// A write of ours on its way to one field of one side.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Flight {
    /// The operation.
    pub op: OpId,
    /// What the side shows once it has landed.
    pub value: Value,
    /// The stamp of the register when the value was built.
    pub stamp: Stamp,
    /// The last turn when the value was built.
    pub turn: Turn,
    /// When it left, by our clock.
    pub left: Millis,
    /// Earliest time by the side's clock at which it can have left, floored to the side's step.
    pub sent: Millis,
    /// What is known of it.
    pub state: FlightState,
    /// When to stop waiting for its own event, by our clock.
    pub deadline: Millis,
}

/// A write that may still land although nobody waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Stray {
    /// The operation.
    pub op: OpId,
    /// Its value.
    pub value: Value,
    /// The turn as of which it was built.
    pub turn: Turn,
    /// When it left, as in [`Flight::sent`].
    pub sent: Millis,
    /// It cannot land after this, by our clock.
    pub until: Millis,
}

/// An own write that settled, so that its repeats are known.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Own {
    /// Where; the earliest place while that is not known exactly.
    pub place: Place,
    /// It cannot have landed after this; the time of `place` once that is exact.
    pub until: Millis,
    /// What.
    pub value: Value,
    /// What was known to be there before.
    pub over: Value,
}

/// An edit, before it is decided.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Edit {
    /// The new value in canonical form.
    pub value: Value,
    /// Where on its side; of an interval, the end.
    pub place: Place,
    /// Beginning of the interval in which it was made (exclusive); none = made exactly at `place`.
    pub since: Option<Millis>,
}

/// An edit that was taken in: decided, whether it won, lost, was overtaken or changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Taken {
    /// Whose.
    pub system: SystemId,
    /// What and where.
    pub edit: Edit,
    /// What its people had seen.
    pub base: Turn,
    /// Its own number.
    pub turn: Turn,
}

/// One side of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideField {
    /// The system.
    pub system: SystemId,
    /// The object.
    pub object: ObjectId,
    /// What it shows, as far as we know.
    pub shown: Value,
    /// Why it is left so although it differs.
    pub apart: Option<Apart>,
    /// What it is to be given back, apart from the others.
    pub wanted: Option<Value>,
    /// No base yet: what it shows is no edit.
    pub unbased: bool,
    /// Everything up to here has been taken in.
    pub settled: Place,
    /// What carries our mark up to then is our create.
    pub made: Millis,
    /// The rest.
    pub late: SideLately,
}

/// The part of a [`SideField`] that is kept only while it matters.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Default)]
pub struct SideLately {
    /// Ascending by place. None = one entry: before everything, turn 0.
    pub entries: Vec<Entry>,
    /// Place of the newest edit by its own people that was taken in.
    pub edited: Option<Place>,
    /// The write in flight, which most have none of.
    pub flight: Option<Box<Flight>>,
    /// Writes that may still land.
    pub strays: Vec<Stray>,
    /// Own writes that settled.
    pub ours: Vec<Own>,
    /// Edits behind the write in flight.
    pub waiting: Vec<Edit>,
}

/// All that the rules know of one (record, field).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldState {
    /// The field.
    pub field: FieldId,
    /// The register's value.
    pub value: Value,
    /// The register's stamp.
    pub stamp: Stamp,
    /// The last turn.
    pub turn: Turn,
    /// The edits taken in, in the order of their turns.
    pub recent: Vec<Taken>,
    /// The register's values from these turns on, ascending, as far as an edit may rest on them. Kept only under policies that
    /// compare with them.
    pub past: Vec<(Turn, Value)>,
    /// When (by its clock) a system answered a write of ours with another value, since all were last at rest.
    pub answered: Vec<(SystemId, Millis)>,
    /// The sides that hold this field, ascending by system.
    pub sides: Vec<SideField>,
}

/// Stored form of what is kept of one field.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct FieldLately {
    /// The field.
    pub field: FieldId,
    /// The last turn.
    pub turn: Turn,
    /// The edits taken in.
    pub recent: Vec<Taken>,
    /// The sides.
    pub sides: Vec<(SystemId, SideLately)>,
}

/// Stored form of what is kept of one record: one row, absent in the steady state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lately {
    /// Per side, the beginning of the last complete read of this record, by the side's clock.
    pub reads: Vec<(SystemId, Millis)>,
    /// Ascending by field.
    pub fields: Vec<FieldLately>,
    /// [`FieldState::past`] of the fields that have one, ascending by field.
    pub past: Vec<(FieldId, Vec<(Turn, Value)>)>,
    /// [`FieldState::answered`] of the fields that have some, ascending by field.
    pub answered: Vec<(FieldId, Vec<(SystemId, Millis)>)>,
}

/// What most rows lack is written only where it is there, behind the rest.
impl Encode for Lately {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.reads.encode(encoder)?;
        self.fields.encode(encoder)?;
        if !self.past.is_empty() || !self.answered.is_empty() {
            self.past.encode(encoder)?;
        }
        if !self.answered.is_empty() {
            self.answered.encode(encoder)?;
        }
        Ok(())
    }
}

impl<C> Decode<C> for Lately {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (reads, fields) = (Decode::decode(decoder)?, Decode::decode(decoder)?);
        let past = if codec::ends(decoder) { Vec::new() } else { Decode::decode(decoder)? };
        let answered = if codec::ends(decoder) { Vec::new() } else { Decode::decode(decoder)? };
        Ok(Self { reads, fields, past, answered })
    }
}

impl<'de, C> BorrowDecode<'de, C> for Lately {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl Lately {
    /// Nothing worth a row?
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The register's past values of a field.
    pub fn past(&self, field: FieldId) -> &[(Turn, Value)] {
        self.past.binary_search_by_key(&field, |(of, _)| *of).map_or(&[], |at| &self.past[at].1)
    }

    /// Takes out the register's past values of a field.
    pub(crate) fn take_past(&mut self, field: FieldId) -> Vec<(Turn, Value)> {
        take(&mut self.past, field)
    }

    /// Takes out when systems answered writes of a field with other values.
    pub(crate) fn take_answered(&mut self, field: FieldId) -> Vec<(SystemId, Millis)> {
        take(&mut self.answered, field)
    }

    /// Sets the register's past values of a field.
    pub fn set_past(&mut self, field: FieldId, past: Vec<(Turn, Value)>) {
        set(&mut self.past, field, past);
    }

    /// When systems answered writes of a field with other values.
    pub fn answered(&self, field: FieldId) -> &[(SystemId, Millis)] {
        self.answered.binary_search_by_key(&field, |(of, _)| *of).map_or(&[], |at| &self.answered[at].1)
    }

    /// Sets when systems answered writes of a field with other values.
    pub fn set_answered(&mut self, field: FieldId, answered: Vec<(SystemId, Millis)>) {
        set(&mut self.answered, field, answered);
    }

    /// Beginning of the last complete read of a side.
    pub fn read_at(&self, system: SystemId) -> Option<Millis> {
        self.reads.iter().find(|(s, _)| *s == system).map(|(_, at)| *at)
    }

    /// Notes a complete read.
    pub fn note_read(&mut self, system: SystemId, begun: Millis) {
        match self.reads.iter_mut().find(|(s, _)| *s == system) {
            Some((_, at)) => *at = (*at).max(begun),
            None => self.reads.push((system, begun)),
        }
    }
}

fn set<T>(rows: &mut Vec<(FieldId, Vec<T>)>, field: FieldId, own: Vec<T>) {
    match (rows.binary_search_by_key(&field, |(of, _)| *of), own.is_empty()) {
        (Ok(at), true) => drop(rows.remove(at)),
        (Ok(at), false) => rows[at].1 = own,
        (Err(_), true) => {}
        (Err(at), false) => rows.insert(at, (field, own)),
    }
}

fn take<T>(rows: &mut Vec<(FieldId, Vec<T>)>, field: FieldId) -> Vec<T> {
    let at = rows.binary_search_by_key(&field, |(of, _)| *of);
    at.map(|at| rows.remove(at).1).unwrap_or_default()
}

impl FieldState {
    /// Of a field that no side has been linked in.
    pub fn new(field: FieldId) -> Self {
        Self {
            field,
            value: Value::Null,
            stamp: Stamp::ZERO,
            turn: Turn(0),
            recent: Vec::new(),
            past: Vec::new(),
            answered: Vec::new(),
            sides: Vec::new(),
        }
    }

    /// The register's value as of a turn, or the oldest that is known.
    pub fn as_of(&self, turn: Turn) -> &Value {
        let known = self.past.iter().rev().find(|(from, _)| *from <= turn).or(self.past.first());
        known.map_or(&self.value, |(_, value)| value)
    }

    /// From the last turn on the register holds this value, as far as that matters to the policy.
    pub(super) fn note_past(&mut self, three_way: bool) {
        if !three_way {
            self.past.clear();
        } else if let Some((_, value)) = self.past.last_mut().filter(|(from, _)| *from == self.turn) {
            *value = self.value.clone();
        } else if self.past.is_empty() || *self.as_of(self.turn) != self.value {
            self.past.push((self.turn, self.value.clone()));
        }
    }
}

impl SideField {
    /// Of a side that is to be linked: it has no base, and nothing of it has been taken in after `settled`.
    pub fn new(home: Home, settled: Place) -> Self {
        Self {
            system: home.system,
            object: home.object,
            shown: Value::Null,
            apart: None,
            wanted: None,
            unbased: true,
            settled,
            made: Millis::MIN,
            late: SideLately::default(),
        }
    }

    /// The object that its record is one of.
    pub fn home(&self) -> Home {
        Home { system: self.system, object: self.object }
    }

    /// The side showed this value from `place` on; what is known of later places stands.
    pub fn show_from(&mut self, place: Place, value: &Value) {
        let later = |entry: &Entry| entry.kind != EntryKind::Closing && place.before(&entry.place);
        if !self.late.entries.iter().any(later) {
            self.shown = value.clone();
        }
    }
}

impl SideLately {
    /// Nothing kept?
    pub fn is_empty(&self) -> bool {
        let Self { entries, edited, flight, strays, ours, waiting } = self;
        entries.is_empty()
            && edited.is_none()
            && flight.is_none()
            && strays.is_empty()
            && ours.is_empty()
            && waiting.is_empty()
    }

    /// The highest turn among the entries for which `counts` holds, at least 0.
    pub fn base_where(&self, counts: impl Fn(&Entry) -> bool) -> Turn {
        let seen = self.entries.iter().filter(|entry| counts(entry)).map(|entry| entry.turn).max();
        // Before all entries, the oldest one's turn holds.
        seen.or_else(|| self.entries.first().map(|entry| entry.turn)).unwrap_or_default()
    }

    /// Adds an entry in its place.
    pub fn enter(&mut self, entry: Entry) {
        let at = self.entries.iter().rposition(|other| !entry.place.before(&other.place)).map_or(0, |at| at + 1);
        if self.entries.is_empty() {
            // Nearly always these two are all, and they stay as long as somebody has not seen the edit.
            self.entries.reserve_exact(2);
            // The implicit first entry: before everything, turn 0.
            self.entries.push(Entry { place: Place::at(Millis::MIN), turn: Turn(0), kind: EntryKind::Closing });
            self.entries.push(entry);
        } else {
            self.entries.insert(at, entry);
        }
    }
}

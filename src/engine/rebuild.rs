//! The mirror once more, from a checkpoint and the journal's entries since then: they are folded in their order, and nothing is
//! decided again. What comes out has the [root](super::root) of the mirror that the journal tells of. It is no store to go on
//! from: what sides show and what the merge rules need of the recent past is in no journal.

use super::{Happening, JournalEntry, Now, Rest, Stand, View, ViewError};
use crate::model::{
    EntityId, FieldId, Millis, Place, Record, RecordId, RemoteId, Side, SideState, Stamp, SystemId, Value,
};
use std::collections::BTreeMap;
use std::sync::Arc;

type Seen<T> = Result<T, ViewError>;

/// Why a mirror cannot be rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    /// Values of a first full reading are in no entry.
    #[error(
        "a first reading at {} (entry {number}) is not in the journal: take a checkpoint after it",
        Value::DateTime(at.0)
    )]
    FirstReading {
        /// The entry of its page.
        number: u64,
        /// When it was taken in, by our clock.
        at: Millis,
    },
    /// The journal does not go on where it left off.
    #[error("entry {number} is not in the journal any more: it was pruned since the checkpoint")]
    Pruned {
        /// The first that is missing.
        number: u64,
    },
    /// The checkpoint cannot be read.
    #[error(transparent)]
    View(#[from] ViewError),
}

/// A mirror in the making.
pub struct Rebuild<'a> {
    checkpoint: &'a dyn View,
    moved: BTreeMap<(EntityId, RecordId), Option<Record>>,
    last: u64,
}

impl<'a> Rebuild<'a> {
    /// Begins with a checkpoint, and the number of the newest entry that its mirror holds.
    pub fn new(checkpoint: &'a dyn View, last: u64) -> Self {
        Self { checkpoint, moved: BTreeMap::new(), last }
    }

    /// The number of the newest entry that was taken in.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Takes the next entry in.
    ///
    /// # Errors
    /// It is not the next one, it stands for values that no entry holds, or the checkpoint cannot be read.
    pub fn take_in(&mut self, number: u64, entry: &JournalEntry) -> Result<(), RebuildError> {
        if number != self.last + 1 {
            return Err(RebuildError::Pruned { number: self.last + 1 });
        }
        self.last = number;
        match (&entry.what, entry.entity, entry.record) {
            (Happening::Page { mirrored: 1.., .. }, ..) => {
                return Err(RebuildError::FirstReading { number, at: entry.at });
            }
            (Happening::Rest { records }, Some(entity), _) => {
                for (id, rest) in records {
                    take_rest(self.slot((entity, *id))?, (entity, *id), rest);
                }
            }
            (what, Some(entity), Some(id)) if tells(what) => fold(self.slot((entity, id))?, (entity, id), what),
            _ => {}
        }
        Ok(())
    }

    fn slot(&mut self, at: (EntityId, RecordId)) -> Seen<&mut Option<Record>> {
        use std::collections::btree_map::Entry;
        Ok(match self.moved.entry(at) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => vacant.insert(self.checkpoint.record(at.0, at.1)?.map(Arc::unwrap_or_clone)),
        })
    }

    /// Its records, ascending by id.
    pub fn records(&self, entity: EntityId) -> impl Iterator<Item = Seen<Record>> {
        let all = (entity, RecordId([0; 16]))..=(entity, RecordId([0xff; 16]));
        let mut moved = self.moved.range(all).map(|((_, id), record)| (*id, record)).peekable();
        let mut stood = mirror_records(self.checkpoint, entity).peekable();
        std::iter::from_fn(move || {
            loop {
                let next = match stood.peek() {
                    Some(Ok(record)) => Some(record.id),
                    Some(Err(_)) => return stood.next(),
                    None => None,
                };
                match moved.next_if(|(id, _)| next.is_none_or(|next| *id <= next)) {
                    Some((id, record)) => {
                        stood.next_if(|stood| stood.as_ref().is_ok_and(|stood| stood.id == id));
                        if let Some(record) = record {
                            return Some(Ok(record.clone()));
                        }
                    }
                    None => return stood.next(),
                }
            }
        })
    }
}

/// All records of an entity of a view, ascending by id, a few at a time.
pub fn mirror_records(view: &dyn View, entity: EntityId) -> impl Iterator<Item = Seen<Record>> {
    let (mut batch, mut after, mut ended) = (Vec::new().into_iter(), None, false);
    std::iter::from_fn(move || {
        loop {
            if let Some(record) = batch.next() {
                return Some(Ok(record));
            }
            if ended {
                return None;
            }
            let next = match view.record_scan(entity, after, BATCH) {
                Ok(next) => next,
                Err(error) => {
                    ended = true;
                    return Some(Err(error));
                }
            };
            ended = next.len() < BATCH;
            after = next.last().map(|record: &Record| record.id).or(after);
            batch = next.into_iter();
        }
    })
}

const BATCH: usize = 256;

/// Does an entry of this kind say anything of how its record stands?
pub(super) fn tells(what: &Happening) -> bool {
    use Happening::*;
    matches!(
        what,
        First { .. }
            | Value { .. }
            | Filled { .. }
            | LinkDecided { .. }
            | Detached { .. }
            | Deleted { .. }
            | LeftScope { .. }
            | Returned { .. }
            | Merged { .. }
            | Forgotten { .. }
    )
}

/// The side of a remote record.
fn there<'r>(slot: &'r mut Option<Record>, system: SystemId, remote: &RemoteId) -> Option<&'r mut Side> {
    slot.as_mut()?.side_mut(system).filter(|side| side.remote == *remote)
}

/// Takes an entry of a record in.
pub(super) fn fold(slot: &mut Option<Record>, (entity, id): (EntityId, RecordId), what: &Happening) {
    let mut move_on = |system: SystemId, remote: &RemoteId, state: SideState| {
        if let Some(side) = there(slot, system, remote) {
            side.state = state;
        }
    };
    match what {
        Happening::Detached { system, remote } | Happening::Deleted { system, remote, .. } => {
            move_on(*system, remote, SideState::Detached);
        }
        Happening::LeftScope { system, remote } => move_on(*system, remote, SideState::Frozen),
        Happening::Returned { system, remote } => move_on(*system, remote, SideState::Live),
        Happening::Merged { system, remote, into, record } if *record == id => {
            if let Some(side) = there(slot, *system, remote) {
                side.remote = into.clone();
            }
        }
        Happening::Forgotten { .. } => *slot = None,
        Happening::First { values, sides } => {
            let record = slot.insert(Record::new(id, entity));
            for (field, value, stamp) in values {
                hold(record, *field, value.clone(), *stamp);
            }
            sides.iter().for_each(|side| stand(record, side));
        }
        Happening::Value { field, to, stamp, .. } | Happening::Filled { field, to, stamp, .. } => {
            hold(slot.get_or_insert_with(|| Record::new(id, entity)), *field, to.clone(), *stamp);
        }
        Happening::LinkDecided { field, to, .. } => {
            // Its stamp, if it made one, is among what is left to be said.
            let record = slot.get_or_insert_with(|| Record::new(id, entity));
            let stamp = record.register(*field).map_or(Stamp::ZERO, |reg| reg.marker);
            hold(record, *field, to.clone(), stamp);
        }
        _ => {}
    }
}

/// Takes in what the other entries have left unsaid.
fn take_rest(slot: &mut Option<Record>, (entity, id): (EntityId, RecordId), rest: &Rest) {
    let Rest::Changed { registers, sides } = rest else {
        *slot = None;
        return;
    };
    let record = slot.get_or_insert_with(|| Record::new(id, entity));
    for (field, now) in registers {
        match now {
            Now::Value(value, stamp) => hold(record, *field, value.clone(), *stamp),
            Now::Stamp(stamp) => {
                let value = record.register(*field).map(|reg| reg.val.clone()).unwrap_or_default();
                hold(record, *field, value, *stamp);
            }
            Now::Nothing => record.registers.retain(|register| register.field != *field),
        }
    }
    for (system, side) in sides {
        match side {
            Some(side) => stand(record, side),
            None => record.sides.retain(|side| side.system != *system),
        }
    }
}

/// As an entry says, whatever the register held: the journal is believed.
fn hold(record: &mut Record, field: FieldId, value: Value, stamp: Stamp) {
    record.registers.retain(|register| register.field != field);
    record.set(field, value, stamp);
}

fn stand(record: &mut Record, Stand { system, object, remote, state }: &Stand) {
    record.put_side(Side {
        system: *system,
        object: *object,
        remote: remote.clone(),
        state: *state,
        settled: Place::at(Millis::MIN),
        made: Millis::MIN,
        unbased: Vec::new(),
        differs: Vec::new(),
    });
}

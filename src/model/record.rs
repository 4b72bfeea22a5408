//! A record: registers that say what is true, and sides that say where it is shown.

use super::{EntityId, FieldId, Home, Millis, ObjectId, Place, RecordId, RemoteId, Stamp, SystemId, Value};
use crate::codec::{Decode, Encode};
use crdts::{CvRDT, LWWReg};

/// One field's last-writer-wins register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// The field.
    pub field: FieldId,
    /// Value and stamp.
    pub reg: LWWReg<Value, Stamp>,
}

/// Why a side is left as it is although it differs from the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Apart {
    /// The first link kept both values; the next edit on any side ends it.
    Split,
    /// A person has to decide.
    Review,
    /// The system refused our write; tried again not before this time (our clock).
    Parked {
        /// When to try again.
        until: Millis,
    },
    /// The field only goes the other way: nothing is written to its source, and an edit where it arrives was kept.
    OneWay,
}

/// A field in which a side does not show the projection of the register.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Differs {
    /// The field.
    pub field: FieldId,
    /// What the side shows, in canonical form.
    pub shown: Value,
    /// Why it is left so; none = a patch is due.
    pub apart: Option<Apart>,
    /// Split only: what it is to be given back, apart from the others, and does not show yet.
    pub wanted: Option<Value>,
}

/// Whether a side takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum SideState {
    /// Linked and kept equal.
    Live,
    /// A create of ours is on its way: its remote id is not known yet, and stands for our external id.
    Creating,
    /// Deleted there: a tombstone; nothing is written or created there for this record.
    Detached,
    /// Out of scope since it was linked: nothing is read there or written until it is back, but what it showed still counts.
    Frozen,
    /// Out of scope and never linked: only the match keys are known, in `differs`. Nothing is created beside it.
    Outside,
}

/// A record's presence in one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The system.
    pub system: SystemId,
    /// The object within the system.
    pub object: ObjectId,
    /// The record's id there.
    pub remote: RemoteId,
    /// Whether it takes part.
    pub state: SideState,
    /// Everything of this side up to here (by its clock) has been taken in. Of a tombstone: when, by our clock, it became one.
    pub settled: Place,
    /// We created it, and heard so at this time (the latest that its clock can have shown): what carries our mark before
    /// then is that create. The minimum where we did not.
    pub made: Millis,
    /// Fields without a base: what this side shows there is no edit by anyone. Ascending.
    pub unbased: Vec<FieldId>,
    /// Fields in which it does not show the register's projection. Ascending by field.
    pub differs: Vec<Differs>,
}

impl Side {
    /// The object that its record is one of.
    pub fn home(&self) -> Home {
        Home { system: self.system, object: self.object }
    }

    /// The entry of `differs` for a field.
    pub fn differs(&self, field: FieldId) -> Option<&Differs> {
        self.differs.binary_search_by_key(&field, |entry| entry.field).ok().map(|at| &self.differs[at])
    }
}

/// One real-world thing, mirrored.
///
/// The registers are a state-based CRDT: [`CvRDT::merge`] takes the larger stamp of each field. Sides are not joined; a
/// replica folds them from the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name in the mirror.
    pub id: RecordId,
    /// Its canonical type.
    pub entity: EntityId,
    /// Ascending by field.
    pub registers: Vec<Register>,
    /// Ascending by system; at most one a system.
    pub sides: Vec<Side>,
}

impl Record {
    /// A record without content.
    pub fn new(id: RecordId, entity: EntityId) -> Self {
        Self { id, entity, registers: Vec::new(), sides: Vec::new() }
    }

    /// The register of a field.
    pub fn register(&self, field: FieldId) -> Option<&LWWReg<Value, Stamp>> {
        self.registers.binary_search_by_key(&field, |register| register.field).ok().map(|at| &self.registers[at].reg)
    }

    /// Registers that are not as they stood: each with what it was, where there was one. One pass, since registers ascend.
    pub fn moved_since<'r>(
        &'r self,
        before: &'r Self,
    ) -> impl Iterator<Item = (Option<&'r LWWReg<Value, Stamp>>, &'r Register)> {
        let mut stood = before.registers.iter().peekable();
        self.registers.iter().filter_map(move |register| {
            while stood.next_if(|stood| stood.field < register.field).is_some() {}
            let was = stood.next_if(|stood| stood.field == register.field);
            (was != Some(register)).then_some((was.map(|was| &was.reg), register))
        })
    }

    /// Sets a register.
    ///
    /// # Panics
    /// If the stamp does not rise: every change of a value mints one.
    pub fn set(&mut self, field: FieldId, value: Value, stamp: Stamp) {
        match self.registers.binary_search_by_key(&field, |register| register.field) {
            Ok(at) => {
                let reg = &mut self.registers[at].reg;
                assert!(stamp > reg.marker, "a register's stamp must rise: {stamp:?} after {:?}", reg.marker);
                *reg = LWWReg { val: value, marker: stamp };
            }
            Err(at) => {
                self.registers.insert(at, Register { field, reg: LWWReg { val: value, marker: stamp } });
            }
        }
    }

    /// The side in a system.
    pub fn side(&self, system: SystemId) -> Option<&Side> {
        self.sides.binary_search_by_key(&system, |side| side.system).ok().map(|at| &self.sides[at])
    }

    /// The side in a system, to change.
    pub fn side_mut(&mut self, system: SystemId) -> Option<&mut Side> {
        self.sides.binary_search_by_key(&system, |side| side.system).ok().map(|at| &mut self.sides[at])
    }

    /// Adds or replaces a side.
    pub fn put_side(&mut self, side: Side) {
        match self.sides.binary_search_by_key(&side.system, |other| other.system) {
            Ok(at) => self.sides[at] = side,
            Err(at) => self.sides.insert(at, side),
        }
    }

    /// Sides that take part, are about to, or may again as if they had not been away.
    pub fn present_sides(&self) -> impl Iterator<Item = &Side> {
        self.sides.iter().filter(|side| !matches!(side.state, SideState::Detached | SideState::Outside))
    }

    /// Sides whose record stands in its system, whether it takes part or is out of scope.
    pub fn standing_sides(&self) -> impl Iterator<Item = &Side> {
        self.sides.iter().filter(|side| !matches!(side.state, SideState::Detached | SideState::Creating))
    }

    /// Sides that take part.
    pub fn live_sides(&self) -> impl Iterator<Item = &Side> {
        self.sides.iter().filter(|side| side.state == SideState::Live)
    }
}

/// Two registers with one stamp and different values: a bug or damage, since every change mints a stamp.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflicting {
    /// The records are not copies of each other.
    #[error("records {0:?} and {1:?} are not copies of one record")]
    Identity(RecordId, RecordId),
    /// The same stamp stands on two values.
    #[error("field {0:?} has two values under one stamp")]
    Stamp(FieldId),
}

impl CvRDT for Record {
    type Validation = Conflicting;

    fn validate_merge(&self, other: &Self) -> Result<(), Conflicting> {
        if self.id != other.id || self.entity != other.entity {
            return Err(Conflicting::Identity(self.id, other.id));
        }
        for register in &other.registers {
            if let Some(own) = self.register(register.field) {
                own.validate_merge(&register.reg).map_err(|_| Conflicting::Stamp(register.field))?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        debug_assert_eq!((self.id, self.entity), (other.id, other.entity));
        for register in other.registers {
            match self.registers.binary_search_by_key(&register.field, |own| own.field) {
                Ok(at) => self.registers[at].reg.merge(register.reg),
                Err(at) => self.registers.insert(at, register),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Hlc, Origin};
    use proptest::prelude::*;

    /// Copies of one record whose stamps name their values, as minting guarantees.
    fn copies() -> impl Strategy<Value = Record> {
        prop::collection::btree_map(0u32..6, 0u64..50, 0..6).prop_map(|fields| {
            let mut record = Record::new(RecordId([7; 16]), EntityId(1));
            for (field, time) in fields {
                let stamp = Stamp { hlc: Hlc::from_bits(time + 1), origin: Origin::Engine };
                record.set(FieldId(field), Value::Int((time % 5) as i64), stamp);
            }
            record
        })
    }

    fn joined(a: &Record, b: &Record) -> Record {
        let mut out = a.clone();
        out.validate_merge(b).expect("stamps name their values");
        out.merge(b.clone());
        out
    }

    proptest! {
        #[test]
        fn join_is_commutative_associative_idempotent(a in copies(), b in copies(), c in copies()) {
            prop_assert_eq!(joined(&a, &b), joined(&b, &a));
            prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
            prop_assert_eq!(joined(&a, &a), a);
        }

        #[test]
        fn join_never_loses_the_larger_stamp(a in copies(), b in copies()) {
            let both = joined(&a, &b);
            for register in a.registers.iter().chain(&b.registers) {
                prop_assert!(both.register(register.field).unwrap().marker >= register.reg.marker);
            }
        }

        #[test]
        fn records_survive_the_codec(record in copies()) {
            let bytes = crate::codec::encode(1, &record);
            prop_assert_eq!(crate::codec::decode::<Record>(1, &bytes), Ok(record));
        }
    }

    #[test]
    fn one_stamp_on_two_values_is_reported() {
        let stamp = Stamp { hlc: Hlc::from_bits(9), origin: Origin::Engine };
        let mut a = Record::new(RecordId([7; 16]), EntityId(1));
        let mut b = a.clone();
        a.set(FieldId(1), Value::Int(1), stamp);
        b.set(FieldId(1), Value::Int(2), stamp);
        assert_eq!(a.validate_merge(&b), Err(Conflicting::Stamp(FieldId(1))));
        b.id = RecordId([8; 16]);
        assert!(matches!(a.validate_merge(&b), Err(Conflicting::Identity(..))));
    }
}

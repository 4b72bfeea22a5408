//! `crdts`: last-writer-wins registers, bare and in its map.

use crate::peer::{FIELDS, ORIGIN, Peer, Ready, clock, ready, remote_number};
use crate::world::{Edits, values_digest};
use crdts::lwwreg::{LWWReg, Validation};
use crdts::map::{Map, Op};
use crdts::{CmRDT, ResetRemove, VClock};
use std::collections::HashMap;
use syncline::model::Digest;

type Stamp = (u64, u64);
type Reg = LWWReg<String, Stamp>;

fn stamp(hlc: u64) -> Stamp {
    (hlc, ORIGIN as u64)
}

/// An array of registers a record.
pub struct Registers {
    edits: Edits,
    records: HashMap<i64, Box<[Reg]>>,
    next: Vec<Ready>,
}

impl Registers {
    pub fn of(n: usize) -> Self {
        let edits = Edits::of(n);
        let record = |number| {
            let reg = |field| LWWReg { val: edits.value(number, field), marker: stamp(clock(0)) };
            (remote_number(number), (0..FIELDS as u32).map(reg).collect())
        };
        let records = (0..n).map(record).collect();
        Self { edits, records, next: Vec::new() }
    }
}

impl Peer for Registers {
    fn name(&self) -> &'static str {
        "crdts, an array of LWWReg a record"
    }

    fn stores(&self) -> &'static str {
        "value and stamp a field, nothing else"
    }

    fn prepare(&mut self, _: usize, most: usize) {
        self.next = ready(&mut self.edits, most);
    }

    fn merge(&mut self, _: usize) {
        for edited in std::mem::take(&mut self.next) {
            let record = self.records.get_mut(&edited.remote).expect("loaded");
            for (field, value) in edited.fields {
                record[field as usize].update(value, stamp(edited.hlc));
            }
        }
    }

    fn edits(&self) -> &Edits {
        &self.edits
    }

    fn values(&mut self) -> Digest {
        let record = |number| self.records[&remote_number(number)].iter().map(|reg| reg.val.clone());
        values_digest((0..self.edits.versions.len()).flat_map(record))
    }
}

/// The map wants to take its values back; a register has nothing to take back.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Kept(Reg);

impl ResetRemove<u64> for Kept {
    fn reset_remove(&mut self, _: &VClock<u64>) {}
}

impl CmRDT for Kept {
    type Op = Reg;
    type Validation = Validation;

    fn validate_op(&self, op: &Reg) -> Result<(), Validation> {
        self.0.validate_op(op)
    }

    fn apply(&mut self, op: Reg) {
        self.0.apply(op);
    }
}

type Fields = Map<u32, Kept, u64>;
type Change = Op<u32, Kept, u64>;

/// A map of fields a record, changed by operations.
pub struct Maps {
    edits: Edits,
    /// Where people edit.
    theirs: Vec<Fields>,
    ours: HashMap<i64, Fields>,
    next: Vec<(i64, Vec<Change>)>,
}

fn edit(map: &mut Fields, field: u32, value: String, hlc: u64) -> Change {
    let context = map.read_ctx().derive_add_ctx(ORIGIN as u64);
    let op = map.update(field, context, |_, _| LWWReg { val: value, marker: stamp(hlc) });
    map.apply(op.clone());
    op
}

impl Maps {
    pub fn of(n: usize) -> Self {
        let edits = Edits::of(n);
        let record = |number| {
            let mut map = Fields::new();
            (0..FIELDS as u32).for_each(|field| _ = edit(&mut map, field, edits.value(number, field), clock(0)));
            map
        };
        let theirs: Vec<Fields> = (0..n).map(record).collect();
        let ours = theirs.iter().enumerate().map(|(number, map)| (remote_number(number), map.clone())).collect();
        Self { edits, theirs, ours, next: Vec::new() }
    }
}

impl Peer for Maps {
    fn name(&self) -> &'static str {
        "crdts, Map<field, LWWReg>"
    }

    fn stores(&self) -> &'static str {
        "value, stamp and version vector a field, version vector a record"
    }

    fn prepare(&mut self, _: usize, most: usize) {
        let edited = ready(&mut self.edits, most).into_iter();
        let ops = edited.map(|edited| {
            let theirs = &mut self.theirs[edited.number];
            let fields = edited.fields.into_iter();
            (edited.remote, fields.map(|(field, value)| edit(theirs, field, value, edited.hlc)).collect())
        });
        self.next = ops.collect();
    }

    fn merge(&mut self, _: usize) {
        for (remote, ops) in std::mem::take(&mut self.next) {
            let record = self.ours.get_mut(&remote).expect("loaded");
            ops.into_iter().for_each(|op| record.apply(op));
        }
    }

    fn edits(&self) -> &Edits {
        &self.edits
    }

    fn values(&mut self) -> Digest {
        let value = |number, field| {
            let map = &self.ours[&remote_number(number)];
            map.get(&field).val.map(|kept| kept.0.val).expect("loaded")
        };
        let ours = &value;
        let numbers = 0..self.edits.versions.len();
        values_digest(numbers.flat_map(|number| (0..FIELDS as u32).map(move |field| ours(number, field))))
    }
}
